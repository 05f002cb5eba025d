"""Attempts at assessments: starting, saving answers, submitting, and watching for the grade."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.errors import CommandError, ForbiddenError, UserErrorCode
from core.ids import decode_key
from database.notifications import attempt_topic
from database.queries import (
    attempt_changes as changes,
    attempts as queries,
    grades,
    progress as progress_queries,
)
from database.queries.attempt_changes import Place, StoredAssessment, StoredAttempt
from database.queries.attempts import AttemptRow
from database.tables.attempts import AttemptStatus
from resolvers import authors
from resolvers.answers import Answer, response
from resolvers.closing import close
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.payloads import Payload
from resolvers.watching import watched
from security.audit import Subject

_MOST_ANSWERS = 500


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """The assessment to attempt, by its opaque id."""

    assessment_id: str


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """An answer to one question, by its opaque id."""

    question_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class SaveAnswers:
    """Answers to keep in an attempt, in place of earlier ones to the same questions."""

    attempt_id: str
    answers: tuple[QuestionAnswer, ...]


@dataclass(frozen=True, slots=True)
class SubmitAttempt:
    """The attempt to close, with the last answers, if any."""

    attempt_id: str
    answers: tuple[QuestionAnswer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AttemptPayload(Payload):
    """The answer of commands on an attempt; where it is closed already, the attempt stands beside the error."""

    attempt: AttemptRow | None = None


async def start_attempt(context: Context, input: StartAttempt) -> AttemptPayload:  # noqa: A002
    """Start an attempt, or return the one that is in progress.

    Raises:
        CommandError: NOT_FOUND, NOT_ENROLLED or ATTEMPT_LIMIT_REACHED.
    """
    learner_id = caller(context).learner_id
    path = ("input", "assessmentId")
    key = decode_key(input.assessment_id, "Assessment")
    if key is None:
        raise _no_assessment()
    attempt_id: int | None
    refusals: list[CommandError] = []
    async with transact(context, "startAttempt", Subject("Assessment", key)) as act:
        asked = await changes.find_assessment(act.connection, key)
        if asked is None:
            raise _no_assessment()
        await changes.share_keys(act.connection, asked.lineage)
        locked = await progress_queries.lock_enrollments(act.connection, learner_id, [asked.course_id])
        enrollment = locked.get(asked.course_id)
        if enrollment is None:
            raise CommandError(UserErrorCode.NOT_ENROLLED, "You are not enrolled in this course.", path)
        if enrollment.revision_id is None:
            raise _no_assessment()
        # Of any revision's copy, the learner gets the one of the revision that they take.
        mine = await changes.find_copy(act.connection, asked.lineage, enrollment.revision_id)
        if mine is None:
            raise _no_assessment()
        attempt_id = await _open_attempt(act, enrollment.id, mine)
        act.details["attempt_id"] = attempt_id
        if attempt_id is None:
            # Not raised: an attempt that was overdue stays closed.
            refusals.append(CommandError(UserErrorCode.ATTEMPT_LIMIT_REACHED, "There is no attempt left.", path))
            act.outcome = refusals[0].code.value
    attempt = None if attempt_id is None else await attempt_row(context, attempt_id)
    return AttemptPayload(attempt=attempt, user_errors=refusals)


async def _open_attempt(act: Act, enrollment_id: int, assessment: StoredAssessment) -> int | None:
    """Return the attempt that is in progress, or start one if there is one left; an overdue one is closed first."""
    running = await changes.find_open_attempt(act.connection, enrollment_id, assessment.lineage)
    if running is not None:
        if not _is_overdue(running, act.now):
            return running.id
        await close(act.connection, running, act.now)
    number = 1 + await changes.last_number(act.connection, enrollment_id, assessment.lineage)
    if assessment.attempt_limit is not None and number > assessment.attempt_limit:
        return None
    asked = await grades.questions_of(act.connection, [assessment.id])
    limit = assessment.time_limit_seconds
    return await changes.start(
        act.connection,
        {
            "enrollment_id": enrollment_id,
            "assessment_id": assessment.id,
            "assessment_lineage": assessment.lineage,
            "number": number,
            "started_at": act.now,
            "deadline_at": None if limit is None else act.now + timedelta(seconds=limit),
            "max_score": sum(question.points for question in asked),
        },
    )


async def save_answers(context: Context, input: SaveAnswers) -> AttemptPayload:  # noqa: A002
    """Keep answers of an attempt in progress; all of them, or none when one cannot be kept.

    There is no row in the audit trail: clients save every few seconds, and the trail is for acts.

    Raises:
        CommandError: NOT_FOUND or TOO_MANY.
    """
    return await _change(context, "saveAnswers", input.attempt_id, input.answers, submits=False)


async def submit_attempt(context: Context, input: SubmitAttempt) -> AttemptPayload:  # noqa: A002
    """Close an attempt and grade it as far as the machine can.

    Raises:
        CommandError: NOT_FOUND or TOO_MANY.
    """
    return await _change(context, "submitAttempt", input.attempt_id, input.answers, submits=True)


async def _change(
    context: Context, action: str, attempt_id: str, answers: Sequence[QuestionAnswer], *, submits: bool
) -> AttemptPayload:
    learner_id = caller(context).learner_id
    key = decode_key(attempt_id, "Attempt")
    if key is None:
        raise no_attempt()
    if len(answers) > _MOST_ANSWERS:
        message = f"At most {_MOST_ANSWERS} answers can be sent at a time."
        raise CommandError(UserErrorCode.TOO_MANY, message, ("input", "answers"))
    async with transact(context, action, Subject("Attempt", key)) as act:
        act.recorded = submits
        attempt = await _lock_own(act, key, learner_id)
        refusals = await _apply(act, attempt, answers, submits=submits)
        if refusals:
            act.outcome = refusals[0].code.value
    return AttemptPayload(attempt=await attempt_row(context, key), user_errors=refusals)


async def _apply(
    act: Act, attempt: StoredAttempt, answers: Sequence[QuestionAnswer], *, submits: bool
) -> Sequence[CommandError]:
    """Save and submit as far as the attempt's state allows, and return what was refused.

    A refusal is returned and not raised: an attempt that is over is closed by the same transaction.
    """
    path = ("input", "attemptId")
    if attempt.status != AttemptStatus.IN_PROGRESS:
        return [CommandError(UserErrorCode.ATTEMPT_CLOSED, "The attempt was submitted before.", path)]
    if _is_overdue(attempt, act.now):
        await close(act.connection, attempt, act.now)
        return [CommandError(UserErrorCode.DEADLINE_PASSED, "The time was over; what was saved in time counts.", path)]
    responses, refusals = await _responses(act, attempt, answers)
    if refusals:
        return refusals
    if responses:
        await changes.save_answers(act.connection, attempt.id, responses, act.now)
    if submits:
        await close(act.connection, attempt, act.now)
    return []


async def _responses(
    act: Act, attempt: StoredAttempt, answers: Sequence[QuestionAnswer]
) -> tuple[dict[int, dict[str, Any]], list[CommandError]]:
    """Return answers as they are stored, by question, and what is wrong with the others."""
    responses: dict[int, dict[str, Any]] = {}
    refusals: list[CommandError] = []
    asked = await grades.questions_of(act.connection, [attempt.assessment_id]) if answers else []
    questions = {question.id: question for question in asked}
    for place, given in enumerate(answers):
        path = ("input", "answers", str(place))
        key = decode_key(given.question_id, "Question")
        question = None if key is None else questions.get(key)
        if question is None:
            message = "The attempt asks no such question."
            refusals.append(CommandError(UserErrorCode.NOT_FOUND, message, (*path, "questionId")))
        elif question.id in responses:
            message = "The question is answered twice."
            refusals.append(CommandError(UserErrorCode.INVALID, message, (*path, "questionId")))
        else:
            try:
                offered = [choice["id"] for choice in question.choices]
                responses[question.id] = response(question.kind, offered, given.answer)
            except CommandError as refused:
                refusals.append(CommandError(refused.code, refused.message, (*path, *(refused.field or ()))))
    return responses, refusals


async def _lock_own(act: Act, attempt_id: int, learner_id: int) -> StoredAttempt:
    place = await changes.locate(act.connection, attempt_id)
    # Whose attempt it is nobody else is told, not even that there is one.
    if place is None or place.learner_id != learner_id:
        raise no_attempt()
    return await lock(act, attempt_id, place)


async def lock(act: Act, attempt_id: int, place: Place) -> StoredAttempt:
    """Return an attempt that nobody else changes until the transaction ends.

    Raises:
        CommandError: NOT_FOUND, when it is gone meanwhile.
    """
    await changes.share_keys(act.connection, place.assessment_lineage)
    await progress_queries.lock_by_ids(act.connection, [place.enrollment_id])
    attempt = await changes.find_attempt(act.connection, attempt_id)
    if attempt is None:
        raise no_attempt()
    return attempt


def _is_overdue(attempt: StoredAttempt, now: datetime) -> bool:
    return attempt.deadline_at is not None and now > attempt.deadline_at


async def attempt_row(context: Context, key: int) -> AttemptRow | None:
    """Return an attempt, whoever's it is."""
    return await context.reader.fetch_first(queries.BY_IDS, ids=[key])


async def by_ids(context: Context, keys: Sequence[int]) -> list[AttemptRow | None]:
    """Return the attempt of each key if it is the caller's own, or of a course that they write, or None."""
    if context.identity is None:
        return [None] * len(keys)
    found = await context.reader.fetch(queries.BY_IDS, ids=list(keys))
    others = [row.course_id for row in found if row.learner_id != context.identity.learner_id]
    written = await authors.authored(context, others) if others else frozenset()
    rows = {row.id: row for row in found if row.learner_id == context.identity.learner_id or row.course_id in written}
    return [rows.get(key) for key in keys]


def attempt_graded(context: Context, *, attempt_id: str) -> AsyncGenerator[AttemptRow, None]:
    """Return the stream of an attempt of the caller's own: at once, and whenever it is graded.

    At its first value, or later, it raises what `watched` raises, and besides:

    Raises:
        ForbiddenError: there is no such attempt of the caller's own.
    """
    learner_id = caller(context).learner_id
    key = decode_key(attempt_id, "Attempt")

    async def read() -> AttemptRow:
        row = None if key is None else await attempt_row(context, key)
        if row is None or row.learner_id != learner_id:
            raise ForbiddenError("There is no attempt of yours with this id.")
        return row

    return watched(context, attempt_topic(key or 0), read)


def no_attempt() -> CommandError:
    """Return the refusal of an attempt that is not there, or not the caller's."""
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such attempt.", ("input", "attemptId"))


def _no_assessment() -> CommandError:
    message = "The revision that you take has no such assessment."
    return CommandError(UserErrorCode.NOT_FOUND, message, ("input", "assessmentId"))
