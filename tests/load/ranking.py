"""What a ranking costs, part by part, and many at once; compared with reading the candidates' features through Feast.

    python -m tests.load.ranking                          simulated catalogs of 8,196 and 100,000 courses
    python -m tests.load.ranking --data-dir FOLDER        and a data folder that has a live release

Processor time of the one thread that ranks: it hardly depends on what else the machine does, as long as its caches are
not shared. Learners come one after the other, so that none finds its own rows in the caches.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from app.embedded import embedded_valkey
from core.errors import WaymarkError
from database.tables.recommendations import RecommendationSurface
from features import relations
from serving import ranker
from serving.arrangement import arrange
from serving.candidates import select_candidates
from serving.constraints import Constraints
from serving.learners import Learner
from serving.lists import places_for
from serving.ranker import Question, RankingModel, explain, rank
from serving.rankings import RecommendationRequest
from serving.rulebook import CourseFacts, Rules
from tests.load.ranking_world import (
    NOW,
    SHOWN,
    RankingWorld,
    filled_store,
    learner_reader,
    read_courses,
    real,
    simulated,
)
from tests.load.report import replace_figures, written_table
from training.release import FittedModel
from training.scoring import score

SIZES = (8_196, 100_000)
_BEGIN, _END = "<!-- figures of rankings -->", "<!-- end of figures of rankings -->"
_WHOLE = "one ranking"
# The functions that are timed, and what is timed inside of them and told apart.
_PARTS: tuple[tuple[Any, str, str, tuple[str, ...]], ...] = (
    (ranker, "_known", "history, and what may be shown", ()),
    (relations, "_similar", "seven similarities", ()),
    (relations, "_described", "content, titles, topics", ()),
    (ranker, "select_candidates", "candidates of eleven retrievers", ()),
    (ranker, "pair_features", "pair features", ()),
    (ranker, "_vectors", "vector of learner, course and pair", ("pair features",)),
    (
        ranker,
        "_predicted",
        "trees and network",
        ("pair features", "vector of learner, course and pair"),
    ),
)
_REST = "order and list"
_PAGE = "a page of 20: all that follows, one learner after the other"
_LEARNER, _RANKED = "features of the learner through Feast", "200 ranked for a surface"
_ARRANGED, _EXPLAINED = "arranged", "reasons of 20"
_FEAST = "Feast: features of the candidates"


@dataclass(frozen=True)
class Costs:
    """Processor time by part.

    Attributes:
        title: what was ranked.
        candidates: median of how many the ranker scored.
        parts: milliseconds of each learner, by name.
        scored: learners a second, when many were scored at once, and the processor's milliseconds for one.
    """

    title: str
    candidates: float
    parts: dict[str, list[float]]
    scored: tuple[float, float] | None = None

    def median(self, name: str) -> float:
        """Return the median of a part, in milliseconds."""
        return float(np.median(self.parts[name]))


def spent(work: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Return the milliseconds of processor time that something takes."""
    before = clock()
    work()
    return 1e3 * (clock() - before)


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Time the parts of rankings inside the block; yield the milliseconds of each so far."""
    total: dict[str, float] = defaultdict(float)

    def wrapped(function: Callable[..., Any], name: str, inner: Sequence[str]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            known, before = sum(total[each] for each in inner), time.thread_time()
            try:
                return function(*given)
            finally:
                apart = sum(total[each] for each in inner) - known
                total[name] += 1e3 * (time.thread_time() - before) - apart

        return call

    with ExitStack() as stack:
        for module, attribute, name, inner in _PARTS:
            function = getattr(module, attribute)
            stack.callback(setattr, module, attribute, function)
            setattr(module, attribute, wrapped(function, name, inner))
        yield total


def measure(world: RankingWorld) -> Costs:
    """Rank for every learner of a world, whole and part by part."""
    model, parts = world.model, defaultdict[str, list[float]](list)
    for each in world.questions[:20]:
        rank(model, each)
    for each in world.questions:
        parts[_WHOLE].append(spent(lambda each=each: rank(model, each)))  # type: ignore[misc]  # It is called now.
    with timed() as total:
        for each in world.questions:
            total.clear()
            whole = spent(lambda each=each: rank(model, each))  # type: ignore[misc]  # As above.
            for name, value in total.items():
                parts[name].append(value)
            parts[_REST].append(max(0.0, whole - sum(total.values())))
    _measure_pages(world, parts)
    # Last, as it leaves nothing of a ranking in the caches.
    counts = []
    for each in world.questions:
        columns = candidates_of(model, each)
        counts.append(len(columns))
        if world.store is not None:
            ids = model.traits.course_ids[columns].tolist()
            parts[_FEAST].append(spent(lambda i=ids: read_courses(world.store, i), time.process_time))  # type: ignore[misc]
    return Costs(world.title, float(np.median(counts)), dict(parts))


def _measure_pages(world: RankingWorld, parts: dict[str, list[float]]) -> None:
    """Make a page for every learner, as a request does but for its changes of threads."""
    model, rules = world.model, _rules(world.model)
    reader = None if world.store is None else learner_reader(world.store)
    learners = itertools.cycle(world.learners)
    for each in world.questions:
        wide, constraints = replace(each, limit=places_for(SHOWN + 1)), _constraints(rules, each)
        clocks = [time.process_time()]
        if reader is not None:
            reader.read([next(learners)])
            clocks.append(time.process_time())
            parts[_LEARNER].append(1e3 * (clocks[-1] - clocks[-2]))
        ranked = rank(model, wide)
        clocks.append(time.process_time())
        constraints.narrowed()
        arranged = arrange(ranked, constraints, (), wide.limit)
        clocks.append(time.process_time())
        explain(model, each, [course.course_id for course in arranged[:SHOWN]])
        clocks.append(time.process_time())
        for name, before, after in zip((_RANKED, _ARRANGED, _EXPLAINED), clocks[-4:], clocks[-3:], strict=False):
            parts[name].append(1e3 * (after - before))
        parts[_PAGE].append(1e3 * (clocks[-1] - clocks[0]))


def candidates_of(model: RankingModel, asked: Question) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of a learner's candidates."""
    history, eligible = ranker._known(model, asked)
    return select_candidates(ranker._relations(model, history), eligible)


class _Constant:
    """Stored features that cost nothing, so that scoring is told without the point-in-time join."""

    def __init__(self, model: RankingModel) -> None:
        self.layout = model.release.layout
        self._model = model

    def read_learners(self, learner_ids: Any, _moments: Any) -> Any:
        """Return ones."""
        return np.ones((len(learner_ids), len(self.layout.learner)))

    def read_courses(self, _course_ids: Any, _moments: Any) -> Any:
        """Return the features of the model's matrix."""
        return self._model.features


def scored(world: RankingWorld, learners: int | None = None) -> tuple[float, float]:
    """Return how many learners of a world's log are scored in a second, and the milliseconds of processor for one."""
    history, model = world.history, world.model
    assert history is not None
    fitted = FittedModel(model.release.ensemble, model.similarities, 0)
    asked = np.arange(len(history.learner_ids))[:learners]
    moment = int(history.interactions.moments.max()) + 1
    begun, before = time.perf_counter(), time.process_time()
    found = sum(1 for _ in score(history, _Constant(model), fitted, asked, moment, count=10))
    return found / (time.perf_counter() - begun), 1e3 * (time.process_time() - before) / found


def _rules(model: RankingModel) -> Rules:
    topics = model.traits.topics
    spans = zip(topics.indptr[:-1].tolist(), topics.indptr[1:].tolist(), strict=True)
    own = [topics.indices[start:end].tolist() for start, end in spans]
    facts = {
        key: CourseFacts("en", frozenset(each), each[0] if each else None)
        for key, each in zip(model.traits.course_ids.tolist(), own, strict=True)
    }
    rules = Rules(facts, {}, {}, ())
    rules.readable(None)
    return rules


def _constraints(rules: Rules, asked: Question) -> Constraints:
    request = RecommendationRequest(1, NOW, SHOWN, surface=RecommendationSurface.HOME, hidden=frozenset(asked.history))
    return Constraints(rules, Learner(), request)


def written(found: Sequence[Costs]) -> str:
    """Return the figures as tables."""
    load, _, _ = psutil.getloadavg()
    names = [_WHOLE, *(name for _, _, name, _ in _PARTS), _REST]
    names += [_PAGE, _LEARNER, _RANKED, _ARRANGED, _EXPLAINED, _FEAST]
    rows = [[name, *(_cell(each, name) for each in found)] for name in names]
    rows.append(["candidates, median", *(f"{each.candidates:.0f}" for each in found)])
    rows.append(["Feast's time over that of a ranking", *(_times(each) for each in found)])
    # What is simulated is compared with what is simulated: a real log is denser in other places.
    simulated = found[-len(SIZES) :]
    ratios = [f"{each.median(_WHOLE) / simulated[0].median(_WHOLE):.2f}" for each in simulated]
    rows.append([f"times {simulated[0].title}", *("" for _ in found[: -len(SIZES)]), *ratios])
    if any(each.scored is not None for each in found):
        rates = ["" if each.scored is None else f"{each.scored[0]:,.0f} / {each.scored[1]:.2f}" for each in found]
        rows.append(["`score --all`: learners a second / ms of processor a learner", *rates])
    heads = ["processor time, ms: median / 95th percentile", *(each.title for each in found)]
    return (
        f"{written_table(heads, rows)}\n\nLoad average at the end: {load:.1f} (1 is what the benchmark itself makes)."
    )


def _cell(costs: Costs, name: str) -> str:
    values = costs.parts.get(name)
    return "" if not values else f"{np.median(values):.2f} / {np.percentile(values, 95):.2f}"


def _times(costs: Costs) -> str:
    return f"{costs.median(_FEAST) / costs.median(_WHOLE):.0f}" if _FEAST in costs.parts else ""


@asynccontextmanager
async def _worlds(data_dir: Path | None, folder: Path, redis_url: str) -> AsyncIterator[Iterator[RankingWorld]]:
    def simulations() -> Iterator[RankingWorld]:
        for size in SIZES:
            world = simulated(size)
            # How long a read takes does not depend on how many others could be read.
            yield replace(world, store=filled_store(folder, redis_url, world.model)) if size == SIZES[0] else world

    if data_dir is None:
        yield simulations()
        return
    async with real(data_dir) as opened:
        yield (each for worlds in ([opened], simulations()) for each in worlds)


async def main(options: argparse.Namespace) -> None:
    """Measure, print, and write if asked."""
    found = []
    with tempfile.TemporaryDirectory(prefix="waymark-bench-") as name, embedded_valkey(Path(name) / "valkey") as url:
        async with _worlds(options.data_dir, Path(name), url) as worlds:
            for world in worlds:
                costs = measure(world)
                found.append(replace(costs, scored=scored(world)) if world.history is not None else costs)
    text = written(found)
    print(text)  # noqa: T201 - it is a command.
    if options.write is not None:
        replace_figures(options.write, text, _BEGIN, _END)


def folder(text: str) -> Path:
    """Return the path of a folder that exists."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder.")
    return Path(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=folder, help="a data folder with a live release; nothing may run on it")
    parser.add_argument("--write", type=Path, help="a page whose figures are replaced")
    try:
        asyncio.run(main(parser.parse_args()))
    except WaymarkError as error:
        sys.exit(str(error))
