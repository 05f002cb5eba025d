"""Whatever the commands print in tables can be read on a terminal of 80 columns."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from app.cli import catalog, evaluations, features, operations, recommend, releases, trials
from app.comparisons import Compared
from app.feature_checks import Check
from app.feature_plans import Change, Coverage
from app.releases import Tried
from app.trial_outcomes import Side, TrialOutcomes
from database.tables.models import TrialKind
from gateway.documents import Documents
from schema.contract import build_schema
from tests.judged_releases import judgment
from tests.simulated_ranking import release
from training.coldstart import ColdStart
from training.evaluate import Evaluation, Segment
from training.judgment import compare
from training.lists import ListQuality
from training.metrics import Comparison, Metrics
from training.providers import Concentration, ProviderConcentration
from training.split import Protocol
from training.tradeoffs import Tradeoff

WIDTH = 80
NOW = datetime(2026, 11, 27, 20, 31, tzinfo=UTC)
VERSION, OTHER = "20261127T203109059006Z", "20261128T203109059006Z"
LONG = "learner_activity_of_the_last_thirty_days"


class Collecting(Console):
    """A console of 80 columns that keeps the tables it is given."""

    def __init__(self, *, soft_wrap: bool = False) -> None:
        super().__init__(file=io.StringIO(), width=WIDTH, highlight=False, soft_wrap=soft_wrap)
        self.printed: list[tuple[Table, str]] = []

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, and keep what is a table with what was printed of it."""
        before = len(self.text)
        super().print(*objects, **options)
        self.printed += [(each, self.text[before:]) for each in objects if isinstance(each, Table)]

    @property
    def text(self) -> str:
        """What was printed."""
        return self.file.getvalue()  # type: ignore[attr-defined, no-any-return]  # It is a `StringIO`.


def evaluated(console: Console) -> None:
    """Print an evaluation with everything that there may be."""
    metrics = Metrics(0.1234, 0.0797, 0.0712, 0.0881)
    lists = ListQuality(0.4234, 0.512, 11.25, 1.25, 0.125)
    shares = Concentration(0.512, 0.0123, 0.1234)
    names = ("popularity", "recent-popularity", "item-knn", "ease-recency", "linear-blend", "model", "model-daily")
    evaluations.print_evaluation(
        console,
        Evaluation(
            Protocol.LEAVE_LAST_OUT,
            24_036,
            dict.fromkeys(names, metrics),
            0.49,
            settings={"ease-recency": {"regularization": 500.0, "half_life_days": 180.0}},
            comparisons=tuple(Comparison("model", name, 1.345, 1.29, 1.4) for name in names[:5]),
            segments=(Segment("language: Portuguese (Brazil)", 24_036, 0.0797, 0.0205, 3.9, 0.0712, 0.0881),),
            lists=lists,
            tradeoffs=tuple(Tradeoff(each, 5_000, 0.0797, 0.0712, 0.0881, lists) for each in (0.0, 0.25)),
            providers=ProviderConcentration(1_234, {"a catalog that is shown evenly": shares, "model": shares}),
            cold_start=ColdStart(1_000, 0.0512, 0.0212, 2.41),
        ),
    )


def listed_releases(console: Console) -> None:
    """Print releases of every kind."""
    plain: dict[str, Any] = {
        "version": VERSION,
        "status": "candidate",
        "trial": None,
        "trial_percent": None,
        "feature_service": "ranking_v1",
        "metrics": {"rankers": {"model": {"ndcg": 0.0797}}, "promotion": {"forced": True}},
        "promoted_at": NOW,
    }
    kinds: list[dict[str, Any]] = [
        {},
        {"promoted_at": None},
        {"trial": "canary", "trial_percent": 12.5},
        {"feature_service": "ranking_with_embeddings_v2"},
    ]
    rows: list[Any] = [SimpleNamespace(**{**plain, **each}) for each in kinds]
    console.print(releases._release_table(rows))


def compared(console: Console) -> None:
    """Print a comparison of two releases."""
    ours, theirs = (release().manifest.model_copy(update={"version": each}) for each in (VERSION, OTHER))
    found = compare(judgment([2, 8, 20] * 30), judgment([3, 9, 20] * 30))
    releases._print_comparison(console, Compared(ours, theirs, found, (ours, theirs), NOW))


def tried(console: Console) -> None:
    """Print both sides of a canary."""
    side = Side(123_456, 1_234_567, 12_345, 1_234, 1_234, 123)
    trials._print_sides(console, TrialOutcomes(Tried(VERSION, TrialKind.CANARY, 5.0, NOW), OTHER, side, side))


def recommended(console: Console) -> None:
    """Print a list with its reasons."""
    course = SimpleNamespace(course_id=123_456, score=12.345, reasons=())
    found: Any = SimpleNamespace(
        ranked=SimpleNamespace(courses=[course] * 10), titles={123_456: "Machine Learning A-Z: Python and R"}
    )
    console.print(recommend._table(found))


def about_features(console: Console) -> None:
    """Print what the commands about features tell."""
    features._print_plan(console, [Change("changed", "service", f"{LONG}:{LONG}", "Int64 -> Float32")])
    features._print_coverage(console, [Coverage(LONG, computed=False, rows=12_345_678, entities=999_999, earliest=NOW)])
    console.print(features._check_table([Check(LONG, LONG, "freshness", "at most 2 days", "4 days", holds=False)]))
    row = (LONG, "Array(Float32)", "how many courses the learner has taken in the last thirty days")
    listing: Any = SimpleNamespace(
        views=[SimpleNamespace(name=LONG, entity="learner", description="What they did.", features=[row])],
        features_as_of=NOW,
        age=None,
    )
    features._print_listing(console, listing)


def about_catalogs(console: Console) -> None:
    """Print what the commands about catalogs tell."""
    examples = [SimpleNamespace(line=12_345, message="The description is shorter than 200 characters.")] * 3
    rule = SimpleNamespace(
        rule="description_too_short", severity=SimpleNamespace(value="blocking"), rows=12_345, examples=examples
    )
    tag = SimpleNamespace(tag="Personal Development / Productivity", rows=1_234, lines=[1, 22, 333], nearest="business")
    found: Any = SimpleNamespace(rows=12_345, loadable=1, mean_score=0.5, rules=[rule], unmapped=(tag,))
    catalog.print_findings(found, console)


def listed_operations(console: Console) -> None:
    """Print registered operations."""
    plain: dict[str, Any] = {
        "name": "RecommendedCoursesScreen",
        "id": "0123456789abcdef" * 4,
        "kind": "subscription",
        "clients": ["ios 3.2.0", "android 3.1.0-beta"],
        "count": 1_234_567,
        "last_used_at": NOW,
    }
    rows: list[Any] = [SimpleNamespace(**plain, text=text) for text in ("{ viewer { id } }", "{ gone }")]
    console.print(operations._operation_table(rows, Documents(build_schema(), most=1)), soft_wrap=False)


@pytest.mark.parametrize(
    ("printed", "tables"),
    [
        (evaluated, 5),
        (listed_releases, 1),
        (compared, 1),
        (tried, 1),
        (recommended, 1),
        (about_features, 4),
        (about_catalogs, 2),
        (listed_operations, 1),
    ],
)
@pytest.mark.parametrize("soft_wrap", [False, True])
def test_tables_lose_nothing_at_80_columns(printed: Callable[[Console], None], tables: int, *, soft_wrap: bool) -> None:
    """Every word of a heading is whole, and every character of a cell is there, on lines of at most 80 columns."""
    if soft_wrap and printed not in {about_catalogs, listed_operations}:
        return
    console = Collecting(soft_wrap=soft_wrap)
    printed(console)
    assert tables == len(console.printed)
    for table, text in console.printed:
        assert max(map(len, text.splitlines())) <= WIDTH
        rows = [line.strip("┃│").replace("┃", "│").split("│") for line in text.splitlines() if line[:1] in "┃│"]
        for place, column in enumerate(table.columns):
            lines = [row[place].strip() for row in rows]
            words = " ".join(lines).split()
            assert [] == [word for word in str(column.header).split() if word not in words]
            whole = "".join("".join(lines).split())
            assert [] == [cell for cell in column.cells if "".join(str(cell).split()) not in whole]
