"""Releases on disk and in the register whose ranks a test chooses; what they rank with is always the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from app.comparisons import Judges
from core.clock import Clock
from database.queries import releases
from database.session import Database
from features.columns import StoredFeature
from serving.artifact import Release, write_release
from tests.simulated_ranking import NOW, release, trained
from training.judgment import JUDGMENT, Judgment
from training.split import Protocol

AS_OF = 1_700_000_000_000_000


def judgment(
    model: Sequence[int],
    popularity: int = 9,
    *,
    first: int = 1,
    as_of: int = AS_OF,
    protocol: Protocol = Protocol.TIME_SPLIT,
) -> Judgment:
    """Return ranks of decisions of learners who are numbered from `first`."""
    count = len(model)
    return Judgment(
        protocol=protocol,
        as_of=as_of,
        learner_ids=np.arange(first, first + count),
        course_ids=np.arange(first, first + count) % 7,
        moments=np.full(count, as_of),
        model=np.array(model, np.int64),
        popularity=np.full(count, popularity),
    )


async def write(
    database: Database,
    models_dir: Path,
    clock: Clock,
    version: str,
    judged: Judgment | None,
    *,
    stored_features: tuple[StoredFeature, ...] = (),
    trained_until: datetime = NOW,
    **metrics: object,
) -> None:
    """Write and register a release, which says that it reads some features and until when its log went."""
    model = trained()
    digest = write_release(
        models_dir / version,
        release().manifest.model_copy(
            update={"version": version, "stored_features": stored_features, "trained_until": trained_until}
        ),
        model.ensemble,
        release().course_ids,
        model.similarities,
        extras={} if judged is None else {JUDGMENT: judged.packed()},
    )
    row = {
        "version": version,
        "location": version,
        "digest": digest,
        "feature_service": "ranking_v1",
        "metrics": {"rankers": {"model": {"ndcg": 0.3}}, **metrics},
        "training_rows": 1,
        "created_at": clock(),
    }
    async with database.transaction() as connection:
        await releases.register(connection, row)


class Chosen(Judges):
    """Ranks that a test chooses, by version, of what came after a moment or of what the other was judged on.

    Args:
        ranks: by version.
        later: how many decisions came after every log.
    """

    def __init__(self, ranks: Mapping[str, list[int]] | None = None, later: int = 0) -> None:
        self.ranks = ranks or {}
        self.later = later
        self.asked: list[tuple[str, int]] = []

    async def since(self, moment: int) -> Judgment:
        """Return as many decisions as there are."""
        return judgment([1] * self.later, as_of=moment)

    async def again(self, release: Release, asked: Judgment) -> Judgment:
        """Note who was asked as of when."""
        version = release.manifest.version
        self.asked.append((version, asked.as_of))
        ranks = (self.ranks[version] * len(asked.moments))[: len(asked.moments)]
        return replace(asked, model=np.array(ranks, np.int64))
