"""Learners' history: who took which course, and when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from catalog.importers.files import SourceRow
from catalog.problems import Parsed, excerpt, rejected
from catalog.records import EnrollmentRecord

COLUMNS = ("learner_id", "course_id", "enrolled_at")
# A source's clock may run ahead of ours, and a day is more than any of them should.
TOLERANCE = timedelta(days=1)
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

_LEARNER_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_COURSE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


def parse(row: SourceRow, now: datetime) -> Parsed[EnrollmentRecord]:
    """Return the enrollment of one row, or its rejection.

    Args:
        row: the row.
        now: the moment of the import; a later one cannot have happened yet.
    """
    learner_id = row.values["learner_id"].strip()
    course_id = row.values["course_id"].strip()
    if not _LEARNER_ID.fullmatch(learner_id):
        # The value is not quoted: it may be somebody's name or address.
        reason = "is not a pseudonymous id: letters, digits and _.:- only, 1 to 64; names and addresses are refused"
        return rejected(row.line, "learner_id", "malformed_learner", reason)
    if not _COURSE_ID.fullmatch(course_id):
        reason = f"{excerpt(course_id)} is not an id: letters, digits and _.:- only, 1 to 200"
        return rejected(row.line, "course_id", "malformed_id", reason)
    moment = _moment(row.values["enrolled_at"].strip(), now)
    if isinstance(moment, str):
        return rejected(row.line, "enrolled_at", "malformed_moment", moment)
    return Parsed(EnrollmentRecord(row.line, learner_id, course_id, moment))


def _moment(text: str, now: datetime) -> datetime | str:
    """Return the moment in UTC, or what is wrong with it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return f"{excerpt(text)} is not a moment; expected is one such as 2017-03-01T09:30:00Z"
    if moment.tzinfo is None:
        return f"{excerpt(text)} has no time zone; expected is one such as 2017-03-01T09:30:00Z"
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return f"{excerpt(text)} is out of range"
    if moment > now + TOLERANCE:
        return f"{excerpt(text)} lies in the future"
    if moment < EARLIEST:
        return f"{excerpt(text)} lies before {EARLIEST.year}"
    return moment
