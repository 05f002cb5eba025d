"""The report of a release, composed: its files, the feature tables, and some lists if it is live."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.cli.recommend import answer, told
from app.releases import list_releases, live_of, named, recorded_with
from app.server import ranking
from app.wiring import Platform
from core.errors import InputError, ReleaseError, UnavailableError
from database.queries import courses as course_queries
from database.queries.history import HISTORY, RECENT_LEARNERS
from database.queries.releases import ReleaseRow
from database.tables.models import ReleaseStatus
from features.vector import MOMENT_SUFFIX
from serving.artifact import Release, load_release, read_extra
from serving.rankings import RecommendationRequest, Strategy
from training.dataset import PointInTimeFeatures
from training.distributions import Distributions
from training.history import LearningHistory
from training.notes import NOTES, Notes
from training.report import Drift, Example, ReportContents, drift, page

EXAMPLES, LENGTH = 5, 5
_HISTORY = 10


def check_output(path: Path) -> None:
    """Refuse a file that could not be written, before minutes of work.

    Raises:
        InputError: its draft cannot be written beside it.
    """
    draft = _draft_of(path)
    try:
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


async def write_report(parts: Platform, version: str | None, output: Path, fewest: int = EXAMPLES) -> str:
    """Write the page of a release to a file that appears only when it is complete.

    Args:
        parts: the opened platform.
        version: of the release; the live one, else the newest, when None.
        output: the file.
        fewest: learners to show as examples.

    Returns:
        The version.

    Raises:
        InputError: there is no such release, it cannot be read, or the file cannot be written.
    """
    row = _chosen(await list_releases(parts.database), version)
    try:
        release = await asyncio.to_thread(load_release, parts.models_dir / row.location, row.digest)
        folder = parts.models_dir / row.location
        content = read_extra(folder, release.manifest, NOTES)
        notes = None if content is None else Notes.unpacked(content)
        then = recorded_with(folder, release.manifest)
    except ReleaseError as error:
        raise InputError(str(error)) from error
    live = row.status == ReleaseStatus.LIVE.value
    moved, no_drift = await _drift(parts, release, then)
    examples = await _examples(parts, release, fewest) if live else []
    contents = ReportContents(
        manifest=release.manifest,
        status=_status(row),
        booster=release.ensemble.booster,
        notes=notes,
        drift=moved,
        examples=examples,
        missing=(
            no_drift,
            "Nobody could be shown a list of the model now."
            if live
            else "Only the live release can be asked for lists.",
        ),
    )
    await asyncio.to_thread(_write, output, await asyncio.to_thread(page, contents))
    return row.version


def _chosen(rows: Sequence[ReleaseRow], version: str | None) -> ReleaseRow:
    if not rows:
        raise InputError("There is no release yet; `waymark model train` makes one.")
    if version is None:
        return live_of(rows) or rows[0]
    return named(rows, version)


def _status(row: ReleaseRow) -> str:
    if row.status == ReleaseStatus.LIVE.value:
        forced = ", by force" if row.metrics.get("promotion", {}).get("forced") else ""
        return f"Live since {row.promoted_at:%Y-%m-%d %H:%M} UTC{forced}"
    return "A candidate" if row.status == ReleaseStatus.CANDIDATE.value else "Retired"


async def _drift(parts: Platform, release: Release, then: Distributions | None) -> tuple[list[Drift] | None, str]:
    """Return drift, or why there is none."""
    from app.feature_distributions import compared  # noqa: PLC0415 - Feast takes seconds to import.
    from app.model_training import training_data  # noqa: PLC0415 - as above.

    try:
        if then is not None:
            stored = release.manifest.stored_features
            found = await asyncio.to_thread(list, compared(parts.data_dir, stored, then, parts.clock()))
            moved = sorted((each for one in found for each in one.columns), key=lambda each: -each.index)
            return (moved, "") if moved else (None, "No feature table can be read.")
        async with training_data(parts, release.manifest.feature_service) as data:
            now = int(parts.clock().timestamp() * 1e6)
            moved = await asyncio.to_thread(_moved, data.history, data.features, release, now)
            return moved, ""
    except (InputError, UnavailableError) as error:
        return None, f"The feature tables cannot be read. {error}"


def _moved(history: LearningHistory, features: PointInTimeFeatures, release: Release, now: int) -> list[Drift]:
    trained = int(release.manifest.trained_until.timestamp() * 1e6)
    found = []
    log, traits = history.interactions, history.traits
    known = log.moments <= trained
    # Who came later had no values then, and would pass for drift: only those are compared who were there.
    for names, ids, read in (
        (features.layout.learner, np.unique(history.learner_ids[log.learners[known]]), features.read_learners),
        (features.layout.course, np.unique(traits.course_ids[log.courses[known]]), features.read_courses),
    ):
        if names and len(ids):
            then, today = (np.asarray(read(ids, np.full(len(ids), at)), np.float64) for at in (trained, now))
            # A moment moves with the clock; what drifts is how long ago it was.
            for place, name in enumerate(names):
                age = name.endswith(MOMENT_SUFFIX)
                before = trained / 1e6 - then[:, place] if age else then[:, place]
                after = now / 1e6 - today[:, place] if age else today[:, place]
                found.append(drift(name, before, after))
    return sorted(found, key=lambda each: -each.index)


async def _examples(parts: Platform, release: Release, count: int) -> list[Example]:
    """Return lists of the learners who were active last, as the API would answer them."""
    if parts.redis_url is None:
        return []
    found: list[Example] = []
    async with ranking(parts) as ranked:
        # Of the release on the page, whoever would be shown those of a canary.
        recommender = replace(ranked, trial=lambda: None).recommender(parts, 10.0)
        await recommender.rulebook.load(parts.database, parts.clock())
        for learner_id in await _recent(parts, count):
            request = RecommendationRequest(learner_id=learner_id, now=parts.clock(), limit=LENGTH)
            printed = await answer(parts.database, recommender, request)
            by = printed.ranked
            if by.strategy is Strategy.MODEL and by.model_version == release.manifest.version:
                courses = [
                    (printed.titles.get(each.course_id, ""), [told(reason, printed) for reason in each.reasons])
                    for each in by.courses
                ]
                found.append(Example(learner_id, await _taken(parts, learner_id), courses))
    return found


async def _recent(parts: Platform, count: int) -> list[int]:
    async with parts.database.reader() as reader:
        return [row.id for row in await reader.fetch(RECENT_LEARNERS, number=count)]


async def _taken(parts: Platform, learner_id: int) -> list[str]:
    async with parts.database.reader() as reader:
        rows = (await reader.fetch(HISTORY, learner_id=learner_id))[:_HISTORY]
        titles = {
            row.id: row.title
            for row in await reader.fetch(course_queries.BY_IDS, ids=sorted(row.course_id for row in rows))
        }
    return [titles[row.course_id] for row in rows if row.course_id in titles]


def _write(path: Path, text: str) -> None:
    draft = _draft_of(path)
    try:
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"The file {path} cannot be written: {error.strerror}.")
