"""What nobody's request does: closing attempts whose time is over, and forgetting what cannot matter any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from database.queries import (
    attempt_changes as changes,
    progress as progress_queries,
    recommendations as recommendation_queries,
    revocations as revocation_queries,
)
from database.session import Database
from database.tables.attempts import AttemptStatus
from resolvers.closing import close
from security import audit
from security.audit import Subject

REPORTS_KEPT = timedelta(days=180)
"""How long a report of progress is known as counted; longer than any client keeps one to send it again.

One that comes later still does no harm: watched seconds and completion only grow, and an old position does not win.
"""
REVOCATIONS_KEPT = timedelta(days=1)
"""How long a revocation is known; longer than any access token lives."""
_ATTEMPTS = 100
_REPORTS = 5_000


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many attempts were closed, and how many reports forgotten."""

    attempts: int
    reports: int


async def tidy(database: Database, clock: Clock) -> Tidied:
    """Close overdue attempts and prune old reports, in small transactions; safe to run at any time, even twice at once.

    Raises:
        UnavailableError: PostgreSQL cannot be reached; what was done until then stays done.
    """
    done = Tidied(attempts=await _close_overdue(database, clock), reports=await _prune(database, clock))
    async with database.transaction() as connection:
        await revocation_queries.delete_before(connection, clock() - REVOCATIONS_KEPT)
        await recommendation_queries.forget_before(connection, clock() - REPORTS_KEPT)
    if done.attempts or done.reports:
        async with database.transaction() as connection:
            await audit.record(
                connection,
                actor=None,
                action="housekeeping",
                subject=Subject("Platform"),
                outcome=audit.DONE,
                details={"closed_attempts": done.attempts, "pruned_reports": done.reports},
                request_id=None,
                now=clock(),
            )
    return done


async def _close_overdue(database: Database, clock: Clock) -> int:
    closed, after = 0, 0
    while True:
        async with database.transaction() as connection:
            keys = await changes.overdue(connection, clock(), after, _ATTEMPTS)
        if not keys:
            return closed
        for key in keys:
            closed += await _close(database, clock, key)
        after = keys[-1]


async def _close(database: Database, clock: Clock, key: int) -> bool:
    """Close one attempt, in a transaction of its own so that no learner waits for the others; False if it was done."""
    async with database.transaction() as connection:
        place = await changes.locate(connection, key)
        if place is None:
            return False
        await changes.share_keys(connection, place.assessment_lineage)
        await progress_queries.lock_by_ids(connection, [place.enrollment_id])
        attempt = await changes.find_attempt(connection, key)
        if attempt is None or attempt.status != AttemptStatus.IN_PROGRESS:
            return False
        await close(connection, attempt, clock())
        return True


async def _prune(database: Database, clock: Clock) -> int:
    pruned = 0
    while True:
        async with database.transaction() as connection:
            count = await progress_queries.prune_reports(connection, clock() - REPORTS_KEPT, _REPORTS)
        pruned += count
        if count < _REPORTS:
            return pruned
