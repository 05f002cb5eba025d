"""What each column of the vector means, for people who read reports of a model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from features.course import POPULARITY_FEATURES, PROFILE_FEATURES
from features.learner import LEARNER_FEATURES
from features.relations import UNWEIGHTED, WEIGHING
from features.vector import relative_name

_SIMILARITIES: Mapping[str, str] = {
    "item_item": "How many learners the course shares with others (cosine)",
    "companions": "The same, where a learner of many courses counts less",
    "nearby": "How often the course was taken within days of others",
    "transitions": "How often the course was taken soon after others",
    "linear": "What is taken together (EASE), older enrollments weighing less",
    "sequential": "What follows on what (SLIST)",
    "latent": "Nearness in a singular value decomposition of who took what",
}
_DESCRIBED: Mapping[str, str] = {
    "content": "Topics and skills in common",
    "titles": "Words of titles in common",
}
_PLAIN: Mapping[str, str] = {
    "pair_topics": "Share of the history on a topic of the course, the latest weighing more, averaged over its topics.",
    "pair_popularity": "Enrollments in the course in the last 30 days.",
    "pair_topic_popularity": "pair_topics times the logarithm of one and pair_popularity.",
    "pair_towers": "What is taken next, as two towers of vectors have it: with the history, the newer weighing more.",
    "pair_towers_logit": "pair_towers and how likely the course is taken by anybody.",
    "pair_towers_last": "What is taken next, as two towers of vectors have it: with the newest of the history alone.",
    "pair_level_share": "Share of the history that has the level of the course.",
    "pair_language_share": "Share of the history that is in the language of the course.",
    "pair_language_popularity": "pair_language_share times pair_popularity.",
    "pair_hours_since_last": "Hours since the learner last enrolled; equal for all courses of a list.",
    "pair_history_length": "Courses that the learner took; equal for all courses of a list.",
    "pair_days_since_first": "Days since the learner first enrolled; equal for all courses of a list.",
    "pair_courses_last_day": "Courses that the learner took in the last day; equal for all courses of a list.",
    "pair_courses_last_month": "Courses that the learner took in the last 30 days; equal for all courses of a list.",
    "derived_course_rate": "Enrollments of the course by days since its first.",
    "derived_week_trend": "Enrollments of the last 7 days over those of the last 30, a few added to both.",
    "derived_month_trend": "Enrollments of the last 30 days over those of the last 90, a few added to both.",
}


def _of_pairs() -> dict[str, str]:
    found = dict(_PLAIN)
    for name, text in _SIMILARITIES.items():
        reach, _ = WEIGHING[name]
        found[f"pair_{name}"] = f"{text}: over the {reach} latest of the history, the newer weighing more."
        found[f"pair_{name}_last"] = f"{text}: with the newest of the history alone."
    for name in UNWEIGHTED:
        found[f"pair_{name}_flat"] = f"{_SIMILARITIES[name]}: over the history, all weighing alike."
    for name, text in _DESCRIBED.items():
        found[f"pair_{name}"] = f"{text} with the history, the newer weighing more."
        found[f"pair_{name}_last"] = f"{text} with the newest of the history alone."
    for name in ("item_item", "transitions", "linear", "sequential", "content", "titles", "topics", "popularity"):
        found[f"pair_{name}_relative"] = f"pair_{name} over the largest that any course has for this learner."
    return found


def _of_stored() -> dict[str, str]:
    told = {**LEARNER_FEATURES, **POPULARITY_FEATURES, **PROFILE_FEATURES}
    # The column of a moment holds how long ago it was.
    return {relative_name(name): text.replace(", unix seconds.", ", days ago.") for name, (_, text) in told.items()}


MEANINGS: Mapping[str, str] = MappingProxyType({**_of_stored(), **_of_pairs()})
"""By name of the column, a sentence; columns of views that were only declared have none."""
