"""`make bench`: Waymark against a plain Strawberry server, a handwritten endpoint and Mercurius, on one database.

    .venv/bin/python -m tests.load.bench                     short rounds, printed
    .venv/bin/python -m tests.load.bench --write             the figures of docs/performance.md

Every server is one process on a core of its own; PostgreSQL and the load generator share the other one. Answers are
compared for equality before anything is measured, and under load each must have the length of the one compared. Rounds
of the contestants are interleaved, and medians are told: noise of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from app.embedded import embedded_postgres
from gateway.manifests import Entry
from gateway.registration import Build, register
from schema.contract import build_schema
from tests.load.contestants import (
    COMPILED,
    HANDWRITTEN,
    OTHER_CORE,
    PLAIN,
    Contestant,
    World,
    free_port,
    mercurius,
    product,
    python_contestants,
    running,
)
from tests.load.generator import load
from tests.load.operations import OPERATIONS, Measured
from tests.load.seeding import seeded

_WARM_UP = 0.5


@dataclass
class Figures:
    """What one contestant came to with one operation, a value a round.

    Attributes:
        rates: answers per second.
        cpu: microseconds that the server computed for an answer.
        busy: share of its core that it used.
    """

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median of the rates."""
        return median(self.rates)


Table = dict[tuple[str, str], Figures]


@contextmanager
def world() -> Iterator[World]:
    """Start PostgreSQL beside the load generator, fill it, and register the operations."""
    with tempfile.TemporaryDirectory(prefix="waymark-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded_postgres(folder / "postgres") as url:
            made = asyncio.run(_filled(url, folder))
            made.save()
            yield made


async def _filled(url: str, folder: Path) -> World:
    async with seeded(url, folder) as (database, caller):
        entries = [Entry("bench", each.sha256, None, each.text) for each in OPERATIONS]
        done = await register(database, build_schema(), entries, Build("bench", "1", "bench"), datetime.now(UTC))
        if done.problems:
            raise RuntimeError(str(done.problems))
        return World(url, folder, caller)


def answers(contestant: Contestant, operation: Measured) -> list[bytes]:
    """Return the body of each of an operation's answers."""
    connection = http.client.HTTPConnection("127.0.0.1", contestant.port, timeout=30)
    found = []
    headers = {"Content-Type": "application/json", **contestant.headers}
    for body in contestant.bodies(operation):
        # Once more for who compiles an operation when it comes again.
        for _ in range(3):
            connection.request("POST", "/graphql", body, headers)
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise RuntimeError(f"{contestant.name} answers {operation.name} with {response.status}: {text[:500]!r}")
        found.append(text)
    connection.close()
    return found


def compared(contestants: Sequence[Contestant]) -> dict[tuple[str, str], list[int]]:
    """Return the lengths of all answers, once they are the same from everybody.

    Raises:
        RuntimeError: somebody answers another thing.
    """
    lengths = {}
    for operation in OPERATIONS:
        expected: list[Any] = []
        for contestant in contestants:
            texts = answers(contestant, operation)
            lengths[contestant.name, operation.name] = [len(text) for text in texts]
            found = [orjson.loads(text) for text in texts]
            expected = expected or found
            for number, (one, other) in enumerate(zip(expected, found, strict=True)):
                # What a product tells besides, such as what an operation cost, is its own.
                if one["data"] != other.get("data") or "errors" in other or not one["data"]:
                    raise RuntimeError(f"{contestant.name} answers {operation.name} {number} differently: {other}")
    return lengths


def measure(contestants: Sequence[Contestant], rounds: int, seconds: float) -> Table:
    """Return what each contestant came to with each operation."""
    lengths = compared(contestants)
    table: Table = defaultdict(Figures)
    for operation in OPERATIONS:
        for each in contestants:
            load(each.port, each.requests(operation), _WARM_UP)
        for number in range(rounds):
            # Whoever comes first changes from round to round.
            turn = number % len(contestants)
            for each in (*contestants[turn:], *contestants[:turn]):
                requests = each.requests(operation, lengths[each.name, operation.name])
                before, begun = each.cpu_seconds(), time.perf_counter()
                outcome = load(each.port, requests, seconds)
                spent, took = each.cpu_seconds() - before, time.perf_counter() - begun
                figures = table[each.name, operation.name]
                figures.rates.append(outcome.rate)
                figures.cpu.append(1e6 * spent / len(outcome.latencies))
                figures.busy.append(spent / took)
    return table


def ratios(table: Table, contestants: Iterable[Contestant], to: str) -> dict[tuple[str, str], float]:
    """Return the median over rounds of how many times the rate of `to` each contestant has."""
    found = {}
    for each in contestants:
        for operation in OPERATIONS:
            pairs = zip(table[each.name, operation.name].rates, table[to, operation.name].rates, strict=True)
            found[each.name, operation.name] = median(one / other for one, other in pairs)
    return found


@contextmanager
def sink(folder: Path) -> Iterator[str]:
    """Run a collector that takes all telemetry and keeps none, beside the load generator; yield its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.load.sink", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "sink.log").open("wb"),
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def deployed(made: World, collector: str) -> Contestant:
    """Return the product with telemetry, as it is meant to be deployed."""
    return product(
        made.caller,
        telemetry__exporter="otlp",
        telemetry__endpoint=collector,
        telemetry__sampling_ratio="0.01",
    )


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    os.sched_setaffinity(0, {OTHER_CORE})
    with ExitStack() as stack:
        made = stack.enter_context(world())
        collector = stack.enter_context(sink(made.folder))
        contestants = [*python_contestants(), deployed(made, collector)]
        if options.node is not None:
            contestants.append(mercurius(options.node))
        contestants = [each for each in contestants if options.only is None or each.name in options.only]
        for each in contestants:
            stack.enter_context(running(each, made))
        table = measure(contestants, options.rounds, options.seconds)
        for (name, operation), figures in table.items():
            print(f"{operation} {name:12} {figures.rate:9.0f}/s  {median(figures.cpu):8.0f} us cpu  busy {median(figures.busy):.2f}")
        for to in (PLAIN, HANDWRITTEN, "mercurius"):
            if any(each.name == to for each in contestants):
                for (name, operation), ratio in ratios(table, contestants, to).items():
                    print(f"{operation} {name:12} {ratio:6.2f} x {to}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--node", type=Path)
    parser.add_argument("--only", nargs="*")
    main(parser.parse_args())
