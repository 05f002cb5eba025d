"""The model's way, composed: feature store, course matrix, release and engine, kept fresh while serving.

Importing this imports Feast and XGBoost, so it is only imported where recommendations are on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.wiring import Platform
from core.errors import UnavailableError
from core.tasks import running
from feature_repo.services import RANKING
from feature_repo.store import PROJECT, open_store
from features.kernels import compiled_kernels
from serving.course_matrix import CourseMatrixHolder
from serving.engine import RankingEngine
from serving.learner_features import TIMEOUT, LearnerFeatures
from serving.lists import RankedLists
from serving.releases import ReleaseHolder
from serving.served import ServedFeatures
from serving.valkey import valkey

_LOG = logging.getLogger(__name__)
_FIRST_LOAD_SECONDS = 10.0


@asynccontextmanager
async def ranking_engine(parts: Platform) -> AsyncIterator[RankingEngine]:
    """Open the engine, give it some time to load what is live, and refresh it until the end of the block.

    Whatever is missing does not fail the block: the engine looks again at every interval.
    """
    redis_url = parts.redis_url
    if redis_url is None:
        raise UnavailableError("Recommendations need the URL of Redis or Valkey.")
    store = await asyncio.to_thread(open_store, parts.data_dir, redis_url, PROJECT, timeout=TIMEOUT)
    releases = ReleaseHolder(parts.database, parts.models_dir)
    served = ServedFeatures(store, RANKING, releases.manifests, parts.clock)
    learner_features = LearnerFeatures(store, RANKING, served)
    engine = RankingEngine(
        parts.database,
        releases,
        CourseMatrixHolder(parts.database, store, RANKING, served),
        learner_features,
        parts.settings.ranking,
    )
    if compiled_kernels() is None:
        _LOG.warning("Set-up compiled nothing: a ranking takes three times as long. Run it again with a C compiler.")
    try:
        async with asyncio.timeout(_FIRST_LOAD_SECONDS):
            await engine.refresh()
    except (UnavailableError, TimeoutError) as error:
        reason = "loading it takes long" if isinstance(error, TimeoutError) else error
        _LOG.warning("Serving starts without a model: %s", reason)
    try:
        async with running(engine.watch()):
            yield engine
    finally:
        engine.close()
        learner_features.close()


@asynccontextmanager
async def ranked_lists(parts: Platform) -> AsyncIterator[RankedLists]:
    """Open where learners' ranked lists are kept; nothing fails while Valkey is away."""
    assert parts.redis_url is not None  # noqa: S101 - the engine has refused to open without.
    async with valkey(parts.redis_url) as store:
        yield RankedLists(store, timedelta(seconds=parts.settings.ranking.list_lifetime))
