"""Rows of the Udemy format as course records."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from catalog.importers.files import SourceRow
from catalog.importers.formats import clean
from catalog.importers.udemy import COLUMNS
from catalog.judging import course_format, judged
from catalog.problems import Parsed, Severity
from catalog.quality import Standards
from catalog.records import CourseRecord
from catalog.taxonomy import curated
from database.tables.courses import CourseLevel

GOOD = {
    "course_id": "7",
    "slug": "logic",
    "title": "Logic",
    "categories": "academics|math-and-science",
    "concepts": "Logic|Proof|Logic",
    "level": "beginner",
    "language": "english",
    "audience": "",
}


def row(**changes: str) -> SourceRow:
    """Return a good row with some values changed."""
    return SourceRow(3, {**GOOD, **changes})


def parse(one: SourceRow) -> Parsed[CourseRecord]:
    """Return what an import makes of a row."""
    (course,) = judged([one], course_format("udemy"), curated(), Standards())
    return course.parsed


def test_good_row_becomes_a_course_without_problems() -> None:
    """Every column that is loaded arrives in its field."""
    parsed = parse(row(title="  The  Art\nof Logic "))
    assert () == parsed.problems
    course = parsed.record
    assert course is not None
    assert ("7", "logic", "The Art of Logic") == (course.source_id, course.slug, course.title)
    assert (CourseLevel.BEGINNER, "en", ("Logic", "Proof")) == (course.level, course.language, course.skills)
    assert ["academics/math-and-science"] == [topic.slug for topic in course.topics]
    assert (3, None, None) == (course.line, course.summary, course.published_at)


@pytest.mark.parametrize(
    ("changes", "column", "rule"),
    [
        ({"course_id": ""}, "course_id", "malformed_id"),
        ({"course_id": "x1"}, "course_id", "malformed_id"),
        ({"course_id": "9" * 65}, "course_id", "malformed_id"),
        ({"title": " \t "}, "title", "missing_title"),
        ({"title": "x" * 201}, "title", "long_title"),
        ({"slug": ""}, "slug", "missing_slug"),
        ({"slug": "No Slug"}, "slug", "malformed_slug"),
        ({"slug": "x" * 201}, "slug", "malformed_slug"),
        ({"categories": "a|b|c"}, "categories", "malformed_category"),
        ({"categories": "a|"}, "categories", "malformed_category"),
        ({"categories": "a|" + "b" * 81}, "categories", "malformed_category"),
        ({"concepts": "x" * 101}, "concepts", "long_skill"),
        ({"concepts": "|".join(map(str, range(101)))}, "concepts", "long_skill"),
    ],
)
def test_bad_row_is_rejected_with_column_and_rule(changes: dict[str, str], column: str, rule: str) -> None:
    """A rejection names the column of the file and the rule that was broken, and only one."""
    parsed = parse(row(**changes))
    assert parsed.record is None
    assert [(3, column, Severity.REJECTED, rule)] == [
        (problem.line, problem.column, problem.severity, problem.rule) for problem in parsed.problems
    ]


@pytest.mark.parametrize(
    ("changes", "column", "rule"),
    [
        ({"title": "LEARN EVERYTHING NOW"}, "title", "shouting_title"),
        ({"concepts": ""}, "concepts", "no_skills"),
        ({"categories": ""}, "categories", "no_topic"),
        ({"categories": "academics|alchemy"}, "categories", "unknown_topic"),
        ({"categories": "alchemy"}, "categories", "unknown_topic"),
        ({"title": "Advanced Logic"}, "level", "level_mismatch"),
        ({"level": ""}, "level", "unknown_level"),
        ({"level": "guru"}, "level", "unknown_level"),
        ({"language": "klingon"}, "language", "unknown_language"),
        ({"language": " "}, "language", "unknown_language"),
    ],
)
def test_weak_row_loads_with_a_warning(changes: dict[str, str], column: str, rule: str) -> None:
    """A warning keeps nobody out."""
    parsed = parse(row(**changes))
    assert parsed.record is not None
    assert [(column, Severity.WARNING, rule)] == [
        (problem.column, problem.severity, problem.rule) for problem in parsed.problems
    ]


@given(st.fixed_dictionaries({name: st.text(max_size=40) for name in COLUMNS}))
def test_any_values_are_a_course_or_one_rejection(values: dict[str, str]) -> None:
    """Whatever the columns hold, a row has a record or exactly one rejection, never neither."""
    parsed = parse(SourceRow(2, values))
    rejections = [problem for problem in parsed.problems if problem.severity is Severity.REJECTED]
    assert (0 if parsed.record else 1) == len(rejections)
    assert all("\n" not in str(problem) and len(str(problem)) < 250 for problem in parsed.problems)


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """A clean text is one line, and stays as it is."""
    assert clean(text) == clean(clean(text))
    assert 1 >= len(clean(text).splitlines())
