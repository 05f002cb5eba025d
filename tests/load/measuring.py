"""Measuring: the database that all share, answers that must be equal, and interleaved rounds."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from tests.load.contestants import Contestant, World
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
            made = asyncio.run(filled(url, folder))
            made.save()
            yield made


async def filled(url: str, folder: Path) -> World:
    """Fill an empty database, register the operations, and return what contestants need."""
    async with seeded(url, folder) as (database, caller):
        entries = [Entry("bench", each.sha256, None, each.text) for each in OPERATIONS]
        done = await register(database, build_schema(), entries, Build("bench", "1", "bench"), datetime.now(UTC))
        if done.problems:
            raise RuntimeError(str(done.problems))
        return World(url, folder, caller)


def answers(contestant: Contestant, operation: Measured) -> list[tuple[Any, int | None]]:
    """Return each of an operation's answers, and the bytes it was sent in.

    None where it was packed: the budget that is told in it packs now better, now worse.
    """
    connection = http.client.HTTPConnection("127.0.0.1", contestant.port, timeout=30)
    found = []
    headers = {"Content-Type": "application/json", **contestant.headers}
    for body in contestant.bodies(operation):
        # Once more for who compiles an operation when it comes again.
        for _ in range(3):
            connection.request("POST", "/graphql", body, headers)
            response = connection.getresponse()
            text = response.read()
            length: int | None = len(text)
            if response.headers.get("Content-Encoding") == "gzip":
                text, length = gzip.decompress(text), None
            if response.status != 200:
                raise RuntimeError(f"{contestant.name} answers {operation.name} with {response.status}: {text[:500]!r}")
        found.append((orjson.loads(text), length))
    connection.close()
    return found


def compared(
    contestants: Sequence[Contestant], operations: Sequence[Measured] = OPERATIONS
) -> dict[tuple[str, str], list[int | None]]:
    """Return the lengths of all answers, once they are the same from everybody.

    Raises:
        RuntimeError: somebody answers another thing.
    """
    lengths = {}
    for operation in operations:
        expected: list[Any] = []
        for contestant in contestants:
            got = answers(contestant, operation)
            lengths[contestant.name, operation.name] = [length for _, length in got]
            found = [answer for answer, _ in got]
            expected = expected or found
            for number, (one, other) in enumerate(zip(expected, found, strict=True)):
                # What a product tells besides, such as what an operation cost, is its own.
                if one["data"] != other.get("data") or "errors" in other or not one["data"]:
                    raise RuntimeError(f"{contestant.name} answers {operation.name} {number} differently: {other}")
    return lengths


def measure(
    contestants: Sequence[Contestant], rounds: int, seconds: float, operations: Sequence[Measured] = OPERATIONS
) -> Table:
    """Return what each contestant came to with each operation."""
    lengths = compared(contestants, operations)
    table: Table = defaultdict(Figures)
    for operation in operations:
        for each in contestants:
            load(each.port, each.requests(operation), _WARM_UP, clients=each.clients)
        for number in range(rounds):
            # Whoever comes first changes from round to round.
            turn = number % len(contestants)
            for each in (*contestants[turn:], *contestants[:turn]):
                requests = each.requests(operation, lengths[each.name, operation.name])
                before, begun = each.cpu_seconds(), time.perf_counter()
                outcome = load(each.port, requests, seconds, clients=each.clients)
                spent, took = each.cpu_seconds() - before, time.perf_counter() - begun
                figures = table[each.name, operation.name]
                figures.rates.append(outcome.rate)
                figures.cpu.append(1e6 * spent / len(outcome.latencies))
                figures.busy.append(spent / took)
    return table


def ratio(table: Table, one: str, other: str, operation: str) -> float:
    """Return the median over rounds of how many times the rate of another a contestant has."""
    pairs = zip(table[one, operation].rates, table[other, operation].rates, strict=True)
    return median(mine / theirs for mine, theirs in pairs)


def cpu_ratio(table: Table, one: str, other: str, operation: str) -> float:
    """Return how many times the processor time of a contestant another takes for an answer."""
    return median(table[other, operation].cpu) / median(table[one, operation].cpu)
