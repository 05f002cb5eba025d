"""Topics: their one spelling, their names, and their place."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, strategies as st

from catalog.taxonomy import SYNONYMS, normalize, topic_path


@pytest.mark.parametrize(
    ("segments", "slug", "name"),
    [
        (("it-and-software", "network-and-security"), "it-and-software/network-and-security", "Network & Security"),
        (("IT & Software", "Network Security"), "it-and-software/network-and-security", "Network & Security"),
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


def test_synonyms_lead_to_a_spelling_that_is_no_synonym() -> None:
    """One step of the table is always enough."""
    assert not set(SYNONYMS) & set(SYNONYMS.values())
    assert list(SYNONYMS.values()) == [normalize(segment) for segment in SYNONYMS]


@pytest.mark.parametrize(("segments", "said"), [(("a", ""), "empty level"), (("a", "b", "c"), "has 3 levels")])
def test_impossible_places_are_refused(segments: tuple[str, ...], said: str) -> None:
    """There are two levels, and each has a name."""
    with pytest.raises(ValueError, match=said):
        topic_path(*segments)
