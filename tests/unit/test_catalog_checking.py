"""A file judged as a whole, without a database."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from catalog.checking import CheckReport, check_courses
from catalog.quality import QualitySeverity, Standards
from catalog.taxonomy import curated
from core.errors import InputError
from tests.course_files import written

REAL_DATA = os.environ.get("WAYMARK_TEST_DATA")


def check(path: Path, format_name: str, standards: Standards | None = None) -> CheckReport:
    """Judge a file by the curated taxonomy."""
    return check_courses(path, format_name, curated(), standards or Standards())


def counts(report: CheckReport) -> list[tuple[str, str, int]]:
    """Return rule, severity and rows of each broken rule, in the order of the report."""
    return [(rule.rule, rule.severity.value, rule.rows) for rule in report.rules]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with good rows, weak rows and bad ones."""
    path = tmp_path / "courses.csv"
    rows = [
        {"course_id": "1", "slug": "a"},
        {"course_id": "2", "slug": "b", "title": "Rhetoric", "categories": "academics|alchemy"},
        {"course_id": "3", "slug": "c", "title": "Poetics", "categories": "academics|alchemy", "concepts": ""},
        {"course_id": "4", "slug": "d", "title": "Grammar", "categories": "astrology", "level": "guru"},
        {"course_id": "5", "slug": "No Slug", "title": " ", "concepts": "x" * 101},
        {"course_id": "1", "slug": "f", "title": "Music"},
        {"course_id": "x", "slug": "g", "title": "Geometry"},
    ]
    path.write_text(written("udemy", rows) + "8,short\n", encoding="utf-8")
    return path


def test_rules_are_counted_by_rows_the_worst_first(file: Path) -> None:
    """A row that breaks three rules counts for each, and rejections of the file itself are there too."""
    report = check(file, "udemy")
    assert (8, 4) == (report.rows, report.loadable)
    assert [
        ("duplicate_id", "BLOCKING", 1),
        ("long_skill", "BLOCKING", 1),
        ("malformed_id", "BLOCKING", 1),
        ("malformed_row", "BLOCKING", 1),
        ("malformed_slug", "BLOCKING", 1),
        ("missing_title", "BLOCKING", 1),
        ("unknown_topic", "WARNING", 3),
        ("no_skills", "WARNING", 1),
        ("unknown_level", "WARNING", 1),
    ] == counts(report)
    assert [(3, "categories"), (4, "categories"), (5, "categories")] == [
        (example.line, example.column) for example in report.rules[6].examples
    ]
    assert 0 < report.mean_score < 1


def test_unknown_tags_are_counted_for_the_curator(file: Path) -> None:
    """The most frequent first, with lines and what they count as until somebody places them."""
    report = check(file, "udemy")
    assert [("academics|alchemy", "academics", 2, [3, 4]), ("astrology", None, 1, [5])] == [
        (tag.tag, tag.nearest, tag.rows, tag.lines) for tag in report.unmapped
    ]
    placed = check_courses(file, "udemy", curated().extended({"academics|alchemy": "academics/chemistry"}), Standards())
    assert ["astrology"] == [tag.tag for tag in placed.unmapped]


def test_operator_decides_what_blocks(file: Path) -> None:
    """A stricter platform may publish less."""
    report = check(file, "udemy", Standards.of("no_skills"))
    assert ("no_skills", "BLOCKING", 1) in counts(report)
    assert 3 == report.loadable


def test_report_holds_everything_and_replaces_an_earlier_one(file: Path, tmp_path: Path) -> None:
    """It is JSON in UTF-8, made whole or not at all."""
    report = check(file, "udemy")
    place = tmp_path / "deep/report.json"
    for _ in range(2):
        report.write(place)
    content = json.loads(place.read_text(encoding="utf-8"))
    assert ("courses.csv", "udemy", 8, 4) == tuple(content[name] for name in ("file", "format", "rows", "loadable"))
    assert {"rule", "severity", "rows", "examples"} == set(content["rules"][0])
    assert {"line", "column", "message"} == set(content["rules"][0]["examples"][0])
    assert ["report.json"] == [path.name for path in place.parent.iterdir()]
    with pytest.raises(InputError, match="cannot be written"):
        report.write(Path("/dev/null/report.json"))


def test_examples_are_bounded(tmp_path: Path) -> None:
    """A file of a million bad rows makes no report of a million lines."""
    path = tmp_path / "courses.csv"
    rows = [{"course_id": str(n), "slug": f"s{n}", "title": f"Title {n}", "categories": "alchemy"} for n in range(50)]
    path.write_text(written("udemy", rows), encoding="utf-8")
    report = check(path, "udemy")
    assert (50, 20) == (report.rules[0].rows, len(report.rules[0].examples))
    assert (50, 5) == (report.unmapped[0].rows, len(report.unmapped[0].lines))


def test_file_of_another_format_cannot_be_used(file: Path) -> None:
    """The header tells."""
    with pytest.raises(InputError, match="has no column 'summary'"):
        check(file, "edx")


@pytest.mark.skipif(REAL_DATA is None, reason="WAYMARK_TEST_DATA names no folder with the real files")
@pytest.mark.parametrize(
    ("path", "format_name", "rows", "loadable", "expected"),
    [
        ("udemy/courses.csv", "udemy", 8_196, 8_196, {"no_skills": 2_463, "unknown_level": 1}),
        (
            "catalogues/udemy_courses.csv",
            "udemy-catalog",
            3_672,
            3_667,
            {"garbled_title": 5, "long_title": 5, "duplicate_title": 14, "no_lessons": 1},
        ),
        (
            "catalogues/edx_courses.csv",
            "edx",
            974,
            948,
            {"undescribed": 26, "missing_description": 14, "missing_summary": 27, "duplicate_title": 2},
        ),
    ],
)
def test_real_files_break_the_rules_that_they_are_known_to_break(
    path: str, format_name: str, rows: int, loadable: int, expected: dict[str, int]
) -> None:
    """Every subject and category has its place, and counts are those that were found by hand."""
    report = check(Path(REAL_DATA or "") / path, format_name)
    assert (rows, loadable, ()) == (report.rows, report.loadable, report.unmapped)
    found = {rule.rule: rule.rows for rule in report.rules}
    assert expected == {rule: found.get(rule) for rule in expected}
    assert found.get("level_mismatch", 0) <= 10
    assert "language_mismatch" not in found
    assert all(rule.severity is not QualitySeverity.BLOCKING for rule in report.rules if rule.rule not in expected)
