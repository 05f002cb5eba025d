"""`make bench`: Waymark against a plain Strawberry server, a handwritten endpoint and Mercurius, on one database.

    make bench                                   short rounds, printed
    make bench ROUNDS=9 SECONDS=2 WRITE=1        and written to docs/performance.md

Every server is one process on a core of its own; PostgreSQL and the load generator share the other one. Answers are
compared for equality before anything is measured, and under load each must have the length of the one compared. Rounds
of the contestants are interleaved, and medians are told: noise of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tests.load import report
from tests.load.contestants import (
    OTHER_CORE,
    SERVER_CORE,
    Contestant,
    World,
    free_port,
    mercurius,
    product,
    python_contestants,
    running,
)
from tests.load.generator import CONNECTIONS, load
from tests.load.measuring import Table, measure, world
from tests.load.operations import OPERATIONS
from tests.load.report import Latency, Results
from tests.load.shares import NoSharesError, limited

_TELEMETRY = "telemetry, 1% sampled"
# Of what a server can do at most.
_LOADS = (0.3, 0.6)
# Seconds: at a tenth of a core a round has some hundred answers a second, too few in one to tell much.
_LEAST_HELD = 3.0
# Of a core, for each process: two of them keep PostgreSQL and the load generator busy to less than a half.
SHARE = 0.1
_BY_ANYBODY = tuple(each for each in OPERATIONS if each.name != "Q2")


@contextmanager
def sink(folder: Path) -> Iterator[str]:
    """Run a collector that takes all telemetry and keeps none, beside the load generator; yield its address."""
    port = free_port()
    with (folder / "sink.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.load.sink", str(port)], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def deployed(made: World, collector: str, *arguments: str, name: str = "product", ratio: str = "0.01") -> Contestant:
    """Return the product with telemetry, as it is meant to be deployed."""
    return product(
        made.caller,
        *arguments,
        name=name,
        telemetry__exporter="otlp",
        telemetry__endpoint=collector,
        telemetry__sampling_ratio=ratio,
    )


def features(made: World, collector: str, rounds: int, seconds: float) -> Table:
    """Measure the product with each feature of the gateway on and off."""
    traced = [
        deployed(made, collector, name=title, ratio=ratio)
        for title, ratio in ((_TELEMETRY, "0.01"), ("telemetry, every request sampled", "1"))
    ]
    with ExitStack() as stack:
        plain = stack.enter_context(running(product(made.caller, name=report.BARE), made))
        for each in traced:
            stack.enter_context(running(each, made))
        packed = replace(plain, name="answers packed with gzip", headers={**plain.headers, "Accept-Encoding": "gzip"})
        page = replace(plain, name="asked by a page of a browser", headers={**plain.headers, "Origin": "http://x.test"})
        table = measure([plain, *traced, packed, page], rounds, seconds)
        nobody = replace(plain, name="signed out", headers={})
        table.update(measure([nobody], rounds, seconds, _BY_ANYBODY))
        return table


def latencies(contestants: list[Contestant], table: Table, seconds: float) -> list[Latency]:
    """Measure how long clients wait who ask at fixed moments, at shares of what each server can do at most."""
    found = []
    for operation in OPERATIONS:
        for each in contestants:
            for share in _LOADS:
                rate = share * table[each.name, operation.name].rate
                outcome = load(each.port, each.requests(operation), seconds, rate)
                found.append(
                    Latency(operation.name, each.name, share, rate, outcome.percentile(0.5), outcome.percentile(0.99))
                )
    return found


def alone_and_doubled(made: World, collector: str, one: str, two: str) -> tuple[Contestant, Contestant]:
    """Return the product as one process and as two, each process with as many clients."""
    doubled = deployed(made, collector, "--workers", "2", name=two)
    return deployed(made, collector, name=one), replace(doubled, clients=2 * CONNECTIONS)


def workers(made: World, collector: str, rounds: int, seconds: float) -> tuple[Table, dict[str, float]]:
    """Measure one process on one core, and two on both; with the memory that each process holds for itself."""
    one, two = alone_and_doubled(made, collector, report.ONE, report.TWO)
    with running(one, made), running(two, made, {SERVER_CORE, OTHER_CORE}):
        table = measure([one, two], rounds, seconds)
        memory = {each.name: each.memory() for each in (one, two)}
    try:
        table.update(held(made, collector, rounds, max(seconds, _LEAST_HELD)))
    except NoSharesError as error:
        print(f"Processes cannot be held to a share of a core here: {error}", flush=True)  # noqa: T201 - as below.
    return table, memory


def held(made: World, collector: str, rounds: int, seconds: float) -> Table:
    """Measure one process and two, each with a share of a core that leaves everything else idle.

    Raises:
        NoSharesError: it cannot be done here.
    """
    one, two = alone_and_doubled(made, collector, report.ONE_HELD, report.TWO_HELD)
    with running(one, made), running(two, made):
        serving = [*one.largest()[:1], *two.largest()[:2]]
        with limited([each.pid for each in serving], SHARE):
            return measure([one, two], rounds, seconds)


def main(options: argparse.Namespace) -> None:
    """Measure, print, and write if asked."""
    begun = time.monotonic()
    os.sched_setaffinity(0, {OTHER_CORE})
    rounds, seconds = options.rounds, options.seconds
    with ExitStack() as stack:
        made = stack.enter_context(world())
        collector = stack.enter_context(sink(made.folder))
        contestants = [*python_contestants(), deployed(made, collector)]
        if options.node is not None:
            contestants.append(mercurius(options.node))
        else:
            print("npm could not install Mercurius, so it is left out.", flush=True)  # noqa: T201 - it is a command.
        with ExitStack() as servers:
            for each in contestants:
                servers.enter_context(running(each, made))
            table = measure(contestants, rounds, seconds)
            memory = {each.name: each.memory() for each in contestants}
            waits = latencies(contestants, table, seconds) if not options.short else []
        results = Results(contestants, table, memory, waits, rounds, seconds)
        if not options.short:
            results.features = features(made, collector, rounds, seconds)
            results.workers, results.worker_memory = workers(made, collector, rounds, seconds)
    text = report.written(results)
    print(text)  # noqa: T201 - it is a command.
    print(f"{time.monotonic() - begun:.0f} s")  # noqa: T201 - it is a command.
    if options.write is not None:
        report.replace_figures(options.write, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a round")
    parser.add_argument("--node", type=Path, help="folder that Mercurius is installed in; it is left out without")
    parser.add_argument("--short", action="store_true", help="only the contestants")
    parser.add_argument("--write", type=Path, help="a page whose figures are replaced")
    main(parser.parse_args())
