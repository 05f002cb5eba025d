"""Facets of lists of courses, filters by rating and skill, the order by rating, and topics by language."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from core.errors import InvalidArgumentError
from core.ids import encode_id
from database.queries.course_filters import CourseOrderField
from database.session import Database
from database.tables.courses import CourseLevel, course_statistics
from database.tables.topics import topics as topic_table
from resolvers import course_facets, courses, topics
from resolvers.context import Context
from resolvers.courses import CourseFilter, CourseOrder, CoursePage
from resolvers.topics import TopicKey


async def listed(context: Context, **arguments: Any) -> CoursePage:
    """Return one page of courses."""
    (page,) = await courses.courses(context, [None], **arguments)
    return page


async def counted(
    context: Context, asked: CourseFilter | None
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Return the three facets of a list."""
    page = await listed(context, filter=asked)
    (levels,) = await course_facets.levels(context, [page])
    (languages,) = await course_facets.languages(context, [page])
    (on_topics,) = await course_facets.on_topics(context, [page])
    return (
        {row.value: row.count for row in levels},
        {row.value: row.count for row in languages},
        {row.topic.slug: row.count for row in on_topics},
    )


async def test_each_facet_ignores_its_own_filter(context: Context) -> None:
    """Other choices can be offered: the counts are those that a list with the other choice would have."""
    everything = ({"INTERMEDIATE": 7, "BEGINNER": 6, "ADVANCED": 6, "ALL_LEVELS": 6}, {"en": 20, "es": 5})
    assert (*everything, {"science": 25, "physics": 13, "biology": 12}) == await counted(context, None)
    asked = CourseFilter(
        levels=(CourseLevel.BEGINNER,), languages=("en",), topic_ids=(encode_id("Topic", 3),), max_duration_minutes=200
    )
    assert (
        {"BEGINNER": 4, "ADVANCED": 4},
        {"en": 4, "es": 1},
        {"science": 4, "biology": 4},
    ) == await counted(context, asked)
    for level, count in (("BEGINNER", 4), ("ADVANCED", 4)):
        other = CourseFilter(
            levels=(CourseLevel(level),), languages=asked.languages, topic_ids=asked.topic_ids, max_duration_minutes=200
        )
        assert count == len((await listed(context, filter=other, first=100)).nodes)


async def test_facets_follow_the_reading_of_a_search(context: Context) -> None:
    """A corrected search is counted as it was read."""
    levels, languages, on_topics = await counted(context, CourseFilter(query="gardenign"))
    assert ({"ALL_LEVELS": 1}, {"en": 1}, {"science": 1, "physics": 1}) == (levels, languages, on_topics)


async def test_facets_cost_one_statement_each_for_all_pages_alike(context: Context) -> None:
    """Nothing is counted before it is asked for, and two pages of one list are counted once."""
    before = context.reader.statements
    pages = [await listed(context, first=3), await listed(context, first=9)]
    assert 2 == context.reader.statements - before
    for facet in (course_facets.levels, course_facets.languages, course_facets.on_topics):
        before = context.reader.statements
        one, other = await facet(context, pages)
        assert one == other
        assert 1 == context.reader.statements - before


async def rate(database: Database, ratings: dict[int, tuple[int, int]]) -> None:
    """Give courses so many ratings of such a sum."""
    async with database.transaction() as connection:
        for key, (count, total) in ratings.items():
            await connection.execute(
                update(course_statistics)
                .where(course_statistics.c.course_id == key)
                .values(rating_count=count, rating_sum=total)
            )


async def test_one_excellent_review_does_not_win(context: Context, catalog: Database) -> None:
    """By rating: many good ones, then one excellent, then none, then many bad ones."""
    await rate(catalog, {1: (1, 5), 2: (200, 920), 3: (50, 60)})
    order = CourseOrder(CourseOrderField.RATING)
    keys = [row.id for row in (await listed(context, order_by=order, first=100)).nodes]
    assert ([2, 1], 3) == (keys[:2], keys[-1])


async def test_rating_and_skills_filter(context: Context, catalog: Database) -> None:
    """The plain average counts here, and a course without reviews has none; any of the skills will do."""
    await rate(catalog, {1: (2, 9), 2: (3, 13), 3: (1, 1)})
    for asked, expected in (
        (CourseFilter(min_rating=4.5), {1}),
        (CourseFilter(min_rating=4.3), {1, 2}),
        (CourseFilter(min_rating=0), {1, 2, 3}),
        (CourseFilter(min_rating=5.1), set()),
        (CourseFilter(skills=("Logic", "Nothing\0")), {1}),
        (CourseFilter(skills=("logic",)), set()),
        (CourseFilter(skills=()), set()),
        (CourseFilter(skills=("Writing",), min_rating=4), {1}),
    ):
        assert expected == {row.id for row in (await listed(context, filter=asked, first=100)).nodes}
    with pytest.raises(InvalidArgumentError, match="skills"):
        await listed(context, filter=CourseFilter(skills=("x",) * 101))


async def test_topics_are_named_in_a_language_or_in_english(context: Context, catalog: Database) -> None:
    """A tag is shortened until there is a name for it."""
    async with catalog.transaction() as connection:
        labels = {"es": "Ciencia", "pt-br": "Ciência", "zh-hant": "科學"}
        await connection.execute(update(topic_table).where(topic_table.c.id == 1).values(labels=labels))
    (science,) = await topics.topic(context, [None], by=TopicKey(slug="science"))
    assert science is not None
    for language, expected in (
        (None, "Science"),
        ("es", "Ciencia"),
        ("es-MX", "Ciencia"),
        ("pt_BR", "Ciência"),
        ("pt", "Science"),
        ("zh-Hant-TW", "科學"),
        ("", "Science"),
        ("--\0", "Science"),
    ):
        assert [expected] == await topics.name(context, [science], language=language)


async def test_topics_are_found_and_have_children(context: Context) -> None:
    """By id or slug; anything else is null; one statement for all children."""
    for key, expected in (
        (TopicKey(id=encode_id("Topic", 2)), 2),
        (TopicKey(slug="biology"), 3),
        (TopicKey(slug="a\0b"), None),
        (TopicKey(id=encode_id("Course", 2)), None),
        (TopicKey(id="nonsense"), None),
        (TopicKey(), None),
    ):
        (found,) = await topics.topic(context, [None], by=key)
        assert expected == (found and found.id)
    rows = [row for row in await topics.by_ids(context, [3, 1]) if row is not None]
    before = context.reader.statements
    assert [[], ["biology", "physics"]] == [
        [row.slug for row in below] for below in await topics.children(context, rows)
    ]
    assert 1 == context.reader.statements - before
