"""Rows of the edX and of the Udemy price-list formats as course records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies as st

from catalog.importers.files import SourceRow
from catalog.importers.formats import clean_prose, slug_of
from catalog.judging import Judged, course_format, course_formats, judged
from catalog.problems import Severity
from catalog.quality import Standards
from catalog.records import CourseRecord
from catalog.taxonomy import curated
from core.errors import InputError
from database.tables.courses import CourseLevel
from tests.course_files import GOOD, PROSE


def judge(format_name: str, *changes: dict[str, str]) -> list[Judged]:
    """Return what an import makes of good rows with some values changed, on lines 2, 3, ..."""
    rows = [SourceRow(line, {**GOOD[format_name], **change}) for line, change in enumerate(changes, start=2)]
    return list(judged(rows, course_format(format_name), curated(), Standards()))


def loaded(format_name: str, **changes: str) -> CourseRecord:
    """Return the record of a row that is loaded."""
    (course,) = judge(format_name, changes)
    assert course.parsed.record is not None
    return course.parsed.record


def problems(course: Judged) -> list[tuple[str | None, str, str]]:
    """Return column, severity and rule of each problem of a row."""
    return [(problem.column, problem.severity.value, problem.rule) for problem in course.parsed.problems]


def test_edx_row_becomes_a_course_without_problems() -> None:
    """Every column that is loaded arrives in its field."""
    (found,) = judge("edx", {"course_description": f" {PROSE}\r\n\r\n\r\nSee\tyou. "})
    assert () == found.parsed.problems
    course = found.parsed.record
    assert course is not None
    assert ("the-art-of-logic", "the-art-of-logic") == (course.source_id, course.slug)
    assert ("The Art of Logic", GOOD["edx"]["summary"]) == (course.title, course.summary)
    assert f"{PROSE}\n\nSee you." == course.description
    assert (CourseLevel.BEGINNER, "en", 1_080) == (course.level, course.language, course.duration_minutes)
    assert ["academics/math-and-science"] == [topic.slug for topic in course.topics]
    assert (("Ada Example", "Basil C. Sample"), None, None) == (course.instructors, course.skills, course.published_at)


def test_udemy_catalog_row_becomes_a_course_without_problems() -> None:
    """Every column that is loaded arrives in its field, and nothing is made up."""
    (found,) = judge("udemy-catalog", {"course_title": " The  Art\nof Logic "})
    assert () == found.parsed.problems
    course = found.parsed.record
    assert course is not None
    assert ("7", "the-art-of-logic", "The Art of Logic") == (course.source_id, course.slug, course.title)
    assert (CourseLevel.ALL_LEVELS, 90, 12) == (course.level, course.duration_minutes, course.lesson_count)
    assert datetime(2017, 1, 18, 20, 58, 58, tzinfo=UTC) == course.published_at
    assert ["business/finance"] == [topic.slug for topic in course.topics]
    assert (None, None, None, None) == (course.language, course.skills, course.summary, course.description)


@pytest.mark.parametrize("word", ["pending", "Pending ", "None", "n/a", "no abstract available", ""])
def test_word_for_missing_means_nothing(word: str) -> None:
    """It never becomes a text, and what is stored stays."""
    course = loaded("edx", summary=word, instructors=word, course_effort=word)
    assert (None, None, None) == (course.summary, course.instructors, course.duration_minutes)
    (row,) = judge("edx", {"summary": word, "course_description": word})
    assert [("course_description", "rejected", "undescribed")] == problems(row)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ada Example", ("Ada Example",)),
        ("Ada Example-Basil C. Sample", ("Ada Example", "Basil C. Sample")),
        ("Ada Example-Sample", ("Ada Example-Sample",)),
        ("Plato", ("Plato",)),
        ("Ada Example-Sample-Basil Mockup", None),
        ("Ada-Basil Mockup-Clio Sample", None),
    ],
)
def test_instructors_are_told_apart_or_not_named(text: str, names: tuple[str, ...] | None) -> None:
    """Nobody is made up of halves of two names."""
    assert names == loaded("edx", instructors=text).instructors


@pytest.mark.parametrize(
    ("effort", "length", "minutes"),
    [
        ("2\u20133 hours per week", "4 Weeks", 600),
        ("5-10 hours per week", "1 Week", 450),
        ("1 hour per week", "4 Weeks", 240),
        ("some", "4 Weeks", None),
        ("2\u20133 hours per week", "a while", None),
    ],
)
def test_duration_is_weeks_times_the_middle_of_the_hours(effort: str, length: str, minutes: int | None) -> None:
    """Without both nothing is said."""
    assert minutes == loaded("edx", course_effort=effort, course_length=length).duration_minutes


@pytest.mark.parametrize(
    ("name", "changes", "column", "rule"),
    [
        ("edx", {"course_url": "pending"}, "course_url", "malformed_address"),
        ("edx", {"course_url": "https://courses.example.org/"}, "course_url", "malformed_address"),
        ("edx", {"course_url": "https://[broken/a"}, "course_url", "malformed_address"),
        ("edx", {"course_url": "https://h/caf\xe9"}, "course_url", "malformed_address"),
        ("edx", {"title": "pending"}, "title", "missing_title"),
        ("edx", {"summary": "Lorem ipsum dolor sit amet"}, "summary", "placeholder_description"),
        ("udemy-catalog", {"course_id": "x"}, "course_id", "malformed_id"),
        ("udemy-catalog", {"url": ""}, "url", "missing_slug"),
        ("udemy-catalog", {"url": "https://h/a b"}, "url", "malformed_slug"),
        ("udemy-catalog", {"content_duration": "4.5 hours"}, "content_duration", "malformed_duration"),
        ("udemy-catalog", {"content_duration": "nan"}, "content_duration", "malformed_duration"),
        ("udemy-catalog", {"content_duration": "-1"}, "content_duration", "malformed_duration"),
        ("udemy-catalog", {"content_duration": "1e9"}, "content_duration", "malformed_duration"),
        ("udemy-catalog", {"num_lectures": "many"}, "num_lectures", "malformed_count"),
        ("udemy-catalog", {"published_timestamp": "2017"}, "published_timestamp", "malformed_publication"),
        ("udemy-catalog", {"published_timestamp": "2017-01-18"}, "published_timestamp", "malformed_publication"),
        (
            "udemy-catalog",
            {"course_title": 'Value Investing",https://h/value/,true,20\n8,Forex'},
            "course_title",
            "garbled_title",
        ),
    ],
)
def test_bad_row_is_rejected_with_column_and_rule(name: str, changes: dict[str, str], column: str, rule: str) -> None:
    """A rejection names the column of the file and the rule that was broken, and only one."""
    (row,) = judge(name, changes)
    assert [(column, "rejected", rule)] == problems(row)


@pytest.mark.parametrize(
    ("name", "changes", "column", "severity", "rule"),
    [
        ("edx", {"Level": "guru"}, "Level", "warning", "unknown_level"),
        ("edx", {"language": "klingon"}, "language", "warning", "unknown_language"),
        ("edx", {"language": "Espa\xf1ol"}, "language", "warning", "language_mismatch"),
        ("edx", {"subject": "Alchemy"}, "subject", "warning", "unknown_topic"),
        ("edx", {"subject": ""}, "subject", "warning", "no_topic"),
        ("edx", {"subject": "Design"}, "subject", "info", "broad_topic"),
        ("edx", {"course_description": "pending"}, "course_description", "warning", "missing_description"),
        ("edx", {"summary": "pending"}, "summary", "info", "missing_summary"),
        ("udemy-catalog", {"num_lectures": "0"}, "num_lectures", "warning", "no_lessons"),
        ("udemy-catalog", {"subject": "Alchemy"}, "subject", "warning", "unknown_topic"),
    ],
)
def test_weak_row_loads_with_a_remark(
    name: str, changes: dict[str, str], column: str, severity: str, rule: str
) -> None:
    """A warning or a remark keeps nobody out."""
    (row,) = judge(name, changes)
    assert row.parsed.record is not None
    assert [(column, severity, rule)] == problems(row)


def test_first_line_of_a_file_wins() -> None:
    """Later lines with the id or the slug are rejected; repeated texts are warned of, against loaded lines alone."""
    rows = judge(
        "udemy-catalog",
        {"course_id": "1", "url": "https://h/a", "course_title": "Logic"},
        {"course_id": "1", "url": "https://h/b", "course_title": "Rhetoric"},
        {"course_id": "2", "url": "https://h/A", "course_title": "Grammar"},
        {"course_id": "2", "url": "https://h/c", "course_title": "Poetics"},
        {"course_id": "3", "url": "https://h/b", "course_title": "RHETORIC"},
        {"course_id": "4", "url": "https://h/d", "course_title": "logic"},
        {"course_id": "5", "url": "https://h/e", "course_title": "Logic"},
    )
    assert [
        [],
        [("course_id", "rejected", "duplicate_id")],
        [("url", "rejected", "duplicate_slug")],
        [("course_id", "rejected", "duplicate_id")],
        [],
        [("course_title", "warning", "duplicate_title")],
        [("course_title", "warning", "duplicate_title")],
    ] == [problems(row) for row in rows]
    assert "line 2" in rows[-1].parsed.problems[0].reason


def test_repeated_texts_are_told_with_the_line_that_had_them_first() -> None:
    """Capitals and punctuation make no difference, and short texts are alike by chance."""
    rows = judge(
        "edx",
        {"course_url": "https://h/course/a", "title": "A"},
        {"course_url": "https://h/course/b", "title": "B", "course_description": PROSE.upper(), "summary": "Short."},
        {"course_url": "https://h/course/c", "title": "C", "course_description": PROSE + PROSE, "summary": "Short."},
    )
    assert [[], [("course_description", "warning", "repeated_description")], []] == [problems(row) for row in rows]
    assert "that of line 2" in rows[1].parsed.problems[0].reason


@pytest.mark.parametrize("name", course_formats())
@settings(max_examples=40)
@given(data=st.data())
def test_any_values_are_a_course_or_one_rejection(name: str, data: st.DataObject) -> None:
    """Whatever the columns hold, a row has a record or exactly one rejection, and messages are short single lines."""
    columns = course_format(name).columns
    values = data.draw(
        st.fixed_dictionaries(
            {column: st.one_of(st.just(GOOD[name][column]), st.text(max_size=40)) for column in columns}
        )
    )
    (row,) = judge(name, values)
    rejections = [problem for problem in row.parsed.problems if problem.severity is Severity.REJECTED]
    assert (0 if row.parsed.record else 1) == len(rejections)
    assert all(len(str(problem).splitlines()) == 1 and len(str(problem)) < 300 for problem in row.parsed.problems)


def test_format_that_is_none_is_told() -> None:
    """The message lists the formats."""
    with pytest.raises(InputError, match="no format 'xml'; formats are udemy, udemy-catalog, edx"):
        course_format("xml")


@given(st.text())
def test_cleaning_prose_twice_changes_nothing(text: str) -> None:
    """Lines are clean, and never two empty ones in a row."""
    once = clean_prose(text)
    assert once == clean_prose(once)
    assert "\n\n\n" not in once


@given(st.text())
def test_slug_of_any_address_is_one_segment(text: str) -> None:
    """Whatever the address is, nothing is raised."""
    assert "/" not in slug_of(text)
