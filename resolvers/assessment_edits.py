"""Writing the assessments of a course: one a module, written as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.queries import draft_contents as queries
from database.queries.assessments import AssessmentRow
from database.tables.assessments import QuestionKind, assessments as table
from resolvers import assessments
from resolvers.context import Context
from resolvers.editing import CoursePayload, CourseVersion, Edit, course_row, editing
from resolvers.module_edits import draft_module
from resolvers.texts import Path, at_most, optional, required, within

LONGEST_TITLE = 200
LONGEST_PROMPT = 10_000
LONGEST_CHOICE = 2_000
LONGEST_ACCEPTED = 200
MOST_QUESTIONS = 200
MOST_CHOICES = 20
MOST_ACCEPTED = 50
MOST_POINTS = 1_000
MOST_SECONDS = 86_400
MOST_ATTEMPTS = 1_000
_LARGEST_NUMBER = 1e15
_QUESTIONS: Path = ("input", "questions")


@dataclass(frozen=True, slots=True)
class GivenChoice:
    """A choice as an author writes it; without an id it gets one."""

    text: str
    right: bool
    id: str | None = None


@dataclass(frozen=True, slots=True)
class GivenQuestion:
    """A question as an author writes it.

    Attributes:
        kind: how it is answered.
        part: the input field that it came in, such as `singleChoice`.
        prompt: what is asked.
        points: what a right answer earns.
        id: opaque id of the question that it replaces, so that attempts at both are comparable; None for a new one.
        explanation: why the right answer is right.
        choices: of a choice question.
        number: that answers a numeric one.
        tolerance: how far off an answer may be.
        accepted: texts that answer a short-answer question; none: an instructor grades it.
    """

    kind: QuestionKind
    part: str
    prompt: str
    points: float
    id: str | None = None
    explanation: str | None = None
    choices: Sequence[GivenChoice] = ()
    number: float | None = None
    tolerance: float | None = None
    accepted: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PutAssessment:
    """The whole assessment of a module."""

    target: CourseVersion
    module_id: str
    title: str
    passing_share: float
    questions: Sequence[GivenQuestion]
    time_limit_seconds: int | None = None
    attempt_limit: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveAssessment:
    """The module whose assessment is removed."""

    target: CourseVersion
    module_id: str


@dataclass(frozen=True, kw_only=True)
class AssessmentPayload(CoursePayload):
    """The answer of a command that changes an assessment: the draft's copy of it."""

    assessment: AssessmentRow | None = None


async def put_assessment(context: Context, input: PutAssessment) -> AssessmentPayload:  # noqa: A002
    """Write the assessment of a module, in place of the one that it has.

    Raises:
        CommandError: as for `editing`; NOT_FOUND, REQUIRED, TOO_LONG, TOO_MANY or INVALID, at the exact path.
    """
    values = _checked(input)
    at_most(input.questions, MOST_QUESTIONS, _QUESTIONS)
    rows = [_question(question, place) for place, question in enumerate(input.questions)]
    if not rows:
        raise CommandError(UserErrorCode.REQUIRED, "An assessment needs a question.", _QUESTIONS)
    async with editing(context, "put_assessment", input.target) as edit:
        module_id = await draft_module(edit, input.module_id)
        lineages = await _lineages(edit, input.questions)
        key = await queries.put_assessment(edit.connection, module_id, edit.revision_id, values)
        listed = [{**row, "lineage": lineage} for row, lineage in zip(rows, lineages, strict=True)]
        await queries.replace_questions(edit.connection, key, listed)
        edit.act.details["questions"] = len(rows)
    (found,) = await assessments.by_ids(context, [key])
    return AssessmentPayload(course=await course_row(context, edit.course.id), assessment=found)


async def remove_assessment(context: Context, input: RemoveAssessment) -> AssessmentPayload:  # noqa: A002
    """Remove the assessment of a module.

    Raises:
        CommandError: as for `editing`; NOT_FOUND.
    """
    async with editing(context, "remove_assessment", input.target) as edit:
        module_id = await draft_module(edit, input.module_id)
        key = await queries.assessment_of(edit.connection, module_id)
        if key is None:
            raise CommandError(UserErrorCode.NOT_FOUND, "The module has no assessment.", ("input", "moduleId"))
        await queries.delete_row(edit.connection, table, key)
    return AssessmentPayload(course=await course_row(context, edit.course.id))


def _checked(given: PutAssessment) -> dict[str, Any]:
    within(given.passing_share, 0, 1, ("input", "passingShare"))
    within(given.time_limit_seconds, 1, MOST_SECONDS, ("input", "timeLimitSeconds"))
    within(given.attempt_limit, 1, MOST_ATTEMPTS, ("input", "attemptLimit"))
    return {
        "title": required(given.title, LONGEST_TITLE, ("input", "title")),
        "passing_share": given.passing_share,
        "time_limit_seconds": given.time_limit_seconds,
        "attempt_limit": given.attempt_limit,
    }


def _question(given: GivenQuestion, place: int) -> dict[str, Any]:
    path: Path = (*_QUESTIONS, str(place), given.part)
    if not (math.isfinite(given.points) and 0 < given.points <= MOST_POINTS):
        raise _invalid(f"Points are more than 0 and at most {MOST_POINTS}.", (*path, "points"))
    row: dict[str, Any] = {
        "position": place,
        "kind": given.kind.value,
        "prompt": required(given.prompt, LONGEST_PROMPT, (*path, "prompt")),
        "points": given.points,
        "explanation": optional(given.explanation, LONGEST_PROMPT, (*path, "explanation")),
        "choices": [],
    }
    if given.kind in {QuestionKind.SINGLE_CHOICE, QuestionKind.MULTIPLE_CHOICE}:
        row["choices"], row["answer_key"] = _choices(given, path)
    elif given.kind is QuestionKind.NUMERIC:
        row["answer_key"] = _number(given, path)
    else:
        at_most(given.accepted, MOST_ACCEPTED, (*path, "acceptedTexts"))
        texts = [
            required(text, LONGEST_ACCEPTED, (*path, "acceptedTexts", str(n))) for n, text in enumerate(given.accepted)
        ]
        row["answer_key"] = {"texts": texts}
    return row


def _choices(given: GivenQuestion, path: Path) -> tuple[list[dict[str, str]], dict[str, list[str]]]:
    place: Path = (*path, "choices")
    at_most(given.choices, MOST_CHOICES, place)
    named = [choice.id.strip() for choice in given.choices if choice.id is not None]
    if len(set(named)) < len(named):
        raise _invalid("Two choices have the same id.", place)
    free = (f"c{number}" for number in range(len(given.choices) + len(named) + 1) if f"c{number}" not in named)
    choices: list[dict[str, str]] = []
    right: list[str] = []
    for number, choice in enumerate(given.choices):
        name = required(choice.id, LONGEST_ACCEPTED, (*place, str(number), "id")) if choice.id else next(free)
        choices.append({"id": name, "text": required(choice.text, LONGEST_CHOICE, (*place, str(number), "text"))})
        right += [name] if choice.right else []
    if len(choices) < 2:  # noqa: PLR2004 - to choose takes two.
        raise _invalid("There must be at least two choices.", place)
    if given.kind is QuestionKind.SINGLE_CHOICE and len(right) != 1:
        raise _invalid("Exactly one choice must be right.", place)
    if not right:
        raise _invalid("At least one choice must be right.", place)
    return choices, {"choices": right}


def _number(given: GivenQuestion, path: Path) -> dict[str, float]:
    number, tolerance = given.number, given.tolerance or 0.0
    if number is None or not abs(number) <= _LARGEST_NUMBER:
        raise _invalid("This must be a number that can be typed.", (*path, "number"))
    if not 0 <= tolerance <= _LARGEST_NUMBER:
        raise _invalid("A tolerance is 0 or more.", (*path, "tolerance"))
    return {"number": number, "tolerance": tolerance}


async def _lineages(edit: Edit, given: Sequence[GivenQuestion]) -> list[UUID]:
    """Return the lineage of each question: that of the question it replaces, or a new one."""
    keys: dict[int, int] = {}
    for place, question in enumerate(given):
        if question.id is not None:
            key = decode_key(question.id, "Question")
            if key is None or key in keys.values():
                raise _no_question(place, question.part)
            keys[place] = key
    known = await queries.question_lineages(edit.connection, list(keys.values()), edit.course.id)
    lineages: list[UUID] = []
    for place, question in enumerate(given):
        if place not in keys:
            lineages.append(uuid4())
        elif keys[place] in known and known[keys[place]] not in lineages:
            lineages.append(known[keys[place]])
        else:
            raise _no_question(place, question.part)
    return lineages


def _no_question(place: int, part: str) -> CommandError:
    path = (*_QUESTIONS, str(place), part, "id")
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such question in the course, or it is named twice.", path)


def _invalid(message: str, path: Path) -> CommandError:
    return CommandError(UserErrorCode.INVALID, message, path)
