"""One database for everybody: 400 courses with content, and a learner who takes 30 of them, by a fixed seed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Table, insert

from core.clock import Clock, ManualClock, system_clock
from core.settings import SecuritySettings
from database.migrate import migrate
from database.session import CACHED, Database, open_database
from database.tables.courses import course_instructors, course_topics, courses, instructors
from database.tables.enrollments import enrollments
from database.tables.revisions import course_revisions, lessons, modules
from database.tables.topics import topics
from resolvers import sessions
from resolvers.context import Context, Services
from security.encryption import Cipher
from security.keys import load_or_create_key_ring
from security.passwords import Passwords
from security.policies import Identity
from security.tokens import Tokens

SEED = 20_260_301
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COURSES, TOPICS, INSTRUCTORS, LESSONS, TAKEN = 400, 30, 60, 5, 30
# A token must outlive the longest run.
_SECURITY = SecuritySettings(password_memory_kib=8, password_iterations=1, access_token_lifetime=86_400)
_LEVELS = ("BEGINNER", "INTERMEDIATE", "ADVANCED", "ALL_LEVELS")
_WORDS = ("data", "design", "garden", "music", "python", "statistics", "theory", "travel", "water", "writing")


@dataclass(frozen=True)
class Caller:
    """The learner who asks.

    Attributes:
        identity: as the platform knows them.
        token: an access token of theirs.
    """

    identity: Identity
    token: str


def key_file(folder: Path) -> Path:
    """Return where the key ring is, which personal data is encrypted with."""
    return folder / "keys.json"


def platform_services(folder: Path, clock: Clock = system_clock) -> Services:
    """Return what resolvers of the measured operations use."""
    recommender: Any = None
    ring = load_or_create_key_ring(key_file(folder))
    return Services(
        cipher=Cipher(ring),
        passwords=Passwords(_SECURITY),
        tokens=Tokens(ring, _SECURITY, clock),
        recommender=recommender,
    )


@asynccontextmanager
async def seeded(url: str, folder: Path) -> AsyncIterator[tuple[Database, Caller]]:
    """Migrate and fill an empty database, and yield it with its learner."""
    async with open_database(url) as database:
        await migrate(database)
        await _write_courses(database)
        caller = await _write_learner(database, folder)
        async with database.raw() as connection:
            # Else autovacuum comes while somebody is measured.
            await connection.execute("VACUUM ANALYZE")
            # The same for everybody: ours come with the connections of `open_database`.
            for name, value in CACHED.items():
                await connection.execute(f"ALTER ROLE CURRENT_USER SET {name} = {value}")
        yield database, caller


async def _write_courses(database: Database) -> None:
    rng = random.Random(SEED)  # noqa: S311 - not for secrets.
    numbers = range(1, COURSES + 1)
    await _write(database, topics, [{"id": n, "slug": f"topic-{n}", "name": f"Topic {n}"} for n in range(1, TOPICS)])
    await _write(
        database, instructors, [{"id": n, "display_name": f"Teacher {n} “Ñ”"} for n in range(1, INSTRUCTORS + 1)]
    )
    made = [_course(number, rng) for number in numbers]
    await _write(database, courses, made)
    async with database.transaction() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO course_statistics (course_id, enrollment_count)"
            " SELECT id, (id * 7919) % 5003 FROM courses"
            " ON CONFLICT (course_id) DO UPDATE SET enrollment_count = excluded.enrollment_count"
        )
    await _write(
        database,
        course_topics,
        [
            {"course_id": number, "topic_id": topic, "position": place}
            for number in numbers
            for place, topic in enumerate(rng.sample(range(1, TOPICS), k=rng.randint(1, 3)))
        ],
    )
    await _write(
        database,
        course_instructors,
        [
            {"course_id": number, "instructor_id": one, "position": place}
            for number in numbers
            for place, one in enumerate(rng.sample(range(1, INSTRUCTORS + 1), k=rng.randint(1, 2)))
        ],
    )
    await _write(database, course_revisions, [_revision(each) for each in made])
    await _write(database, modules, [_module(number) for number in numbers])
    await _write(database, lessons, [_lesson(n, place) for n in numbers for place in range(LESSONS)])


async def _write_learner(database: Database, folder: Path) -> Caller:
    services = platform_services(folder)
    async with database.reader() as reader:
        context = Context(reader, database, system_clock, None, UUID(int=1), services, "192.0.2.7")
        payload = await sessions.sign_up(context, sessions.SignUp("ana@example.org", "correct horse battery", "Ana"))
    assert payload.session is not None
    assert context.identity is not None
    learner_id = context.identity.learner_id
    await _write(
        database,
        enrollments,
        [
            {
                "learner_id": learner_id,
                "course_id": 13 * place + 1,
                "revision_id": 13 * place + 1,
                "status": "COMPLETED" if place % 3 == 0 else "ACTIVE",
                "progress": 1.0 if place % 3 == 0 else place / 32,
                "enrolled_at": NOON - timedelta(days=place, seconds=place),
                "completed_at": NOON if place % 3 == 0 else None,
            }
            for place in range(TAKEN)
        ],
    )
    return Caller(context.identity, payload.session.access_token)


async def _write(database: Database, table: Table, rows: list[dict[str, Any]]) -> None:
    async with database.transaction() as connection:
        await connection.execute(insert(table), rows)


def _course(number: int, rng: random.Random) -> dict[str, Any]:
    return {
        "id": number,
        "slug": f"course-{number}",
        "title": f"The {rng.choice(_WORDS)} of {rng.choice(_WORDS)}, part {number}",
        "summary": None if number % 10 == 0 else f'Learn "{" ".join(rng.choices(_WORDS, k=12))}" — step by step.',
        "description": " ".join(rng.choices(_WORDS, k=80)),
        "level": rng.choice(_LEVELS),
        "language": rng.choice(("en", "es", "pt")),
        "status": "PUBLISHED",
        "duration_minutes": rng.randint(30, 600),
        "published_at": NOON - timedelta(days=number),
        "created_at": NOON - timedelta(days=number),
        "updated_at": NOON,
    }


def _revision(course: dict[str, Any]) -> dict[str, Any]:
    told = ("id", "title", "summary", "description", "level", "language", "status", "duration_minutes")
    return {
        **{name: course[name] for name in told},
        "course_id": course["id"],
        "number": 1,
        "topic_ids": [],
        "skills": [],
        "prerequisite_ids": [],
        "created_at": course["created_at"],
        "published_at": course["published_at"],
    }


def _module(number: int) -> dict[str, Any]:
    return {"id": number, "revision_id": number, "position": 0, "title": f"Module of {number}"}


def _lesson(number: int, place: int) -> dict[str, Any]:
    return {
        "id": number * LESSONS + place,
        "revision_id": number,
        "module_id": number,
        "position": place,
        "kind": ("VIDEO", "ARTICLE", "EXERCISE")[place % 3],
        "title": f"Lesson {place + 1} of {number}",
        "duration_seconds": 60 * (place + 1),
    }


def fixed_clock() -> Clock:
    """Return a clock that stands still, for whoever must not depend on the moment."""
    return ManualClock(NOON)
