"""Lists for many learners at once, written to a file."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from app.interruptible import in_thread
from app.model_training import TrainingData
from app.releases import list_releases, live_of, loaded
from core.errors import InputError
from database.queries.history import COURSE_SOURCES, LEARNER_SOURCES, SourceRow
from database.session import Database
from features.interactions import Integers
from features.similarity import positions_of
from serving.ranker import as_microseconds
from training.dataset import Defaulted
from training.release import FittedModel, Report, TrainingOptions, fit_before
from training.scoring import score

COLUMNS = ("learner_id", "rank", "course_id", "score", "strategy")
_COLUMN = "learner_id"


@dataclass(frozen=True)
class ScoringRequest:
    """What is asked for.

    Attributes:
        learners: file with a column `learner_id`, ids of a source or of the platform; None for all learners.
        output: file to write.
        count: courses for each learner.
        moment: only what lies strictly before it is known, and the model is fitted anew; None for now, with the live
            release.
    """

    learners: Path | None
    output: Path
    count: int
    moment: datetime | None


@dataclass(frozen=True)
class Scored:
    """What was written.

    Attributes:
        learners: how many have a list.
        by_model: how many of them were ranked by the model; the others got what is popular.
        unknown: how many named learners do not exist; they have no list.
    """

    learners: int
    by_model: int
    unknown: int


async def score_learners(
    database: Database,
    models_dir: Path,
    data: TrainingData,
    request: ScoringRequest,
    *,
    now: datetime,
    options: TrainingOptions,
    report: Report,
) -> Scored:
    """Write the lists of learners to a file of comma-separated values.

    Raises:
        InputError: a file cannot be read or written, no release is live, or too little lies before the moment.
    """
    async with database.reader() as reader:
        learners = await reader.fetch(LEARNER_SOURCES)
        courses = await reader.fetch(COURSE_SOURCES)
    wanted = _wanted(request.learners, learners)
    ids = _by_name(learners)
    asked = [(name, ids[name]) for name in wanted if name in ids]
    moment = int(as_microseconds([request.moment or now])[0])
    if request.moment is None:
        model = await _live(database, models_dir, data)
    else:
        model = await in_thread(lambda told: fit_before(data.history, data.features, moment, options, told), report)
    by_model = await in_thread(
        lambda told: _write(data, model, asked, moment, request=request, names=_names(courses), report=told), report
    )
    return Scored(len(asked), by_model, len(wanted) - len(asked))


def _write(
    data: TrainingData,
    model: FittedModel,
    asked: Sequence[tuple[str, int]],
    moment: int,
    *,
    request: ScoringRequest,
    names: dict[int, str],
    report: Report,
) -> int:
    places, known = positions_of(np.array([each for _, each in asked], np.int64), data.history.learner_ids)
    positions: Integers = np.where(known, places, -1)
    lists = score(data.history, Defaulted(data.features, model.defaults), model, positions, moment, count=request.count)
    by_model = 0
    draft = request.output.with_name(f".{request.output.name}.draft")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for done, ((name, _), each) in enumerate(zip(asked, lists, strict=True), start=1):
                by_model += each.strategy == "MODEL"
                for rank, (course, value) in enumerate(zip(each.courses, each.scores, strict=True), start=1):
                    writer.writerow((name, rank, names[int(course)], f"{value:.6g}", each.strategy))
                if done % 256 == 0 or done == len(asked):
                    report("Scoring learners", done, len(asked))
        draft.replace(request.output)
    except OSError as error:
        raise InputError(f"The file {request.output} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return by_model


async def _live(database: Database, models_dir: Path, data: TrainingData) -> FittedModel:
    row = live_of(await list_releases(database))
    if row is None:
        raise InputError("No release is live: `waymark model train` makes one, `waymark model promote` releases it.")
    release = await asyncio.to_thread(loaded, models_dir, row)
    if release.layout != data.features.layout:
        raise InputError(
            f"Release {release.manifest.version} reads other features than {data.service}: "
            f"give --feature-service {release.manifest.feature_service}."
        )
    similarities = release.similarities.over(release.course_ids, data.history.traits)
    return FittedModel(release.ensemble, similarities, release.manifest.training_decisions, release.manifest.defaults)


def _wanted(path: Path | None, learners: Sequence[SourceRow]) -> list[str]:
    if path is None:
        return [row.source_id or str(row.id) for row in learners]
    try:
        return list(dict.fromkeys(_read(path)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The file {path} cannot be read: {error}.") from error


def _read(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if _COLUMN not in (rows.fieldnames or ()):
            raise InputError(f"The file {path} has no column {_COLUMN}.")
        for row in rows:
            if row[_COLUMN]:
                yield row[_COLUMN]


def _by_name(rows: Sequence[SourceRow]) -> dict[str, int]:
    """Return ids by what somebody may call them: a source's id wins over a number that is the same."""
    return {**{str(row.id): row.id for row in rows}, **{row.source_id: row.id for row in rows if row.source_id}}


def _names(rows: Sequence[SourceRow]) -> dict[int, str]:
    return {row.id: row.source_id or str(row.id) for row in rows}
