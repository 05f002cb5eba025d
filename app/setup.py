"""From an empty machine to a platform that can be served: each stage is skipped when it has been done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from app import demonstration
from app.progress import Report
from app.server import services
from app.wiring import Platform
from catalog.simulation.demonstration import fill_demonstration
from core.errors import InputError
from core.settings import Recommendations
from database.migrate import migrate
from database.queries.erasures import RECENT_ERASURES
from database.queries.platform import STATE, PlatformRow
from serving.recommender import Recommender

DEMONSTRATION_ROUNDS = 100
"""Trees of the demonstration's ranker: most of the quality of 300, for somebody who waits for a first look."""

Say = Callable[[str], None]
Progress = Callable[[], AbstractContextManager[Report]]


async def prepare(parts: Platform, say: Say, progress: Progress) -> None:
    """Migrate, fill an empty platform, give it an account, materialize features and train, as far as each is needed.

    Args:
        parts: the opened platform.
        say: told one line a stage.
        progress: opens the display of long steps.

    Raises:
        InputError: the database is of a newer version, or a folder cannot be used.
        UnavailableError: a server is away.
    """
    before, after = await migrate(parts.database)
    say(f"Database: at revision {after}" + ("" if before == after else f", migrated from {before or 'empty'}") + ".")
    await _fill(parts, say)
    await _account(parts, say)
    if parts.settings.recommendations is Recommendations.OFF:
        say("Recommendations: off; answered by preference or popularity.")
        return
    await _materialize(parts, say, progress)
    await _train(parts, say, progress)


async def _fill(parts: Platform, say: Say) -> None:
    state = await _state(parts)
    if state.courses == 0:
        say("Platform: empty; simulating courses and learners for a demonstration ...")
        filled = await fill_demonstration(parts.database, parts.clock)
        say(f"Platform: {filled.courses:,} courses and {filled.enrollments:,} enrollments, all of them simulated.")
        return
    say(f"Platform: {state.courses:,} courses" + (" (simulated)." if state.simulated else "."))


async def _account(parts: Platform, say: Say) -> None:
    # Apart from the filling, so that a start that was interrupted between the two is mended by the next.
    if not (await _state(parts)).simulated or not await demonstration.is_unclaimed(parts.database):
        return
    try:
        account = await demonstration.create_account(parts, await services(parts, Recommender(None, 1.0)))
    except demonstration.TakenError as error:
        # Somebody else's account keeps nobody from using the platform.
        say(f"Account: none for the demonstration. {error}")
        return
    say(f"Account: {account.email} signs in as a simulated learner.")


async def _materialize(parts: Platform, say: Say, progress: Progress) -> None:
    # Feast takes seconds to import, which only a platform that needs it should wait for.
    from app.feature_pipeline import FeaturePlaces, is_online, latest_materialization, materialize  # noqa: PLC0415

    if parts.redis_url is None:
        return
    places = FeaturePlaces(parts.data_dir, parts.redis_url)
    latest = await latest_materialization(parts.database)
    # Features that pass for fresh today should still do so while this process serves.
    oldest = parts.clock() - timedelta(seconds=parts.settings.ranking.stale_after / 2)
    fresh = latest is not None and latest.features_as_of > oldest and await is_online(places, latest)
    if latest is not None and fresh and not await _anybody_to_forget(parts):
        say(f"Features: as of {latest.features_as_of:%Y-%m-%d %H:%M} UTC.")
        return
    say("Features: computing and materializing ...")
    with progress() as report:
        done = await materialize(parts.database, places, parts.clock, report=report)
    rows = sum(done.row_counts.values())
    say(f"Features: {rows:,} rows as of {done.features_as_of:%Y-%m-%d %H:%M} UTC.")


async def _anybody_to_forget(parts: Platform) -> bool:
    async with parts.database.reader() as reader:
        return any(row.forgotten_at is None for row in await reader.fetch(RECENT_ERASURES, since=parts.clock()))


async def _train(parts: Platform, say: Say, progress: Progress) -> None:
    state = await _state(parts)
    if state.live_releases:
        say("Model: a release is live.")
        return
    from app.model_training import train_model, training_data  # noqa: PLC0415 - as above, and XGBoost.
    from feature_repo.services import RANKING  # noqa: PLC0415 - as above.
    from training.release import TrainingOptions  # noqa: PLC0415 - as above.

    say("Model: training ...")
    options = TrainingOptions(rounds=DEMONSTRATION_ROUNDS) if state.simulated else TrainingOptions()
    try:
        async with training_data(parts, RANKING) as data:
            with progress() as report:
                outcome = await train_model(
                    parts.database, parts.models_dir, data, clock=parts.clock, options=options, report=report
                )
    except InputError as error:
        say(f"Model: none yet. {error}")
        return
    gain = outcome.evaluation.gain
    say(
        f"Model: release {outcome.version}, {gain:.1f} times popularity by NDCG@10"
        + ("." if outcome.live else "; not live.")
    )


async def _state(parts: Platform) -> PlatformRow:
    async with parts.database.reader() as reader:
        (row,) = await reader.fetch(STATE)
        return row
