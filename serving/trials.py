"""A release beside the live one: in shadow it is compared and never shown, as a canary it is shown to a share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from database.tables.models import TrialKind
from serving.breaker import Breaker
from serving.models import Model
from serving.rollout import is_in_share


@dataclass(frozen=True, slots=True)
class Trial:
    """A release beside the live one.

    Attributes:
        kind: how it is tried.
        version: of the release.
        percent: in a canary, how many of a hundred learners are shown its lists.
        model: ranks with it; None where it could not be loaded, and the live release ranks for everybody.
        is_idle: says whether nobody waits for a list, so that one may be ranked that nobody is shown.
        breaker: pauses it, and not the live release, when it keeps failing.
    """

    kind: TrialKind
    version: str
    percent: float = 0.0
    model: Model | None = None
    is_idle: Callable[[], bool] = lambda: True
    breaker: Breaker = field(default_factory=Breaker)

    def takes(self, learner_id: int) -> bool:
        """Say whether a learner is in the canary: whoever is stays in it while it grows."""
        return self.kind is TrialKind.CANARY and is_in_canary(self.version, learner_id, self.percent)

    def __str__(self) -> str:
        """Return how a person is told of it."""
        return described(self.kind, self.percent)


CurrentTrial = Callable[[], Trial | None]


def is_in_canary(version: str, learner_id: int, percent: float) -> bool:
    """Say whether a learner is in the canary of a release; each release has another share of the learners."""
    return is_in_share(f"canary:{version}", learner_id, percent)


def described(kind: str, percent: float | None) -> str:
    """Return how a person is told of a trial."""
    return f"canary {percent:g}%" if kind == TrialKind.CANARY else "shadow"
