"""Answers and keys as clients send them: what fits a question, and what is wrong with the rest."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import CommandError, UserErrorCode
from resolvers.answers import LONGEST_TEXT, Answer, NewAnswerKey, answer_key, response

OFFERED = ("a", "b", "c")


@pytest.mark.parametrize(
    ("kind", "answer", "stored"),
    [
        ("SINGLE_CHOICE", Answer(choice_ids=("a",)), {"choices": ["a"]}),
        ("SINGLE_CHOICE", Answer(choice_ids=()), {"choices": []}),
        ("MULTIPLE_CHOICE", Answer(choice_ids=("c", "a")), {"choices": ["c", "a"]}),
        ("NUMERIC", Answer(number=0.0), {"number": 0.0}),
        ("SHORT_ANSWER", Answer(text=""), {"text": ""}),
        ("SHORT_ANSWER", Answer(text="x" * LONGEST_TEXT), {"text": "x" * LONGEST_TEXT}),
    ],
)
def test_answer_that_fits_is_stored(kind: str, answer: Answer, stored: dict[str, Any]) -> None:
    """Each kind has its form, and every form may be empty: that is how an answer is taken back."""
    assert stored == response(kind, OFFERED, answer)


@pytest.mark.parametrize(
    ("kind", "answer", "code", "field"),
    [
        ("NUMERIC", Answer(choice_ids=("a",)), UserErrorCode.INVALID, "choiceIds"),
        ("SINGLE_CHOICE", Answer(number=1.0), UserErrorCode.INVALID, "number"),
        ("SHORT_ANSWER", Answer(number=1.0), UserErrorCode.INVALID, "number"),
        ("MULTIPLE_CHOICE", Answer(text="a"), UserErrorCode.INVALID, "text"),
        ("SINGLE_CHOICE", Answer(choice_ids=("a", "b")), UserErrorCode.INVALID, "choiceIds"),
        ("MULTIPLE_CHOICE", Answer(choice_ids=("a", "a")), UserErrorCode.INVALID, "choiceIds"),
        ("MULTIPLE_CHOICE", Answer(choice_ids=("x",)), UserErrorCode.INVALID, "choiceIds"),
        ("NUMERIC", Answer(number=float("nan")), UserErrorCode.INVALID, "number"),
        ("NUMERIC", Answer(number=float("-inf")), UserErrorCode.INVALID, "number"),
        ("SHORT_ANSWER", Answer(text="x" * 100_000), UserErrorCode.TOO_LONG, "text"),
        ("SHORT_ANSWER", Answer(text="a\0"), UserErrorCode.INVALID, "text"),
        ("SHORT_ANSWER", Answer(text="\udfff"), UserErrorCode.INVALID, "text"),
    ],
)
def test_answer_that_does_not_fit_is_refused(kind: str, answer: Answer, code: UserErrorCode, field: str) -> None:
    """The refusal names the field of the answer that is wrong."""
    with pytest.raises(CommandError) as refused:
        response(kind, OFFERED, answer)
    assert (code, (field,)) == (refused.value.code, refused.value.field)


@pytest.mark.parametrize(
    ("kind", "key", "stored"),
    [
        ("SINGLE_CHOICE", NewAnswerKey(choice_ids=("b",)), {"choices": ["b"]}),
        ("NUMERIC", NewAnswerKey(number=3.0), {"number": 3.0, "tolerance": 0.0}),
        ("NUMERIC", NewAnswerKey(number=3.0, tolerance=0.5), {"number": 3.0, "tolerance": 0.5}),
        ("SHORT_ANSWER", NewAnswerKey(texts=("Force",)), {"texts": ["Force"]}),
    ],
)
def test_key_that_fits_is_stored(kind: str, key: NewAnswerKey, stored: dict[str, Any]) -> None:
    """Each kind of question has its key."""
    assert stored == answer_key(kind, OFFERED, key)


@pytest.mark.parametrize(
    ("kind", "key", "code", "field"),
    [
        ("NUMERIC", NewAnswerKey(texts=("3",)), UserErrorCode.INVALID, ("acceptedTexts",)),
        ("SHORT_ANSWER", NewAnswerKey(choice_ids=("a",)), UserErrorCode.INVALID, ("choiceIds",)),
        ("SINGLE_CHOICE", NewAnswerKey(choice_ids=()), UserErrorCode.REQUIRED, ("choiceIds",)),
        ("MULTIPLE_CHOICE", NewAnswerKey(choice_ids=()), UserErrorCode.REQUIRED, ("choiceIds",)),
        ("MULTIPLE_CHOICE", NewAnswerKey(choice_ids=("x",)), UserErrorCode.INVALID, ("choiceIds",)),
        ("NUMERIC", NewAnswerKey(number=1.0, tolerance=-1.0), UserErrorCode.INVALID, ("number",)),
        ("NUMERIC", NewAnswerKey(number=1.0, tolerance=float("inf")), UserErrorCode.INVALID, ("number",)),
        ("SHORT_ANSWER", NewAnswerKey(texts=("a",) * 101), UserErrorCode.TOO_MANY, ("acceptedTexts",)),
        ("SHORT_ANSWER", NewAnswerKey(texts=("a", "b\0")), UserErrorCode.INVALID, ("acceptedTexts", "1")),
    ],
)
def test_key_that_does_not_fit_is_refused(
    kind: str, key: NewAnswerKey, code: UserErrorCode, field: tuple[str, ...]
) -> None:
    """The refusal names the field of the key that is wrong."""
    with pytest.raises(CommandError) as refused:
        answer_key(kind, OFFERED, key)
    assert (code, field) == (refused.value.code, refused.value.field)
