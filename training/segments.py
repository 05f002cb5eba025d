"""Kinds of decisions that a ranking is judged on apart, so that a good mean hides nobody."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers
from features.pair import DAY
from training.history import LEVELS, LearningHistory
from training.split import Stage, decided

FEWEST = 50
"""A segment of fewer decisions says nothing and is left out."""
_LENGTHS = ((0, 3, "up to 3"), (4, 5, "4 to 5"), (6, 10, "6 to 10"), (11, None, "11 or more"))
_NEW = 30 * DAY


def segments(history: LearningHistory, stage: Stage) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the name of each segment and bool[d], which decisions belong to it.

    By length of the history, by its most frequent language, by the level of the course that was taken, by whether that
    course was new at the moment, and by whether the learner was active in the month before.
    """
    decisions = stage.decisions
    histories = decided(history, stage, decisions)
    found: list[tuple[str, NDArray[np.bool_]]] = []
    for least, most, name in _LENGTHS:
        lengths = histories.lengths
        found.append((f"history: {name}", (lengths >= least) & (lengths <= (most if most is not None else lengths))))
    languages = _most_frequent(histories.decisions, history.traits.languages[histories.courses], len(decisions))
    for code, name in enumerate(history.languages, start=1):
        found.append((f"language: {name}", languages == code))
    targets = history.interactions.courses[decisions]
    for code, name in enumerate(LEVELS, start=1):
        found.append((f"level: {name}", history.traits.levels[targets] == code))
    fresh = first_taken(history)[targets] >= histories.now - _NEW
    found += [("course: new this month", fresh), ("course: older", ~fresh)]
    newest = np.zeros(len(decisions), np.int64)
    known = histories.lengths > 0
    newest[known] = histories.moments[histories.offsets[:-1][known]]
    active = histories.now - newest < _NEW
    found += [("learner: active this month", active), ("learner: away for longer", ~active)]
    yield from ((name, mask) for name, mask in found if int(mask.sum()) >= FEWEST)


def first_taken(history: LearningHistory) -> Integers:
    """Return int64[n], when each course was first taken; the end of time for one that never was."""
    moments = np.full(len(history.traits), np.iinfo(np.int64).max)
    np.minimum.at(moments, history.interactions.courses, history.interactions.moments)
    return moments


def _most_frequent(rows: Integers, codes: Integers, count: int) -> Integers:
    counts = np.zeros((count, int(codes.max(initial=0)) + 1), np.int64)
    np.add.at(counts, (rows, codes), 1)
    most: Integers = counts.argmax(axis=1)
    return most
