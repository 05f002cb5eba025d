"""What may be answered to which kind of question, and what its key may be; pure, so that it can be tested alone."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from core.errors import CommandError, UserErrorCode
from database.tables.assessments import QuestionKind

LONGEST_TEXT = 10_000
_MOST_TEXTS = 100
_WANTED = {
    QuestionKind.SINGLE_CHOICE: "choiceIds",
    QuestionKind.MULTIPLE_CHOICE: "choiceIds",
    QuestionKind.NUMERIC: "number",
    QuestionKind.SHORT_ANSWER: "text",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client sent for one question: exactly one of the three."""

    choice_ids: tuple[str, ...] | None = None
    number: float | None = None
    text: str | None = None


def response(kind: str, choice_ids: Collection[str], answer: Answer) -> dict[str, Any]:
    """Return an answer as it is stored; see `resolvers.grading` for the shape.

    Args:
        kind: of the question.
        choice_ids: those that the question offers.
        answer: what was sent.

    Raises:
        CommandError: INVALID or TOO_LONG, with the field of the answer that is wrong.
    """
    wanted = _WANTED[QuestionKind(kind)]
    given = {"choiceIds": answer.choice_ids, "number": answer.number, "text": answer.text}
    (name,) = (name for name, value in given.items() if value is not None)
    if name != wanted:
        raise CommandError(UserErrorCode.INVALID, f"This question is answered with `{wanted}`.", (name,))
    if answer.choice_ids is not None:
        return {"choices": _choices(kind, choice_ids, answer.choice_ids)}
    if answer.number is not None:
        if not math.isfinite(answer.number):
            raise CommandError(UserErrorCode.INVALID, "This is not a number that can be compared.", ("number",))
        return {"number": answer.number}
    return {"text": text(answer.text or "", ("text",))}


def _choices(kind: str, offered: Collection[str], chosen: tuple[str, ...]) -> list[str]:
    path = ("choiceIds",)
    if len(set(chosen)) != len(chosen):
        raise CommandError(UserErrorCode.INVALID, "A choice can be chosen once.", path)
    if not set(chosen) <= set(offered):
        raise CommandError(UserErrorCode.INVALID, "The question offers no such choice.", path)
    if kind == QuestionKind.SINGLE_CHOICE and len(chosen) > 1:
        raise CommandError(UserErrorCode.INVALID, "One choice at most can be chosen.", path)
    return list(chosen)


@dataclass(frozen=True, slots=True)
class NewAnswerKey:
    """What a client sent as the key of a question: choices, a number with its tolerance, or accepted texts."""

    choice_ids: tuple[str, ...] | None = None
    number: float | None = None
    tolerance: float | None = None
    texts: tuple[str, ...] | None = None


def answer_key(kind: str, choice_ids: Collection[str], key: NewAnswerKey) -> dict[str, Any]:
    """Return a key as it is stored; see `resolvers.grading` for the shape.

    Args:
        kind: of the question.
        choice_ids: those that the question offers.
        key: what was sent.

    Raises:
        CommandError: INVALID, REQUIRED, TOO_MANY or TOO_LONG, with the field of the key that is wrong.
    """
    wanted = "acceptedTexts" if kind == QuestionKind.SHORT_ANSWER else _WANTED[QuestionKind(kind)]
    given = {"choiceIds": key.choice_ids, "number": key.number, "acceptedTexts": key.texts}
    (name,) = (name for name, value in given.items() if value is not None)
    if name != wanted:
        raise CommandError(UserErrorCode.INVALID, f"The key of this question has `{wanted}`.", (name,))
    if key.choice_ids is not None:
        choices = _choices(kind, choice_ids, key.choice_ids)
        if not choices:
            raise CommandError(UserErrorCode.REQUIRED, "At least one choice must be right.", ("choiceIds",))
        return {"choices": choices}
    if key.number is not None:
        tolerance = key.tolerance or 0.0
        if not (math.isfinite(key.number) and math.isfinite(tolerance)) or tolerance < 0:
            message = "The number must be finite, and the tolerance not negative."
            raise CommandError(UserErrorCode.INVALID, message, ("number",))
        return {"number": key.number, "tolerance": tolerance}
    texts = key.texts or ()
    if len(texts) > _MOST_TEXTS:
        raise CommandError(UserErrorCode.TOO_MANY, f"At most {_MOST_TEXTS} texts can be accepted.", ("acceptedTexts",))
    return {"texts": [text(one, ("acceptedTexts", str(place))) for place, one in enumerate(texts)]}


def text(given: str, path: tuple[str, ...]) -> str:
    """Return a text that can be stored.

    Raises:
        CommandError: TOO_LONG or INVALID.
    """
    if len(given) > LONGEST_TEXT:
        message = f"The text may be at most {LONGEST_TEXT} characters long."
        raise CommandError(UserErrorCode.TOO_LONG, message, path)
    if "\0" in given or any("\ud800" <= character <= "\udfff" for character in given):
        raise CommandError(UserErrorCode.INVALID, "The text holds a character that cannot be stored.", path)
    return given
