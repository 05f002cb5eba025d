"""Attempts on a real database: limits, deadlines, tabs that race, and what grading writes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from core.clock import ManualClock
from core.errors import CommandError, UnauthenticatedError, UserErrorCode
from core.ids import encode_id
from database.queries.attempts import AttemptRow
from database.session import Database
from database.tables.assessments import assessments
from database.tables.attempts import attempt_answers, attempts as table
from database.tables.enrollments import enrollments as enrollment_table
from resolvers import attempt_views, attempts, enrollments
from resolvers.answers import Answer
from resolvers.attempts import AttemptPayload, QuestionAnswer, SaveAnswers, StartAttempt, SubmitAttempt
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.enrollments import Enroll, Unenroll
from tests.conftest import NOW
from tests.small_accounts import Contexts, trail
from tests.small_learning import (
    COURSE_ID,
    MAX_SCORE,
    QUESTIONS,
    add_revision,
    another,
    assessment_id,
    lineage,
    question_id,
    told,
    warm,
)

RIGHT = (
    QuestionAnswer(question_id(1), Answer(choice_ids=("a",))),
    QuestionAnswer(question_id(2), Answer(choice_ids=("a", "b"))),
    QuestionAnswer(question_id(3), Answer(number=0.4)),
    QuestionAnswer(question_id(4), Answer(text=" force ")),
)
HALF = (*RIGHT[:1], QuestionAnswer(question_id(2), Answer(choice_ids=("a",))), *RIGHT[2:3])


async def started(context: Context, revision: int = 1) -> AttemptRow:
    """Start an attempt, or get the one in progress."""
    payload = await attempts.start_attempt(context, StartAttempt(assessment_id(revision)))
    assert () == tuple(payload.user_errors)
    assert payload.attempt is not None
    return payload.attempt


def key_of(attempt: AttemptRow) -> str:
    """Return the opaque id of an attempt."""
    return encode_id("Attempt", attempt.id)


async def save(context: Context, attempt: AttemptRow, *answers: QuestionAnswer) -> AttemptPayload:
    """Save answers."""
    return await attempts.save_answers(context, SaveAnswers(key_of(attempt), answers))


async def submit(context: Context, attempt: AttemptRow, *answers: QuestionAnswer) -> AttemptPayload:
    """Submit an attempt."""
    return await attempts.submit_attempt(context, SubmitAttempt(key_of(attempt), answers))


def codes(payload: AttemptPayload) -> list[UserErrorCode]:
    """Return why a command was refused."""
    return [error.code for error in payload.user_errors]


async def refused(command: object) -> UserErrorCode:
    """Run a command that must be refused with nothing written."""
    with pytest.raises(CommandError) as error:
        await command  # type: ignore[misc]
    return error.value.code


async def limited(database: Database, **values: Any) -> None:
    """Give the assessment a time limit or an attempt limit."""
    async with database.transaction() as connection:
        await connection.execute(update(assessments).values(**values))


async def saved(database: Database) -> dict[int, tuple[Any, float | None]]:
    """Return response and points of all answers, by question."""
    columns = (attempt_answers.c.question_id, attempt_answers.c.response, attempt_answers.c.points)
    async with database.transaction() as connection:
        return {row[0]: (row[1], row[2]) for row in await connection.execute(select(*columns))}


async def test_attempt_is_graded_with_its_event_and_counts_for_the_course(pupil: Context) -> None:
    """Points, result, progress, the event that analytics reads, and rows in the audit trail."""
    attempt = await started(pupil)
    assert ("IN_PROGRESS", 1, NOW, None, None, MAX_SCORE, None) == (
        *(attempt.status, attempt.number, attempt.started_at, attempt.deadline_at),
        *(attempt.score, attempt.max_score, attempt.passed),
    )
    graded = (await submit(pupil, attempt, *RIGHT)).attempt
    assert graded is not None
    assert ("GRADED", MAX_SCORE, True, NOW, NOW) == (
        *(graded.status, graded.score, graded.passed),
        *(graded.submitted_at, graded.graded_at),
    )
    expected = {
        "assessment": str(lineage("assessment", 1)),
        "attempt_id": attempt.id,
        "number": 1,
        "score": MAX_SCORE,
        "max_score": MAX_SCORE,
        "passed": True,
        "questions": {str(lineage("question", number)): 1.0 for number in (1, 2, 3, 4)},
    }
    assert [expected] == await told(pupil.database, "attempt_graded")
    async with pupil.database.transaction() as connection:
        assert 0.25 == (await connection.execute(select(enrollment_table.c.progress))).scalar_one()
    assert ["startAttempt", "submitAttempt"] == [row[0] for row in (await trail(pupil.database))[-2:]]


async def test_partial_credit_and_unanswered_questions(pupil: Context) -> None:
    """Half of the right choices is half of the points, nothing answered is nothing earned; this is not enough."""
    graded = (await submit(pupil, await started(pupil), *HALF)).attempt
    assert graded is not None
    assert (4.5, False) == (graded.score, graded.passed)
    (event,) = await told(pupil.database, "attempt_graded")
    assert [1.0, 0.5, 1.0, 0.0] == [event["questions"][str(lineage("question", number))] for number in (1, 2, 3, 4)]


async def test_what_is_saved_replaces_what_was(pupil: Context) -> None:
    """Autosave keeps the last answer of each question, without points or a row in the audit trail, until submitted."""
    attempt = await started(pupil)
    before = await trail(pupil.database)
    await save(pupil, attempt, *RIGHT[:2])
    await save(pupil, attempt, QuestionAnswer(question_id(1), Answer(choice_ids=())), RIGHT[2])
    assert {11: ({"choices": []}, None), 12: ({"choices": ["a", "b"]}, None), 13: ({"number": 0.4}, None)} == (
        await saved(pupil.database)
    )
    assert before == await trail(pupil.database)
    graded = (await submit(pupil, attempt, RIGHT[0])).attempt
    assert graded is not None
    assert 6.0 == graded.score


async def test_two_tabs_that_start_get_the_same_attempt(pupil: Context, strangers: Contexts) -> None:
    """Of six requests at once, one starts it; one audit row tells of each."""
    await warm(pupil.database)
    rows = await asyncio.gather(*(started(another(strangers, pupil)) for _ in range(6)))
    assert 1 == len({row.id for row in rows})
    assert [1] == [row.number for row in rows[:1]]


async def test_two_tabs_that_submit_are_graded_once(pupil: Context, strangers: Contexts) -> None:
    """One of them grades; the others are told, with the graded attempt beside the error, and change nothing."""
    attempt = await started(pupil)
    await warm(pupil.database)
    tabs = [another(strangers, pupil) for _ in range(5)]
    answers = [RIGHT if place % 2 else HALF for place in range(5)]
    payloads = await asyncio.gather(*(submit(tab, attempt, *given) for tab, given in zip(tabs, answers, strict=True)))
    assert [[]] + [[UserErrorCode.ATTEMPT_CLOSED]] * 4 == sorted(map(codes, payloads))
    (winner,) = (place for place, payload in enumerate(payloads) if not payload.user_errors)
    assert {MAX_SCORE if winner % 2 else 4.5} == {row.score for row in (one.attempt for one in payloads) if row}
    assert 1 == len(await told(pupil.database, "attempt_graded"))
    assert [UserErrorCode.ATTEMPT_CLOSED] == codes(await save(pupil, attempt, *RIGHT))


async def test_saving_and_submitting_at_once(pupil: Context, strangers: Contexts) -> None:
    """Whatever was saved before the submission counts, and what comes later is told that it is late."""
    attempt = await started(pupil)
    await warm(pupil.database)
    payloads = await asyncio.gather(
        *(save(another(strangers, pupil), attempt, answer) for answer in RIGHT),
        submit(another(strangers, pupil), attempt),
    )
    earned = dict(zip((11, 12, 13, 14), (1.0, 3.0, 2.0, 4.0), strict=True))
    counted = await saved(pupil.database)
    assert sum(earned[key] for key in counted) == (await attempts.by_ids(pupil, [attempt.id]))[0].score  # type: ignore[union-attr]
    assert len(counted) == sum(not payload.user_errors for payload in payloads[:-1])


async def test_attempts_are_limited(pupil: Context, strangers: Contexts) -> None:
    """Two attempts at most, one after the other, and all of them are listed, newest first."""
    await limited(pupil.database, attempt_limit=2)
    for number in (1, 2):
        attempt = await started(pupil)
        assert number == attempt.number
        await submit(pupil, attempt, *(HALF if number == 1 else RIGHT))
    payloads = [await attempts.start_attempt(another(strangers, pupil), StartAttempt(assessment_id()))]
    assert [[UserErrorCode.ATTEMPT_LIMIT_REACHED]] == [codes(payload) for payload in payloads]
    assert payloads[0].attempt is None
    (listed,) = await attempt_views.viewer_attempts(pupil, [type("Row", (), {"id": 11})])
    assert [(2, MAX_SCORE), (1, 4.5)] == [(row.number, row.score) for row in listed]
    assert [[]] == await attempt_views.viewer_attempts(strangers(), [type("Row", (), {"id": 11})])


async def test_late_answers_are_refused_and_those_in_time_count(pupil: Context, clock: ManualClock) -> None:
    """The deadline is fixed at the start; a late submission closes the attempt with what was saved."""
    await limited(pupil.database, time_limit_seconds=600)
    attempt = await started(pupil)
    assert NOW + timedelta(seconds=600) == attempt.deadline_at
    await limited(pupil.database, time_limit_seconds=6000)
    clock.now = NOW + timedelta(seconds=600)
    assert [] == codes(await save(pupil, attempt, *RIGHT[:1]))
    clock.now += timedelta(microseconds=1)
    late = await submit(pupil, attempt, *RIGHT)
    assert [UserErrorCode.DEADLINE_PASSED] == codes(late)
    assert late.attempt is not None
    assert ("GRADED", 1.0, attempt.deadline_at, clock()) == (
        *(late.attempt.status, late.attempt.score),
        *(late.attempt.submitted_at, late.attempt.graded_at),
    )
    assert "DEADLINE_PASSED" == (await trail(pupil.database))[-1][1]
    assert [UserErrorCode.ATTEMPT_CLOSED] == codes(await submit(pupil, attempt, *RIGHT))


async def test_saving_late_closes_the_attempt_too(pupil: Context, clock: ManualClock) -> None:
    """An autosave after the deadline is told so, and the attempt is over."""
    await limited(pupil.database, time_limit_seconds=600)
    attempt = await started(pupil)
    clock.now = NOW + timedelta(hours=1)
    late = await save(pupil, attempt, *RIGHT)
    assert [UserErrorCode.DEADLINE_PASSED] == codes(late)
    assert late.attempt is not None
    assert ("GRADED", 0.0) == (late.attempt.status, late.attempt.score)


async def test_abandoned_attempt_is_closed_when_the_next_one_starts(pupil: Context, clock: ManualClock) -> None:
    """It counts as an attempt, even when it was the last one."""
    await limited(pupil.database, time_limit_seconds=600, attempt_limit=2)
    await save(pupil, await started(pupil), *RIGHT)
    clock.now = NOW + timedelta(hours=1)
    assert 2 == (await started(pupil)).number
    clock.now = NOW + timedelta(hours=2)
    payload = await attempts.start_attempt(pupil, StartAttempt(assessment_id()))
    assert [UserErrorCode.ATTEMPT_LIMIT_REACHED] == codes(payload)
    assert [MAX_SCORE, 0.0] == [event["score"] for event in await told(pupil.database, "attempt_graded")]


async def test_only_who_takes_the_course_attempts(pupil: Context, strangers: Contexts, teacher: Context) -> None:
    """Others are not enrolled, and an attempt of somebody else is not there for them."""
    attempt = await started(pupil)
    assert UserErrorCode.NOT_ENROLLED is await refused(attempts.start_attempt(teacher, StartAttempt(assessment_id())))
    for command in (save(teacher, attempt, *RIGHT), submit(teacher, attempt)):
        assert UserErrorCode.NOT_FOUND is await refused(command)
    for unknown in ("nonsense", COURSE_ID, encode_id("Assessment", 99)):
        assert UserErrorCode.NOT_FOUND is await refused(attempts.start_attempt(pupil, StartAttempt(unknown)))
    for unknown in ("nonsense", encode_id("Attempt", 99)):
        assert UserErrorCode.NOT_FOUND is await refused(attempts.submit_attempt(pupil, SubmitAttempt(unknown)))
    with pytest.raises(UnauthenticatedError):
        await started(strangers())


async def test_whoever_left_may_finish_but_not_start(pupil: Context) -> None:
    """An attempt that runs can be submitted after leaving the course; another one needs enrolling again."""
    attempt = await started(pupil)
    await enrollments.unenroll(pupil, Unenroll(encode_id("Enrollment", attempt.enrollment_id)))
    assert [] == codes(await submit(pupil, attempt, *RIGHT))
    assert UserErrorCode.NOT_ENROLLED is await refused(attempts.start_attempt(pupil, StartAttempt(assessment_id())))


async def test_attempt_is_seen_by_its_learner_and_by_authors(
    pupil: Context, teacher: Context, strangers: Contexts
) -> None:
    """Nobody else finds it by its id."""
    attempt = await started(pupil)
    other = strangers()
    other.identity = type(caller(pupil))(99, 99, frozenset(), caller(pupil).session_id)
    assert [attempt, None] == await attempts.by_ids(pupil, [attempt.id, 99])
    assert [attempt] == await attempts.by_ids(teacher, [attempt.id])
    assert [None] == await attempts.by_ids(other, [attempt.id])
    assert [None] == await attempts.by_ids(strangers(), [attempt.id])


async def test_wrong_answers_are_all_told_and_nothing_is_saved(pupil: Context, clock: ManualClock) -> None:
    """Each refusal has its path; the answers beside them are not saved, and a submission does not close the attempt."""
    await add_revision(pupil.database, 2, at=clock())
    attempt = await started(pupil)
    wrong = (
        RIGHT[0],
        QuestionAnswer(question_id(1, revision=2), Answer(choice_ids=("a",))),
        QuestionAnswer("nonsense", Answer(text="x")),
        QuestionAnswer(question_id(1), Answer(choice_ids=("b",))),
        QuestionAnswer(question_id(3), Answer(choice_ids=("a",))),
        QuestionAnswer(question_id(4), Answer(text="x" * 100_000)),
    )
    payload = await submit(pupil, attempt, *wrong)
    assert [
        (UserErrorCode.NOT_FOUND, ("input", "answers", "1", "questionId")),
        (UserErrorCode.NOT_FOUND, ("input", "answers", "2", "questionId")),
        (UserErrorCode.INVALID, ("input", "answers", "3", "questionId")),
        (UserErrorCode.INVALID, ("input", "answers", "4", "choiceIds")),
        (UserErrorCode.TOO_LONG, ("input", "answers", "5", "text")),
    ] == [(error.code, error.field) for error in payload.user_errors]
    assert payload.attempt is not None
    assert "IN_PROGRESS" == payload.attempt.status
    assert {} == await saved(pupil.database)
    assert UserErrorCode.TOO_MANY is await refused(save(pupil, attempt, *(RIGHT[:1] * 501)))


async def test_learner_gets_the_assessment_of_their_own_revision(
    pupil: Context, learner: Context, clock: ManualClock
) -> None:
    """The id of a newer copy means the copy that they take; attempts of all revisions are counted together."""
    await add_revision(pupil.database, 2, at=clock())
    attempt = await started(pupil, revision=2)
    assert 11 == attempt.assessment_id
    await submit(pupil, attempt, *HALF)
    async with pupil.database.transaction() as connection:
        await connection.execute(update(enrollment_table).values(revision_id=2))
    again = await started(pupil, revision=1)
    assert (21, 2) == (again.assessment_id, again.number)
    lists = await attempt_views.viewer_attempts(pupil, [type("Row", (), {"id": key}) for key in (21, 11)])
    assert [[2, 1], [2, 1]] == [[row.number for row in rows] for rows in lists]


async def test_assessment_of_a_draft_or_of_no_revision_of_theirs_is_not_there(
    pupil: Context, clock: ManualClock
) -> None:
    """What a learner does not take cannot be attempted."""
    await add_revision(pupil.database, 2, status="DRAFT", at=clock())
    assert UserErrorCode.NOT_FOUND is await refused(attempts.start_attempt(pupil, StartAttempt(assessment_id(2))))
    async with pupil.database.transaction() as connection:
        await connection.execute(text("UPDATE course_revisions SET status = 'SUPERSEDED', published_at = now()"))
        await connection.execute(text("UPDATE assessments SET lineage = gen_random_uuid() WHERE id = 21"))
    assert UserErrorCode.NOT_FOUND is await refused(attempts.start_attempt(pupil, StartAttempt(assessment_id(2))))


async def test_short_answer_waits_for_an_instructor(learner: Context, catalog: Database, clock: ManualClock) -> None:
    """Nothing is told of the grade until every answer is graded: no score, no event, no progress."""
    essay = {"kind": "SHORT_ANSWER", "points": 4.0, "choices": [], "answer_key": {"texts": []}}
    await add_revision(catalog, 1, at=clock(), asked=[*QUESTIONS[:3], essay])
    await enrollments.enroll(learner, Enroll(COURSE_ID))
    waiting = (await submit(learner, await started(learner), *RIGHT)).attempt
    assert waiting is not None
    assert ("SUBMITTED", None, None) == (waiting.status, waiting.score, waiting.passed)
    assert [] == await told(catalog, "attempt_graded")
    async with catalog.transaction() as connection:
        assert 0.0 == (await connection.execute(select(enrollment_table.c.progress))).scalar_one()
        assert 1 == (await connection.execute(select(func.count()).select_from(table))).scalar_one()
