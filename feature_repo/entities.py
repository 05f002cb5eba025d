"""Whom features are about."""

from __future__ import annotations

from feast import Entity, ValueType

from features import course, learner


def learner_entity() -> Entity:
    """Return the learner, known by `learners.id`: pseudonymous, never an address or a name."""
    return Entity(
        name="learner", join_keys=[learner.ENTITY], value_type=ValueType.INT64, description="A learner (learners.id)."
    )


def course_entity() -> Entity:
    """Return the course, known by `courses.id`."""
    return Entity(
        name="course", join_keys=[course.ENTITY], value_type=ValueType.INT64, description="A course (courses.id)."
    )
