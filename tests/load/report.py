"""What was measured, as tables of a page in Markdown."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

from tests.load.contestants import COMPILED, HANDWRITTEN, MERCURIUS, PLAIN, PRODUCT, Contestant
from tests.load.measuring import Figures, Table, cpu_ratio, ratio
from tests.load.operations import OPERATIONS

BARE = "signed in, nothing else"
ONE, TWO = "one process", "two processes"
ONE_HELD, TWO_HELD = "one process, held to a share of a core", "two processes, each held to that share"
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_NAMES = [each.name for each in OPERATIONS]
# What a release must reach, at least: of the rate of another, by operation.
TARGETS = (
    (COMPILED, PLAIN, (20, 17, 20)),
    (COMPILED, HANDWRITTEN, (0.6, 0.5, 1.0)),
    (COMPILED, MERCURIUS, (2.0, 2.0, 1.2)),
    (PRODUCT, PLAIN, (15, 13, 10)),
)


@dataclass(frozen=True)
class Latency:
    """How long clients waited at a rate, in milliseconds."""

    operation: str
    contestant: str
    share: float
    rate: float
    half: float
    most: float


@dataclass
class Results:
    """All that a run found."""

    contestants: Sequence[Contestant]
    table: Table
    memory: dict[str, float]
    latencies: Sequence[Latency]
    rounds: int
    seconds: float
    features: Table = field(default_factory=dict)
    workers: Table = field(default_factory=dict)
    worker_memory: dict[str, float] = field(default_factory=dict)


def written(results: Results) -> str:
    """Return the tables."""
    parts = [_machine(results), _rates(results), _cpu(results), _targets(results)]
    if results.latencies:
        parts.append(_latencies(results))
    if results.features:
        parts.append(_features(results.features))
    if results.workers:
        parts.append(_workers(results))
    return "\n\n".join(parts)


def replace_figures(page: Path, text: str, begin: str = _BEGIN, end: str = _END) -> None:
    """Put the tables in the place of those that a page has between two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _machine(results: Results) -> str:
    one, five, _ = psutil.getloadavg()
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("strawberry-graphql", "SQLAlchemy", "asyncpg", "uvicorn")
    )
    return (
        f"Python {platform.python_version()}, {versions}; {psutil.cpu_count()} cores; medians of {results.rounds} "
        f"interleaved rounds of {results.seconds:g} s. Load average at the end: {one:.1f}, {five:.1f} in "
        "the last five minutes (2 is what the benchmark itself makes)."
    )


def written_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rates(results: Results) -> str:
    rows = [
        [
            each.title,
            *(f"{results.table[each.name, name].rate:,.0f}" for name in _NAMES),
            *(f"{ratio(results.table, each.name, PLAIN, name):.1f}" for name in _NAMES),
            f"{results.memory[each.name]:.0f}",
        ]
        for each in results.contestants
    ]
    heads = ["answers per second, and times the plain server's", *_NAMES, *(f"{name} times" for name in _NAMES), "MB"]
    return written_table(heads, rows)


def _cpu(results: Results) -> str:
    rows = []
    for each in results.contestants:
        figures = [results.table[each.name, name] for name in _NAMES]
        rows.append(
            [
                each.title,
                *(f"{median(one.cpu):,.0f}" for one in figures),
                *(f"{cpu_ratio(results.table, each.name, PLAIN, name):.1f}" for name in _NAMES),
                *(f"{median(one.busy):.0%}" for one in figures),
            ]
        )
    heads = ["processor time of the server, µs an answer", *_NAMES, *(f"{name} times" for name in _NAMES)]
    return written_table([*heads, *(f"{name} busy" for name in _NAMES)], rows)


def _targets(results: Results) -> str:
    present = {each.name: each.title for each in results.contestants}
    rows = []
    for one, other, wanted in TARGETS:
        if one in present and other in present:
            for name, least in zip(_NAMES, wanted, strict=True):
                rate, cpu = ratio(results.table, one, other, name), cpu_ratio(results.table, one, other, name)
                said = "reached" if rate >= least else "by processor time" if cpu >= least else "**missed**"
                rows.append(
                    [
                        f"{name}: {present[one]}, against {present[other]}",
                        f"{least:g}",
                        f"{rate:.2f}",
                        f"{cpu:.2f}",
                        said,
                    ]
                )
    return written_table(["target", "at least", "rate", "processor time", ""], rows)


def _latencies(results: Results) -> str:
    titles = {each.name: each.title for each in results.contestants}
    rows = [
        [
            f"{each.operation}, {titles[each.contestant]}",
            f"{each.share:.0%}",
            f"{each.rate:,.0f}",
            f"{each.half:.1f}",
            f"{each.most:.1f}",
        ]
        for each in results.latencies
    ]
    return written_table(["open loop", "of its own rate", "per second", "p50 ms", "p99 ms"], rows)


def _features(table: Table) -> str:
    names = list(dict.fromkeys(name for name, _ in table))
    rows = [[name, *(_cost(table, name, operation) for operation in _NAMES)] for name in names]
    return written_table(["product: processor time, µs an answer", *_NAMES], rows)


def _cost(table: Table, name: str, operation: str) -> str:
    found: Figures | None = table.get((name, operation))
    if found is None:
        return ""
    spent = median(found.cpu)
    if name == BARE:
        return f"{spent:,.0f}"
    return f"{spent:,.0f} ({spent - median(table[BARE, operation].cpu):+,.0f})"


def _workers(results: Results) -> str:
    rows = []
    for one, two in ((ONE, TWO), (ONE_HELD, TWO_HELD)):
        if (one, _NAMES[0]) not in results.workers:
            continue
        for name in (one, two):
            figures = [results.workers[name, operation] for operation in _NAMES]
            memory = results.worker_memory.get(name)
            rows.append(
                [
                    name,
                    *(f"{each.rate:,.0f}" for each in figures),
                    *(f"{median(each.cpu):,.0f}" for each in figures),
                    "" if memory is None else f"{memory:.0f}",
                ]
            )
        times = [f"{ratio(results.workers, two, one, operation):.2f}" for operation in _NAMES]
        rows.append(["times", *times, *[""] * (len(_NAMES) + 1)])
    heads = ["`waymark serve --workers`", *(f"{name}/s" for name in _NAMES), *(f"{name} µs" for name in _NAMES)]
    return written_table([*heads, "MB a process"], rows)
