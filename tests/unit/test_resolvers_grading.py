"""Grading without a database: what each kind of question earns, and what an attempt does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from resolvers.grading import GivenAnswer, GradedQuestion, folded, grade, share

CHOICES = st.frozensets(st.sampled_from("abcdef"))


@pytest.mark.parametrize(("chosen", "earned"), [(["a"], 1.0), (["b"], 0.0), ([], 0.0)])
def test_single_choice_is_right_or_wrong(chosen: list[str], earned: float) -> None:
    """There is no partial credit for one choice."""
    assert earned == share("SINGLE_CHOICE", {"choices": ["a"]}, {"choices": chosen})


@pytest.mark.parametrize(
    ("chosen", "earned"),
    [
        (["a", "b", "c"], 1.0),
        (["a", "b"], 2 / 3),
        (["a", "b", "x"], 1 / 3),
        (["a", "x"], 0.0),
        (["x", "y"], 0.0),
        (["a", "b", "c", "x", "y", "z"], 0.0),
        ([], 0.0),
    ],
)
def test_multiple_choice_gives_partial_credit(chosen: list[str], earned: float) -> None:
    """Each wrong choice takes back a right one, never below nothing."""
    assert earned == pytest.approx(share("MULTIPLE_CHOICE", {"choices": ["a", "b", "c"]}, {"choices": chosen}))


@given(right=CHOICES, chosen=CHOICES)
def test_partial_credit_is_a_share_and_full_only_for_the_key(right: frozenset[str], chosen: frozenset[str]) -> None:
    """Whatever is chosen earns 0 to 1, and 1 only what the key says; a key of nothing wants nothing."""
    earned = share("MULTIPLE_CHOICE", {"choices": list(right)}, {"choices": list(chosen)})
    assert earned is not None
    assert 0 <= earned <= 1
    assert (earned == 1) == (right == chosen)


@pytest.mark.parametrize(
    ("number", "key", "earned"),
    [
        (0.4, {"number": 0.3, "tolerance": 0.1}, 1.0),
        (0.2, {"number": 0.3, "tolerance": 0.1}, 1.0),
        (0.400001, {"number": 0.3, "tolerance": 0.1}, 0.0),
        (3, {"number": 3.0, "tolerance": 0}, 1.0),
        (3.0000001, {"number": 3, "tolerance": None}, 0.0),
        (-1e300, {"number": 1e300, "tolerance": 1e-300}, 0.0),
    ],
)
def test_numbers_are_compared_as_they_were_typed(number: float, key: dict[str, Any], earned: float) -> None:
    """A tolerance includes its bounds, although binary fractions miss them."""
    assert earned == share("NUMERIC", key, {"number": number})


@pytest.mark.parametrize("text", ["CAFÉ  au\tlait", " cafe\u0301 au lait\n", "ｃａｆé au lait"])
def test_short_answers_match_after_folding(text: str) -> None:
    """Composition, width, case and white space do not count."""
    key = {"texts": ["latte", "Café au lait"]}
    assert 1.0 == share("SHORT_ANSWER", key, {"text": text})
    assert 0.0 == share("SHORT_ANSWER", key, {"text": "cafe au lait"})


def test_short_answer_without_accepted_texts_waits_unless_it_is_blank() -> None:
    """An instructor is asked only where there is something to read."""
    assert share("SHORT_ANSWER", {"texts": []}, {"text": "Because."}) is None
    assert 0.0 == share("SHORT_ANSWER", {"texts": []}, {"text": " \n"})


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    """What is folded compares equal to itself folded again."""
    assert folded(text) == folded(folded(text))


QUESTIONS = [
    GradedQuestion(1, "l1", "SINGLE_CHOICE", 1.0, {"choices": ["a"]}),
    GradedQuestion(2, "l2", "MULTIPLE_CHOICE", 3.0, {"choices": ["a", "b"]}),
    GradedQuestion(3, "l3", "SHORT_ANSWER", 2.0, {"texts": []}),
]


def test_attempt_sums_points_and_waits_for_what_a_person_must_read() -> None:
    """Unanswered questions earn nothing and wait for nobody."""
    answers = {2: GivenAnswer({"choices": ["a"]}), 3: GivenAnswer({"text": "Because."})}
    graded = grade(QUESTIONS, answers)
    assert {2: 1.5} == graded.points
    assert frozenset({3}) == graded.waiting
    assert {"l1": 0.0, "l2": 0.5} == graded.shares


def test_points_of_a_person_stay() -> None:
    """The machine does not overrule an instructor."""
    answers = {1: GivenAnswer({"choices": ["a"]}), 3: GivenAnswer({"text": "Because."}, given_points=0.5)}
    graded = grade(QUESTIONS, answers)
    assert 1.5 == graded.score
    assert frozenset() == graded.waiting
    assert {"l1": 1.0, "l2": 0.0, "l3": 0.25} == graded.shares


def test_nobody_fails_for_binary_fractions() -> None:
    """Three tenths made of 0.1 and 0.2 pass where three tenths pass."""
    questions = [GradedQuestion(n, f"l{n}", "NUMERIC", points, {"number": 1}) for n, points in ((1, 0.1), (2, 0.7))]
    graded = grade(questions, {n: GivenAnswer({"number": 1}) for n in (1, 2)})
    assert graded.score < 0.8
    assert graded.passed(max_score=1.0, passing_share=0.8)
    assert not graded.passed(max_score=1.0, passing_share=0.81)
