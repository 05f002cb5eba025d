"""For notebooks: what the ranker is trained on, as a frame.

from app.notebook import dataset

frame = dataset(".waymark", feature_service="ranking_v1", learners=[7])
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.running import bring_up_to_date, read_settings
from app.wiring import platform
from core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def dataset(
    data_dir: Path | str | None = None,
    *,
    feature_service: str = "ranking_v1",
    as_of: datetime | None = None,
    learners: Sequence[int] | None = None,
    most: int = 1000,
    seed: int = 7,
) -> pd.DataFrame:
    """Return candidates of decisions of the past with every feature that the ranker would be given.

    Starts the embedded servers of the data folder, unless settings name others, and stops them again. Nothing is
    written. It runs in a thread of its own, so that it works where an event loop runs already, as in a notebook.

    Args:
        data_dir: the data folder; that of the settings when None.
        feature_service: the Feast feature service to read features of.
        as_of: only decisions strictly before this moment, which needs an offset; None for all.
        learners: ids (`learners.id`) of the learners whose decisions are wanted; None for all.
        most: how many decisions at most, the latest.
        seed: of the sampling of candidates that were not taken.

    Returns:
        One row a candidate: `learner_id` (int64), `course_id` (int64), `decided_at` (UTC, to the microsecond),
        `taken` (bool), and a float32 column for each feature by name, NaN for missing. Names that end in
        `_days_ago` are moments of the feature service, whose names end in `_at`; `pair_…` and `derived_…` are not
        stored but computed for the decision; `…_0`, `…_1` are the numbers of an embedding; a category is its code.

    Raises:
        InputError: nothing was materialized yet, there is no such service or learner, or nothing is left.
        UnavailableError: a server cannot be reached.
    """
    if as_of is not None and as_of.tzinfo is None:
        raise InputError("as_of has no offset; give datetime(..., tzinfo=UTC).")
    if most < 1:
        raise InputError("most must be at least 1.")

    async def read() -> pd.DataFrame:
        from app.model_training import training_data  # noqa: PLC0415 - XGBoost and Feast take seconds to import.
        from training.frames import candidate_frame  # noqa: PLC0415 - as above.

        moment = None if as_of is None else round(as_of.timestamp() * 1_000_000)
        async with platform(read_settings(data_dir=None if data_dir is None else Path(data_dir))) as parts:
            await bring_up_to_date(parts)
            async with training_data(parts, feature_service) as data:
                return await asyncio.to_thread(
                    candidate_frame, data.history, data.features, as_of=moment, learners=learners, most=most, seed=seed
                )

    with ThreadPoolExecutor(1, thread_name_prefix="notebook") as executor:
        return executor.submit(asyncio.run, read()).result()
