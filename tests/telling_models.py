"""What models of tests say of the courses that they rank."""

from __future__ import annotations

from collections.abc import Sequence

from database.queries.history import HistoryRow, PreferencesRow
from serving.rankings import Reason, ReasonKind, RecommendationRequest, Vectors


class TellingModel:
    """The half of a model that tells reasons and features; how it ranks is each test's own.

    Attributes:
        version: of its answers.
    """

    version: str = "v1"

    def explain(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> list[tuple[Reason, ...]]:
        """Return the newest course of the history as the reason of every course."""
        assert request.learner_id is not None
        assert preferences is None or preferences.level
        return [(Reason(ReasonKind.BECAUSE_YOU_TOOK, course_id=history[0].course_id),) for _ in course_ids]

    async def vectors(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Vectors:
        """Return the course, and what is not known of it, as its features."""
        assert request.learner_id is not None
        assert history
        assert preferences is None or preferences.level
        rows = {key: (float(key), float("nan")) for key in course_ids}
        return Vectors(self.version, ("course", "unknown"), rows)
