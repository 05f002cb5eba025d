"""Corrections of searches: which words may be replaced, and by which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, strategies as st

from resolvers.spelling import Correction, correctable, corrected, likeliest, slips


@dataclass(frozen=True)
class Spelling:
    """A row as PostgreSQL would return it."""

    asked: str
    word: str | None = None
    similarity: float | None = 0.3
    courses: int | None = 1
    known: bool = False
    starting: bool = False


def rows(*spellings: Spelling) -> Any:
    """Return rows."""
    return list(spellings)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("python", "pyhton", 1),
        ("exel", "excel", 1),
        ("ca", "abc", 3),
        ("kitten", "sitting", 3),
    ],
)
def test_slips_are_counted(one: str, other: str, expected: int) -> None:
    """Added, missing, mistaken and swapped letters, none of them edited twice."""
    assert expected == slips(one, other)


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_slips_are_symmetric_and_zero_only_for_equals(one: str, other: str) -> None:
    """Whichever word was meant, and never more than the longer word has letters."""
    assert slips(one, other) == slips(other, one) <= max(len(one), len(other))
    assert (slips(one, other) == 0) == (one == other)


def test_what_is_excluded_short_or_an_operator_is_not_corrected() -> None:
    """Only words of four letters and more, without repetitions, and no more than eight."""
    assert ["pyhton", "jvaa"] == correctable('pyhton -djagno "jvaa" c++ sql or OR pyhton web2py x_yzz')
    assert 8 == len(correctable(" ".join(f"word{chr(97 + n)}" for n in range(20))))


def test_fewest_slips_win_then_likeness_and_use() -> None:
    """A word of many courses is meant more likely than one that is a little more alike."""
    near = rows(
        Spelling("exel", "exec", similarity=0.43, courses=1),
        Spelling("exel", "excel", similarity=0.38, courses=60),
        Spelling("exel", "exceed", similarity=0.9, courses=100),
        Spelling("exel"),
    )
    assert "excel" == likeliest("exel", near)
    assert "ethical" == likeliest("ETÍCHAL", rows(Spelling("ETÍCHAL", "ethical")))
    assert None is likeliest("abcd", rows(Spelling("abcd", "badc")))
    assert None is likeliest("abcd", rows(Spelling("abcd")))


def test_every_unknown_word_must_have_a_correction() -> None:
    """Half a correction would find something else than what was meant."""
    fixed = Spelling("pyhton", "python")
    assert Correction("python -wbe", prefix=False) == corrected("pyhton -wbe", rows(fixed))
    assert None is corrected("pyhton xyzzy", rows(fixed, Spelling("xyzzy")))
    assert None is corrected("course", rows(Spelling("course", known=True)))


def test_last_word_may_be_on_its_way() -> None:
    """A word that begins a known one is kept where it is the last, and only there."""
    fixed, begun = Spelling("pyhton", "python"), Spelling("lear", "lead", starting=True)
    assert Correction("python lear", prefix=True) == corrected("pyhton lear", rows(fixed, begun))
    assert Correction("lead python", prefix=False) == corrected("lear pyhton", rows(begun, fixed))
