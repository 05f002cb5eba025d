"""In which language a text surely is not written.

Made for precision: whoever accuses an author of the wrong language has to be right. So the alphabet alone decides
only for letters that the language never uses, words decide only for prose of some length, and a text in two
languages is accused of nothing.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from catalog.languages import LANGUAGES, UNKNOWN_LANGUAGE

_FEWEST_LETTERS = 8
_FEWEST_PROSE_LETTERS = 100
_PIECE = 200
_MOST_PIECES = 12
_CONFIDENT = 0.9
_MAJORITY = 0.75
# A few letters of another alphabet are names, formulas or quotations.
_STRAY = 0.1

# First words of Unicode's names of letters.
_LATIN = frozenset({"LATIN"})
_ALPHABETS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ar": frozenset({"ARABIC"}),
        "bn": frozenset({"BENGALI"}),
        "el": frozenset({"GREEK"}),
        "fa": frozenset({"ARABIC"}),
        "he": frozenset({"HEBREW"}),
        "hi": frozenset({"DEVANAGARI"}),
        "ja": frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
        "ko": frozenset({"HANGUL", "CJK"}),
        "ru": frozenset({"CYRILLIC"}),
        "ta": frozenset({"TAMIL"}),
        "te": frozenset({"TELUGU"}),
        "th": frozenset({"THAI"}),
        "uk": frozenset({"CYRILLIC"}),
        "ur": frozenset({"ARABIC"}),
        "zh": frozenset({"CJK", "BOPOMOFO"}),
    }
)
_NAMES: Mapping[str, str] = MappingProxyType({"CJK": "Chinese"})
# Languages that statistics confuse: none is accused of being the other.
_NEIGHBORS = (
    frozenset({"cs", "pl"}),
    frozenset({"da", "no", "sv"}),
    frozenset({"es", "pt"}),
    frozenset({"fa", "ar", "ur"}),
    frozenset({"ja", "zh"}),
    frozenset({"ru", "uk"}),
)


def foreign_language(title: str, prose: str, declared: str) -> str | None:
    """Return what a course is surely written in instead of its declared language, as the end of a sentence.

    Args:
        title: its title, which may hold technical terms of any language.
        prose: its texts.
        declared: BCP 47 tag, lower case.

    Returns:
        For example `'es'` with its quotation marks, or `the Cyrillic alphabet`; None when nothing is certain.
    """
    language = declared.partition("-")[0]
    if language == UNKNOWN_LANGUAGE or language not in LANGUAGES.values():
        return None
    own = _ALPHABETS.get(language, _LATIN)
    letters = _letters(f"{title} {prose}")
    alphabet = _foreign_alphabet(letters, own)
    if alphabet is not None:
        return f"the {_NAMES.get(alphabet, alphabet.capitalize())} alphabet"
    if own != _LATIN and _share(letters, own) > _STRAY:
        # A good part is in its own alphabet, whatever the rest is.
        return None
    found = _written_in(prose, language)
    if found is None or any({found, language} <= near for near in _NEIGHBORS):
        return None
    # What is in another alphabet was decided by the letters already.
    return repr(found) if found not in _ALPHABETS else None


def _letters(text: str) -> Counter[str]:
    """Return how many letters of each alphabet a text has."""
    letters: Counter[str] = Counter()
    for character, times in Counter(text).items():
        if character.isalpha():
            letters["LATIN" if character.isascii() else _alphabet(character)] += times
    return letters


def _share(letters: Counter[str], alphabets: frozenset[str]) -> float:
    return sum(letters[alphabet] for alphabet in alphabets) / (letters.total() or 1)


def _foreign_alphabet(letters: Counter[str], own: frozenset[str]) -> str | None:
    """Return the alphabet of nearly all letters, when it is not the language's own.

    Latin letters never decide: technical titles are written in them everywhere.
    """
    others = Counter({alphabet: times for alphabet, times in letters.items() if alphabet not in own})
    if not others:
        return None
    ((foreign, times),) = others.most_common(1)
    if foreign in _LATIN or times < _FEWEST_LETTERS or times < (1 - _STRAY) * letters.total():
        return None
    return foreign


@lru_cache(maxsize=4_096)
def _alphabet(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _written_in(prose: str, declared: str) -> str | None:
    """Return the language that most pieces of a text are surely written in, if none is in the declared one."""
    if sum(map(str.isalpha, prose)) < _FEWEST_PROSE_LETTERS:
        return None
    identifier = _identifier()
    languages: Counter[str] = Counter()
    for piece in _pieces(prose):
        language, confidence = identifier.classify(piece)
        languages[language if confidence >= _CONFIDENT else UNKNOWN_LANGUAGE] += 1
    (found, times), total = languages.most_common(1)[0], languages.total()
    certain = found != UNKNOWN_LANGUAGE and times >= _MAJORITY * total
    return found if certain and not languages[declared] else None


def _pieces(prose: str) -> Iterator[str]:
    """Yield pieces of about equal length from all over a text, and not more than a dozen."""
    count = max(1, len(prose) // _PIECE)
    step = max(1, -(-count // _MOST_PIECES))
    for place in range(0, count, step):
        yield prose[place * _PIECE : (place + 1) * _PIECE]


@cache
def _identifier() -> Any:
    """Return the identifier of languages: 0.9 s and 80 MB, spent when the first prose is judged."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - see above.

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(set(LANGUAGES.values())))
    return identifier
