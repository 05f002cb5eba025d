"""Feature views: which features there are, of whom, and what each means. None is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureView, Field
from feast.types import FeastType, Float64, Int64

from feature_repo.entities import course_entity, learner_entity
from feature_repo.expectations import NOTHING, Expectations, number
from feature_repo.sources import COURSE_POPULARITY, COURSE_PROFILE, LEARNER_ACTIVITY, file_source
from features import course, learner

_SHARE = Expectations(lowest=0, highest=1)
_COUNT = Expectations(lowest=0)
_FEW = Expectations(lowest=1, most_null=0)
EXPECTED: Mapping[str, Expectations] = {
    "learner_enrollment_count": Expectations(lowest=0, most_null=0),
    "learner_active_days": _FEW,
    "learner_first_enrolled_at": _COUNT,
    "learner_last_enrolled_at": _COUNT,
    "learner_mean_gap_days": _COUNT,
    "learner_topic_count": _COUNT,
    "learner_topic_concentration": _SHARE,
    "learner_beginner_share": _SHARE,
    "learner_advanced_share": _SHARE,
    "learner_mean_duration": _COUNT,
    "course_enrollments_total": Expectations(lowest=0, most_null=0),
    "course_enrollments_7d": _COUNT,
    "course_enrollments_30d": _COUNT,
    "course_enrollments_90d": _COUNT,
    "course_level_code": Expectations(lowest=0, highest=4, most_null=0),
    "course_duration_minutes": _COUNT,
}
"""What is always true of what this code computes: a broken rule is a bug, and `waymark features validate` finds it."""


def feature_views(data_dir: Path) -> list[FeatureView]:
    """Return all feature views, over the tables of a data folder."""
    courses = course_entity()
    return [
        _view(
            data_dir,
            LEARNER_ACTIVITY,
            learner_entity(),
            learner.LEARNER_FEATURES,
            "What a learner took and when, through each moment at which that changed.",
        ),
        _view(
            data_dir,
            COURSE_POPULARITY,
            courses,
            course.POPULARITY_FEATURES,
            "Who takes a course, before each midnight (UTC); ask for whole days, values change at no other moment.",
        ),
        _view(
            data_dir,
            COURSE_PROFILE,
            courses,
            course.PROFILE_FEATURES,
            "What a course is; treated as known since before the first enrollment.",
        ),
    ]


def _view(
    data_dir: Path, name: str, entity: Entity, features: Mapping[str, tuple[str, str]], description: str
) -> FeatureView:
    kinds: dict[str, FeastType] = {"int64": Int64, "float64": Float64}
    return FeatureView(
        name=name,
        entities=[entity],
        # A value holds until the next one: what grows old is the materialization, and serving checks that.
        ttl=timedelta(0),
        schema=[
            Field(name=entity.join_key, dtype=Int64),
            *(
                number(each, text, EXPECTED.get(each, NOTHING), dtype=kinds[kind])
                for each, (kind, text) in features.items()
            ),
        ],
        source=file_source(data_dir, name),
        description=description,
    )
