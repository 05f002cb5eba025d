"""The tables of docs/imports.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from catalog.importers import enrollments
from catalog.judging import course_formats
from catalog.languages import LANGUAGES, language_of
from catalog.levels import LEVELS, level_of
from catalog.quality import RULES
from catalog.reports import COLUMNS
from catalog.taxonomy import curated

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/imports.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """Return the cells of the table with this header, without their backquotes."""
    _, _, rest = DOCUMENT.partition(f"| {header} |\n")
    lines = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\) \| |^\| | \|$", line)[1:-1]] for line in lines]


def test_documented_levels_are_the_levels() -> None:
    """Every entry is documented, in order, and nothing else."""
    assert [[text, level.value] for text, level in LEVELS.items()] == table("In the file | Level")


def test_documented_languages_are_the_languages() -> None:
    """Every entry is documented, in order, and nothing else."""
    assert [[text, tag] for text, tag in LANGUAGES.items()] == table("In the file | Tag")


def test_documented_synonyms_are_the_synonyms() -> None:
    """Every entry is documented, in order, and nothing else."""
    assert [[text, topic] for text, topic in curated().spellings.items()] == table("In the file | Topic")


def test_documented_rules_are_the_rules() -> None:
    """Every rule of quality is documented with its severity."""
    assert [[rule.name, rule.severity.value] for rule in RULES] == [
        row[:2] for row in table("Rule | Severity | Broken when")
    ]


def test_every_other_rule_of_the_code_is_documented() -> None:
    """A rule that a parser or a statement names stands in the second table with its severity, and only those do."""
    documented = {row[0]: row[2] for row in table("Rule | Of | Severity | Broken when")}
    sources = [*(ROOT / "catalog").rglob("*.py"), *(ROOT / "database/queries").glob("*_imports.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    found = {rule: severity for severity, rule in re.findall(r"'(rejected|warning)', '(\w+)'", code)}
    found |= dict.fromkeys(
        re.findall(r"rejected\(\s*(?:row|course)\.line,\s*[\w.\"\[\]]+,\s*\"(\w+)\"", code), "rejected"
    )
    assert found == documented


def test_documented_columns_are_the_columns() -> None:
    """Every column of both kinds of file, and of the report, is documented."""
    first, second = DOCUMENT.split("## Enrollments")
    _, *formats = first.partition("### Levels")[0].split("## Courses, format `")
    assert {name: list(chosen.columns) for name, chosen in course_formats().items()} == {
        part.partition("`")[0]: re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in formats
    }
    assert list(enrollments.COLUMNS) == re.findall(r"^\| `(\w+)` \|", second.partition("## What")[0], re.MULTILINE)
    report = second.partition("## The report")[2]
    assert list(COLUMNS) == [name for name in re.findall(r"`(\w+)`", report) if name in COLUMNS][: len(COLUMNS)]


def test_capitals_and_spaces_do_not_matter() -> None:
    """What the page says of the look-up holds."""
    assert LEVELS["all levels"] is level_of("  All   LEVELS ")
    assert ("pt", "pt-br", None, None) == tuple(map(language_of, (" Portuguese", "pt_BR", "xx", "pt-BR-x-private")))
