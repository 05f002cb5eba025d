"""Topics: their one spelling, their names, and their place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given, strategies as st

from catalog.taxonomy import curated, labels, normalize, topic_path, with_synonyms
from core.errors import InputError


@pytest.mark.parametrize(
    ("segments", "slug", "name"),
    [
        (("it-and-software", "network-and-security"), "it-and-software/network-and-security", "Network & Security"),
        (("development", "e-commerce"), "development/e-commerce", "E-Commerce"),
        (("design", "3d-and-animation"), "design/3d-and-animation", "3D & Animation"),
        (("office-productivity", "sap"), "office-productivity/sap", "SAP"),
        (("the-arts",), "the-arts", "The Arts"),
        (("business", "other"), "business/other", "Business: Other"),
        (("design", "other"), "design/other", "Design: Other"),
    ],
)
def test_topic_has_one_slug_and_a_readable_name(segments: tuple[str, ...], slug: str, name: str) -> None:
    """Spellings of one topic meet, and the same child below two parents is two topics."""
    path = topic_path(*segments)
    assert (slug, name) == (path.slug, path.names[-1])


def test_parent_of_a_topic_is_the_topic_above() -> None:
    """The way up ends at the top."""
    path = topic_path("IT & Software", "hardware")
    assert path.parent == topic_path("it-and-software")
    assert path.parent is not None
    assert ("IT & Software", None) == (path.parent.names[-1], path.parent.parent)


def test_given_names_are_kept() -> None:
    """Whoever knows a better name than the rules brings it."""
    assert ("Crafts & Home", "3D") == topic_path("Crafts & Home", "3D", names=("Crafts & Home", "3D")).names


@given(st.text(max_size=60))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    """A normalized segment is its own one spelling, and never holds what separates levels."""
    once = normalize(text)
    assert once == normalize(once)
    assert "/" not in once
    assert " " not in once


@given(st.text(min_size=1, max_size=30))
def test_every_segment_has_a_name(text: str) -> None:
    """Whatever has a slug has a name."""
    assume(normalize(text))
    assert topic_path(text).names[0].strip()


@pytest.mark.parametrize(
    ("tag", "slug", "exact"),
    [
        ("it-software|network-security", "it-and-software/network-and-security", True),
        ("IT & Software|Network & Security", "it-and-software/network-and-security", True),
        ("academics|maths-and-science", "academics/math-and-science", True),
        ("languages", "language", True),
        ("Computer Science", "development/computer-science", True),
        ("Musical Instruments", "music/instruments", True),
        ("Business & Management", "business", True),
        ("business|other", "business/other", True),
        ("business|alchemy", "business", False),
        ("math|alchemy", "academics/math-and-science", False),
        ("academics|network-security", "academics", False),
        ("other", None, False),
        ("alchemy", None, False),
        ("alchemy|finance", None, False),
        ("a|b|c", None, False),
        ("|", None, False),
    ],
)
def test_tag_is_placed_in_the_taxonomy(tag: str, slug: str | None, *, exact: bool) -> None:
    """A tag has the place of its slug, its last segment or its synonym, or that of its parent, or none."""
    placement = curated().place(*tag.split("|"))
    assert (slug, exact) == (placement.topic.slug if placement.topic else None, placement.exact)


def test_curated_topics_are_sound() -> None:
    """Slugs are normal, parents come first, and every synonym leads to a topic and hides none."""
    taxonomy = curated()
    for place, slug in enumerate(taxonomy.slugs):
        path = topic_path(*slug.split("/"))
        assert slug == path.slug
        assert path.parent is None or path.parent.slug in taxonomy.slugs[:place]
        assert slug == (taxonomy.place(*slug.split("/")).topic or path).slug
    assert len(taxonomy.slugs) == len(set(taxonomy.slugs))
    assert set(taxonomy.spellings.values()) <= set(taxonomy.slugs)
    assert not set(taxonomy.spellings) & set(taxonomy.slugs)


def test_every_curated_topic_has_labels_in_two_languages() -> None:
    """Labels can be stored as they are, and a topic that is not curated has none."""
    assert all({"en", "es"} == set(labels(slug)) and all(labels(slug).values()) for slug in curated().slugs)
    assert {"en": "Law", "es": "Derecho"} == dict(labels("academics/law"))
    assert {} == dict(labels("academics/alchemy"))


def test_curator_has_the_last_word(tmp_path: Path) -> None:
    """A file of synonyms places new tags and places known ones elsewhere, and the built-in table stays as it is."""
    path = tmp_path / "synonyms.yaml"
    path.write_text('"academics|alchemy": academics/chemistry\nScience: academics/physics\n', encoding="utf-8")
    taxonomy = with_synonyms(path)
    found = [taxonomy.place(*tag.split("|")).topic for tag in ("Academics|Alchemy", "science", "math")]
    assert ["academics/chemistry", "academics/physics", "academics/math-and-science"] == [
        topic.slug if topic else None for topic in found
    ]
    assert curated() is with_synonyms(None)
    assert curated().place("academics", "alchemy").exact is False


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"alchemy: academics/alchemy", "There is no topic 'academics/alchemy' for 'alchemy'"),
        (b"'a|': academics", "'a|' has an empty level"),
        (b"- alchemy", "are not tags with slugs"),
        (b"alchemy: [academics]", "are not tags with slugs"),
        (b"", "are not tags with slugs"),
        (b"a: b: c", "line 1 are not YAML"),
        (b"caf\xe9: academics", "are not UTF-8"),
    ],
)
def test_file_of_synonyms_that_cannot_be_used_is_told_why(tmp_path: Path, content: bytes, said: str) -> None:
    """Each gets one line."""
    path = tmp_path / "synonyms.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(said)):
        with_synonyms(path)


def test_missing_file_of_synonyms_is_told(tmp_path: Path) -> None:
    """Nothing is imported with fewer synonyms than the curator meant."""
    with pytest.raises(InputError, match="cannot be read: No such file"):
        with_synonyms(tmp_path / "absent.yaml")


@given(st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_any_tag_has_a_place_or_none(segments: list[str]) -> None:
    """Whatever a source writes, the taxonomy answers, and the same the second time."""
    placement = curated().place(*segments)
    assert placement == curated().place(*segments)
    assert placement.topic is None or placement.topic.slug in curated().slugs
    assert placement.topic is not None or not placement.exact


@pytest.mark.parametrize(("segments", "said"), [(("a", ""), "empty level"), (("a", "b", "c"), "has 3 levels")])
def test_impossible_places_are_refused(segments: tuple[str, ...], said: str) -> None:
    """There are two levels, and each has a name."""
    with pytest.raises(ValueError, match=said):
        topic_path(*segments)
