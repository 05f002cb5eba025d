"""What is common to all formats of course files, and the list of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from catalog.importers.files import SourceRow
from catalog.languages import UNKNOWN_LANGUAGE, language_of
from catalog.levels import UNKNOWN_LEVEL, level_of
from catalog.problems import Parsed
from catalog.records import CourseRecord
from catalog.taxonomy import TAG_SEPARATOR, Taxonomy, TopicPath
from database.tables.courses import CourseLevel

LONGEST_ID = 64
# Unicode's category Cc.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Unmapped = dict[str, tuple[str, ...]]
"""Texts, by field of the record, that a table had no entry for."""


@dataclass(frozen=True, slots=True)
class CourseFormat:
    """How one kind of file becomes course records.

    Attributes:
        source: what its courses' source is called unless told otherwise.
        columns: what its header must name.
        read: returns the course of one row, or its rejection when it cannot be read.
        judged: column of the file by field of the record, for all that the rules of quality may judge: what the
            format does not have is nobody's fault.
    """

    source: str
    columns: tuple[str, ...]
    read: Callable[[SourceRow, Taxonomy], Parsed[CourseRecord]]
    judged: Mapping[str, str] = field(default_factory=dict)


class Tagged(NamedTuple):
    """What a source's tags became.

    Attributes:
        topics: places in the taxonomy.
        unmapped: tags that are not there, as the source writes them.
    """

    topics: tuple[TopicPath, ...]
    unmapped: tuple[str, ...]


def tagged(text: str, taxonomy: Taxonomy) -> Tagged:
    """Return the topic of a tag, which may have two levels, separated by a vertical bar."""
    tag = clean(text)
    if not tag:
        return Tagged((), ())
    placement = taxonomy.place(*tag.split(TAG_SEPARATOR))
    topics = () if placement.topic is None else (placement.topic,)
    return Tagged(topics, () if placement.exact else (tag,))


def known_level(text: str, unmapped: Unmapped) -> CourseLevel:
    """Return the level that a text means, or what a course without one counts as."""
    level = level_of(text)
    if level is None:
        unmapped["level"] = (clean(text),)
    return level or UNKNOWN_LEVEL


def known_language(text: str, unmapped: Unmapped) -> str:
    """Return the tag of the language that a text means, or the tag of none."""
    language = language_of(text)
    if language is None:
        unmapped["language"] = (clean(text),)
    return language or UNKNOWN_LANGUAGE


def slug_of(address: str) -> str:
    """Return the last segment of an address's path in lower case, or nothing when there is none."""
    try:
        path = urlsplit(address.strip()).path
    except ValueError:
        return ""
    return path.strip("/").rpartition("/")[2].lower()


def clean(text: str) -> str:
    """Return a text on one line, in Unicode's composed form, without control characters or doubled spaces."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return " ".join(_CONTROL.sub(" ", composed).split())


def clean_prose(text: str) -> str:
    """Return a text of several lines, each of them clean, with at most one empty line between two."""
    lines = [clean(line) for line in text.splitlines()]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(kept).strip()
