"""Corrections of the words of a search that no course has."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from database.queries.course_searches import SpellingRow

# Letters only, and enough of them to tell a typo from another word. Not what is excluded with a dash.
_WORD = re.compile(r"(?<![\w-])[^\W\d_]{4,40}(?!\w)")
# A word this long may hold two slips.
_LONG = 7
# What a doubling of a word's courses is worth, in trigram similarity.
_USE = 0.05
MOST_WORDS = 8


def correctable(query: str) -> list[str]:
    """Return the different words of a search that a correction may replace, in order, at most 8."""
    return list(dict.fromkeys(word for word in _WORD.findall(query) if word.lower() != "or"))[:MOST_WORDS]


@dataclass(frozen=True, slots=True)
class Correction:
    """A search with its words corrected.

    Attributes:
        query: the words.
        prefix: whether the last word was kept because it begins one that is known.
    """

    query: str
    prefix: bool


def corrected(query: str, rows: Sequence[SpellingRow]) -> Correction | None:
    """Return the search with each unknown word replaced by the word that was most likely meant.

    Args:
        query: what was asked.
        rows: about `correctable(query)`.

    Returns:
        None when a word has no likely correction, or nothing needed one.
    """
    known = {row.asked: row.known for row in rows}
    # The last word may be on its way to a known one.
    last = _last(query)
    replaced: dict[str, str] = {}
    prefix = False
    for asked, is_known in known.items():
        about = [row for row in rows if row.asked == asked]
        if is_known:
            continue
        if asked == last and about[0].starting:
            prefix = True
            continue
        best = likeliest(asked, about)
        if best is None:
            return None
        replaced[asked] = best
    return Correction(_replace(query, replaced), prefix) if replaced else None


def likeliest(asked: str, rows: Sequence[SpellingRow]) -> str | None:
    """Return the word with the fewest slips of the hand; of equal ones, the most alike and the most used."""
    folded = fold(asked)
    allowed = 2 if len(folded) >= _LONG else 1
    ranked = sorted(
        (slips(folded, row.word), -((row.similarity or 0.0) + _USE * math.log2(1 + (row.courses or 0))), row.word)
        for row in rows
        if row.word is not None
    )
    return ranked[0][2] if ranked and ranked[0][0] <= allowed else None


def fold(word: str) -> str:
    """Return a word in lower case without its accents."""
    decomposed = unicodedata.normalize("NFKD", word.lower())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def slips(one: str, other: str) -> int:
    """Return how many letters were added, left out, mistaken or swapped with their neighbor.

    The restricted Damerau-Levenshtein distance (optimal string alignment).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _last(query: str) -> str | None:
    words = list(_WORD.finditer(query))
    return words[-1].group() if words and words[-1].end() == len(query) else None


def _replace(query: str, replaced: Mapping[str, str]) -> str:
    return _WORD.sub(lambda match: replaced.get(match.group(), match.group()), query)
