"""How answers are graded: pure functions over keys and responses, so that every rule can be tested alone.

A response is `{"choices": [id, ...]}`, `{"number": x}` or `{"text": "..."}`, and a key is `{"choices": [id, ...]}`,
`{"number": x, "tolerance": y}` or `{"texts": [accepted, ...]}`, as `attempt_answers` and `questions` store them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from database.tables.assessments import QuestionKind

# Sums of points such as 0.1 + 0.2 are a little off; nobody fails for that.
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class GradedQuestion:
    """What grading must know of a question."""

    id: int
    lineage: str
    kind: str
    points: float
    key: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What a learner answered, with the points that a person gave for it, or None."""

    response: Mapping[str, Any]
    given_points: float | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """An attempt, graded as far as it can be.

    Attributes:
        points: by question id, of each answer that is graded.
        waiting: ids of the questions whose answers wait for an instructor.
        score: sum of the points.
        shares: by lineage of each graded question, points over the question's points; 0 where nothing was answered.
    """

    points: Mapping[int, float]
    waiting: frozenset[int]
    score: float
    shares: Mapping[str, float]

    def passed(self, *, max_score: float, passing_share: float) -> bool:
        """Say whether the score passes; an assessment without points is passed by submitting it."""
        return self.score + _SLACK >= passing_share * max_score


def grade(questions: Sequence[GradedQuestion], answers: Mapping[int, GivenAnswer]) -> Grade:
    """Grade an attempt: what a person decided stays, the machine decides what it can, the rest waits.

    Args:
        questions: all questions of the assessment.
        answers: what was answered, by question id.
    """
    points: dict[int, float] = {}
    shares: dict[str, float] = {}
    waiting: set[int] = set()
    for question in questions:
        answer = answers.get(question.id)
        if answer is None:
            shares[question.lineage] = 0.0
            continue
        given = answer.given_points
        if given is None:
            part = share(question.kind, question.key, answer.response)
            given = None if part is None else part * question.points
        if given is None:
            waiting.add(question.id)
        else:
            # The points of a question may have been lowered in a later revision, never in this attempt's.
            points[question.id] = given
            shares[question.lineage] = min(1.0, given / question.points)
    return Grade(points, frozenset(waiting), float(sum(points.values())), shares)


def share(kind: str, key: Mapping[str, Any], response: Mapping[str, Any]) -> float | None:
    """Return the share of a question's points that a response earns, 0 to 1; None when an instructor must say."""
    if kind == QuestionKind.SINGLE_CHOICE:
        return float(set(response["choices"]) == set(key["choices"]))
    if kind == QuestionKind.MULTIPLE_CHOICE:
        return _choices_share(frozenset(key["choices"]), frozenset(response["choices"]))
    if kind == QuestionKind.NUMERIC:
        return float(_is_within(response["number"], key["number"], key.get("tolerance") or 0))
    return _text_share(key["texts"], response["text"])


def _choices_share(right: frozenset[str], chosen: frozenset[str]) -> float:
    """Return partial credit: a wrong choice takes back a right one, so that choosing everything earns nothing."""
    if not right:
        return float(not chosen)
    return max(0, len(chosen & right) - len(chosen - right)) / len(right)


def _is_within(number: float, wanted: float, tolerance: float) -> bool:
    # Decimal, as it was typed: in binary, 0.4 is farther from 0.3 than 0.1.
    return abs(_typed(number) - _typed(wanted)) <= _typed(tolerance)


def _typed(number: float) -> Decimal:
    return Decimal(repr(number))


def _text_share(accepted: Sequence[str], text: str) -> float | None:
    given = folded(text)
    if not given:
        return 0.0
    if not accepted:
        return None
    return float(given in {folded(one) for one in accepted})


def folded(text: str) -> str:
    """Return a text without differences that do not count: Unicode composition and width, case, white space."""
    # Case folding may take a normalized text apart again.
    normalized = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(normalized.split())
