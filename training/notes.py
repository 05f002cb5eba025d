"""What training notes down for the report of a release, beside its figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import ReleaseError
from features.interactions import Integers
from training.lists import NO_COURSE
from training.metrics import CUTOFF

NOTES = "notes.json"
"""The file of a release."""
CURVE_POINTS = 8


class Notes(BaseModel):
    """Curves of the evaluation.

    Attributes:
        learning_curve: number of trees, and NDCG@10 of the model with so many of them, on the held-out decisions.
        coverage_curve: length of a list, and share of the published courses that is in any list of that length.
        exposure_curve: share of the published courses, the least shown first, and their share of all places of the
            first ten: the Lorenz curve of exposure.
        gini: twice the area between that curve and the diagonal, from 0 (all alike) to 1 (one course has all).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_curve: tuple[tuple[int, float], ...]
    coverage_curve: tuple[tuple[int, float], ...]
    exposure_curve: tuple[tuple[float, float], ...]
    gini: float

    def packed(self) -> bytes:
        """Return the content of a file."""
        return self.model_dump_json().encode()

    @classmethod
    def unpacked(cls, content: bytes) -> Notes:
        """Return what a file holds.

        Raises:
            ReleaseError: it is none.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise ReleaseError("The notes of the release cannot be read.") from error


def curve_steps(rounds: int) -> list[int]:
    """Return the numbers of trees at which a learning curve is measured, the whole last."""
    return sorted({int(step) for step in np.linspace(0, rounds, CURVE_POINTS + 1)[1:] if step >= 1})


def notes(learning_curve: Sequence[tuple[int, float]], lists: Integers, published: int) -> Notes:
    """Return the notes of an evaluation.

    Args:
        learning_curve: as in `Notes`.
        lists: int64[d, 10], the lists of the whole model, `NO_COURSE` where they are shorter.
        published: number of the courses that may be listed.
    """
    listed = [lists[:, :length][lists[:, :length] != NO_COURSE] for length in range(1, CUTOFF + 1)]
    most = max(1, published)
    shown = np.sort(np.bincount(listed[-1])[np.unique(listed[-1])]) if len(listed[-1]) else np.empty(0, np.int64)
    counts = np.concatenate([np.zeros(most - min(most, len(shown)), np.int64), shown])
    shares = np.concatenate([[0.0], np.cumsum(counts) / max(1, counts.sum())])
    across = np.linspace(0, 1, len(shares))
    picked = np.unique(np.linspace(0, len(shares) - 1, 51).astype(int))
    return Notes(
        learning_curve=tuple((step, float(value)) for step, value in learning_curve),
        coverage_curve=tuple((length, len(np.unique(each)) / most) for length, each in enumerate(listed, start=1)),
        exposure_curve=tuple((float(across[place]), float(shares[place])) for place in picked),
        gini=float(1 - 2 * np.trapezoid(shares, across)) if counts.sum() else 0.0,
    )
