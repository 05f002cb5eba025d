"""Reasons in the languages of learners: complete, with names where the sentence speaks of them, and never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from string import Formatter
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st

from resolvers.context import Context
from resolvers.languages import wider_tags
from resolvers.recommendation_reasons import DEFAULT, RecommendationReason, text, texts, with_rows
from resolvers.topics import name
from serving.rankings import Reason, ReasonKind

NOBODY = cast("Context", None)
LEAST = {"en", "es", "pt", "de", "fr", "it", "ja", "tr", "zh", "ar", "th"}


@dataclass(frozen=True)
class Course:
    """A row as PostgreSQL would return it."""

    title: str = "Braces: {0} {topic} %s"


@dataclass(frozen=True)
class Topic:
    """A row as PostgreSQL would return it."""

    name: str = "Law"
    labels: Mapping[str, str] = field(default_factory=lambda: {"es": "Derecho", "pt-pt": "Lei"})


COURSE: Any = Course()
TOPIC: Any = Topic()
REASONS = [
    RecommendationReason(ReasonKind.BECAUSE_YOU_TOOK, COURSE, None),
    RecommendationReason(ReasonKind.MATCHES_GOAL, None, TOPIC),
    RecommendationReason(ReasonKind.POPULAR, None, None),
]


def places(told: str) -> list[str]:
    """Return the names of the places of a text, sorted."""
    return sorted(place for _, place, _, _ in Formatter().parse(told) if place is not None)


async def told(language: str | None) -> list[str]:
    """Return the three reasons in a language."""
    return await text(NOBODY, REASONS, language=language)


@pytest.mark.parametrize("language", sorted(texts()))
def test_every_reason_has_a_text_in_every_language(language: str) -> None:
    """Each kind, with the places that the English text has, not the English text again, and nothing else."""
    english, others = texts()[DEFAULT], texts()[language]
    assert set(ReasonKind) == set(others)
    assert {kind: places(english[kind]) for kind in others} == {kind: places(others[kind]) for kind in others}
    assert all(others[kind].strip() == others[kind] != "" for kind in others)
    assert language == DEFAULT or not set(english.values()) & set(others.values())


def test_languages_of_real_courses_have_texts() -> None:
    """The ten that most courses are taught in, and those that learners have asked for."""
    assert set(texts()) >= LEAST


async def test_reason_is_english_when_nothing_else_is_asked() -> None:
    """What clients read before there were languages; a title is shown as it is, whatever it looks like."""
    english = ["Because you took Braces: {0} {topic} %s", "Matches your interest in Law", "Popular with learners"]
    assert english == await text(NOBODY, REASONS)
    assert english == await told(None)


async def test_text_and_names_in_it_are_in_the_language() -> None:
    """A region is as good as its language, and a topic has the name that `Topic.name` gives it."""
    spanish = await told("es")
    assert ["Porque tomaste «Braces: {0} {topic} %s»", "Corresponde a tu interés en Derecho"] == spanish[:2]
    assert spanish == await told("es-MX") == await told("ES_mx-x-whatever")
    assert "Combina com seu interesse em Lei" == (await told("pt-PT"))[1]
    assert "Combina com seu interesse em Law" == (await told("pt"))[1]
    assert ["Derecho"] == await name(NOBODY, [TOPIC], language="es-419")


@pytest.mark.parametrize(
    "tag",
    ["", "-", "--es", "xx", "tlh-Latn", "e", "es ", "en\0", "../../etc/passwd", "{kind}", "\uff25\uff33", "𐍈" * 9],
)
async def test_tag_that_is_none_is_answered_in_english(tag: str) -> None:
    """Unknown and hostile tags are no errors, as for names of topics."""
    assert await told(None) == await told(tag)
    assert [TOPIC.name] == await name(NOBODY, [TOPIC], language=tag)


@given(st.text(alphabet="aesptZH-_ \0é", max_size=40))
def test_tags_get_wider_by_one_subtag_each(tag: str) -> None:
    """Each is the beginning of the one before, and there are eight at most."""
    tags = wider_tags(tag)
    assert all(one.startswith(f"{other}-") for one, other in pairwise(tags))
    assert len(tags) <= 8
    assert not tags or tag.lower().replace("_", "-").startswith(tags[0])


def test_long_tags_are_not_looked_up_again_and_again() -> None:
    """A request of a megabyte names eight tags, the widest of which still counts."""
    tags = wider_tags("es" + "-a" * 500_000)
    assert (8, "es") == (len(tags), tags[-1])
    assert max(map(len, tags)) < 20


def test_reason_about_what_is_gone_is_not_told() -> None:
    """It would have to speak of nothing, or to say something else that may not be true."""
    reasons = [
        Reason(ReasonKind.BECAUSE_YOU_TOOK, course_id=8),
        Reason(ReasonKind.MATCHES_GOAL, topic_id=9),
        Reason(ReasonKind.POPULAR_IN_TOPIC, topic_id=2),
        Reason(ReasonKind.POPULAR),
    ]
    kept: list[Any] = with_rows(reasons, {7: COURSE}, {2: TOPIC})
    assert [ReasonKind.POPULAR_IN_TOPIC, ReasonKind.POPULAR] == [reason.kind for reason in kept]
