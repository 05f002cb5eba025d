"""Topics: a taxonomy of two levels, its slugs, and names that people can read.

A topic's slug is its path: `development`, and below it `development/web-development`. So `business/other`
and `design/other` are two topics, and a slug never depends on which file came first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SEPARATOR = "/"
DEEPEST = 2
_LONGEST_SEGMENT = 80

# Different spellings of one topic, by normalized segment.
SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        "it-software": "it-and-software",
        "languages": "language",
        "maths-and-science": "math-and-science",
        "network-security": "network-and-security",
    }
)

# Words that capitalizing alone would get wrong.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "3d": "3D",
        "and": "&",
        "css": "CSS",
        "e": "E",
        "for": "for",
        "in": "in",
        "it": "IT",
        "of": "of",
        "sap": "SAP",
        "seo": "SEO",
        "sql": "SQL",
        "the": "the",
        "to": "to",
        "ui": "UI",
        "ux": "UX",
    }
)
_WHOLE_NAMES: Mapping[str, str] = MappingProxyType(
    {"e-commerce": "E-Commerce", "non-digital-marketing": "Non-Digital Marketing"}
)
_CATCH_ALL = "other"
_NOT_A_WORD = re.compile(r"[^\w]+|_+")


@dataclass(frozen=True, slots=True)
class TopicPath:
    """A place in the taxonomy.

    Attributes:
        segments: normalized segments, one or two.
        names: the name of each topic on the way, for people.
    """

    segments: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The slug of the topic itself."""
        return SEPARATOR.join(self.segments)

    @property
    def parent(self) -> TopicPath | None:
        """The topic above, or None at the top."""
        return TopicPath(self.segments[:-1], self.names[:-1]) if len(self.segments) > 1 else None


def topic_path(*segments: str, names: tuple[str, ...] | None = None) -> TopicPath:
    """Return the place that a source's segments mean, from the top down.

    Args:
        segments: as the source writes them, such as `it-and-software` or `IT & Software`.
        names: names for people; made from the segments when not given.

    Raises:
        ValueError: a segment is empty or too long, or there are too many; the message is for people.
    """
    if len(segments) > DEEPEST:
        raise ValueError(f"has {len(segments)} levels, and the taxonomy has {DEEPEST}")
    normalized = tuple(normalize(segment) for segment in segments)
    if not all(normalized):
        raise ValueError("has an empty level")
    if any(len(segment) > _LONGEST_SEGMENT for segment in normalized):
        raise ValueError(f"has a level of more than {_LONGEST_SEGMENT} characters")
    return TopicPath(normalized, names or _names(normalized))


def normalize(segment: str) -> str:
    """Return a segment in its one spelling: lower case, words joined by hyphens, `&` as `and`, synonyms resolved."""
    text = segment
    # Folding may undo the normal form, and the other way round; the second time settles it.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text.casefold())
    text = text.replace("&", " and ")
    words = "-".join(word for word in _NOT_A_WORD.split(text) if word)
    return SYNONYMS.get(words, words)


def readable_name(segment: str) -> str:
    """Return the name of a normalized segment, such as `IT & Software` for `it-and-software`."""
    if segment in _WHOLE_NAMES:
        return _WHOLE_NAMES[segment]
    words = segment.split("-")
    return " ".join(
        word.capitalize()
        if place == 0 and word in {"for", "in", "of", "the", "to"}
        else _WORDS.get(word, word.capitalize())
        for place, word in enumerate(words)
    )


def _names(segments: tuple[str, ...]) -> tuple[str, ...]:
    names = [readable_name(segment) for segment in segments]
    if len(names) > 1 and segments[-1] == _CATCH_ALL:
        # "Other" alone says nothing in a list of topics.
        names[-1] = f"{names[0]}: Other"
    return tuple(names)
