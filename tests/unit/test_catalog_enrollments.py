"""Rows of learners' history as enrollment records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from catalog.importers.enrollments import COLUMNS, EARLIEST, TOLERANCE, parse
from catalog.importers.files import SourceRow

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def row(learner: str = "1f100d89", course: str = "7", moment: str = "2017-03-01T09:30:00Z") -> SourceRow:
    """Return a good row with some values changed."""
    return SourceRow(5, dict(zip(COLUMNS, (learner, course, moment), strict=True)))


@given(st.datetimes((EARLIEST + 2 * TOLERANCE).replace(tzinfo=None), NOW.replace(tzinfo=None), timezones=ZONES))
def test_moment_of_any_zone_is_kept_in_utc(moment: datetime) -> None:
    """An ISO 8601 moment with a zone is the same moment afterwards, in UTC."""
    record = parse(row(moment=moment.isoformat()), NOW).record
    assert record is not None
    assert (moment, UTC) == (record.enrolled_at, record.enrolled_at.tzinfo)


@pytest.mark.parametrize(
    ("changes", "column", "said"),
    [
        ({"learner": ""}, "learner_id", "is not a pseudonymous id"),
        ({"learner": "ada@example.org"}, "learner_id", "is not a pseudonymous id"),
        ({"learner": "x" * 65}, "learner_id", "is not a pseudonymous id"),
        ({"course": "a b"}, "course_id", "'a b' is not an id"),
        ({"moment": "yesterday"}, "enrolled_at", "'yesterday' is not a moment"),
        ({"moment": "2017-02-30T00:00:00Z"}, "enrolled_at", "is not a moment"),
        ({"moment": "2017-03-01"}, "enrolled_at", "has no time zone"),
        ({"moment": "2017-03-01T09:30:00"}, "enrolled_at", "has no time zone"),
        ({"moment": "1970-01-01T00:00:00Z"}, "enrolled_at", "lies before 1990"),
        ({"moment": "0001-01-01T00:00:00+14:00"}, "enrolled_at", "is out of range"),
        ({"moment": "2026-03-02T12:00:01Z"}, "enrolled_at", "lies in the future"),
    ],
)
def test_bad_row_is_rejected_with_column_and_reason(changes: dict[str, str], column: str, said: str) -> None:
    """A rejection names the column, and says what would be right."""
    parsed = parse(row(**changes), NOW)
    assert parsed.record is None
    (problem,) = parsed.problems
    assert (5, column) == (problem.line, problem.column)
    assert said in problem.reason


def test_addresses_are_never_repeated() -> None:
    """A learner's id that is refused may be personal data, and stays out of the report."""
    (problem,) = parse(row(learner="ada@example.org"), NOW).problems
    assert "ada" not in str(problem)


def test_borders_of_time_are_inside() -> None:
    """The earliest moment and the end of the tolerance still load."""
    for moment in (EARLIEST, NOW + TOLERANCE):
        assert parse(row(moment=moment.isoformat()), NOW).record is not None


@given(st.fixed_dictionaries({name: st.text(max_size=40) for name in COLUMNS}))
def test_any_values_are_an_enrollment_or_one_rejection(values: dict[str, str]) -> None:
    """Whatever the columns hold, nothing is raised."""
    parsed = parse(SourceRow(2, values), NOW)
    assert (0 if parsed.record else 1) == len(parsed.problems)
