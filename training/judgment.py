"""What a release was judged on, decision by decision, so that releases can be compared on the same ones."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import InputError, ReleaseError
from features.interactions import Integers
from training.metrics import Metrics, measured
from training.split import Protocol

JUDGMENT = "judgment.npz"
"""The file of a release."""
FEWEST_COMMON = 20
"""Decisions that a comparison needs: the interval of one alone has no width."""
_INTERVAL = (2.5, 97.5)
_SEED = 7
_ARRAYS = ("learner_ids", "course_ids", "moments", "model", "popularity")


@dataclass(frozen=True, eq=False)
class Judgment:
    """Held-out decisions with their ranks, one a learner.

    Attributes:
        protocol: how they were chosen.
        as_of: moment (microseconds since 1970) that everything was known as of; -1 where each decision has its own.
        learner_ids: int64[d].
        course_ids: int64[d], the courses that were taken.
        moments: int64[d], when, microseconds since 1970.
        model: int64[d], the rank that the model gave to the course; `metrics.NOT_RANKED` where it gave none.
        popularity: int64[d], that of popularity.
    """

    protocol: Protocol
    as_of: int
    learner_ids: Integers
    course_ids: Integers
    moments: Integers
    model: Integers
    popularity: Integers

    def packed(self) -> bytes:
        """Return the content of a file."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, allow_pickle=False, protocol=np.array(self.protocol.value), as_of=np.int64(self.as_of), **arrays
        )
        return buffer.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> Judgment:
        """Return what a file holds.

        Raises:
            ReleaseError: it is none.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as found:
                arrays = {name: found[name].astype(np.int64) for name in _ARRAYS}
                judgment = cls(Protocol(str(found["protocol"])), int(found["as_of"]), **arrays)
        except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise ReleaseError("What the release was judged on cannot be read.") from error
        if len({array.shape for array in arrays.values()}) != 1:
            raise ReleaseError("What the release was judged on cannot be read.")
        return judgment

    def without(self, learner_ids: Integers) -> Judgment:
        """Return the decisions of everybody else; this itself when there are no others."""
        kept = ~np.isin(self.learner_ids, learner_ids)
        return self if kept.all() else replace(self, **{name: getattr(self, name)[kept] for name in _ARRAYS})

    def positions(self) -> dict[tuple[int, int, int], int]:
        """Return the place of each decision, by learner, course and moment."""
        keys = zip(self.learner_ids.tolist(), self.course_ids.tolist(), self.moments.tolist(), strict=True)
        return {key: position for position, key in enumerate(keys)}


@dataclass(frozen=True)
class Comparison:
    """One ranker against another on the same decisions.

    Attributes:
        common: decisions that both judged.
        only_ours: decisions that only the first judged.
        only_theirs: decisions that only the second judged.
        ours: figures of the first.
        theirs: figures of the second.
        difference: NDCG@10 of the first minus that of the second.
        low: lower end of its 95% interval, by paired bootstrap over learners.
        high: its upper end.
    """

    common: int
    only_ours: int
    only_theirs: int
    ours: Metrics
    theirs: Metrics
    difference: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Whether the first is better than chance explains: the whole interval, of enough decisions, lies above 0."""
        return self.common >= FEWEST_COMMON and self.low > 0

    @property
    def worse(self) -> bool:
        """Whether it is worse than chance explains."""
        return self.common >= FEWEST_COMMON and self.high < 0

    @property
    def verdict(self) -> str:
        """What follows from the interval, as the end of a sentence about the difference."""
        if self.common < FEWEST_COMMON:
            return f"says little: {FEWEST_COMMON} decisions are needed"
        if self.better:
            return "is more than chance"
        return "is more than chance, and for the worse" if self.worse else "may be chance"


def judged_alike(ours: Judgment, theirs: Judgment) -> bool:
    """Return whether two were judged by one protocol as of one moment, so that neither knew more than the other."""
    return (ours.protocol, ours.as_of) == (theirs.protocol, theirs.as_of)


def compare(ours: Judgment, theirs: Judgment) -> Comparison:
    """Compare the models of two releases.

    Raises:
        InputError: they have too few decisions in common, or were judged by different protocols or as of different
            moments, so that one of them knew more.
    """
    if not judged_alike(ours, theirs):
        raise InputError(
            "The two were judged by different protocols or as of different moments: train both on the same lake."
        )
    positions, others = ours.positions(), theirs.positions()
    common = [key for key in positions if key in others]
    if len(common) < FEWEST_COMMON:
        raise InputError(f"They were judged on {len(common)} decisions in common, and {FEWEST_COMMON} are needed.")
    mine = ours.model[[positions[key] for key in common]]
    other = theirs.model[[others[key] for key in common]]
    return _compared(mine, other, len(positions) - len(common), len(others) - len(common))


def against_popularity(judgment: Judgment) -> Comparison:
    """Compare the model of a release with popularity, on all of its decisions."""
    return _compared(judgment.model, judgment.popularity, 0, 0)


def _compared(ours: Integers, theirs: Integers, only_ours: int, only_theirs: int) -> Comparison:
    figures, resampled = measured({"ours": ours, "theirs": theirs}, np.random.default_rng(_SEED))
    low, high = np.percentile(resampled[:, 0] - resampled[:, 1], _INTERVAL)
    return Comparison(
        common=len(ours),
        only_ours=only_ours,
        only_theirs=only_theirs,
        ours=figures["ours"],
        theirs=figures["theirs"],
        difference=figures["ours"].ndcg - figures["theirs"].ndcg,
        low=float(low),
        high=float(high),
    )
