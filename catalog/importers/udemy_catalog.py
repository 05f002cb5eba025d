"""Courses in the format of Udemy's price list: addresses, prices, lectures and durations, neither texts nor skills."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from catalog.importers.files import SourceRow
from catalog.importers.formats import LONGEST_ID, CourseFormat, Unmapped, clean, known_level, slug_of, tagged
from catalog.problems import Parsed, excerpt, rejected
from catalog.records import CourseRecord
from catalog.taxonomy import Taxonomy

COLUMNS = (
    "course_id",
    "course_title",
    "url",
    "is_paid",
    "price",
    "num_subscribers",
    "num_reviews",
    "num_lectures",
    "level",
    "content_duration",
    "published_timestamp",
    "subject",
)
# No course is longer: a year, day and night.
_MOST_HOURS = 24 * 366
_MOST_LECTURES = 100_000


def read(row: SourceRow, taxonomy: Taxonomy) -> Parsed[CourseRecord]:
    """Return the course of one row, or its rejection.

    Prices, subscribers and reviews are read and not loaded: there are no fields for them yet.
    """
    values = {name: value.strip() for name, value in row.values.items()}
    source_id = values["course_id"]
    if not (source_id.isascii() and source_id.isdigit()) or len(source_id) > LONGEST_ID:
        return rejected(
            row.line, "course_id", "malformed_id", f"{excerpt(source_id)} is not an id: digits, at most {LONGEST_ID}"
        )
    hours = _number(values["content_duration"])
    if hours is None or not 0 <= hours <= _MOST_HOURS:
        reason = f"{excerpt(values['content_duration'])} is not a number of hours, such as 1.5"
        return rejected(row.line, "content_duration", "malformed_duration", reason)
    lectures = _number(values["num_lectures"])
    if lectures is None or not 0 <= lectures <= _MOST_LECTURES:
        reason = f"{excerpt(values['num_lectures'])} is not a number of lectures"
        return rejected(row.line, "num_lectures", "malformed_count", reason)
    published_at = _moment(values["published_timestamp"])
    if published_at is None:
        reason = f"{excerpt(values['published_timestamp'])} is not a moment, such as 2017-01-18 20:58:58+00:00"
        return rejected(row.line, "published_timestamp", "malformed_publication", reason)
    topics, unknown = tagged(values["subject"], taxonomy)
    unmapped: Unmapped = {"topics": unknown} if unknown else {}
    course = CourseRecord(
        line=row.line,
        source_id=source_id,
        slug=slug_of(values["url"]),
        title=clean(values["course_title"]),
        level=known_level(values["level"], unmapped),
        language=None,
        topics=topics,
        skills=None,
        duration_minutes=round(hours * 60),
        lesson_count=int(lectures),
        published_at=published_at,
        unmapped=unmapped,
    )
    return Parsed(course)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment(text: str) -> datetime | None:
    """Return a moment in UTC, or None when the text is none or has no time zone."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


FORMAT = CourseFormat(
    source="udemy-catalog",
    columns=COLUMNS,
    read=read,
    judged={
        "slug": "url",
        "title": "course_title",
        "topics": "subject",
        "level": "level",
        "lesson_count": "num_lectures",
    },
)
