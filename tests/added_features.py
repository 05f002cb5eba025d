"""Feature views of courses and learners as a data scientist would add them: numbers, categories, an embedding."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import feature_repo

SERVICE, VIEW, LEARNER_VIEW = "ranking_v2", "course_signals", "learner_signals"
MODULE = """
from datetime import timedelta

from feast import FeatureService, FeatureView, FileSource

from feature_repo.entities import course_entity, learner_entity
from feature_repo.expectations import Expectations, category, embedding, freshness, number
from feature_repo.views import feature_views


def declare(data_dir):
    signals = FeatureView(
        name="course_signals",
        entities=[course_entity()],
        ttl=timedelta(0),
        schema=[
            number("course_rating", "Stars.", Expectations(lowest=0, highest=5, most_null=0.2, most_drift=0.25)),
            category("course_format", ["VIDEO", "TEXT"], "Mostly what."),
            embedding("course_embedding", 3, "Of its text.", Expectations(lowest=-1, highest=1)),
        ],
        source=FileSource(
            name="signals_table", path=str(data_dir / "signals.parquet"), timestamp_field="event_timestamp"
        ),
        tags=freshness(timedelta(days=2)),
    )
    pupils = FeatureView(
        name="learner_signals",
        entities=[learner_entity()],
        ttl=timedelta(0),
        schema=[
            number("learner_joined_at", "When, unix seconds."),
            category("learner_device", ["PHONE", "DESKTOP"], "Mostly which."),
        ],
        source=FileSource(
            name="pupils_table", path=str(data_dir / "pupils.parquet"), timestamp_field="event_timestamp"
        ),
    )
    return [pupils, signals, FeatureService(name="ranking_v2", features=[*feature_views(data_dir), pupils, signals])]
"""


def signals(courses: list[int], moments: list[datetime], seed: int = 1) -> pd.DataFrame:
    """Return signals of each course at each moment, with a gap, an unknown category and a list of another width."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame([(course, at) for at in moments for course in courses], columns=["course_id", "at"])
    count = len(frame)
    embeddings = list(rng.uniform(-1, 1, (count, 3)).astype(np.float32))
    embeddings[2] = embeddings[2][:2]
    ratings = rng.uniform(1, 5, count)
    ratings[0] = np.nan
    return pd.DataFrame(
        {
            "course_id": frame["course_id"],
            "event_timestamp": pd.to_datetime(frame["at"], utc=True).astype("datetime64[us, UTC]"),
            "course_rating": ratings,
            "course_format": rng.choice(["VIDEO", "TEXT", "SMELL"], count),
            "course_embedding": embeddings,
        }
    )


def pupils(learners: list[int], moment: datetime) -> pd.DataFrame:
    """Return signals of learners as of a moment."""
    rng = np.random.default_rng(2)
    count = len(learners)
    return pd.DataFrame(
        {
            "learner_id": learners,
            "event_timestamp": pd.Series([moment] * count).astype("datetime64[us, UTC]"),
            "learner_joined_at": rng.integers(1_600_000_000, 1_700_000_000, count),
            "learner_device": rng.choice(["PHONE", "DESKTOP", "FRIDGE"], count),
        }
    )


@contextmanager
def declared(folder: Path, text: str = MODULE) -> Iterator[Path]:
    """Lay a module beside those of feature_repo; yield its file."""
    folder.mkdir(exist_ok=True)
    file = folder / "signals.py"
    file.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_repo, "__path__", [*feature_repo.__path__, str(folder)])
        try:
            yield file
        finally:
            forget()


def rewrite(file: Path, text: str) -> None:
    """Change the module, as a person who edits it."""
    file.write_text(text, encoding="utf-8")
    forget()


def forget() -> None:
    """Let the module be read anew."""
    sys.modules.pop("feature_repo.signals", None)
    if hasattr(feature_repo, "signals"):
        del feature_repo.signals


def days_before(moment: datetime, *days: float) -> list[datetime]:
    """Return moments that lie some days before another."""
    return [moment - timedelta(days=each) for each in days]
