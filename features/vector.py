"""The vector that the ranker reads: which features, in which order, of which type, and the hash of that.

Learner and course features come from a feature service, by name; pair and derived features from this code.
A feature whose name ends in `_at` is a moment in unix seconds: the ranker never sees it as such, only as the
days from it to the decision (`_days_ago`), so that time passing between a materialization and a request, or
between a training set and today, means the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.histories import Floats
from features.interactions import Integers
from features.pair import PAIR_FEATURES

DTYPE = "float32"
RECIPE = 2
"""Grows whenever a pair or derived feature changes its meaning under the same name."""
MOMENT_SUFFIX = "_at"
_DAY_SECONDS = 86_400.0

DERIVED_FEATURES: tuple[str, ...] = (
    "derived_course_rate",
    "derived_week_trend",
    "derived_month_trend",
)
_COMPARED = (
    "course_enrollments_total",
    "course_enrollments_7d",
    "course_enrollments_30d",
    "course_enrollments_90d",
    "course_first_enrolled_at",
)


@dataclass(frozen=True)
class VectorLayout:
    """The columns of the vector.

    Attributes:
        learner: names of the learner features of the feature service, sorted.
        course: names of its course features, sorted.
        defaults: by name of a column of the vector, what is read in place of a missing value; NaN without.
    """

    learner: tuple[str, ...]
    course: tuple[str, ...]
    defaults: Mapping[str, float] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, learner: Sequence[str], course: Sequence[str]) -> VectorLayout:
        """Return the layout for features that may be named in any order, as Feast does."""
        return cls(tuple(sorted(learner)), tuple(sorted(course)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns in order."""
        stored = (*self.learner, *self.course)
        return (*(relative_name(name) for name in stored), *DERIVED_FEATURES, *PAIR_FEATURES)

    @cached_property
    def fill(self) -> Floats:
        """float32[len(names)], what is read in place of a missing value."""
        return np.array([self.defaults.get(name, np.nan) for name in self.names], np.float32)

    @cached_property
    def _moments(self) -> tuple[list[int], list[int]]:
        """Positions of the moments among the learner features, and among the course features."""
        learner, course = (
            [position for position, name in enumerate(names) if name.endswith(MOMENT_SUFFIX)]
            for names in (self.learner, self.course)
        )
        return learner, course

    @cached_property
    def _compared(self) -> dict[str, int]:
        """Positions of the course features that derived features are made of, by name."""
        return {name: position for position, name in enumerate(self.course) if name in _COMPARED}

    @cached_property
    def digest(self) -> str:
        """Hash of names, order, types and recipe: equal in training and serving, or the release is refused."""
        described = {"recipe": RECIPE, "dtype": DTYPE, "names": self.names, "learner": len(self.learner)}
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def assemble(self, now: Integers, learner: NDArray[Any], course: NDArray[Any], pair: Floats) -> Floats:
        """Return float32[m, len(names)], contiguous by column, as the ranker reads it.

        Args:
            now: int64[m] or int64[1], moments of decision, microseconds since 1970.
            learner: [m, k] or [1, k], learner features in the order of `learner`; in float64, because a float32
                holds a moment of today to a minute only.
            course: [m, k], course features in the order of `course`.
            pair: float32[m, len(PAIR_FEATURES)].
        """
        with np.errstate(all="ignore"):
            return self._assembled(now, np.asarray(learner), np.asarray(course, np.float32), pair)

    def _assembled(self, now: Integers, learner: NDArray[Any], course: Floats, pair: Floats) -> Floats:
        rows = len(pair)
        seconds = now / 1e6
        vector = np.empty((len(self.names), rows), np.float32).T
        edge = len(self.learner)
        end = edge + len(self.course)
        vector[:, :edge] = learner
        vector[:, edge:end] = course
        for start, positions, values in zip((0, edge), self._moments, (learner, course), strict=True):
            for position in positions:
                vector[:, start + position] = _days_ago(values[:, position], seconds)
        columns = {name: course[:, position] for name, position in self._compared.items()}
        for position, derived in enumerate(_derived(columns, seconds, rows), start=end):
            vector[:, position] = derived
        vector[:, end + len(DERIVED_FEATURES) :] = pair
        # Infinite is no number that training has seen; missing is.
        np.copyto(vector, self.fill, where=~np.isfinite(vector))
        return vector


def relative_name(name: str) -> str:
    """Return the name of the column of a stored feature: of a moment it tells how many days ago it was."""
    return f"{name.removesuffix(MOMENT_SUFFIX)}_days_ago" if name.endswith(MOMENT_SUFFIX) else name


def _days_ago(moments: NDArray[Any], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return days from moments (unix seconds) to decisions; a moment that has not come yet is not known."""
    days: NDArray[np.float64] = (seconds - moments) / _DAY_SECONDS
    return np.where(days >= 0, days, np.nan)


def _derived(course: Mapping[str, Floats], seconds: NDArray[np.float64], rows: int) -> list[NDArray[Any]]:
    """Return DERIVED_FEATURES, [rows] each; a column that the service lacks makes its features missing."""
    missing = np.full(rows, np.nan, np.float32)
    total, week, month, quarter, first = (course.get(name, missing) for name in _COMPARED)
    age = np.maximum(_days_ago(first, seconds), 1.0)
    # A few are added, so that small counts do not look like trends.
    return [total / age, (week + 1) / (month + 4), (month + 1) / (quarter + 3)]
