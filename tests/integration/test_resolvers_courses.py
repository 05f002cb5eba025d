"""Courses and topics: batch resolvers on a real database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert

from core.errors import InvalidArgumentError
from core.ids import encode_id
from database.queries.course_filters import CourseOrderField
from database.queries.courses import CourseRow
from database.session import Database
from database.tables.courses import CourseLevel, course_statistics, courses as course_table
from resolvers import courses, nodes, topics
from resolvers.context import Context
from resolvers.courses import CourseFilter, CourseKey, CourseOrder
from resolvers.pages import Page, total_count

ORDERS = [
    CourseOrder(CourseOrderField.POPULARITY),
    CourseOrder(CourseOrderField.POPULARITY, descending=False),
    CourseOrder(CourseOrderField.NEWEST),
    CourseOrder(CourseOrderField.NEWEST, descending=False),
    CourseOrder(CourseOrderField.RATING),
    CourseOrder(CourseOrderField.RATING, descending=False),
    CourseOrder(CourseOrderField.TITLE),
    CourseOrder(CourseOrderField.TITLE, descending=True),
]


async def listed(context: Context, **arguments: Any) -> Page[Any]:
    """Return one page of courses."""
    (answer,) = await courses.courses(context, [None], **arguments)
    return answer


async def walked(context: Context, *, backward: bool = False, size: int = 4, **arguments: Any) -> list[int]:
    """Return the keys of a whole list, walked page by page."""
    met: list[list[int]] = []
    cursor: str | None = None
    while True:
        place = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
        part = await listed(context, **place, **arguments)
        met.append([row.id for row in part.nodes])
        more = part.page_info.has_previous_page if backward else part.page_info.has_next_page
        if not more:
            return [key for keys in (reversed(met) if backward else met) for key in keys]
        cursor = part.page_info.start_cursor if backward else part.page_info.end_cursor


async def by_keys(context: Context, *keys: int) -> list[CourseRow]:
    """Return courses by their keys."""
    return [row for row in await courses.by_ids(context, keys) if row is not None]


@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_every_order_is_total_and_walks_both_ways(context: Context, order: CourseOrder) -> None:
    """Pages joined are the whole list, the same from both ends, with ties broken."""
    forward = await walked(context, order_by=order)
    assert list(range(1, 26)) == sorted(forward)
    assert forward == await walked(context, order_by=order, backward=True)


async def test_lists_are_by_popularity_and_searches_by_relevance(context: Context) -> None:
    """The order that nobody asked for is the one that helps."""
    assert [25, 24, 23] == (await walked(context))[:3]
    assert [7] == await walked(context, filter=CourseFilter(query="gardening"))
    assert 24 == len(await walked(context, filter=CourseFilter(query="course -gardening")))


async def test_relevance_without_a_search_is_popularity(context: Context) -> None:
    """There is nothing to be relevant to."""
    assert await walked(context) == await walked(context, order_by=CourseOrder(CourseOrderField.RELEVANCE))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (CourseFilter(topic_ids=(encode_id("Topic", 2),)), {n for n in range(1, 26) if n % 2 == 1}),
        (CourseFilter(topic_ids=(encode_id("Topic", 1),)), set(range(1, 26))),
        (CourseFilter(topic_ids=(encode_id("Course", 2), "nonsense")), set()),
        (CourseFilter(levels=(CourseLevel.BEGINNER,)), {4, 8, 12, 16, 20, 24}),
        (CourseFilter(languages=("ES",)), {5, 10, 15, 20, 25}),
        (CourseFilter(max_duration_minutes=30), {1, 2, 3}),
        (CourseFilter(languages=("es",), levels=(CourseLevel.BEGINNER,), max_duration_minutes=200), {20}),
        (CourseFilter(query="  "), set(range(1, 26))),
        (CourseFilter(query='"; DROP TABLE courses --\0'), set()),
        (CourseFilter(), set(range(1, 26))),
    ],
)
async def test_filters_keep_what_matches(context: Context, asked: CourseFilter, expected: set[int]) -> None:
    """Each filter alone, together, and with input that matches nothing; the count agrees with the list."""
    page = await listed(context, filter=asked, first=100)
    assert expected == {row.id for row in page.nodes}
    assert [len(expected)] == await total_count(context, [page])
    assert expected == await courses.matching_ids(context, asked)


async def test_cursor_of_another_order_is_refused(context: Context) -> None:
    """A cursor only means something in the list it comes from."""
    page = await listed(context, first=1)
    with pytest.raises(InvalidArgumentError):
        await listed(context, after=page.page_info.end_cursor, order_by=CourseOrder(CourseOrderField.TITLE))


async def test_overlong_filters_are_refused(context: Context) -> None:
    """Bounds hold before PostgreSQL is asked."""
    with pytest.raises(InvalidArgumentError, match="query"):
        await listed(context, filter=CourseFilter(query="x" * 201))
    with pytest.raises(InvalidArgumentError, match="language"):
        await listed(context, filter=CourseFilter(languages=("en",) * 101))


async def test_page_stays_right_while_courses_are_published(context: Context, catalog: Database) -> None:
    """A course that enters before the cursor neither repeats nor skips one."""
    first = await listed(context, first=5)
    now = context.clock()
    async with catalog.transaction() as connection:
        values = {
            "id": 99, "slug": "new", "title": "New", "level": "BEGINNER", "language": "en", "status": "PUBLISHED",
            "published_at": now, "created_at": now, "updated_at": now,
        }  # fmt: skip
        await connection.execute(insert(course_table), [values])
        await connection.execute(insert(course_statistics), [{"course_id": 99, "enrollment_count": 1000}])
    second = await listed(context, first=5, after=first.page_info.end_cursor)
    assert [25, 24, 23, 22, 21, 20, 19, 18, 17, 16] == [row.id for row in [*first.nodes, *second.nodes]]


async def test_course_is_found_by_id_and_by_slug(context: Context) -> None:
    """Published courses only; anything else is null."""
    for key, expected in (
        (CourseKey(id=encode_id("Course", 3)), 3),
        (CourseKey(slug="course-3"), 3),
        (CourseKey(slug="course-26"), None),
        (CourseKey(id=encode_id("Course", 26)), None),
        (CourseKey(id=encode_id("Topic", 3)), None),
        (CourseKey(id="nonsense"), None),
        (CourseKey(slug="a\0b"), None),
    ):
        (found,) = await courses.course(context, [None], by=key)
        assert expected == (found and found.id)


async def test_what_belongs_to_courses_is_in_order(context: Context) -> None:
    """Topics, skills, prerequisites: one result a parent, in the order of the parents."""
    parents = await by_keys(context, 2, 1)
    assert [["biology"], ["physics"]] == [[t.slug for t in found] for found in await courses.topics(context, parents)]
    assert [[], ["Writing", "Logic"]] == await courses.skills(context, parents)
    assert [[1], []] == [[c.id for c in found] for found in await courses.prerequisites(context, parents)]


async def test_instructors_are_pages_of_their_own(context: Context) -> None:
    """Each course has its own page, cursor and count."""
    parents = await by_keys(context, 1, 2, 3)
    first = await courses.instructors(context, parents, first=2)
    assert [["Teacher 3", "Teacher 1"], ["Teacher 1"], []] == [[i.display_name for i in p.nodes] for p in first]
    assert [True, False, False] == [page.page_info.has_next_page for page in first]
    assert [3, 1, 0] == await total_count(context, first)
    (rest,) = await courses.instructors(context, parents[:1], first=2, after=first[0].page_info.end_cursor)
    assert ["Teacher 2"] == [instructor.display_name for instructor in rest.nodes]


async def test_topics_walk_by_slug(context: Context) -> None:
    """Forward and backward, with the count."""
    (first,) = await topics.topics(context, [None], first=2)
    assert ["biology", "physics"] == [topic.slug for topic in first.nodes]
    (rest,) = await topics.topics(context, [None], after=first.page_info.end_cursor)
    assert ["science"] == [topic.slug for topic in rest.nodes]
    (last,) = await topics.topics(context, [None], last=2, before=rest.page_info.start_cursor)
    assert ["biology", "physics"] == [topic.slug for topic in last.nodes]
    assert [3] == await total_count(context, [first])
    assert ["Science", "Science", None] == [
        above and above.name for above in await topics.parent(context, [*first.nodes, *rest.nodes])
    ]


async def test_nodes_come_back_in_order_whatever_their_type(context: Context) -> None:
    """Unknown, unreadable, foreign and unpublished ids are null in their places."""
    ids = [
        encode_id("Topic", 2),
        encode_id("Course", 1),
        "nonsense",
        encode_id("Course", 26),
        encode_id("Instructor", 3),
        encode_id("Course", 1),
        encode_id("Unknown", 1),
        encode_id("Course", 404),
    ]
    (found,) = await nodes.nodes(context, [None], ids=ids)
    assert ["Physics", "Course 01", None, None, "Teacher 3", "Course 01", None, None] == [
        row and (row.get("name") or row.get("title") or row.get("display_name")) for row in found
    ]
    assert found[1:2] == await nodes.node(context, [None], id=encode_id("Course", 1))
    with pytest.raises(InvalidArgumentError):
        await nodes.nodes(context, [None], ids=["x"] * 101)


@dataclass(frozen=True)
class Batch:
    """A batch resolver that takes courses, and what it is given besides."""

    resolve: Callable[..., Awaitable[Any]]
    arguments: dict[str, Any]


@pytest.mark.parametrize(
    "batch",
    [
        Batch(courses.topics, {}),
        Batch(courses.skills, {}),
        Batch(courses.prerequisites, {}),
        Batch(courses.instructors, {"first": 5}),
    ],
    ids=lambda batch: batch.resolve.__name__,
)
async def test_one_statement_however_many_parents(context: Context, batch: Batch) -> None:
    """A batch resolver costs one statement for one course and for twenty-five."""
    parents = await by_keys(context, *range(1, 26))
    for some in (parents[:1], parents):
        before = context.reader.statements
        await batch.resolve(context, some, **batch.arguments)
        assert 1 == context.reader.statements - before
