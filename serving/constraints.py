"""Which courses may be in one list, and what must stand before what: the same in every strategy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from database.tables.enrollments import EnrollmentStatus
from database.tables.recommendations import RecommendationRuleKind, RecommendationSurface
from serving.learners import Learner
from serving.rankings import RankedCourse, RecommendationRequest
from serving.rulebook import Rules, StaffRule

_DEEPEST = 50
"""Of a chain of prerequisites; one that is longer is not recommended from its end."""


class ObstacleKind(StrEnum):
    """Why a course is not in a learner's list."""

    UNPUBLISHED = "UNPUBLISHED"
    TAKEN = "TAKEN"
    LEFT = "LEFT"
    ON_THIS_PAGE = "ON_THIS_PAGE"
    DISMISSED = "DISMISSED"
    BELOW_COMPLETED = "BELOW_COMPLETED"
    LANGUAGE = "LANGUAGE"
    EXCLUDED = "EXCLUDED"
    FILTERED = "FILTERED"
    PREREQUISITE = "PREREQUISITE"
    NOT_A_CANDIDATE = "NOT_A_CANDIDATE"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a course is not shown.

    Attributes:
        kind: what sort of reason.
        rule_id: the rule of staff, for EXCLUDED.
        course_id: the completed course that it comes before, for BELOW_COMPLETED; the prerequisite that is missing and
            cannot be shown, for PREREQUISITE.
    """

    kind: ObstacleKind
    rule_id: int | None = None
    course_id: int | None = None


@dataclass(frozen=True)
class Constraints:
    """What holds for one list.

    Attributes:
        rules: the snapshot; None before the first, when only statements enforce what they know.
        learner: who asks.
        request: for what.
    """

    rules: Rules | None
    learner: Learner
    request: RecommendationRequest

    def narrowed(self) -> RecommendationRequest:
        """Return the request with what may not be ranked at all."""
        readable = self.request.readable if self._readable is None else self._readable
        return replace(self.request, readable=readable, hidden=self._hidden)

    def admits(self, course_id: int) -> bool:
        """Say whether a course has no obstacle of its own."""
        return course_id not in self._out and all(course_id in courses for courses in self._only)

    def admitted(self, ranked: Sequence[RankedCourse]) -> list[RankedCourse]:
        """Return the courses that have no obstacle of their own; asked for hundreds of courses a list."""
        out, only = self._out, self._only
        keys = [course.course_id for course in ranked]
        # Most rankings left out what may not be shown.
        if out.isdisjoint(keys) and all(courses.issuperset(keys) for courses in only):
            return list(ranked)
        found = [course for course in ranked if course.course_id not in out]
        for courses in only:
            found = [course for course in found if course.course_id in courses]
        return found

    def obstacles(self, course_id: int) -> Iterator[Obstacle]:
        """Yield all that keeps a course from the list, but for prerequisites, which `steps` tells."""
        for kind, courses in self._kept_out:
            if course_id in courses:
                yield Obstacle(kind, course_id=self._completed_after(course_id, kind))
        if self.rules is not None:
            facts = self.rules.courses.get(course_id)
            if facts is None:
                yield Obstacle(ObstacleKind.UNPUBLISHED)
            elif self._languages is not None and facts.language not in self._languages:
                yield Obstacle(ObstacleKind.LANGUAGE)
            for rule in self.staff(RecommendationRuleKind.EXCLUSION):
                if rule.is_about(course_id, facts):
                    yield Obstacle(ObstacleKind.EXCLUDED, rule_id=rule.id)
        if self.request.allowed is not None and course_id not in self.request.allowed:
            yield Obstacle(ObstacleKind.FILTERED)

    def steps(self, course_id: int, shown: AbstractSet[int]) -> list[int] | Obstacle:
        """Return what must be shown before a course, in its order, or what cannot be shown and so keeps it out.

        A prerequisite is met when it is completed, or comes before a completed course. One that the learner takes and
        has not completed is not met, and cannot be shown either: its course waits. One that is not published any more
        is not waited for, as nobody could take it.

        Args:
            course_id: a course without an obstacle of its own.
            shown: what stands in the list already.
        """
        found: list[int] = []
        if self.rules is None or course_id not in self.rules.needs:
            return found
        obstacle = self._visit(course_id, shown, found, _DEEPEST)
        return found if obstacle is None else obstacle

    def _visit(self, course_id: int, shown: AbstractSet[int], found: list[int], depth: int) -> Obstacle | None:
        rules = self.rules
        if rules is None:
            return None
        for needed in rules.needs.get(course_id, ()):
            if needed in self._mastered or needed in shown or needed in found or needed not in rules.courses:
                continue
            if depth == 0 or not self.admits(needed):
                return Obstacle(ObstacleKind.PREREQUISITE, course_id=needed)
            obstacle = self._visit(needed, shown, found, depth - 1)
            if obstacle is not None:
                return obstacle
            found.append(needed)
        return None

    def staff(self, kind: RecommendationRuleKind) -> tuple[StaffRule, ...]:
        """Return the rules of a kind that hold for this list."""
        return self._staff.get(kind, ())

    @cached_property
    def around(self) -> int | None:
        """The course that the list is around: as asked for, or the newest completed one after a completion."""
        if self.request.around is not None or self.request.surface is not RecommendationSurface.AFTER_COMPLETION:
            return self.request.around
        return next(iter(self.learner.with_status(EnrollmentStatus.COMPLETED)), None)

    @cached_property
    def _languages(self) -> frozenset[str] | None:
        return self.learner.languages

    @cached_property
    def _staff(self) -> dict[RecommendationRuleKind, tuple[StaffRule, ...]]:
        found: dict[RecommendationRuleKind, tuple[StaffRule, ...]] = {}
        for rule in self.rules.staff if self.rules is not None else ():
            if rule.in_force(self.request.now) and self._concerns(rule):
                found[rule.kind] = (*found.get(rule.kind, ()), rule)
        return found

    def _concerns(self, rule: StaffRule) -> bool:
        if rule.surface is not None and rule.surface is not self.request.surface:
            return False
        if rule.around_course_id is not None and rule.around_course_id != self.around:
            return False
        if rule.around_topic_id is None:
            return True
        chosen = self.learner.preferences.topic_ids if self.learner.preferences is not None else ()
        facts = None if self.rules is None or self.around is None else self.rules.courses.get(self.around)
        return rule.around_topic_id in chosen or (facts is not None and rule.around_topic_id in facts.topics)

    @cached_property
    def _completed(self) -> frozenset[int]:
        return frozenset(self.learner.with_status(EnrollmentStatus.COMPLETED))

    @cached_property
    def _below(self) -> frozenset[int]:
        if self.rules is None or not self._completed:
            return frozenset()
        return frozenset(self.rules.before(self._completed))

    @cached_property
    def _mastered(self) -> frozenset[int]:
        return self._completed | self._below

    @cached_property
    def _readable(self) -> frozenset[int] | None:
        return None if self.rules is None else self.rules.readable(self._languages)

    @cached_property
    def _only(self) -> tuple[frozenset[int], ...]:
        """Sets that a course must be in."""
        return tuple(courses for courses in (self._readable, self.request.allowed) if courses is not None)

    @cached_property
    def _out(self) -> frozenset[int]:
        return self._hidden.union(*(courses for _, courses in self._kept_out))

    @cached_property
    def _kept_out(self) -> tuple[tuple[ObstacleKind, AbstractSet[int]], ...]:
        learner = self.learner
        around = self.around
        taken = frozenset(learner.with_status(EnrollmentStatus.ACTIVE, EnrollmentStatus.COMPLETED))
        kinds: tuple[tuple[ObstacleKind, AbstractSet[int]], ...] = (
            (ObstacleKind.TAKEN, taken),
            (ObstacleKind.LEFT, frozenset(learner.with_status(EnrollmentStatus.WITHDRAWN))),
            (ObstacleKind.ON_THIS_PAGE, frozenset() if around is None else frozenset((around,))),
            (ObstacleKind.DISMISSED, learner.dismissed),
            (ObstacleKind.BELOW_COMPLETED, self._below),
        )
        return tuple((kind, courses) for kind, courses in kinds if courses)

    def _completed_after(self, course_id: int, kind: ObstacleKind) -> int | None:
        if kind is not ObstacleKind.BELOW_COMPLETED or self.rules is None:
            return None
        after = (key for key in sorted(self._completed) if course_id in self.rules.before((key,)))
        return next(after, None)

    @cached_property
    def _hidden(self) -> frozenset[int]:
        around = self.around
        found = set(self.request.hidden | self.learner.dismissed | self._below)
        if around is not None:
            found.add(around)
        if self.rules is not None:
            for rule in self.staff(RecommendationRuleKind.EXCLUSION):
                found |= self.rules.about(rule)
        return frozenset(found)
