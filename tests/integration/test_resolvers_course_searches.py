"""Searching courses on a real database: languages, accents, typos, order and pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import insert, text, update

from core.clock import ManualClock
from core.errors import InvalidArgumentError
from database.queries import courses as course_queries
from database.queries.course_filters import CourseOrderField
from database.queries.courses import PageShape
from database.session import Database
from database.tables.courses import course_statistics, courses as course_table
from resolvers import courses
from resolvers.context import Context
from resolvers.course_searches import Reading, read
from resolvers.courses import CourseFilter, CourseOrder, CoursePage
from resolvers.pages import total_count
from tests.small_platform import MADE

TITLES = {
    1: ("en", "Learn to Run a Marathon"),
    2: ("en", "Running Docker in Production"),
    3: ("en", "Python for Everybody"),
    4: ("es", "Programación web con Python"),
    5: ("es", "Introducción a la fotografía"),
    6: ("fr", "Développement d'applications mobiles"),
    7: ("de", "Häuser zeichnen für Anfänger"),
    8: ("ru", "Программирование для начинающих"),
    9: ("ja", "データサイエンス入門"),
    10: ("en", "C++ from the Ground Up"),
    11: ("en", "C# and ASP.NET Core"),
    12: ("en", "C for Embedded Systems"),
    13: ("en", "Machine Learning A to Z"),
    14: ("en", "Learning to Machine Metal"),
    15: ("en", "Gardening by Example"),
    16: ("en", "Gardens of Japan"),
    17: ("xx", "Zvrk lumpo"),
    18: ("en", "JavaScript: The Definitive Course"),
    19: ("en", "Java in Depth"),
    20: ("en", "Excel for Accountants"),
}
DRAFT = 30


@pytest_asyncio.fixture
async def context(database: Database, clock: ManualClock) -> AsyncIterator[Context]:
    """A signed-out request on a library of many languages; a draft is called Quantum Chromodynamics."""
    await publish(database, {key: {"language": tag, "title": title} for key, (tag, title) in TITLES.items()})
    await publish(database, {DRAFT: {"title": "Quantum Chromodynamics", "status": "DRAFT"}})
    services: Any = None
    async with database.reader() as reader:
        yield Context(
            reader=reader, database=database, clock=clock, identity=None, request_id=UUID(int=1), services=services
        )


async def publish(database: Database, rows: dict[int, dict[str, Any]]) -> None:
    """Insert courses by id; PostgreSQL gives them their counters."""
    common = {"level": "BEGINNER", "language": "en", "status": "PUBLISHED", "summary": None, "description": None}
    stamped = {"published_at": MADE, "created_at": MADE, "updated_at": MADE}
    async with database.transaction() as connection:
        listed = [{**common, **stamped, "id": key, "slug": f"course-{key}", **row} for key, row in rows.items()]
        await connection.execute(insert(course_table), listed)


async def searched(context: Context, query: str, **arguments: Any) -> CoursePage:
    """Return one page of a search."""
    (page,) = await courses.courses(context, [None], filter=CourseFilter(query=query), **arguments)
    return page


async def found(context: Context, query: str) -> set[int]:
    """Return the keys of all that a search finds, and check that they are counted alike."""
    page = await searched(context, query, first=100)
    assert [len(page.nodes)] == await total_count(context, [page])
    return {row.id for row in page.nodes}


async def test_words_are_found_in_the_forms_of_the_courses_language(context: Context) -> None:
    """Inflections by the course's own language, with and without accents; other languages by their words."""
    expected = {
        "running": {1, 2},
        "run": {1, 2},
        "marathons": {1},
        "PYTHON": {3, 4},
        "programaciones": {4},
        "programacion": {4},
        "fotografía": {5},
        "fotografias": {5},
        "developpement": {6},
        "développements mobile": {6},
        "Haus zeichnen": {7},
        "hauser": {7},
        "программирования": {8},
        "入門": {9},
        "サイエンス": {9},
        "zvrk": {17},
        "zvrks": {17},
    }
    assert expected == {query: await found(context, query) for query in expected}


async def test_names_of_languages_are_not_single_letters(context: Context) -> None:
    """What PostgreSQL's parser would take for the same word stays apart."""
    expected = {"c++": {10}, "C#": {11}, "asp.net": {11}, ".NET core": {11}, "c": {12}, "c for": {12}}
    assert expected == {query: await found(context, query) for query in expected}


async def test_phrases_alternatives_and_exclusions_mean_what_they_say(context: Context) -> None:
    """An exclusion takes every form of its word, and no phrase reaches over the end of a text."""
    expected: dict[str, set[int]] = {
        '"machine learning"': {13},
        "“machine learning”": {13},
        "machine learning": {13, 14},
        "python -web": {3},
        "python -programacion": {3},
        "gardening -gardens": set(),
        "marathon or accountants": {1, 20},
        '"run learn"': set(),
    }
    assert expected == {query: await found(context, query) for query in expected}


async def test_words_begun_and_typos_help_only_where_the_words_find_nothing(context: Context) -> None:
    """A word that is found is never widened; drafts are no source of corrections; operators do no harm."""
    expected = {
        "java": Reading("java"),
        "javasc": Reading("javasc", prefix=True),
        "machine lear": Reading("machine lear", prefix=True),
        "pyhton": Reading("python"),
        "exel": Reading("excel"),
        "mararthon": Reading("marathon"),
        "introduccoin a la fotografia": Reading("introduccion a la fotografia"),
        "machnie lear": Reading("machine lear", prefix=True),
        "pyhton -wbe": Reading("python -wbe"),
        "xyzzyx": Reading("xyzzyx"),
        "c++ pyhton or jvaa": Reading("c++ python or java"),
        "quantun": Reading("quantun"),
        "!!!": Reading("!!!"),
        "'": Reading("'"),
        "a & b | !c:* <-> (": Reading("a & b | !c:* <-> ("),
    }
    assert expected == {query: await read(context, query) for query in expected}
    for query in expected:
        await found(context, query)


async def test_typo_finds_what_was_meant(context: Context) -> None:
    """The list of a corrected search is that of the right one, in two more statements at most."""
    before = context.reader.statements
    assert [18] == [row.id for row in (await searched(context, "javascirpt")).nodes]
    assert 3 == context.reader.statements - before


async def test_titles_come_first_then_popularity_decides(context: Context, database: Database) -> None:
    """A match in the title beats any in a description, and learners break the tie of equal titles."""
    told = {"description": "sourdough " * 30}
    await publish(database, {40: {"title": "Bread", **told}, 41: {"title": "Sourdough"}, 42: {"title": "Sourdough"}})
    await publish(database, {43: {"title": "Everything about sourdough that fits in a title"}})
    async with database.transaction() as connection:
        for key, count in ((40, 100_000), (42, 9)):
            await connection.execute(
                update(course_statistics).where(course_statistics.c.course_id == key).values(enrollment_count=count)
            )
    assert [42, 41, 43, 40] == [row.id for row in (await searched(context, "sourdough")).nodes]


async def walked(context: Context, query: str, order: CourseOrder | None, *, backward: bool) -> list[int]:
    """Return the keys of a search, three at a time."""
    met: list[list[int]] = []
    cursor: str | None = None
    while True:
        place = {"last": 3, "before": cursor} if backward else {"first": 3, "after": cursor}
        page = await searched(context, query, order_by=order, **place)
        met.append([row.id for row in page.nodes])
        if not (page.page_info.has_previous_page if backward else page.page_info.has_next_page):
            return [key for keys in (reversed(met) if backward else met) for key in keys]
        cursor = page.page_info.start_cursor if backward else page.page_info.end_cursor


async def test_searches_walk_both_ways(context: Context, database: Database) -> None:
    """Pages joined are the whole list from both ends, however the words are read; equal ranks included."""
    await publish(database, {key: {"title": f"Chemistry {key % 2}"} for key in range(50, 60)})
    for order in (None, CourseOrder(CourseOrderField.TITLE), CourseOrder(CourseOrderField.RATING)):
        for query in ("chemistry", "chemisrty", "chemis"):
            forward = await walked(context, query, order, backward=False)
            assert list(range(50, 60)) == sorted(forward)
            assert forward == await walked(context, query, order, backward=True)


@pytest.mark.parametrize("backward", [False, True])
async def test_a_search_goes_on_as_it_began(context: Context, database: Database, *, backward: bool) -> None:
    """Courses that are published meanwhile neither shift a page nor change how the words are read."""
    await publish(database, {key: {"title": "Chemistry"} for key in range(50, 56)})
    expected = await walked(context, "chem", None, backward=False)
    size = {"last": 3} if backward else {"first": 3}
    one = await searched(context, "chem", **size)
    # The new one has the very word that was begun, and would stand before all others.
    await publish(database, {60: {"title": "Chem"}})
    info = one.page_info
    rest = {"before": info.start_cursor} if backward else {"after": info.end_cursor}
    two = await searched(context, "chem", **size, **rest)
    keys = [[row.id for row in page.nodes if row.id != 60] for page in (one, two)]
    assert expected == ([*keys[1], *keys[0]] if backward else [*keys[0], *keys[1]])
    assert [60] == [row.id for row in (await searched(context, "chem")).nodes]


async def test_cursor_of_another_search_is_refused(context: Context) -> None:
    """A cursor holds how its own words were read."""
    cursor = (await searched(context, "python", first=1)).page_info.end_cursor
    with pytest.raises(InvalidArgumentError):
        await searched(context, "java", after=cursor)
    (plain,) = await courses.courses(context, [None], first=1)
    with pytest.raises(InvalidArgumentError):
        await searched(context, "python", after=plain.page_info.end_cursor)


async def test_ends_of_differently_read_searches_are_refused(context: Context, database: Database) -> None:
    """One list has one reading."""
    begun = (await searched(context, "marath", first=1)).page_info.end_cursor
    await publish(database, {60: {"title": "Marath"}})
    exact = (await searched(context, "marath", first=1)).page_info.end_cursor
    with pytest.raises(InvalidArgumentError, match="different lists"):
        await searched(context, "marath", after=begun, before=exact)


async def test_edited_course_is_found_by_its_new_words(context: Context, database: Database) -> None:
    """The document follows the row, and so do the words that typos are corrected to."""
    async with database.transaction() as connection:
        await connection.execute(update(course_table).where(course_table.c.id == 3).values(title="Falconry"))
    assert {3} == await found(context, "falconry")
    assert {3} == await found(context, "falcorny")


async def test_lists_by_popularity_and_rating_read_their_index(context: Context, database: Database) -> None:
    """No list of all courses is sorted: PostgreSQL walks the index of the order from where the cursor points."""
    await publish(database, {key: {"title": f"Filler {key}"} for key in range(100, 3000)})
    async with database.transaction() as connection:
        for table in ("courses", "course_statistics"):
            await connection.execute(text(f"ANALYZE {table}"))
    for field, index in (
        (CourseOrderField.POPULARITY, "course_statistics_popularity_idx"),
        (CourseOrderField.RATING, "course_statistics_rating_idx"),
    ):
        shape = PageShape(filters=frozenset(), order=field, descending=True, backward=False, after=True, before=False)
        statement = course_queries.page(shape)
        arguments = statement.arguments({"after_rank": 1, "after_id": 2000, "limit": 21})
        async with database.raw() as raw:
            plan = "\n".join(row[0] for row in await raw.fetch(f"EXPLAIN {statement.sql}", *arguments))
        assert f"using {index}" in plan
        assert "Sort" not in plan
