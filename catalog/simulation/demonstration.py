"""Filling an empty platform with the demonstration, through the same way as imported files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from catalog.importing import SIMULATED, load_courses, load_enrollments, record_import, transaction
from catalog.problems import Parsed
from catalog.records import EnrollmentRecord
from catalog.simulation.contents import simulate_modules
from catalog.simulation.courses import SimulatedCourse, simulate_courses
from catalog.simulation.learners import learner_key, simulate_enrollments
from catalog.simulation.loading import load_contents
from core.clock import Clock
from core.errors import InputError
from database.queries import course_imports, imports
from database.queries.contents import learn_published_revisions
from database.session import Database

PLATFORM_NAME = "Waymark demonstration (simulated)"
LEARNERS = 3_000
_DAYS = 548
_SEED = 20_261_123


@dataclass(frozen=True, slots=True)
class DemonstrationLearner:
    """The learner that a stranger signs in as: an account, and whose simulated history it claims.

    Attributes:
        email: address of the account, in a domain that is nobody's (RFC 2606).
        display_name: name of the account.
        source: `learners.source` of the history.
        source_id: `learners.source_id` of the history.
    """

    email: str
    display_name: str
    source: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """Simulated courses, and the history of simulated learners in them, in the order of time."""

    start: datetime
    end: datetime
    courses: list[SimulatedCourse]
    history: list[EnrollmentRecord]


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What the platform was filled with."""

    courses: int
    learners: int
    enrollments: int
    since: datetime
    until: datetime


def demonstration_learner() -> DemonstrationLearner:
    """Return the demonstration learner, who has gone from SQL through Python to statistics."""
    return DemonstrationLearner("demo@waymark.example", "Demo Learner (simulated)", SIMULATED, learner_key(1163))


def simulate(now: datetime, learners: int = LEARNERS) -> Simulation:
    """Return the same platform every time, except that its history ends with the last midnight (UTC) before `now`."""
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=_DAYS)
    rng = np.random.default_rng(_SEED)
    courses = simulate_courses(start, end, rng)
    return Simulation(start, end, courses, simulate_enrollments(courses, learners, start, end, rng))


async def fill_demonstration(database: Database, clock: Clock, learners: int = LEARNERS) -> Demonstration:
    """Fill an empty platform with about 400 simulated courses and 18 months of simulated history.

    Args:
        database: a platform without courses.
        clock: the current moment.
        learners: how many to simulate.

    Raises:
        InputError: there are courses already; nothing was changed.
        UnavailableError: PostgreSQL failed; nothing was changed.
    """
    now = clock()
    async with transaction(database) as connection:
        if await course_imports.count_courses(connection):
            raise InputError("This platform has courses already; the demonstration only fills an empty one.")
        simulated = simulate(now, learners)
        added = await load_courses(
            connection, (Parsed(course.record) for course in simulated.courses), source=SIMULATED, now=now
        )
        taken = await load_enrollments(
            connection, (Parsed(enrollment) for enrollment in simulated.history), source=SIMULATED, now=now
        )
        contents = {course.record.source_id: simulate_modules(course.record) for course in simulated.courses}
        await load_contents(connection, contents, source=SIMULATED, now=now)
        await learn_published_revisions(connection)
        await imports.label_simulated(connection, PLATFORM_NAME)
        counts: dict[str, int | str] = {
            "courses": added.new,
            "learners": taken.learners,
            "enrollments": taken.new,
            "seed": _SEED,
        }
        await record_import(connection, "demo", SIMULATED, counts, now)
    return Demonstration(added.new, taken.learners, taken.new, simulated.start, simulated.end)
