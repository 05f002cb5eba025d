"""The simulated learners, and what they choose: interests, ladders, paths, fashion and chance.

Each choice is a draw from a softmax over all courses (by the Gumbel-max trick, all learners at once). What
speaks for a course: the learner's interest in its topic, the rung that the learner has reached there, the course
just taken, its appeal, and the fashion of the month. So history and content tell more than popularity does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from catalog.records import EnrollmentRecord
from catalog.simulation.courses import SimulatedCourse
from catalog.simulation.subjects import PATHS, subjects

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_LANGUAGES = ("en", "es", "de", "fr")
_LANGUAGE_SHARES = (0.85, 0.06, 0.05, 0.04)
_MONTHS = 18
# January and September are when people make plans; July and August are when they do not.
_SEASON = np.array([1.5, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.7, 1.4, 1.2, 1.1, 0.9])
_FEWEST, _MOST = 4, 48
_FIRST = 0.35
_LOYAL = 0.4
_NEVER = -1e9

# How strongly each reason speaks, in log-odds.
_INTEREST = 1.3
_NEXT_RUNG = 2.2
_SAME_RUNG = 0.6
_WRONG_RUNG = -2.0
_SUCCESSOR = 2.6
_PATH = 1.6
_SAME_TOPIC = 1.0
_OWN_LANGUAGE = 2.0


@dataclass(frozen=True, slots=True)
class _World:
    """What is the same for all learners; `c` courses, `t` topics.

    Attributes:
        topic: int64[c].
        rung: int64[c].
        language: int64[c], a place in `_LANGUAGES`.
        published: float64[c], share of the simulated time.
        appeal: float64[months, c]: a course's own, its topic's trend and season.
        follows: float64[c, c]: how strongly a course suggests each other one.
    """

    topic: Integers
    rung: Integers
    language: Integers
    published: Floats
    appeal: Floats
    follows: Floats


@dataclass(frozen=True, slots=True)
class _Crowd:
    """All learners; `n` of them.

    Attributes:
        tastes: float64[n, t], log-odds of each topic.
        spoken: int64[n], a place in `_LANGUAGES`.
        counts: int64[n], how many courses each takes.
        moments: float64[n, most], when, as shares of the simulated time; sorted.
    """

    tastes: Floats
    spoken: Integers
    counts: Integers
    moments: Floats


def simulate_enrollments(
    courses: Sequence[SimulatedCourse], learners: int, start: datetime, end: datetime, rng: np.random.Generator
) -> list[EnrollmentRecord]:
    """Return every learner's enrollments in the order of time, the same for the same arguments."""
    world = _world(courses, start, rng)
    counts = np.clip(np.rint(rng.lognormal(np.log(13), 0.65, learners)), _FEWEST, _MOST).astype(np.int64)
    crowd = _Crowd(
        tastes=_tastes(learners, rng),
        spoken=rng.choice(len(_LANGUAGES), size=learners, p=_LANGUAGE_SHARES),
        counts=counts,
        moments=_moments(counts, start, end, rng),
    )
    chosen = _choices(world, crowd, rng)
    seconds = (end - start).total_seconds()
    rows = sorted(
        (float(crowd.moments[learner, step]), learner, int(chosen[learner, step]))
        for learner in range(learners)
        for step in range(counts[learner])
        if chosen[learner, step] >= 0
    )
    return [
        EnrollmentRecord(
            line,
            learner_key(learner),
            courses[course].record.source_id,
            start + timedelta(seconds=int(moment * seconds)),
        )
        for line, (moment, learner, course) in enumerate(rows, start=1)
    ]


def learner_key(number: int) -> str:
    """Return the pseudonymous id of a simulated learner."""
    return f"learner-{number:05}"


def _world(courses: Sequence[SimulatedCourse], start: datetime, rng: np.random.Generator) -> _World:
    topic = np.array([course.topic for course in courses])
    rung = np.array([course.rung for course in courses])
    own = np.array([course.appeal for course in courses])
    topics = int(topic.max()) + 1
    fame = rng.normal(0, 0.5, topics)
    trend = rng.normal(0, 0.6, topics)
    height, phase = rng.uniform(0, 0.5, topics), rng.uniform(0, 2 * np.pi, topics)
    months = np.arange(_MONTHS)[:, None]
    wave = height * np.sin(2 * np.pi * (months + start.month) / 12 + phase)
    fashion = fame + trend * (months / _MONTHS - 0.5) + wave
    return _World(
        topic=topic,
        rung=rung,
        language=np.array([_LANGUAGES.index(course.record.language or "en") for course in courses]),
        published=np.array([course.published for course in courses]),
        appeal=own + fashion[:, topic],
        follows=_follows(courses, topic, rng),
    )


def _follows(courses: Sequence[SimulatedCourse], topic: Integers, rng: np.random.Generator) -> Floats:
    """Return how strongly each course (row) suggests each other one (column), as log-odds."""
    follows: Floats = _SAME_TOPIC * (topic[:, None] == topic[None, :]).astype(np.float64)
    place = {course.record.source_id: number for number, course in enumerate(courses)}
    for number, course in enumerate(courses):
        for needed in course.record.prerequisites or ():
            follows[place[needed], number] += _SUCCESSOR
    numbers = {subject.topic: number for number, subject in enumerate(subjects())}
    for path in PATHS:
        for before, after in pairwise(path):
            follows[np.ix_(topic == numbers[before], topic == numbers[after])] += _PATH
    # Some pairs go together for no reason that the metadata tells: only history shows them.
    for number in range(len(courses)):
        follows[number, rng.choice(len(courses), size=2, replace=False)] += _SUCCESSOR
    return follows


def _tastes(learners: int, rng: np.random.Generator) -> Floats:
    """Return the log-odds of each topic for each learner: a path or two, and a few topics besides."""
    numbers = {subject.topic: number for number, subject in enumerate(subjects())}
    tastes = np.full((learners, len(numbers)), -2.0)
    for learner in range(learners):
        for path in rng.choice(len(PATHS), size=1 + int(rng.integers(2)), replace=False):
            tastes[learner, [numbers[topic] for topic in PATHS[path]]] += rng.uniform(1.5, 3.0)
        tastes[learner, rng.choice(len(numbers), size=2, replace=False)] += rng.uniform(1.0, 2.5)
    return tastes


def _moments(counts: Integers, start: datetime, end: datetime, rng: np.random.Generator) -> Floats:
    """Return when each learner chooses, as shares of the simulated time: float64[learners, most], sorted.

    Some learners were there from the beginning, the others arrive all the time; they come back in bursts, and
    seasons bend the time.
    """
    learners = len(counts)
    arrival = np.where(rng.random(learners) < _FIRST, rng.uniform(0, 0.1, learners), rng.uniform(0, 0.92, learners))
    gaps = rng.gamma(0.5, 1.0, (learners, _MOST))
    gaps[:, 0] = 0
    gaps[np.arange(_MOST)[None, :] >= counts[:, None]] = 0
    spent = np.cumsum(gaps, axis=1)
    loyal = rng.random(learners) < _LOYAL
    stay = np.where(loyal, rng.uniform(0.93, 1.0, learners), rng.uniform(0.3, 1.0, learners)) * (1 - arrival)
    even = arrival[:, None] + stay[:, None] * spent / np.maximum(spent[:, -1:], 1e-9)
    days = (end - start).days
    weights = np.array([_season(start + timedelta(days=day)) for day in range(days)])
    reached = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
    bent: Floats = np.interp(even, reached, np.arange(days + 1) / days)
    return np.minimum(bent, 1 - 1e-6)


def _season(day: datetime) -> float:
    weekend = 5
    return float(_SEASON[day.month - 1] * (1.2 if day.weekday() >= weekend else 1.0))


def _choices(world: _World, crowd: _Crowd, rng: np.random.Generator) -> Integers:
    """Return the chosen courses, int64[learners, most]; -1 where a learner is done."""
    counts, moments = crowd.counts, crowd.moments
    learners, courses = len(counts), len(world.topic)
    chosen = np.full((learners, _MOST), -1)
    taken = np.zeros((learners, courses), bool)
    reached = np.full(crowd.tastes.shape, -1)
    for step in range(int(counts.max())):
        active = np.flatnonzero(counts > step)
        now = moments[active, step]
        odds = _INTEREST * crowd.tastes[active][:, world.topic]
        odds += world.appeal[(now * _MONTHS).astype(np.int64)]
        odds += _climb(world.rung, reached[active][:, world.topic])
        odds += _speak(world.language, crowd.spoken[active])
        for back, weight in ((1, 1.0), (2, 0.5)):
            if step >= back:
                odds += weight * world.follows[chosen[active, step - back]]
        odds += rng.gumbel(size=odds.shape)
        odds[taken[active] | (world.published[None, :] > now[:, None])] = _NEVER
        best = np.argmax(odds, axis=1)
        chosen[active, step] = best
        taken[active, best] = True
        reached[active, world.topic[best]] = np.maximum(reached[active, world.topic[best]], world.rung[best])
    return chosen


def _climb(rung: Integers, reached: Integers) -> Floats:
    """Return what the rung of a course does to a learner who has reached another: the next one is wanted."""
    ahead = rung[None, :] - reached
    odds: Floats = np.select([ahead == 1, ahead == 0], [_NEXT_RUNG, _SAME_RUNG], _WRONG_RUNG)
    return odds


def _speak(language: Integers, spoken: Integers) -> Floats:
    """Return what the language of a course does to learners: their own first, English next, never a third."""
    own = language[None, :] == spoken[:, None]
    odds: Floats = np.select(
        [own & (spoken != 0)[:, None], own | (language == 0)[None, :]], [_OWN_LANGUAGE, 0.0], _NEVER
    )
    return odds
