"""What authors do to grades: grading an answer by hand, and putting right a key that was wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.queries import (
    assessments as assessment_queries,
    attempt_changes as changes,
    authors as author_queries,
    enrollments as enrollment_queries,
    grades,
    progress as progress_queries,
)
from database.queries.assessments import QuestionRow
from database.queries.attempt_changes import StoredAttempt
from database.queries.grades import StoredQuestion
from database.tables.assessments import QuestionKind
from database.tables.attempts import AttemptStatus
from resolvers.answers import NewAnswerKey, answer_key, text
from resolvers.attempts import AttemptPayload, attempt_row, lock, no_attempt
from resolvers.closing import evaluate
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.payloads import Payload
from security.audit import Subject
from security.policies import Identity, may_see_all_courses

# Attempts that are graded again at a time: memory does not grow with how many there are.
_BATCH = 200


@dataclass(frozen=True, slots=True)
class GradeAnswer:
    """Points for an answer, by opaque ids, with a word to the learner."""

    attempt_id: str
    question_id: str
    points: float
    feedback: str | None = None


@dataclass(frozen=True, slots=True)
class CorrectAnswerKey:
    """The right key of a question, by its opaque id in any revision."""

    question_id: str
    key: NewAnswerKey


@dataclass(frozen=True, kw_only=True)
class CorrectAnswerKeyPayload(Payload):
    """The question with its new key, and how many attempts are graded otherwise than before."""

    question: QuestionRow | None = None
    regraded_attempts: int = 0


async def grade_answer(context: Context, input: GradeAnswer) -> AttemptPayload:  # noqa: A002
    """Give a short answer its points; the attempt is graded when no other one waits.

    Raises:
        CommandError: NOT_FOUND, INVALID, TOO_LONG, or INVALID_STATE for an attempt that was not submitted.
    """
    identity = caller(context)
    key, question_key = decode_key(input.attempt_id, "Attempt"), decode_key(input.question_id, "Question")
    feedback = None if input.feedback is None else text(input.feedback, ("input", "feedback"))
    if key is None:
        raise no_attempt()
    async with transact(context, "gradeAnswer", Subject("Attempt", key)) as act:
        place = await changes.locate(act.connection, key)
        if place is None or not await _writes(act.connection, identity, place.course_id):
            raise no_attempt()
        attempt = await lock(act, key, place)
        if attempt.status == AttemptStatus.IN_PROGRESS:
            message = "The attempt was not submitted yet."
            raise CommandError(UserErrorCode.INVALID_STATE, message, ("input", "attemptId"))
        question = await _answered(act, attempt, question_key)
        _refuse_points(input.points, question)
        act.details["question_id"] = question.id
        await grades.grade_by_hand(
            act.connection, key, question.id, points=input.points, feedback=feedback, by=identity.account_id
        )
        await evaluate(act.connection, [attempt], act.now)
    return AttemptPayload(attempt=await attempt_row(context, key))


async def _answered(act: Act, attempt: StoredAttempt, question_key: int | None) -> StoredQuestion:
    """Return a question of the attempt that a person may grade the answer to."""
    path = ("input", "questionId")
    asked = await grades.questions_of(act.connection, [attempt.assessment_id])
    question = next((each for each in asked if each.id == question_key), None)
    if question is None:
        raise CommandError(UserErrorCode.NOT_FOUND, "The attempt asks no such question.", path)
    if question.kind != QuestionKind.SHORT_ANSWER:
        message = "Only short answers are graded by hand; correctAnswerKey puts a wrong key right."
        raise CommandError(UserErrorCode.INVALID, message, path)
    answers = await grades.answers_of(act.connection, [attempt.id])
    if all(answer.question_id != question.id for answer in answers):
        raise CommandError(UserErrorCode.INVALID, "The question was not answered.", path)
    return question


def _refuse_points(points: float, question: StoredQuestion) -> None:
    if not (math.isfinite(points) and 0 <= points <= question.points):
        message = f"The points must be from 0 to {question.points:g}."
        raise CommandError(UserErrorCode.INVALID, message, ("input", "points"))


async def correct_answer_key(context: Context, input: CorrectAnswerKey) -> CorrectAnswerKeyPayload:  # noqa: A002
    """Change the key of a question in all revisions, and grade again whatever was submitted with the wrong one.

    A copy that offers other choices, or is of another kind, keeps its key.

    Raises:
        CommandError: NOT_FOUND, also for a course of others, or what is wrong with the key.
    """
    identity = caller(context)
    key = decode_key(input.question_id, "Question")
    if key is None:
        raise _no_question()
    async with transact(context, "correctAnswerKey", Subject("Question", key)) as act:
        found = await grades.find_question(act.connection, key)
        if found is None:
            raise _no_question()
        question, lineage, course_id = found
        # While the course is locked, nobody copies the wrong key into another revision.
        await enrollment_queries.lock_course_status(act.connection, course_id)
        if not await _writes(act.connection, identity, course_id):
            raise _no_question()
        await changes.own_keys(act.connection, lineage)
        corrected = _right(question, input.key)
        copies = [
            copy
            for copy in await grades.copies_of_question(act.connection, question.lineage, course_id)
            if _fits(copy, input.key)
        ]
        await grades.change_key(act.connection, [copy.id for copy in copies], corrected)
        regraded = await _grade_again(act, [copy.assessment_id for copy in copies])
        act.details.update(regraded_attempts=regraded, copies=[copy.id for copy in copies])
    row = await context.reader.fetch_first(assessment_queries.QUESTIONS_BY_IDS, ids=[key])
    return CorrectAnswerKeyPayload(question=row, regraded_attempts=regraded)


async def _grade_again(act: Act, assessment_ids: list[int]) -> int:
    place, regraded = (0, 0), 0
    while True:
        attempts = await changes.submitted_after(act.connection, assessment_ids, place, _BATCH)
        if not attempts:
            return regraded
        # In order of enrollment over all batches: whoever else locks several does it in the same order.
        await progress_queries.lock_by_ids(act.connection, sorted({attempt.enrollment_id for attempt in attempts}))
        regraded += len(await evaluate(act.connection, attempts, act.now))
        place = (attempts[-1].enrollment_id, attempts[-1].id)


def _right(question: StoredQuestion, key: NewAnswerKey) -> dict[str, object]:
    path = ("input", "key")
    try:
        corrected = answer_key(question.kind, [choice["id"] for choice in question.choices], key)
    except CommandError as refused:
        raise CommandError(refused.code, refused.message, (*path, *(refused.field or ()))) from refused
    if corrected.get("texts") == []:
        # What the machine has graded would have to wait again.
        raise CommandError(
            UserErrorCode.REQUIRED, "Name a text at least, or grade answers by hand.", (*path, "acceptedTexts")
        )
    return corrected


def _fits(copy: StoredQuestion, key: NewAnswerKey) -> bool:
    try:
        answer_key(copy.kind, [choice["id"] for choice in copy.choices], key)
    except CommandError:
        return False
    return True


async def _writes(connection: AsyncConnection, identity: Identity, course_id: int) -> bool:
    return may_see_all_courses(identity) or await author_queries.wrote(connection, course_id, identity.account_id)


def _no_question() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such question.", ("input", "questionId"))
