"""The page about a release, and its plots."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, strategies as st

from core.errors import ReleaseError
from features.meanings import MEANINGS
from tests.simulated_ranking import release, trained
from training.lists import NO_COURSE
from training.notes import Notes, curve_steps, notes
from training.plots import Bar, bars, line
from training.report import Drift, Example, ReportContents, page

HOSTILE = "<script>alert('1')</script>&\"]]>"
SVG = "{http://www.w3.org/2000/svg}"
Texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), max_size=20)
MADE = datetime(2026, 3, 1, tzinfo=UTC)
Sizes = st.floats(0, 1e6)


@given(st.lists(st.builds(Bar, Texts, Sizes, Texts, Sizes, Sizes), max_size=5), Texts)
def test_bars_are_well_formed_and_inside_the_picture(rows: list[Bar], title: str) -> None:
    """Whatever they are called; each has its length."""
    svg = bars(title, rows)
    if not rows:
        assert svg == ""
        return
    root = ET.fromstring(svg)  # noqa: S314 - it is ours.
    found = root.findall(f"{SVG}rect")
    assert len(rows) == len(found)
    longest = max(max(row.value, row.high or 0) for row in rows)
    for row, rectangle in zip(rows, found, strict=True):
        assert float(rectangle.get("x", "")) + float(rectangle.get("width", "")) <= 640 - 70
        if longest > 0:
            assert float(rectangle.get("width", "")) == pytest.approx(
                (640 - 220 - 70 - 16) * row.value / longest, abs=0.1
            )


@given(st.lists(st.tuples(Sizes, Sizes), max_size=9), Texts)
def test_lines_are_well_formed_and_inside_the_picture(points: list[tuple[float, float]], name: str) -> None:
    """From two points on."""
    svg = line(name, sorted(points), name, name)
    if len(points) < 2:
        assert svg == ""
        return
    root = ET.fromstring(svg)  # noqa: S314 - it is ours.
    for dot in root.findall(f"{SVG}circle"):
        assert 0 <= float(dot.get("cx", "")) <= 640
        assert 0 <= float(dot.get("cy", "")) <= 220


def test_notes_are_counted_by_hand_and_survive_the_disk() -> None:
    """Four courses, of which one is in every list and one in none."""
    lists = np.full((2, 10), NO_COURSE)
    lists[:, :3] = [[0, 1, NO_COURSE], [0, 2, NO_COURSE]]
    found = notes([(5, 0.1), (10, 0.2)], lists, 4)
    assert (0.25, 0.75, 0.75) == tuple(share for _, share in found.coverage_curve[:3])
    assert ((0.0, 0.0), (0.25, 0.0), (0.5, 0.25), (0.75, 0.5), (1.0, 1.0)) == found.exposure_curve
    assert 1 - 2 * 0.25 * (0.0 / 2 + 0.25 / 2 + (0.25 + 0.5) / 2 + 1.5 / 2) == pytest.approx(found.gini)
    assert found == Notes.unpacked(found.packed())
    with pytest.raises(ReleaseError, match="notes"):
        Notes.unpacked(b"{")
    assert 0.0 == notes([], np.empty((0, 10), np.int64), 0).gini


@pytest.mark.parametrize(("rounds", "steps"), [(3, [1, 2, 3]), (80, [10, 20, 30, 40, 50, 60, 70, 80]), (0, [])])
def test_curve_ends_with_the_whole_ranker(rounds: int, steps: list[int]) -> None:
    """Fewer trees than points have a point each."""
    assert steps == curve_steps(rounds)


class Outline(HTMLParser):
    """Elements that are open, and the texts of cells; an element that ends out of turn is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open what has an end."""
        del attrs
        if tag != "meta":
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which it has to be."""
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        """Keep the text of a cell."""
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1] += data


def written(
    *,
    whole: bool,
    intervals: bool = True,
    recorded: bool = False,
    instructors: tuple[tuple[int, dict[str, float]], ...] | None = (),
) -> str:
    """Return the page of the simulated release, or of one of before, whose segments have no intervals.

    Instructors are how many there are and their figures; nothing where no course names any, None where nobody looked.
    """
    made = release()
    metrics = trained().evaluation.as_json()
    assert metrics["providers"] is None
    if instructors is None:
        del metrics["providers"]
    for count, figures in instructors or ():
        metrics["providers"] = {"providers": count, "rankers": {"model": figures, "popularity": figures}}
    if not intervals:
        metrics["segments"] = [
            {name: value for name, value in each.items() if name not in {"low", "high"}} for each in metrics["segments"]
        ]
    manifest = made.manifest.model_copy(update={"created_at": MADE, "metrics": metrics})
    curves = Notes(
        learning_curve=((5, 0.1), (10, 0.2)),
        coverage_curve=((1, 0.5),),
        exposure_curve=((0, 0), (0.4, 0.2), (0.6, 0.4), (1, 1)),
        gini=0.5,
    )
    return page(
        ReportContents(
            manifest=manifest,
            status="A candidate",
            booster=made.ensemble.booster,
            notes=curves if whole else None,
            drift=[
                Drift("moved", 0.4, 0.0, 0.5, 900),
                Drift("stayed", 0.01, 0.0, 0.0, 900),
                Drift("few", 0.9, 0.0, 0.0, 20),
                *([Drift("refilled", 0.02, 0.0, 0.0, 900, rewritten=0.777)] if recorded else []),
            ]
            if whole
            else None,
            examples=[Example(7, [HOSTILE], [(HOSTILE, [HOSTILE])])] if whole else [],
            missing=("No tables here.", "No lists here."),
        )
    )


def test_page_escapes_what_courses_are_called() -> None:
    """A title is somebody else's text."""
    assert "<script" not in written(whole=True)
    assert 3 == written(whole=True).count("&lt;script&gt;")


def test_page_tells_what_it_has_and_what_is_missing() -> None:
    """Each section stands there, with its figures or with why there are none."""
    whole, bare = written(whole=True), written(whole=False)
    for text in ("another population", "stable", "too few to tell", "0.400", "50.0%", "Learner 7", "0.2000"):
        assert text in whole
    for text in ("No tables here.", "No lists here.", "did not note down its curves"):
        assert text in bare
        assert text not in whole
    for name, figures in trained().evaluation.as_json()["rankers"].items():
        assert name in bare
        assert f"{figures['ndcg']:.4f}" in bare


def test_page_tells_how_places_are_shared_among_instructors() -> None:
    """Beside popularity; of data without instructors, and of a release of before, nothing stands there."""
    figures = {"gini": 0.25, "herfindahl": 0.0125, "top_share": 0.075}
    told = written(whole=True, instructors=((1_040, figures),))
    outline = Outline(told)
    assert [] == outline.open
    assert "1,040 instructors" in told
    row = outline.cells.index("popularity", outline.cells.index("Share of the top 1%"))
    assert ["0.250", "0.0125", "7.5%"] == outline.cells[row + 1 : row + 4]
    for bare in (written(whole=True), written(whole=True, instructors=None)):
        assert "instructors" not in bare


def test_page_tells_a_past_that_was_rewritten_where_training_recorded_it() -> None:
    """The second index stands there for releases that have one, and others say what they compare with."""
    assert "Rewritten" not in written(whole=True)
    assert "since training did not record it" in written(whole=True)
    text = written(whole=True, recorded=True)
    assert "was recorded by training" in text
    assert '<td class="n warn">0.777</td>' in text
    assert [] == Outline(text).open


def test_page_is_well_formed_and_explains_each_column() -> None:
    """Every element ends in turn, the half of the catalog that is shown least has its share, the kinds sum to all."""
    text = written(whole=True)
    outline = Outline(text)
    assert [] == outline.open
    assert "The half of the courses that is shown least has 30.0% of all places." in text
    kinds = re.findall(r"(?:pair|learner|course|derived) (\d+\.\d)%", text)
    assert 4 == len(kinds)
    assert sum(map(float, kinds)) == pytest.approx(100, abs=0.2)
    for name in release().ensemble.booster.get_score(importance_type="total_gain"):
        if name in outline.cells:
            assert MEANINGS[name] in outline.cells


def test_segments_of_a_release_of_before_are_told_without_intervals() -> None:
    """What was recorded is not called missing."""
    cells = Outline(written(whole=False, intervals=False)).cells
    segments = trained().evaluation.segments
    assert len(segments) == cells.count("not recorded")
    for each in segments:
        assert f"{each.model:.4f}" in cells
    assert "not recorded" not in Outline(written(whole=False)).cells
