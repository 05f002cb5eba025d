"""A small platform for tests of training and serving: deterministic, with sequences that a ranker can learn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.interactions import Integers
from features.pair import DAY, CourseTraits, Floats
from features.vector import VectorLayout
from training.history import LearningHistory, course_traits, learning_history

TOPICS = 6
PARENTS = {topic: 100 + topic % 2 for topic in range(1, TOPICS + 1)}


def simulated_courses(count: int = 60) -> pd.DataFrame:
    """Return courses with ids 10, 20, …; each on one of six topics, which have two parents."""
    number = np.arange(count)
    return pd.DataFrame(
        {
            "course_id": (number + 1) * 10,
            "topic_ids": [[int(each) % TOPICS + 1] for each in number],
            "skill_ids": [[int(each) % 11, int(each) % 7 + 20] for each in number],
            "level": np.array(["BEGINNER", "INTERMEDIATE", "ADVANCED", "ALL_LEVELS"])[number % 4],
            "title": [f"Course {each} of series {each % TOPICS}" for each in number],
            "language": np.where(number % 10 == 0, "es", "en"),
        }
    )


def simulated_events(courses: int = 60, learners: int = 300, seed: int = 5) -> pd.DataFrame:
    """Return enrollments: a learner stays in one topic and mostly takes the course after the last one."""
    rng = np.random.default_rng(seed)
    rows = []
    start = pd.Timestamp("2025-01-01T00:00:00Z")
    for learner in range(1, learners + 1):
        moment = start + pd.Timedelta(minutes=int(rng.integers(0, 300 * 1440)))
        course = int(rng.integers(0, courses))
        taken: set[int] = set()
        for _ in range(int(rng.integers(4, 10))):
            while course in taken:
                course = int(rng.integers(0, courses))
            taken.add(course)
            rows.append(("enrolled", learner, (course + 1) * 10, moment))
            moment += pd.Timedelta(minutes=int(rng.integers(1, 20 * 1440)))
            course = (course + TOPICS) % courses if rng.random() < 0.7 else int(rng.integers(0, courses))
    return pd.DataFrame(rows, columns=["kind", "learner_id", "course_id", "occurred_at"])


def simulated_traits(count: int = 60) -> CourseTraits:
    """Return the traits of the simulated courses."""
    return course_traits(simulated_courses(count), PARENTS)


def simulated_history(courses: int = 60, learners: int = 300, seed: int = 5) -> LearningHistory:
    """Return the log of the simulated platform; every course is published."""
    traits = simulated_traits(courses)
    return learning_history(simulated_events(courses, learners, seed), traits, np.ones(courses, np.bool_))


class CountedFeatures:
    """Stored features counted from a log: what a feature store would answer, without one."""

    layout = VectorLayout.of(
        ["learner_enrollment_count"],
        ["course_first_enrolled_at", "course_enrollments_30d", "course_enrollments_total"],
    )

    def __init__(self, history: LearningHistory) -> None:
        self._history = history

    def read_learners(self, learner_ids: Integers, moments: Integers) -> Floats:
        """Return how many courses learners had taken."""
        learners = np.searchsorted(self._history.learner_ids, learner_ids)
        return self._history.before(learners, moments).lengths[:, None].astype(np.float32)

    def read_courses(self, course_ids: Integers, moments: Integers) -> Floats:
        """Return enrollments in all and in a month, and the first moment, in the order of the layout."""
        log, columns = self._history.interactions, np.searchsorted(self._history.traits.course_ids, course_ids)
        order = np.lexsort((log.moments, log.courses))
        courses, times = log.courses[order], log.moments[order]
        values = {name: np.full(len(course_ids), np.nan) for name in self.layout.course}
        for column in np.unique(columns).tolist():
            rows, seen = columns == column, times[courses == column]
            count = np.searchsorted(seen, moments[rows])
            values["course_enrollments_total"][rows] = count
            values["course_enrollments_30d"][rows] = count - np.searchsorted(seen, moments[rows] - 30 * DAY)
            if len(seen):
                values["course_first_enrolled_at"][rows] = np.where(count > 0, seen[0] / 1e6, np.nan)
        return np.stack([values[name] for name in self.layout.course], axis=1).astype(np.float32)
