"""Topics: their paths and slugs, and the curated taxonomy of two levels that sources' tags are mapped to.

A topic's slug is its path: `development`, and below it `development/web-development`. So `business/other`
and `design/other` are two topics, and a slug never depends on which file came first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml  # type: ignore[import-untyped]

from core.errors import InputError

SEPARATOR = "/"
TAG_SEPARATOR = "|"
DEEPEST = 2
_LONGEST_SEGMENT = 80
_MOST_REMEMBERED = 10_000

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
    """Return a segment in its one spelling: lower case, words joined by hyphens, `&` as `and`."""
    text = segment
    # Folding may undo the normal form, and the other way round; the second time settles it.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text.casefold())
    text = text.replace("&", " and ")
    return "-".join(word for word in _NOT_A_WORD.split(text) if word)


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


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a source's tag belongs.

    Attributes:
        topic: the nearest place; None when the taxonomy has nothing like it.
        exact: whether that is the place of the whole tag, and not of its parent alone.
    """

    topic: TopicPath | None
    exact: bool


class Taxonomy:
    """The curated topics, their labels, and the spellings that sources use for them.

    Args:
        labels: labels by language of each topic, by slug; parents come before their children.
        spellings: slug of the topic that a tag means, by normalized tag (`parent/child` or one segment).
    """

    def __init__(self, labels: Mapping[str, Mapping[str, str]], spellings: Mapping[str, str]) -> None:
        self._labels = MappingProxyType(dict(labels))
        self.spellings = MappingProxyType(dict(spellings))
        self._paths = {slug: self._path(slug) for slug in labels}
        self._alone = self._bare_names()
        self._placed: dict[tuple[str, ...], Placement] = {}

    @property
    def slugs(self) -> tuple[str, ...]:
        """All topics, parents before their children."""
        return tuple(self._labels)

    def labels(self, slug: str) -> Mapping[str, str]:
        """Return the labels of a topic by language, such as `{"en": "Law", "es": "Derecho"}`; empty if unknown."""
        return self._labels.get(slug, MappingProxyType({}))

    def place(self, *segments: str) -> Placement:
        """Return the place of a source's tag, from the top down, such as `("IT & Software", "Hardware")`."""
        placement = self._placed.get(segments)
        if placement is None:
            placement = self._look_up(segments)
            # A file has few tags and many rows; one of garbage must not fill the memory.
            if len(self._placed) < _MOST_REMEMBERED:
                self._placed[segments] = placement
        return placement

    def _look_up(self, segments: tuple[str, ...]) -> Placement:
        normalized = [normalize(segment) for segment in segments]
        whole = self._find(SEPARATOR.join(normalized))
        if whole is not None:
            return Placement(self._paths[whole], exact=True)
        parent = self._find(normalized[0]) if len(normalized) > 1 else None
        if parent is None:
            return Placement(None, exact=False)
        child = self._find(SEPARATOR.join((parent, *normalized[1:])))
        if child is None:
            synonym = self.spellings.get(normalized[-1], "")
            child = synonym if synonym.startswith(parent + SEPARATOR) else None
        return Placement(self._paths[child or parent], exact=child is not None)

    def extended(self, spellings: Mapping[str, str]) -> Taxonomy:
        """Return this taxonomy with a curator's spellings over its own.

        Args:
            spellings: slug of a topic by tag as sources write it, `parent|child` or one word.

        Raises:
            InputError: a slug names no topic, or a tag is empty.
        """
        added = {}
        for tag, slug in spellings.items():
            if slug not in self._labels:
                raise InputError(f"There is no topic {slug!r} for {tag!r}; `catalog/taxonomy.yaml` has all topics.")
            added[_key(tag)] = slug
        return Taxonomy(self._labels, {**self.spellings, **added})

    def _find(self, key: str) -> str | None:
        # A curator's word goes first, also over a topic's own name.
        found = self.spellings.get(key) or (key if key in self._labels else self._alone.get(key))
        return found or None

    def _path(self, slug: str) -> TopicPath:
        segments = tuple(slug.split(SEPARATOR))
        ways = (SEPARATOR.join(segments[:depth]) for depth in range(1, len(segments) + 1))
        return TopicPath(segments, tuple(self._labels[way]["en"] for way in ways))

    def _bare_names(self) -> dict[str, str]:
        """Return children by their last segment, where that names only one."""
        last: dict[str, list[str]] = {}
        for slug in self._labels:
            last.setdefault(slug.rpartition(SEPARATOR)[2], []).append(slug)
        return {name: slugs[0] for name, slugs in last.items() if len(slugs) == 1}


@cache
def curated() -> Taxonomy:
    """Return the taxonomy of `taxonomy.yaml`."""
    text = (Path(__file__).parent / "taxonomy.yaml").read_text(encoding="utf-8")
    # The loader in C is ten times as fast, and not in every build of PyYAML.
    tree = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders.
    labels: dict[str, Mapping[str, str]] = {}
    spellings: dict[str, str] = {}
    for slug, node in _nodes(tree):
        labels[slug] = MappingProxyType({language: node[language] for language in ("en", "es")})
        spellings.update({_key(tag): slug for tag in node.get("also", ())})
    return Taxonomy(labels, spellings)


def with_synonyms(path: Path | None) -> Taxonomy:
    """Return the curated taxonomy with a curator's file of synonyms over it, if there is one.

    Raises:
        InputError: the file cannot be used; the message says why.
    """
    if path is None:
        return curated()
    expected = "expected are lines such as `quantum computing: academics/physics`"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The synonyms {path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The synonyms {path} are not UTF-8.") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = "" if place is None else f", line {place.line + 1}"
        raise InputError(f"The synonyms {path}{where} are not YAML; {expected}.") from error
    if not isinstance(content, dict) or not all(isinstance(part, str) for pair in content.items() for part in pair):
        raise InputError(f"The synonyms {path} are not tags with slugs of topics; {expected}.")
    return curated().extended(content)


def labels(slug: str) -> Mapping[str, str]:
    """Return the labels of a curated topic by language; empty for a topic that is not curated."""
    return curated().labels(slug)


def _nodes(tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for top, node in tree.items():
        yield top, node
        for child, below in node.get("topics", {}).items():
            yield f"{top}{SEPARATOR}{child}", below


def _key(tag: str) -> str:
    segments = [normalize(segment) for segment in tag.split(TAG_SEPARATOR)]
    if not all(segments):
        raise InputError(f"The synonym {tag!r} has an empty level.")
    return SEPARATOR.join(segments)


def _names(segments: tuple[str, ...]) -> tuple[str, ...]:
    names = [readable_name(segment) for segment in segments]
    if len(names) > 1 and segments[-1] == _CATCH_ALL:
        # "Other" alone says nothing in a list of topics.
        names[-1] = f"{names[0]}: Other"
    return tuple(names)
