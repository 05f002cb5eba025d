"""`waymark model`: train, evaluate and release the ranking model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from app.cli import releases, reporting, trials
from app.cli.evaluations import print_evaluation
from app.cli.running import DataDir, check_folder, progress_console, run_on_platform
from app.model_scoring import Scored, ScoringRequest, score_learners
from app.model_training import (
    TrainingOutcome,
    evaluate_model,
    train_model,
    training_data,
)
from app.progress import shown
from app.wiring import Platform
from core.errors import InputError
from training.evaluate import Evaluation
from training.release import TrainingOptions
from training.split import Protocol

app = typer.Typer(help="Train, evaluate and release the ranking model.", no_args_is_help=True)

Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random: the same gives the same model.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads to train and judge with.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Trees of the ranker.")]
Exposed = Annotated[
    bool,
    typer.Option(
        "--exposures/--no-exposures",
        help="Learn from what learners were shown too, corrected for its place, where enough was logged.",
    ),
]
_MOMENTS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
Since = Annotated[
    datetime | None,
    typer.Option("--since", formats=_MOMENTS, help="Learn from decisions at or after this moment only, UTC."),
]
Until = Annotated[
    datetime | None, typer.Option("--until", formats=_MOMENTS, help="Know nothing of this moment and later, UTC.")
]
HeldOut = Annotated[
    datetime | None,
    typer.Option(
        "--held-out-since",
        formats=_MOMENTS,
        help="Judge on decisions at or after this moment, UTC (default: the last tenth of the log, or less of it).",
    ),
]
Service = Annotated[str, typer.Option("--feature-service", help="Feast feature service to read features of.")]

_SERVICE = "ranking_v1"


@app.command()
def train(
    data_dir: DataDir = None,
    seed: Seed = TrainingOptions.seed,
    threads: Threads = 2,
    rounds: Rounds = TrainingOptions.rounds,
    feature_service: Service = _SERVICE,
    *,
    since: Since = None,
    until: Until = None,
    held_out_since: HeldOut = None,
    exposures: Exposed = True,
) -> None:
    """Train a release on all history, or on what lay before --until, and evaluate it on the end of that.

    Learns from the latest decisions, or from all since --since; what lies before them feeds statistics and histories.
    Reads the lake and the feature tables (`waymark features materialize` writes them). Writes a folder below
    `models/` of the data folder and registers it; the first release that beats popularity becomes live. Interrupted,
    it leaves finished parts in `training/`; the same command goes on from there, to the same release.

    It is judged on the last tenth of the log. Where the live release has learned from a part of that, it is judged on
    what is later only, by as much knowledge as the live one has, if 200 learners took a course since; the same model is
    released either way, and `compare` and `promote` find both judged by what both know.
    """
    if since is not None and until is not None and since >= until:
        raise InputError("--since must lie before --until.")
    options = TrainingOptions(
        seed=seed,
        threads=threads,
        rounds=rounds,
        since=_microseconds(since),
        held_out_since=_microseconds(held_out_since),
    )
    moment = _microseconds(until)

    async def work(parts: Platform) -> TrainingOutcome:
        async with training_data(parts, feature_service, exposures=exposures) as found:
            data = found if moment is None else found.known_before(moment)
            with shown(progress_console()) as report:
                return await train_model(
                    parts.database,
                    parts.models_dir,
                    data,
                    clock=parts.clock,
                    options=options,
                    report=report,
                    working_dir=parts.training_dir,
                )

    _print_outcome(Console(highlight=False), run_on_platform(data_dir, work))


def _print_outcome(console: Console, outcome: TrainingOutcome) -> None:
    if outcome.resumed:
        console.print(f"{outcome.resumed} parts of a training that was interrupted were not made again.")
    print_evaluation(console, outcome.evaluation)
    if outcome.judged_since is not None:
        console.print(
            f"It was judged on what came after {outcome.judged_since:%Y-%m-%d %H:%M}, until when the live release has "
            "learned, so that the two can be compared.",
            soft_wrap=True,
        )
    if outcome.exposures is not None and outcome.exposures.learned:
        console.print(f"It learned from {outcome.exposures.learned:,} choices of what learners were shown too.")
    if outcome.live:
        console.print(f"Release {outcome.version} is live.")
    else:
        console.print(
            f"Release {outcome.version} is a candidate; `waymark model promote {outcome.version}` releases it."
        )


@app.command()
def evaluate(
    data_dir: DataDir = None,
    protocol: Annotated[Protocol, typer.Option("--protocol", help="What is held out.")] = Protocol.TIME_SPLIT,
    seed: Seed = TrainingOptions.seed,
    threads: Threads = 2,
    feature_service: Service = _SERVICE,
    *,
    rounds: Rounds = TrainingOptions.rounds,
    exposures: Exposed = True,
    json: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file too.")] = None,
) -> None:
    """Train without what a protocol holds out, and print how well that is predicted.

    Reads the lake and the feature tables; writes nothing but the file of `--json`. Every course that the learner has
    not taken is ranked, and ties count against the course that was. `time-split` knows nothing of the last tenth of
    the log; `leave-last-out` hides each learner's last course. Baselines are tuned on decisions before the test only;
    intervals are 95%, by paired bootstrap over learners.
    """
    options = TrainingOptions(seed=seed, threads=threads, rounds=rounds)
    check_folder(json)

    async def work(parts: Platform) -> Evaluation:
        async with training_data(parts, feature_service, exposures=exposures) as data:
            with shown(progress_console()) as report:
                return await evaluate_model(data, protocol, options, report)

    evaluation = run_on_platform(data_dir, work)
    print_evaluation(Console(highlight=False), evaluation)
    if json is not None:
        try:
            json.write_bytes(orjson.dumps(evaluation.as_json(), option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise InputError(f"The file {json} cannot be written: {error.strerror}.") from error


@app.command()
def score(
    output: Annotated[Path, typer.Option("--output", help="File of comma-separated values to write.")],
    data_dir: DataDir = None,
    learners: Annotated[
        Path | None, typer.Option("--learners", help="File with a column learner_id: ids of the source, or our own.")
    ] = None,
    count: Annotated[int, typer.Option("--k", min=1, max=500, help="Courses for each learner.")] = 10,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=_MOMENTS,
            help="Score from what was known before this moment, UTC, with a model fitted before it.",
        ),
    ] = None,
    seed: Seed = TrainingOptions.seed,
    threads: Threads = 2,
    rounds: Rounds = TrainingOptions.rounds,
    feature_service: Service = _SERVICE,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="Score all learners.")] = False,
) -> None:
    """Write the best courses of many learners to a file: learner_id, rank, course_id, score, strategy.

    Reads the lake and the feature tables, and the live release or, with --as-of, the log before that moment, to fit a
    model on it; writes nothing but the file. A learner of whom nothing is known by then gets what is popular; ids
    that nobody has are left out and counted.
    """
    if everybody == (learners is not None):
        raise InputError("Give either --learners FILE or --all.")
    check_folder(output)
    moment = as_of.replace(tzinfo=UTC) if as_of is not None else None
    request = ScoringRequest(learners, output, count, moment)
    options = TrainingOptions(seed=seed, threads=threads, rounds=rounds)

    async def work(parts: Platform) -> Scored:
        async with training_data(parts, feature_service) as data:
            with shown(progress_console()) as report:
                return await score_learners(
                    parts.database,
                    parts.models_dir,
                    data,
                    request,
                    now=parts.clock(),
                    options=options,
                    report=report,
                )

    found = run_on_platform(data_dir, work)
    console = Console(highlight=False)
    console.print(f"{found.learners} learners have a list, {found.by_model} of them by the model.")
    if found.unknown:
        console.print(f"{found.unknown} learners are not known and have none.")


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.replace(tzinfo=UTC).timestamp() * 1_000_000)


app.command()(releases.compare)
app.command()(releases.promote)
app.command()(releases.rollback)
app.command()(trials.shadow)
app.command()(trials.canary)
app.command()(trials.trial)
app.command()(trials.end_trial)
app.command()(reporting.report)
app.command(name="list")(releases.list_)
