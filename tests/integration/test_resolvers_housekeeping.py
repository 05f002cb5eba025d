"""What nobody's request does, on a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, insert, select, update

from core.clock import ManualClock
from core.ids import encode_id
from database.queries import recommendations
from database.queries.recommendations import Feedback
from database.session import Database
from database.tables.accounts import revocations
from database.tables.assessments import assessments
from database.tables.progress import progress_reports
from database.tables.recommendations import RecommendationEventKind, recommendation_feedback
from resolvers import attempts, sessions
from resolvers.attempts import SaveAnswers, StartAttempt, SubmitAttempt
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.housekeeping import REPORTS_KEPT, Tidied, tidy
from tests.conftest import NOW
from tests.integration.test_resolvers_attempts import RIGHT
from tests.small_accounts import Contexts, trail
from tests.small_learning import another, assessment_id, told


async def test_overdue_attempt_is_closed_once(pupil: Context, strangers: Contexts, clock: ManualClock) -> None:
    """Whoever comes first, two runs at once or the learner, grades it; what was saved in time counts."""
    async with pupil.database.transaction() as connection:
        await connection.execute(update(assessments).values(time_limit_seconds=600))
    attempt = (await attempts.start_attempt(pupil, StartAttempt(assessment_id()))).attempt
    assert attempt is not None
    key = encode_id("Attempt", attempt.id)
    await attempts.save_answers(pupil, SaveAnswers(key, RIGHT))
    clock.now = NOW + timedelta(seconds=600)
    assert Tidied(0, 0) == await tidy(pupil.database, clock)
    clock.now += timedelta(seconds=1)
    late = another(strangers, pupil)
    first, second, payload = await asyncio.gather(
        tidy(pupil.database, clock), tidy(pupil.database, clock), attempts.submit_attempt(late, SubmitAttempt(key))
    )
    (code,) = (error.code for error in payload.user_errors)
    assert 1 == first.attempts + second.attempts + (code == "DEADLINE_PASSED")
    assert payload.attempt is not None
    assert ("GRADED", 10.0, attempt.deadline_at) == (
        *(payload.attempt.status, payload.attempt.score),
        payload.attempt.submitted_at,
    )
    assert 1 == len(await told(pupil.database, "attempt_graded"))


async def test_old_reports_are_forgotten(pupil: Context, clock: ManualClock) -> None:
    """More of them than fit a transaction; those that may come again stay, and the trail tells how many went."""
    learner_id = caller(pupil).learner_id
    rows = [
        {"learner_id": learner_id, "client_event_id": f"{age}-{number}", "recorded_at": NOW - timedelta(days=age)}
        for age, count in ((200, 5_001), (180, 1), (3, 1))
        for number in range(count)
    ]
    async with pupil.database.transaction() as connection:
        await connection.execute(insert(progress_reports), rows)
    assert timedelta(days=180) == REPORTS_KEPT
    assert Tidied(0, 5_001) == await tidy(pupil.database, clock)
    async with pupil.database.transaction() as connection:
        kept = (await connection.execute(select(progress_reports.c.client_event_id))).scalars().all()
    assert {"180-0", "3-0"} == set(kept)
    assert ("housekeeping", "done", "Platform", None) == (await trail(pupil.database))[-1]
    before = await trail(pupil.database)
    assert Tidied(0, 0) == await tidy(pupil.database, clock)
    assert before == await trail(pupil.database)


async def test_revocations_and_counted_reports_are_forgotten_when_they_cannot_matter(
    catalog: Database, learner: Context, clock: ManualClock
) -> None:
    """A revocation outlives every token by far, and a report of a recommendation every queue of a phone."""
    await sessions.sign_out(learner)
    feedback = Feedback(UUID(int=7), 1, RecommendationEventKind.CLICK.value)
    async with catalog.transaction() as connection:
        assert {feedback} == await recommendations.count_once(connection, 1, [feedback], clock())

    async def left() -> tuple[int, int]:
        async with catalog.transaction() as connection:
            counts = [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (revocations, recommendation_feedback)
            ]
        return counts[0], counts[1]

    await tidy(catalog, clock)
    assert (1, 1) == await left()
    clock.now += timedelta(days=2)
    await tidy(catalog, clock)
    assert (0, 1) == await left()
    clock.now += timedelta(days=200)
    await tidy(catalog, clock)
    assert (0, 0) == await left()
