"""How an evaluation is printed."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from app.cli.tables import table as empty_table
from training.evaluate import Evaluation
from training.metrics import CUTOFF
from training.providers import TOP, ProviderConcentration


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print the tables of an evaluation."""
    console.print(_rankers(evaluation))
    console.print(f"{evaluation.retrieved:.1%} of the courses that were taken are among the model's candidates.")
    console.print(
        f"A new course in one place of every list would cost {evaluation.exploration_cost:.1%} of the model's "
        f"NDCG@{CUTOFF}; WAYMARK_RANKING__EXPLORATION_SHARE says how many lists have one."
    )
    if evaluation.segments:
        console.print(_segments(evaluation))
    if evaluation.lists is not None:
        console.print(_lists(evaluation))
    if evaluation.tradeoffs:
        console.print(_tradeoffs(evaluation))
    if evaluation.providers is not None:
        console.print(_providers(evaluation.providers))


def _rankers(evaluation: Evaluation) -> Table:
    figures = (f"HR@{CUTOFF}", f"NDCG@{CUTOFF}", "95%", "model / ranker", "95%")
    title = f"{evaluation.protocol}, {evaluation.learners} learners, every course not taken"
    table = empty_table("Ranker", *figures, "Tuned", title=title, right=figures, whole=("Ranker", *figures[:2]))
    ratios = {each.baseline: each for each in evaluation.comparisons}
    for name, found in evaluation.rankers.items():
        ratio = ratios.get(name)
        setting = evaluation.settings.get(name, {})
        table.add_row(
            name,
            f"{found.hit_rate:.4f}",
            f"{found.ndcg:.4f}",
            f"{found.low:.4f} to {found.high:.4f}",
            f"{ratio.ratio:.2f}" if ratio else "",
            f"{ratio.low:.2f} to {ratio.high:.2f}" if ratio else "",
            ", ".join(f"{key} {value:g}" for key, value in setting.items()),
        )
    return table


def _segments(evaluation: Evaluation) -> Table:
    figures = ("Learners", "Model", "95%", "Popularity", "Ratio")
    table = empty_table("Segment", *figures, title=f"NDCG@{CUTOFF} by segment", right=figures)
    for each in evaluation.segments:
        interval = f"{each.low:.4f} to {each.high:.4f}"
        told = (f"{each.model:.4f}", interval, f"{each.popularity:.4f}", f"{each.ratio:.2f}")
        table.add_row(each.name, str(each.learners), *told)
    return table


def _tradeoffs(evaluation: Evaluation) -> Table:
    decisions = evaluation.tradeoffs[0].decisions
    which = f"{decisions} of them, drawn" if decisions < evaluation.learners else "all of them"
    figures = ("Weight", f"NDCG@{CUTOFF}", "95%", "of none", "Diversity", "Coverage", "Novelty", "Divergence")
    title = f"WAYMARK_RANKING__DIVERSITY, lists without a surface, {which}"
    table = empty_table(*figures, title=title, right=figures)
    whole = evaluation.tradeoffs[0].ndcg
    for each in evaluation.tradeoffs:
        found = each.lists
        table.add_row(
            f"{each.weight:g}",
            f"{each.ndcg:.4f}",
            f"{each.low:.4f} to {each.high:.4f}",
            f"{each.ndcg / whole:.1%}" if whole else "",
            f"{found.diversity:.3f}",
            f"{found.coverage:.1%}",
            f"{found.novelty:.2f}",
            f"{found.calibration:.3f}",
        )
    return table


def _providers(found: ProviderConcentration) -> Table:
    figures = ("Gini", "Herfindahl", f"Share of the top {TOP:.0%}")
    title = f"Places of {found.providers} instructors in the first {CUTOFF}"
    table = empty_table("Lists", *figures, title=title, right=figures)
    for name, each in found.rankers.items():
        table.add_row(name, f"{each.gini:.3f}", f"{each.herfindahl:.4f}", f"{each.top_share:.1%}")
    return table


def _lists(evaluation: Evaluation) -> Table:
    table = empty_table("Figure", "", title="Beyond accuracy", right=("",))
    found = evaluation.lists
    if found is not None:
        table.add_row(f"Catalog coverage@{CUTOFF}", f"{found.coverage:.1%}")
        table.add_row("Diversity within a list", f"{found.diversity:.3f}")
        table.add_row("Novelty, bits", f"{found.novelty:.2f}")
        table.add_row("Popularity lift", f"{found.popularity_lift:.2f}")
        table.add_row("Topics' divergence from the history, bits", f"{found.calibration:.3f}")
    cold = evaluation.cold_start
    if cold is not None:
        table.add_row(f"New learners, NDCG@{CUTOFF} by stated topics", f"{cold.preference:.4f}")
        table.add_row(f"New learners, NDCG@{CUTOFF} by popularity", f"{cold.popularity:.4f}")
        table.add_row("New learners, ratio", f"{cold.ratio:.2f}")
    return table
