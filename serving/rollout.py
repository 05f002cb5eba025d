"""Whose lists the model ranks: nobody's, everybody's, or those of a stable share of the accounts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from core.settings import Recommendations

_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Rollout:
    """A phase of the release.

    Attributes:
        phase: `off`, `shadow`, `percent` or `on`.
        percent: in the phase `percent`, how many of a hundred accounts see the model's lists.
    """

    phase: Recommendations = Recommendations.ON
    percent: float = 0.0

    def withheld(self, learner_id: int) -> str | None:
        """Return why a learner does not see the model's lists; None when they do."""
        if self.phase is Recommendations.SHADOW:
            return "shadow"
        if self.phase is Recommendations.PERCENT and not self.is_assigned(learner_id):
            return "not assigned"
        return "off" if self.phase is Recommendations.OFF else None

    def is_assigned(self, learner_id: int) -> bool:
        """Say whether a learner belongs to the share; whoever does stays in it while it grows."""
        return is_in_share("recommendations", learner_id, self.percent)


def is_in_share(salt: str, learner_id: int, percent: float) -> bool:
    """Say whether a learner belongs to a stable share of all; with another salt it is a share of its own.

    Args:
        salt: what the share is for.
        learner_id: who.
        percent: how many of a hundred, to the hundredth; whoever is in the share stays in it while it grows.
    """
    digest = hashlib.blake2b(f"{salt}:{learner_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _PARTS < round(percent * _PARTS / 100)


EVERYBODY = Rollout()
