"""What happened, as arrays: who took which course when, and what was known before any moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from database.tables.courses import CourseLevel, CourseStatus
from database.tables.events import EventKind
from features.interactions import ROBOTIC, Integers, Interactions, Sparse
from features.pair import DAY, CourseTraits, Histories
from features.similarity import (
    Similarities,
    content_vectors,
    fit_similarities,
    membership,
    positions_of,
    title_vectors,
)
from warehouse.lake import Lake, analytics

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = np.iinfo(np.int64).max
_KINDS = (EventKind.ENROLLED.value, EventKind.UNENROLLED.value)
_DESCRIBED = ("course_id", "topic_ids", "skill_ids", "instructor_ids", "level", "language", "status", "title")
LEVELS = tuple(level.value for level in CourseLevel)


@dataclass(frozen=True)
class LearningHistory:
    """The whole log over the courses that are known.

    Attributes:
        traits: of the courses, in the order that positions mean.
        published: bool[n], whether a course may be a candidate.
        learner_ids: int64[l], sorted.
        interactions: enrollments, ordered by learner, moment, course.
        left: int64[m], the moment that the learner left the course, or `NEVER`.
        languages: what the traits' language codes mean, from 1.
        providers: binary float32[n, p], who teaches a course; None where no course names anybody.
    """

    traits: CourseTraits
    published: NDArray[np.bool_]
    learner_ids: Integers
    interactions: Interactions
    left: Integers
    languages: tuple[str, ...] = ()
    providers: Sparse | None = None

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Moments of the first and of the last enrollment, of at least one."""
        moments = self.interactions.moments
        first, last = (EPOCH + timedelta(microseconds=int(each)) for each in (moments.min(), moments.max()))
        return first, last

    @cached_property
    def learner_offsets(self) -> Integers:
        """int64[l + 1], where each learner's enrollments start and end."""
        starts = np.searchsorted(self.interactions.learners, np.arange(len(self.learner_ids) + 1))
        return starts.astype(np.int64)

    @cached_property
    def _moments(self) -> Integers:
        return np.unique(self.interactions.moments)

    @cached_property
    def _keys(self) -> Integers:
        """int64[m], ascending: the learner, then the rank of the moment."""
        return self._key(self.interactions.learners, self.interactions.moments)

    @cached_property
    def _by_moment(self) -> tuple[Integers, Integers, Integers]:
        order = np.argsort(self.interactions.moments, kind="stable")
        order = order[self.earlier[order] <= ROBOTIC]
        return self.interactions.moments[order], self.interactions.courses[order], self.left[order]

    def _key(self, learners: Integers, moments: Integers) -> Integers:
        return learners * (len(self._moments) + 1) + np.searchsorted(self._moments, moments)

    @cached_property
    def earlier(self) -> Integers:
        """int64[m], how many courses the learner had taken strictly before each enrollment."""
        starts = self.learner_offsets[self.interactions.learners]
        return np.searchsorted(self._keys, self._keys).astype(np.int64) - starts

    def before(self, learners: Integers, moments: Integers) -> Histories:
        """Return what learners were taking strictly before their moments, the newest first.

        Args:
            learners: int64[d], positions of learners.
            moments: int64[d], microseconds since 1970.
        """
        starts = self.learner_offsets[learners]
        ends = np.searchsorted(self._keys, self._key(learners, moments))
        lengths = ends - starts
        rows = np.repeat(np.arange(len(learners), dtype=np.int64), lengths)
        ages = np.arange(len(rows), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        entries = ends[rows] - 1 - ages
        kept = self.left[entries] >= moments[rows]
        rows, entries = rows[kept], entries[kept]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(learners)))]).astype(np.int64)
        return Histories(offsets, self.interactions.courses[entries], self.interactions.moments[entries], moments)

    def known(self, cutoff: int) -> NDArray[np.bool_]:
        """Return bool[m]: enrollments strictly before a moment that had not been left by then."""
        mask: NDArray[np.bool_] = (self.interactions.moments < cutoff) & (self.left >= cutoff)
        return mask

    def similarities(self, known: NDArray[np.bool_]) -> Similarities:
        """Return what is learned of pairs of courses from the enrollments that bool[m] names."""
        return fit_similarities(self.interactions.select(known), len(self.traits), self.traits.about)

    def until(self, moment: int) -> LearningHistory:
        """Return what the log told strictly before a moment, microseconds since 1970; courses are those of today."""
        log, kept = self.interactions, self.interactions.moments < moment
        known, learners = np.unique(log.learners[kept], return_inverse=True)
        left = self.left[kept]
        return replace(
            self,
            learner_ids=self.learner_ids[known],
            interactions=Interactions(learners.astype(np.int64), log.courses[kept], log.moments[kept]),
            left=np.where(left < moment, left, NEVER),
        )

    def popularity(self, moments: Integers, days: int = 30) -> NDArray[np.float32]:
        """Return float32[d, n], enrollments in the `days` whole UTC days before the day of each moment.

        As in `course_enrollments_30d`, those that were left before that day do not count, so that nobody counts twice,
        nor those of robots.
        """
        ordered, courses, left = self._by_moment
        midnights, places = np.unique(moments // DAY * DAY, return_inverse=True)
        starts = np.searchsorted(ordered, midnights - days * DAY)
        ends = np.searchsorted(ordered, midnights)
        size = len(self.traits)
        counts = [
            np.bincount(courses[start:end][left[start:end] >= midnight], minlength=size)
            for start, end, midnight in zip(starts, ends, midnights, strict=True)
        ]
        return np.array(counts, np.float32).reshape(len(midnights), size)[places]


def load_history(lake: Lake, parents: dict[int, int], until: datetime | None = None) -> LearningHistory:
    """Read the log of enrollments from the lake.

    Args:
        lake: with the event log and the course dimension.
        parents: the parent of a topic, by id.
        until: events after it are left out. One that a wrong clock put years ahead would make all others old, and
            statistics that forget what is old empty. None for all.

    Raises:
        InputError: nothing was exported yet.
    """
    described, events = lake.reading(lambda: _read(lake, until))
    described = described.sort_values("course_id")
    published = (described["status"] == CourseStatus.PUBLISHED.value).to_numpy(np.bool_)
    history = learning_history(events, course_traits(described, parents), published)
    taught = [[] if ids is None else list(ids) for ids in described["instructor_ids"]]
    return replace(
        history,
        languages=tuple(sorted(described["language"].unique())),
        providers=_membership(taught) if any(taught) else None,
    )


def _read(lake: Lake, until: datetime | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    with analytics() as connection:
        courses = lake.courses(connection)
        described = courses.select(*_DESCRIBED).to_pandas()
        log = lake.events(connection)
        if until is not None:
            log = log.filter(log.occurred_at <= until)
        enrollments = log.filter(log.kind.isin(_KINDS)).drop_null(["learner_id", "course_id"])
        return described, enrollments.select("kind", "learner_id", "course_id", "occurred_at").to_pandas()


def course_traits(courses: pd.DataFrame, parents: dict[int, int]) -> CourseTraits:
    """Return what is known of courses.

    Args:
        courses: `course_id`, `topic_ids`, `skill_ids` (lists), `level`, `language`, `title`, one row a course.
        parents: the parent of a topic, by id.
    """
    courses = courses.sort_values("course_id")
    topics = _membership([_with_parents(ids, parents) for ids in courses["topic_ids"]])
    skills = _membership([list(ids) for ids in courses["skill_ids"]])
    levels = pd.Categorical(courses["level"], categories=LEVELS).codes.astype(np.int64)
    languages = pd.Categorical(courses["language"]).codes.astype(np.int64)
    return CourseTraits(
        course_ids=courses["course_id"].to_numpy(np.int64),
        topics=topics,
        content=content_vectors([topics, skills]),
        titles=title_vectors([str(title) for title in courses["title"]]),
        levels=levels + 1,
        languages=languages + 1,
    )


def learning_history(events: pd.DataFrame, traits: CourseTraits, published: NDArray[np.bool_]) -> LearningHistory:
    """Return the log of enrollments; events of courses or learners that are not known are left out.

    Args:
        events: `kind`, `learner_id`, `course_id`, `occurred_at` (aware), in any order, each event once.
        traits: of the courses.
        published: bool[n], which of them may be candidates.
    """
    events = events[events["kind"].isin(_KINDS)].dropna(subset=["learner_id", "course_id"])
    moments = pd.to_datetime(events["occurred_at"], utc=True).dt.tz_localize(None).to_numpy("datetime64[us]")
    events = events.assign(moment=moments.view(np.int64))
    # At the same instant, leaving comes before taking: who did both takes the course.
    events = events.sort_values(["learner_id", "course_id", "moment", "kind"], ascending=[True, True, True, False])
    pair = ["learner_id", "course_id"]
    previous = events.groupby(pair, sort=False)["kind"].shift(1)
    # Taking a course that one already takes says nothing new.
    taken = (events["kind"] == "enrolled") & (previous != "enrolled")
    left = _next_leaving(events)
    enrolled = events[taken].assign(left=left[taken])
    positions, known = positions_of(enrolled["course_id"].to_numpy(np.int64), traits.course_ids)
    enrolled = enrolled.assign(position=positions)[known].sort_values(["learner_id", "moment", "course_id"])
    ids = enrolled["learner_id"].to_numpy(np.int64)
    learner_ids, learners = np.unique(ids, return_inverse=True)
    return LearningHistory(
        traits=traits,
        published=published,
        learner_ids=learner_ids,
        interactions=Interactions(
            learners.astype(np.int64), enrolled["position"].to_numpy(np.int64), enrolled["moment"].to_numpy(np.int64)
        ),
        left=enrolled["left"].to_numpy(np.int64),
    )


def _next_leaving(events: pd.DataFrame) -> pd.Series[int]:
    """Return for each event the moment of the next leaving of the same course by the same learner."""
    leaving = events["moment"].where(events["kind"] == "unenrolled")
    next_leaving = leaving.astype("Int64").groupby([events["learner_id"], events["course_id"]], sort=False).bfill()
    return next_leaving.fillna(NEVER).astype(np.int64)


def _with_parents(ids: list[int], parents: dict[int, int]) -> list[int]:
    return sorted({*ids, *(parents[topic] for topic in ids if topic in parents)})


def _membership(groups: list[list[int]]) -> Sparse:
    members = np.unique(np.array([value for group in groups for value in group], np.int64))
    return membership(groups, members)
