"""What a recommendation knows of the learner who asks, read anew for each: two statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.queries.history import HISTORY, WISHES, HistoryRow, PreferencesRow
from database.session import Reader
from database.tables.enrollments import EnrollmentStatus


@dataclass(frozen=True, slots=True)
class Learner:
    """A learner at the moment of decision.

    Attributes:
        history: enrollments, the newest first, withdrawn ones included.
        preferences: what they chose at onboarding, if anything.
        dismissed: courses that they do not want to see.
    """

    history: Sequence[HistoryRow] = ()
    preferences: PreferencesRow | None = None
    dismissed: frozenset[int] = frozenset()

    def with_status(self, *statuses: EnrollmentStatus) -> list[int]:
        """Return the courses of the history in one of these states, the newest first."""
        wanted = {status.value for status in statuses}
        return [row.course_id for row in self.history if row.status in wanted]

    @property
    def kept(self) -> list[HistoryRow]:
        """The history without the courses that were left, the newest first."""
        return [row for row in self.history if row.status != EnrollmentStatus.WITHDRAWN.value]

    @property
    def takes_courses(self) -> bool:
        """Whether there is a history to rank by: somebody who left every course has none."""
        return bool(self.kept)

    @property
    def languages(self) -> frozenset[str] | None:
        """Primary subtags (BCP 47) of the languages that they read; None when none were named."""
        if self.preferences is None:
            return None
        return frozenset(tag.partition("-")[0] for tag in self.preferences.languages) or None


STRANGER = Learner()


async def read_learner(reader: Reader, learner_id: int) -> Learner:
    """Read a learner; one who does not exist is like one who has done nothing.

    Raises:
        UnavailableError: PostgreSQL cannot be reached.
    """
    history = await reader.fetch(HISTORY, learner_id=learner_id)
    (wishes,) = await reader.fetch(WISHES, learner_id=learner_id)
    return Learner(history, wishes if wishes.saved else None, frozenset(wishes.dismissed_ids))
