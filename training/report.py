"""One page about a release, for whoever decides whether it is shown to learners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from numpy.typing import NDArray

from features.drift import population_stability
from features.meanings import MEANINGS
from features.pair import PAIR_FEATURES
from features.vector import DERIVED_FEATURES
from serving.artifact import ReleaseManifest
from training.notes import Notes
from training.plots import Bar, bars, line

STABLE, ANOTHER = 0.1, 0.25
"""Below the first a population is stable, above the second it is another one."""
FEWEST = 300
"""Learners or courses below which two samples of one population may differ as much as two populations."""
_STRONGEST = 20
_TITLE = "NDCG@10 with 95% intervals"


@dataclass(frozen=True)
class Example:
    """What a learner would be shown.

    Attributes:
        learner_id: the number, and nothing else about the person.
        history: titles of what they took, the newest first.
        courses: titles and reasons of the list, best first.
    """

    learner_id: int
    history: Sequence[str]
    courses: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Drift:
    """How a stored feature has moved since training.

    Attributes:
        name: of the feature.
        index: population stability index.
        missing_then: share of the learners or courses without a value at the end of training.
        missing_now: share of them now.
        count: how many learners or courses are compared.
        rewritten: population stability index of what the tables now tell of the end of training against what they
            told then; None where training did not record that.
    """

    name: str
    index: float
    missing_then: float
    missing_now: float
    count: int
    rewritten: float | None = None


@dataclass(frozen=True)
class ReportContents:
    """What the page is made of.

    Attributes:
        manifest: what the release is.
        status: whether it is live, as a sentence without its full stop.
        booster: the ranker.
        notes: curves; None if the release has none.
        drift: of stored features; None if the feature tables cannot be read.
        examples: lists; none for a release that is not live.
        missing: why there is no drift, and why there are no examples.
    """

    manifest: ReleaseManifest
    status: str
    booster: xgboost.Booster
    notes: Notes | None
    drift: Sequence[Drift] | None
    examples: Sequence[Example]
    missing: tuple[str, str]


def drift(name: str, before: NDArray[np.float64], now: NDArray[np.float64]) -> Drift:
    """Return how a feature has moved.

    Args:
        name: of the feature.
        before: float64[n], n > 0, NaN for missing.
        now: float64[m], m > 0.
    """
    then, today = (float(np.isnan(values).mean()) for values in (before, now))
    return Drift(name, population_stability(before, now), then, today, min(len(before), len(now)))


def page(contents: ReportContents) -> str:
    """Return the page: whole in itself, without scripts, everything in it escaped."""
    metrics = contents.manifest.metrics
    rankers, segments = _rankers(metrics), _segments(metrics)
    shares = _gains(contents)
    importance = _importance(contents, shares)
    environment = Environment(
        loader=PackageLoader("training"), autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(
        manifest=contents.manifest,
        made=f"{contents.manifest.created_at:%Y-%m-%d %H:%M} UTC",
        status=contents.status,
        facts=_facts(contents.manifest),
        metrics=metrics,
        retrieved=f"{metrics['retrieved']:.1%}",
        rankers=rankers,
        segments=segments,
        notes=contents.notes,
        importance=importance,
        groups=_groups(contents, shares),
        least_shown=_least_shown(contents.notes),
        providers=_providers(metrics),
        drift=None if contents.drift is None else [_moved(each) for each in contents.drift],
        examples=[
            {
                "learner_id": each.learner_id,
                "history": each.history,
                "courses": [{"title": title, "reasons": reasons} for title, reasons in each.courses],
            }
            for each in contents.examples
        ],
        drift_recorded=contents.drift is not None and any(each.rewritten is not None for each in contents.drift),
        drift_missing=contents.missing[0],
        examples_missing=contents.missing[1],
        plots={name: Markup(svg) for name, svg in _plots(contents, segments, importance).items()},  # noqa: S704 - texts in them are escaped.
    )


def _facts(manifest: ReleaseManifest) -> list[tuple[str, str]]:
    return [
        ("Trained on", f"{manifest.trained_from:%Y-%m-%d} to {manifest.trained_until:%Y-%m-%d}"),
        ("Decisions", f"{manifest.training_decisions:,}{_since(manifest)}"),
        ("Choices of what was shown", _learned(manifest)),
        ("Feature service", manifest.feature_service),
        ("Columns", f"{len(manifest.vector_names)}, digest {manifest.vector_digest[:12]}"),
        ("Data", f"fingerprint {manifest.data_fingerprint[:12]}"),
        ("Seed", str(manifest.seed)),
        ("Trees", str(manifest.rounds or "unknown")),
        ("Code", f"Waymark {manifest.code_version}"),
    ]


def _since(manifest: ReleaseManifest) -> str:
    return "" if manifest.since is None else f", since {manifest.since:%Y-%m-%d %H:%M} UTC"


def _learned(manifest: ReleaseManifest) -> str:
    found = manifest.exposures
    if found is None:
        return "not read"
    if not found.learned:
        return f"none; {found.contests:,} of them told of places, which is too few"
    return f"{found.learned:,}; {found.contests:,} told how much each place is looked at"


def _rankers(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    ratios = {each["baseline"]: each for each in metrics.get("comparisons", ())}
    rows = []
    for name, found in metrics["rankers"].items():
        ratio = ratios.get(name)
        rows.append(
            {
                "name": name,
                "hit_rate": f"{found['hit_rate']:.4f}",
                "ndcg": f"{found['ndcg']:.4f}",
                "interval": f"{found['low']:.4f} to {found['high']:.4f}",
                "ratio": _times(ratio["ratio"]) if ratio else "",
                "ratio_interval": f"{_times(ratio['low'])} to {_times(ratio['high'])}" if ratio else "",
            }
        )
    return rows


def _times(ratio: float | None) -> str:
    """Return a ratio; null in JSON is infinite."""
    return "∞" if ratio is None else f"{ratio:.2f}"


def _segments(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": each["name"],
            "learners": f"{each['learners']:,}",
            "model": f"{each['model']:.4f}",
            # Releases of before have segments without intervals.
            "interval": f"{each['low']:.4f} to {each['high']:.4f}" if "low" in each else "not recorded",
            "popularity": f"{each['popularity']:.4f}",
            "ratio": _times(each["ratio"]),
            "worse": each["model"] < each["popularity"],
            "figures": each,
        }
        for each in metrics.get("segments", ())
    ]


def _providers(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how places are shared among instructors; None of data without any, and of releases of before."""
    found = metrics.get("providers")
    if found is None:
        return None
    rows = [
        {
            "name": name,
            "gini": f"{each['gini']:.3f}",
            "herfindahl": f"{each['herfindahl']:.4f}",
            "top_share": f"{each['top_share']:.1%}",
        }
        for name, each in found["rankers"].items()
    ]
    return {"count": f"{found['providers']:,}", "rows": rows}


def _least_shown(notes: Notes | None) -> str:
    """Return the share of all places that the half of the courses has that is shown least."""
    if notes is None or not notes.exposure_curve:
        return ""
    across, places = zip(*notes.exposure_curve, strict=True)
    return f"{np.interp(0.5, across, places):.1%}"


def _gains(contents: ReportContents) -> dict[str, float]:
    """Return the share of each column in the gain of all splits."""
    gains = contents.booster.get_score(importance_type="total_gain")
    whole = sum(gains.values()) or 1.0
    return {name: gain / whole for name, gain in gains.items()}


def _groups(contents: ReportContents, shares: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the share of each kind of column, the greatest first."""
    kinds = dict.fromkeys(("pair", "learner", "course", "derived"), 0.0)
    for name, share in shares.items():
        kinds[_kind(name, contents.manifest)] += share
    return [(kind, f"{share:.1%}") for kind, share in sorted(kinds.items(), key=lambda each: -each[1])]


def _importance(contents: ReportContents, shares: Mapping[str, float]) -> list[dict[str, Any]]:
    strongest = sorted(shares.items(), key=lambda each: (-each[1], each[0]))[:_STRONGEST]
    return [
        {
            "name": name,
            "kind": _kind(name, contents.manifest),
            "share": f"{share:.1%}",
            "value": share,
            "meaning": MEANINGS.get(name, ""),
        }
        for name, share in strongest
    ]


def _kind(name: str, manifest: ReleaseManifest) -> str:
    if name in PAIR_FEATURES:
        return "pair"
    if name in DERIVED_FEATURES:
        return "derived"
    edge = len(manifest.learner_features)
    return "learner" if name in manifest.vector_names[:edge] else "course"


def _moved(found: Drift) -> dict[str, Any]:
    if found.count < FEWEST:
        verdict = "too few to tell"
    else:
        verdict = "stable" if found.index < STABLE else "has moved" if found.index <= ANOTHER else "another population"
    return {
        "name": found.name,
        "index": f"{found.index:.3f}",
        "missing_then": f"{found.missing_then:.1%}",
        "missing_now": f"{found.missing_now:.1%}",
        "rewritten": "" if found.rewritten is None else f"{found.rewritten:.3f}",
        "changed": found.rewritten is not None and found.rewritten >= STABLE and found.count >= FEWEST,
        "verdict": verdict,
    }


def _plots(
    contents: ReportContents, segments: Sequence[Mapping[str, Any]], importance: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    notes, rankers = contents.notes, contents.manifest.metrics["rankers"]
    plots = {
        "rankers": bars(
            f"{_TITLE}, by ranker",
            [
                Bar(name, each["ndcg"], f"{each['ndcg']:.4f}", each["low"], each["high"])
                for name, each in rankers.items()
            ],
        ),
        "segments": bars(
            f"{_TITLE}, by segment",
            [
                Bar(each["name"], figures["model"], each["model"], figures.get("low"), figures.get("high"))
                for each in segments
                for figures in (each["figures"],)
            ],
        ),
        "importance": bars(
            "Share of the gain", [Bar(each["name"], each["value"], each["share"]) for each in importance]
        ),
    }
    if contents.drift is not None:
        furthest = contents.drift[:_STRONGEST]
        plots["drift"] = bars(
            "Population stability index", [Bar(each.name, each.index, f"{each.index:.3f}") for each in furthest]
        )
    if notes is not None:
        plots["learning"] = line("NDCG@10 by number of trees", notes.learning_curve, "trees", "NDCG@10")
        plots["coverage"] = line("Courses in any list, by length", notes.coverage_curve, "length", "share of courses")
        plots["exposure"] = line(
            "Lorenz curve of exposure", notes.exposure_curve, "share of courses", "share of places"
        )
    return plots
