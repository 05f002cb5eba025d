"""The import commands and the demonstration, as a person types them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import catalog, demo, events
from core.errors import InputError
from database.queries import erasures
from database.session import open_database
from security.encryption import Cipher
from security.keys import load_or_create_key_ring

COURSES = (
    "course_id,slug,title,categories,concepts,level,language,audience\n11,logic,Logic,academics,Logic,all,english,\n"
)
ENROLLMENTS = "learner_id,course_id,enrolled_at\naa,11,2017-03-01T09:30:00Z\naa,12,2017-03-01T09:30:00Z\n"


@pytest.fixture
def folder(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both files; commands find the test's own database, and data in `data`."""
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "courses.csv").write_text(COURSES, encoding="utf-8")
    (tmp_path / "history.csv").write_text(ENROLLMENTS, encoding="utf-8")
    return tmp_path


def test_import_commands_print_what_they_did(folder: Path) -> None:
    """Counts, rejections and the place of the report are printed; a second run says that nothing changed."""
    runner = CliRunner()
    courses = runner.invoke(catalog.app, ["import", "--format", "udemy", str(folder / "courses.csv")])
    assert (0, None) == (courses.exit_code, courses.exception)
    assert "courses of the source udemy" in courses.stdout
    history = runner.invoke(events.app, ["import", str(folder / "history.csv")])
    assert 0 == history.exit_code
    assert "rejected: unknown_course (1)" in history.stdout
    assert "line 3, course_id: the catalog has no course 12 of the source udemy" in history.stdout
    report = folder / "data/imports/history.csv.report.csv"
    assert str(report) in history.stdout
    assert 2 == len(report.read_text(encoding="utf-8").splitlines())
    again = runner.invoke(events.app, ["import", str(folder / "history.csv"), "--report", str(folder / "again.csv")])
    assert "Nothing changed." in again.stdout
    assert (folder / "again.csv").exists()


def test_erased_learner_is_known_again_by_the_key_file(folder: Path, database_url: str) -> None:
    """Their rows are left out and counted; without the keys nothing is imported, so that nobody is brought back."""
    runner, keys = CliRunner(), folder / "data/keys.json"
    runner.invoke(catalog.app, ["import", "--format", "udemy", str(folder / "courses.csv")])
    index = Cipher(load_or_create_key_ring(keys)).source_index("udemy", "aa")

    async def erase() -> None:
        async with open_database(database_url) as database, database.transaction() as connection:
            await erasures.add(connection, 1, datetime.now(UTC), source="udemy", source_index=index)

    asyncio.run(erase())
    (folder / "history.csv").write_text(ENROLLMENTS + "bb,11,2017-03-01T09:30:00Z\n", encoding="utf-8")
    history = runner.invoke(events.app, ["import", str(folder / "history.csv")])
    assert 0 == history.exit_code, history.output
    assert "rejected: erased_learner (2)" in history.stdout
    keys.unlink()
    refused = runner.invoke(events.app, ["import", str(folder / "history.csv")])
    assert isinstance(refused.exception, InputError)
    assert "keys.json" in str(refused.exception)


def test_wrong_input_is_an_error_for_one_line(folder: Path) -> None:
    """Commands raise what the command line prints as one line and exits 1 for."""
    runner = CliRunner()
    missing = runner.invoke(catalog.app, ["import", str(folder / "absent.csv")])
    assert isinstance(missing.exception, InputError)
    strict = runner.invoke(events.app, ["import", str(folder / "history.csv"), "--strict"])
    assert isinstance(strict.exception, InputError)


def test_check_judges_a_file_and_imports_it_when_told_to(folder: Path) -> None:
    """Findings, unknown tags and the report come without a database; --load imports what passes."""
    (folder / "courses.csv").write_text(
        COURSES + "12,no-title,,alchemy,Logic,all,english,\n13,a,A,alchemy,Logic,all,english,\n", encoding="utf-8"
    )
    runner = CliRunner()
    checked = runner.invoke(catalog.app, ["check", str(folder / "courses.csv")])
    assert (0, None) == (checked.exit_code, checked.exception)
    assert "3 rows: 2 may be published, 1 may not" in checked.stdout
    assert "missing_title" in checked.stdout
    assert "alchemy" in checked.stdout
    report = folder / "data/imports/courses.csv.check.json"
    assert 2 == json.loads(report.read_text(encoding="utf-8"))["loadable"]
    synonyms = folder / "synonyms.yaml"
    synonyms.write_text("alchemy: academics/chemistry\n", encoding="utf-8")
    options = ["--synonyms", str(synonyms), "--load", "--report", str(folder / "found.json")]
    loaded = runner.invoke(catalog.app, ["check", str(folder / "courses.csv"), *options])
    assert (0, None) == (loaded.exit_code, loaded.exception)
    assert "unmapped tag" not in loaded.stdout
    assert "courses of the source udemy" in loaded.stdout
    assert (folder / "found.json").exists()
    again = runner.invoke(catalog.app, ["import", str(folder / "courses.csv"), "--synonyms", str(synonyms)])
    assert "Nothing changed." in again.stdout


def test_tags_that_the_taxonomy_does_not_know_are_listed(folder: Path) -> None:
    """Whoever places them sees how often they occur, and when none is left."""
    (folder / "courses.csv").write_text(COURSES.replace("academics", "alchemy"), encoding="utf-8")
    runner = CliRunner()
    listed = runner.invoke(catalog.app, ["unmapped", str(folder / "courses.csv")])
    assert "alchemy" in listed.stdout
    synonyms = folder / "synonyms.yaml"
    synonyms.write_text("alchemy: academics/chemistry\n", encoding="utf-8")
    none_left = runner.invoke(catalog.app, ["unmapped", str(folder / "courses.csv"), "--synonyms", str(synonyms)])
    assert "The taxonomy knows every tag." in none_left.stdout


def test_setting_that_names_no_rule_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that its operator misspelled does not stand open."""
    monkeypatch.setenv("WAYMARK_QUALITY__BLOCKING", "no_fun")
    for command in ("check", "import"):
        refused = CliRunner().invoke(catalog.app, [command, str(folder / "courses.csv")])
        assert isinstance(refused.exception, InputError), command


def test_demo_fills_an_empty_platform_and_says_that_it_is_invented(folder: Path) -> None:
    """The command names the platform as simulated; the second run is refused."""
    runner = CliRunner()
    filled = runner.invoke(demo.app, ["--data-dir", str(folder / "other")])
    assert 0 == filled.exit_code, filled.exception
    assert "Waymark demonstration (simulated): 399 courses, 3,000 learners" in filled.stdout
    refused = runner.invoke(demo.app, [])
    assert isinstance(refused.exception, InputError)
