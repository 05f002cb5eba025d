"""What a learner's history says of a course: one computation, for training and for serving.

Nothing here knows a statistic of its own: histories hold only what lies strictly before the decision, similarities
were fitted before it.
"""

from __future__ import annotations

import numpy as np

from features.histories import DAY, HOUR, CourseTraits, Floats, Histories, History, Popularity
from features.interactions import Integers
from features.relations import DESCRIBED, UNWEIGHTED, WEIGHING, Relations, described_alike, similar_to
from features.towers import TOLD

__all__ = ["DAY", "HOUR", "PAIR_FEATURES", "CourseTraits", "Floats", "Histories", "History", "Popularity"]

_RELATIVE_SIMILARITIES = ("item_item", "transitions", "linear", "sequential")
PAIR_FEATURES: tuple[str, ...] = (
    *(f"pair_{name}" for name in WEIGHING),
    *(f"pair_{name}_last" for name in WEIGHING),
    *(f"pair_{name}_flat" for name in UNWEIGHTED),
    "pair_content",
    "pair_content_last",
    "pair_titles",
    "pair_titles_last",
    "pair_topics",
    "pair_popularity",
    "pair_topic_popularity",
    "pair_towers",
    "pair_towers_logit",
    "pair_towers_last",
    *(f"pair_{name}_relative" for name in (*_RELATIVE_SIMILARITIES, *DESCRIBED, "popularity")),
    "pair_level_share",
    "pair_language_share",
    "pair_language_popularity",
    "pair_hours_since_last",
    "pair_history_length",
    "pair_days_since_first",
    "pair_courses_last_day",
    "pair_courses_last_month",
)
_RELATIVE_ROWS = [tuple(WEIGHING).index(name) for name in _RELATIVE_SIMILARITIES]
_SIMILAR = 2 * len(WEIGHING) + len(UNWEIGHTED)
_LEVELS = 16


def pair_features(relations: Relations, history: History, traits: CourseTraits, columns: Integers) -> Floats:
    """Return float32[m, len(PAIR_FEATURES)] for a decision and m courses.

    Args:
        relations: of `history` with every course.
        history: what was known at the decision.
        traits: of every course.
        columns: int64[m], positions of courses.
    """
    # Filled by feature, which is contiguous this way, and read the other way round.
    features = np.zeros((len(PAIR_FEATURES), len(columns)), np.float32)
    popularity = relations.popularity
    described, counts = relations.described.take(columns, axis=1), popularity.counts[columns]
    row = _SIMILAR
    similar = similar_to(relations, columns, features[:row])
    features[row : row + 5 : 2] = described
    if len(history.courses):
        features[row + 1 : row + 4 : 2] = described_alike(relations, traits, columns)
    features[row + 5] = counts
    np.multiply(described[-1], np.log1p(counts), out=features[row + 6])
    row += 7
    relations.similarities.towers.said(relations.courses, columns, features[row : row + TOLD])
    row += TOLD
    largest = relations.values.max(axis=1, initial=0.0)[_RELATIVE_ROWS]
    np.divide(similar[_RELATIVE_ROWS], _divisors(largest), out=features[row : row + 4])
    np.divide(described, _divisors(relations.described.max(axis=1, initial=0.0)), out=features[row + 4 : row + 7])
    np.divide(counts, np.float32(popularity.largest or 1), out=features[row + 7])
    features[row + 8] = _share(traits.levels, history, _LEVELS)[traits.levels[columns]]
    features[row + 9] = _share(traits.languages, history, traits.language_count)[traits.languages[columns]]
    np.multiply(features[row + 9], counts, out=features[row + 10])
    features[row + 11 :] = _context(history)
    return features.T


def _divisors(largest: Floats) -> Floats:
    return np.where(largest > 0, largest, np.float32(1))[:, None]


def _share(codes: Integers, history: History, count: int) -> Floats:
    """Return float32[count], the share of the history that has a code."""
    counts = np.bincount(codes[history.courses], minlength=count).astype(np.float32)
    return counts / np.float32(max(1, len(history.courses)))


def _context(history: History) -> Floats:
    """Return float32[5, 1]: hours since the last, length, days since the first, taken in a day and a month."""
    elapsed = history.now - history.moments
    known = len(elapsed) > 0
    return np.array(
        [
            [elapsed[0] / HOUR if known else np.nan],
            [len(elapsed)],
            [elapsed[-1] / DAY if known else np.nan],
            [np.count_nonzero(elapsed < DAY)],
            [np.count_nonzero(elapsed < 30 * DAY)],
        ],
        np.float32,
    )
