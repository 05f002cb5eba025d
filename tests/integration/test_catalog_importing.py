"""Imports into real PostgreSQL: what they change, what they refuse, and that they do it in one transaction."""

from __future__ import annotations

import asyncio
import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from catalog.checking import check_courses
from catalog.importing import import_courses, import_enrollments, load_courses, transaction
from catalog.problems import Parsed
from catalog.quality import IMPORT_SEVERITY, QualitySeverity, Standards
from catalog.records import CourseRecord
from catalog.reports import ImportSummary
from catalog.taxonomy import curated
from core.clock import ManualClock
from core.errors import InputError, UnavailableError
from database.queries import erasures
from database.session import Database
from database.tables.courses import CourseLevel
from security.encryption import Cipher
from security.keys import KeyRing
from tests.course_files import PROSE, written

COURSES = """course_id,slug,title,categories,concepts,level,language,audience
11,logic,Logic,academics|math-and-science,Logic|Proof,beginner,english,
12,excel,"Excel,
the second",business|other,Excel,esperto,spanish,Clerks
13,posters,Posters,design|other,,,klingon,
"""
ENROLLMENTS = """learner_id,course_id,enrolled_at
aa,11,2017-03-01T09:30:00Z
aa,12,2017-03-02T09:30:00+02:00
bb,11,2016-03-01T09:30:00Z
"""
EVERYTHING = ("courses", "topics", "skills", "learners", "enrollments", "events", "course_statistics", "audit_log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with both files."""
    (tmp_path / "courses.csv").write_text(COURSES, encoding="utf-8")
    (tmp_path / "history.csv.gz").write_bytes(gzip.compress(ENROLLMENTS.encode()))
    return tmp_path


async def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    async with database.transaction() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def counts(database: Database) -> dict[str, int]:
    """Return how many rows each table has that an import may write."""
    return {table: (await rows(database, f"SELECT count(*) FROM {table}"))[0][0] for table in EVERYTHING}  # noqa: S608 - names of our own.


def outcome(summary: ImportSummary) -> tuple[int, int, int, int, int]:
    """Return the counts that every row of a file is in exactly one of, after how many were read."""
    return summary.read, summary.new, summary.updated, summary.unchanged, summary.rejected


async def test_courses_arrive_with_topics_skills_and_counters(
    database: Database, clock: ManualClock, folder: Path
) -> None:
    """Every column lands where docs/imports.md says; what a table does not know is loaded with a warning."""
    summary = await import_courses(database, clock, folder / "courses.csv")
    assert (3, 3, 0, 0, 0) == outcome(summary)
    assert {"unknown_level", "unknown_language", "no_skills"} == {rule for _, rule, _ in summary.rules}
    assert 3 == summary.warnings
    assert [
        ("udemy", "11", "logic", "Logic", "BEGINNER", "en", "PUBLISHED", clock.now, 1),
        ("udemy", "12", "excel", "Excel, the second", "ADVANCED", "es", "PUBLISHED", clock.now, 1),
        ("udemy", "13", "posters", "Posters", "ALL_LEVELS", "und", "PUBLISHED", clock.now, 1),
    ] == await rows(
        database,
        "SELECT source, source_id, slug, title, level, language, status, published_at, version FROM courses "
        "ORDER BY id",
    )
    assert [
        ("logic", "academics/math-and-science", "Math & Science", "Academics"),
        ("excel", "business/other", "Business: Other", "Business"),
        ("posters", "design/other", "Design: Other", "Design"),
    ] == await rows(
        database,
        "SELECT c.slug, t.slug, t.name, p.name FROM courses c JOIN course_topics r ON r.course_id = c.id "
        "JOIN topics t ON t.id = r.topic_id JOIN topics p ON p.id = t.parent_id ORDER BY c.id",
    )
    assert [("logic", "Logic"), ("logic", "Proof"), ("excel", "Excel")] == await rows(
        database,
        "SELECT c.slug, s.name FROM courses c JOIN course_skills r ON r.course_id = c.id "
        "JOIN skills s ON s.id = r.skill_id ORDER BY c.id, r.position",
    )
    assert [(3, 0)] == await rows(database, "SELECT count(*), sum(enrollment_count) FROM course_statistics")


async def test_history_arrives_with_learners_events_and_counters(
    database: Database, clock: ManualClock, folder: Path
) -> None:
    """Each enrollment has its event, counts once, and cannot be older than its course's publication."""
    await import_courses(database, clock, folder / "courses.csv")
    clock.now += timedelta(hours=1)
    summary = await import_enrollments(database, clock, folder / "history.csv.gz")
    assert (3, 3, 0, 0, 0) == outcome(summary)
    assert 2 == summary.learners
    assert [("aa",), ("bb",)] == await rows(database, "SELECT source_id FROM learners ORDER BY id")
    first, second, third = (
        datetime(2016, 3, 1, 9, 30, tzinfo=UTC),
        datetime(2017, 3, 1, 9, 30, tzinfo=UTC),
        datetime(2017, 3, 2, 7, 30, tzinfo=UTC),
    )
    assert [
        ("enrolled", "bb", "logic", first, clock.now),
        ("enrolled", "aa", "logic", second, clock.now),
        ("enrolled", "aa", "excel", third, clock.now),
    ] == await rows(
        database,
        "SELECT e.kind, l.source_id, c.slug, e.occurred_at, e.recorded_at FROM events e "
        "JOIN learners l ON l.id = e.learner_id JOIN courses c ON c.id = e.course_id ORDER BY e.id",
    )
    assert [(3, "ACTIVE")] == await rows(database, "SELECT count(*), min(status) FROM enrollments")
    published = clock.now - timedelta(hours=1)
    assert [("logic", 2, first, 2), ("excel", 1, third, 2), ("posters", 0, published, 1)] == await rows(
        database,
        "SELECT slug, enrollment_count, published_at, version FROM courses JOIN course_statistics ON course_id = id "
        "ORDER BY id",
    )


async def test_second_import_changes_nothing_and_says_so(database: Database, clock: ManualClock, folder: Path) -> None:
    """Rows, versions and moments stay; only the audit trail grows."""
    before: list[object] = []
    for turn in range(2):
        courses = await import_courses(database, clock, folder / "courses.csv")
        history = await import_enrollments(database, clock, folder / "history.csv.gz")
        expected = (3, 0, 0, 3, 0) if turn else (3, 3, 0, 0, 0)
        assert expected == outcome(courses) == outcome(history)
        assert (0 if turn else 2) == history.learners
        state: list[object] = [
            {**await counts(database), "audit_log": 0},
            await rows(database, "SELECT id, version, updated_at, published_at FROM courses ORDER BY id"),
            await rows(database, "SELECT course_id, enrollment_count FROM course_statistics ORDER BY 1"),
        ]
        assert before in ([], state)
        before = state
        clock.now += timedelta(days=1)
    audited = await rows(database, "SELECT action, subject_id, details->>'unchanged' FROM audit_log ORDER BY id")
    assert [
        ("catalog.import", "udemy", "0"),
        ("events.import", "udemy", "0"),
        ("catalog.import", "udemy", "3"),
        ("events.import", "udemy", "3"),
    ] == audited


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Logic,academics", "Logic II,academics"),
        ("11,logic", "11,logic-2"),
        ("math-and-science", "social-science"),
        ("Logic|Proof", "Proof|Logic"),
        ("Proof,beginner", "Proof,intermediate"),
    ],
)
async def test_changed_course_is_updated_and_no_other(
    database: Database, clock: ManualClock, folder: Path, old: str, new: str
) -> None:
    """One change of any column is one update: version and moment of that course, and what changed."""
    await import_courses(database, clock, folder / "courses.csv")
    (folder / "courses.csv").write_text(COURSES.replace(old, new), encoding="utf-8")
    clock.now += timedelta(days=1)
    assert (3, 0, 1, 2, 0) == outcome(await import_courses(database, clock, folder / "courses.csv"))
    assert [("11", 2, clock.now)] == await rows(
        database, "SELECT source_id, version, updated_at FROM courses WHERE version > 1"
    )
    assert (3, 0, 0, 3, 0) == outcome(await import_courses(database, clock, folder / "courses.csv"))


async def test_what_the_file_does_not_say_stays(database: Database, clock: ManualClock, folder: Path) -> None:
    """A summary and a duration from elsewhere survive an update."""
    await import_courses(database, clock, folder / "courses.csv")
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE courses SET summary = 'Short', duration_minutes = 90"))
    (folder / "courses.csv").write_text(COURSES.replace("Logic,academics", "Logic II,academics"), encoding="utf-8")
    assert (3, 0, 1, 2, 0) == outcome(await import_courses(database, clock, folder / "courses.csv"))
    assert [("Short", 90)] == await rows(database, "SELECT DISTINCT summary, duration_minutes FROM courses")


async def test_bad_rows_are_reported_by_line_and_good_ones_load(
    database: Database, clock: ManualClock, folder: Path
) -> None:
    """The report names physical lines, columns and reasons, in order; duplicates lose against the first line."""
    content = COURSES + (
        "11,logic-again,Logic,academics,,all,en,\n"
        "14,logic,Another,academics,,all,en,\n"
        "15,,No slug,academics,,all,en,\n"
        "16,short\n"
        '17,quoted,"Title" x,academics,,all,en,\n'
        "18,twin,EXCEL,academics,Excel,all,en,\n"
        "19,twin-2,excel,academics,Excel,all,en,\n"
    )
    (folder / "courses.csv").write_text(content, encoding="utf-8")
    report = folder / "reports/courses.csv"
    summary = await import_courses(database, clock, folder / "courses.csv", report=report)
    assert (10, 5, 0, 0, 5) == outcome(summary)
    with report.open(encoding="utf-8", newline="") as file:
        header, *reported = list(csv.reader(file))
    assert ["line", "column", "severity", "rule", "reason"] == header
    assert [
        ["6", "course_id", "rejected", "duplicate_id"],
        ["7", "slug", "rejected", "duplicate_slug"],
        ["8", "slug", "rejected", "missing_slug"],
        ["9", "", "rejected", "malformed_row"],
        ["10", "", "rejected", "malformed_row"],
    ] == [line[:4] for line in reported if line[2] == "rejected"]
    assert ["the id is already on line 2", "the slug is already on line 2"] == [
        line[4] for line in reported if line[3] in {"duplicate_id", "duplicate_slug"}
    ]
    assert ["12"] == [line[0] for line in reported if line[3] == "duplicate_title"]
    assert sorted(int(line[0]) for line in reported) == [int(line[0]) for line in reported]
    assert [6, 7, 8, 9, 10] == [problem.line for problem in summary.rejections]
    assert not list(report.parent.glob("*.partial"))


async def test_slug_of_another_course_of_the_platform_is_refused(
    database: Database, clock: ManualClock, folder: Path
) -> None:
    """Sources never overwrite each other."""
    await import_courses(database, clock, folder / "courses.csv", source="elsewhere")
    (folder / "courses.csv").write_text(COURSES + "14,free,Free,design,X,all,en,\n", encoding="utf-8")
    summary = await import_courses(database, clock, folder / "courses.csv")
    assert (4, 1, 0, 0, 3) == outcome(summary)
    assert {"taken_slug"} == {rule for severity, rule, _ in summary.rules if severity == "rejected"}


async def test_bad_history_is_reported_and_the_rest_loads(database: Database, clock: ManualClock, folder: Path) -> None:
    """Unknown courses and repeated rows are rejected, and a stored moment is never rewritten."""
    await import_courses(database, clock, folder / "courses.csv")
    await import_enrollments(database, clock, folder / "history.csv.gz")
    path = folder / "more.csv"
    path.write_text(
        "course_id,learner_id,enrolled_at\n"
        "99,aa,2017-03-01T09:30:00Z\n"
        "13,aa,2017-04-01T09:30:00Z\n"
        "13,aa,2017-05-01T09:30:00Z\n"
        "11,aa,2011-03-01T09:30:00Z\n"
        "11,aa@example.org,2017-03-01T09:30:00Z\n",
        encoding="utf-8",
    )
    report = folder / "report.csv"
    summary = await import_enrollments(database, clock, path, report=report)
    assert (5, 1, 0, 1, 3) == outcome(summary)
    assert [
        "line,column,severity,rule",
        "2,course_id,rejected,unknown_course",
        "4,,rejected,duplicate_enrollment",
        "5,enrolled_at,warning,other_moment",
        "6,learner_id,rejected,malformed_learner",
    ] == [",".join(line.split(",")[:4]) for line in report.read_text(encoding="utf-8").splitlines()]
    assert "example.org" not in report.read_text(encoding="utf-8")
    assert [(4, 4)] == await rows(database, "SELECT count(*), (SELECT count(*) FROM enrollments) FROM events")


async def test_strict_import_refuses_the_whole_file(database: Database, clock: ManualClock, folder: Path) -> None:
    """One rejected row rolls everything back; the report is there all the same."""
    (folder / "courses.csv").write_text(COURSES + "14,,No slug,academics,,all,en,\n", encoding="utf-8")
    report = folder / "report.csv"
    with pytest.raises(InputError, match=r"1 of 4 rows would be rejected. First: line 6, slug: The slug is empty"):
        await import_courses(database, clock, folder / "courses.csv", report=report, strict=True)
    assert {0} == set((await counts(database)).values())
    assert "missing_slug" in report.read_text(encoding="utf-8")


async def test_file_of_which_nothing_would_be_left_is_refused(
    database: Database, clock: ManualClock, folder: Path
) -> None:
    """All rows rejected is a wrong file, not a success."""
    (folder / "courses.csv").write_text(COURSES.partition("\n")[0] + "\nx,y,z,,,,,\n", encoding="utf-8")
    with pytest.raises(InputError, match="every row would be rejected"):
        await import_courses(database, clock, folder / "courses.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"source": "Not A Name"}, "is not a name"),
        ({"source": "simulated"}, "is for the demonstration alone"),
        ({"format_name": "xml"}, "no format 'xml'; formats are udemy"),
        ({"report": Path("/dev/null/report.csv")}, "The report /dev/null/report.csv cannot be written"),
    ],
)
async def test_arguments_that_cannot_be_meant_are_refused(
    database: Database, clock: ManualClock, folder: Path, arguments: dict[str, Any], said: str
) -> None:
    """Each wrong argument gets one clear line, and nothing is changed."""
    with pytest.raises(InputError, match=said):
        await import_courses(database, clock, folder / "courses.csv", **arguments)
    assert {0} == set((await counts(database)).values())


async def test_history_without_its_courses_is_refused(database: Database, clock: ManualClock, folder: Path) -> None:
    """The order of the two imports is told, instead of one rejection a row."""
    with pytest.raises(InputError, match="waymark catalog import"):
        await import_enrollments(database, clock, folder / "history.csv.gz")


async def test_real_data_loads_beside_the_demonstration(database: Database, clock: ManualClock, folder: Path) -> None:
    """Whoever tried the demonstration first can go on; the label stays."""
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE platform SET simulated = true"))
    assert (await import_courses(database, clock, folder / "courses.csv")).new > 0
    async with database.transaction() as connection:
        assert (await connection.execute(text("SELECT simulated FROM platform"))).scalar_one()


@pytest.mark.parametrize("table", ["courses", "course_statistics"])
async def test_full_disk_rolls_everything_back(
    database: Database, clock: ManualClock, folder: Path, table: str
) -> None:
    """PostgreSQL's own error becomes one line, and no row of any table stays."""
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION fill_the_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
                "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
            )
        )
        await connection.execute(
            text(
                f"CREATE TRIGGER full_disk AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fill_the_disk()"
            )
        )
    with pytest.raises(UnavailableError, match="nothing was changed: its disk is full"):
        await import_courses(database, clock, folder / "courses.csv")
    assert {0} == set((await counts(database)).values())


async def test_broken_end_of_a_file_rolls_everything_back(database: Database, clock: ManualClock, folder: Path) -> None:
    """Rows before the damage do not stay, even when they were copied already."""
    many = "".join(f"{number},slug-{number},Course,design,X,all,en,\n" for number in range(100, 6_000))
    (folder / "courses.csv").write_text(f'{COURSES}{many}7,"', encoding="utf-8")
    with pytest.raises(InputError, match="quoted field that begins in the row of line 5906"):
        await import_courses(database, clock, folder / "courses.csv")
    assert {0} == set((await counts(database)).values())


async def test_interrupted_import_leaves_nothing(database: Database, clock: ManualClock, folder: Path) -> None:
    """Ctrl-C in the middle rolls back, and the next import runs."""

    def interrupt(done: int, size: int) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await import_courses(database, clock, folder / "courses.csv", progress=interrupt)
    assert {0} == set((await counts(database)).values())
    assert (3, 3, 0, 0, 0) == outcome(await import_courses(database, clock, folder / "courses.csv"))


async def test_second_import_at_once_is_told_to_wait(database: Database, clock: ManualClock, folder: Path) -> None:
    """Two imports never wait for each other's rows."""
    async with transaction(database) as connection:
        assert "0" == (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
        with pytest.raises(InputError, match="Another import is running"):
            await import_courses(database, clock, folder / "courses.csv")


async def test_failure_of_the_driver_is_told_like_any_other(database: Database) -> None:
    """An error of COPY does not pass through SQLAlchemy, and is one line all the same."""

    async def fail() -> None:
        async with transaction(database) as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.execute("SELECT 1 / 0")

    with pytest.raises(UnavailableError, match="nothing was changed: division by zero"):
        await fail()


def record(number: int, **changes: Any) -> Parsed[CourseRecord]:
    """Return a course as a richer format would have it."""
    values: dict[str, Any] = {
        "line": number,
        "source_id": str(number),
        "slug": f"course-{number}",
        "title": f"Course {number}",
        "level": CourseLevel.BEGINNER,
        "language": "en",
        "topics": (),
        "skills": (),
        "instructors": ("Ada", "Basil"),
        "prerequisites": (),
        "summary": "Short.",
        "duration_minutes": 60,
        "published_at": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return Parsed(CourseRecord(**{**values, **changes}))


async def test_richer_sources_bring_instructors_and_prerequisites(database: Database, clock: ManualClock) -> None:
    """Both are linked, replaced when they change, and a prerequisite that leads nowhere is left out with a warning."""
    changes: list[dict[str, Any]] = [
        {},
        {},
        {"prerequisites": ("1",)},
        {"instructors": ("Basil", "Ada", "Ada")},
        {"duration_minutes": 61},
        {"published_at": datetime(2024, 1, 1, tzinfo=UTC)},
        {"summary": "Long."},
    ]
    found = []
    for change in changes:
        async with transaction(database) as connection:
            courses = [record(1), record(2, **{"prerequisites": ("2", "9", "1"), **change})]
            loaded = await load_courses(connection, courses, source="rich", now=clock())
            warned = (await connection.execute(text("SELECT count(*) FROM import_problems"))).scalar_one()
            found.append((loaded.new, loaded.updated, loaded.unchanged, warned))
    # Each course is compared with the one before, so that taking a change back counts too.
    assert [(2, 0, 0, 2), (0, 0, 2, 2), (0, 0, 2, 0), (0, 1, 1, 2), (0, 1, 1, 2), (0, 1, 1, 2), (0, 1, 1, 2)] == found
    assert [("2", "1")] == await rows(
        database,
        "SELECT c.source_id, p.source_id FROM course_prerequisites JOIN courses c ON c.id = course_id "
        "JOIN courses p ON p.id = prerequisite_id",
    )
    assert [("Ada", "Basil")] == await rows(
        database,
        "SELECT min(display_name) FILTER (WHERE position = 0), min(display_name) FILTER (WHERE position = 1) "
        "FROM course_instructors JOIN instructors ON id = instructor_id",
    )


@pytest.mark.parametrize("format_name", ["edx", "udemy-catalog"])
async def test_other_formats_load_what_they_have_and_load_it_once(
    database: Database, clock: ManualClock, tmp_path: Path, format_name: str
) -> None:
    """Texts, durations and moments arrive; the second import changes nothing; what the format lacks stays."""
    path = tmp_path / "courses.csv"
    path.write_text(written(format_name, [{}]), encoding="utf-8")
    assert (1, 1, 0, 0, 0) == outcome(await import_courses(database, clock, path, format_name=format_name))
    expected = {
        "edx": ("edx", "the-art-of-logic", "en", PROSE, 1_080, clock.now, "academics/math-and-science"),
        "udemy-catalog": (
            "udemy-catalog",
            "7",
            "und",
            None,
            90,
            datetime(2017, 1, 18, 20, 58, 58, tzinfo=UTC),
            "business/finance",
        ),
    }[format_name]
    query = (
        "SELECT c.source, c.source_id, c.language, c.description, c.duration_minutes, c.published_at, t.slug "
        "FROM courses c JOIN course_topics r ON r.course_id = c.id JOIN topics t ON t.id = r.topic_id"
    )
    assert [expected] == await rows(database, query)
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "WITH s AS (INSERT INTO skills (name) VALUES ('Proof') RETURNING id) "
                "INSERT INTO course_skills (course_id, skill_id) SELECT c.id, s.id FROM courses c, s"
            )
        )
        await connection.execute(text("UPDATE courses SET language = 'fr' WHERE source = 'udemy-catalog'"))
    assert (1, 0, 0, 1, 0) == outcome(await import_courses(database, clock, path, format_name=format_name))
    content = path.read_text(encoding="utf-8")
    path.write_text(content.replace("The Art of Logic", "The Craft of Logic"), encoding="utf-8")
    assert (1, 0, 1, 0, 0) == outcome(await import_courses(database, clock, path, format_name=format_name))
    language = "en" if format_name == "edx" else "fr"
    assert [("The Craft of Logic", language, "Proof", 2)] == await rows(
        database,
        "SELECT c.title, c.language, s.name, c.version FROM courses c JOIN course_skills r ON r.course_id = c.id "
        "JOIN skills s ON s.id = r.skill_id",
    )


async def test_changed_description_is_an_update_and_a_missing_one_is_not(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """A source that lost its text does not take ours away."""
    path = tmp_path / "courses.csv"
    found = []
    for description in (PROSE, f"{PROSE} Now with puzzles.", "pending"):
        path.write_text(written("edx", [{"course_description": description}]), encoding="utf-8")
        summary = await import_courses(database, clock, path, format_name="edx")
        found.append((summary.new, summary.updated, summary.unchanged))
    assert [(1, 0, 0), (0, 1, 0), (0, 0, 1)] == found
    assert [(f"{PROSE} Now with puzzles.",)] == await rows(database, "SELECT description FROM courses")


async def test_unknown_tag_never_becomes_a_topic_until_a_curator_places_it(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """It is warned of; with a synonym the next import moves the course, and nothing else changes."""
    path = tmp_path / "courses.csv"
    path.write_text(written("udemy", [{"categories": "academics|alchemy"}]), encoding="utf-8")
    first = await import_courses(database, clock, path)
    assert ["unknown_topic"] == [rule for _, rule, _ in first.rules]
    topics = "SELECT t.slug FROM topics t ORDER BY t.slug"
    assert [("academics",)] == await rows(database, topics)
    taxonomy = curated().extended({"academics|alchemy": "academics/chemistry"})
    assert (1, 0, 1, 0, 0) == outcome(await import_courses(database, clock, path, taxonomy=taxonomy))
    assert [("academics",), ("academics/chemistry",)] == await rows(database, topics)


async def test_topics_arrive_with_labels_and_an_edited_one_stays(
    database: Database, clock: ManualClock, folder: Path
) -> None:
    """A topic of before labels gets them by the next import; a curator's own word is kept; nothing else changes."""
    query = "SELECT slug, name, labels->>'es' FROM topics WHERE slug LIKE 'business%' ORDER BY slug"
    await import_courses(database, clock, folder / "courses.csv")
    arrived = [("business", "Business", "Negocios"), ("business/other", "Business: Other", "Negocios: otros")]
    assert arrived == await rows(database, query)
    async with database.transaction() as connection:
        await connection.execute(text("""UPDATE topics SET labels = '{"es": "Empresa"}' WHERE slug = 'business'"""))
        await connection.execute(text("UPDATE topics SET labels = '{}' WHERE slug = 'business/other'"))
    assert (3, 0, 0, 3, 0) == outcome(await import_courses(database, clock, folder / "courses.csv"))
    assert [("business", "Business", "Empresa"), arrived[1]] == await rows(database, query)


async def test_stricter_standards_keep_rows_out(database: Database, clock: ManualClock, folder: Path) -> None:
    """What the operator's setting blocks is rejected by an import too."""
    summary = await import_courses(database, clock, folder / "courses.csv", standards=Standards.of("no_skills"))
    assert (3, 2, 0, 0, 1) == outcome(summary)
    assert "rejected" in {severity for severity, rule, _ in summary.rules if rule == "no_skills"}


async def test_check_and_import_say_the_same(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Both count the same rows for every rule, on a file in which each row breaks at most one blocking rule."""
    path = tmp_path / "courses.csv"
    changes = [
        {"slug": "a"},
        {"slug": "b"},
        {"slug": "c", "title": "", "concepts": ""},
        {"slug": "d", "title": "Advanced Poetics", "categories": "alchemy"},
        {"slug": "a", "title": "Grammar"},
        {"slug": "e", "title": "RHETORIC FOR ABSOLUTE BEGINNERS", "level": "esperto", "categories": "design"},
    ]
    content = written("udemy", [{"course_id": str(number), **change} for number, change in enumerate(changes)])
    path.write_text(content + "9,short\n", encoding="utf-8")
    summary = await import_courses(database, clock, path)
    report = check_courses(path, "udemy", curated(), Standards())
    assert (report.rows, report.loadable) == (summary.read, summary.new)
    checked = {(IMPORT_SEVERITY[rule.severity], rule.rule): rule.rows for rule in report.rules}
    # A rejected row has one problem in an import, and all of them in a check.
    assert 1 == checked.pop((IMPORT_SEVERITY[QualitySeverity.WARNING], "no_skills"))
    assert checked == {(severity, rule): count for severity, rule, count in summary.rules}


async def test_erased_learner_is_left_out_and_counted(
    database: Database, clock: ManualClock, folder: Path, key_ring: KeyRing
) -> None:
    """Whoever erased themselves is not brought back by the same file, and others of it are as before."""
    index = Cipher(key_ring).source_index
    await import_courses(database, clock, folder / "courses.csv")
    await import_enrollments(database, clock, folder / "history.csv.gz", source_index=index)
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM learners WHERE source_id = 'aa'"))
        await erasures.add(connection, 1, clock(), source="udemy", source_index=index("udemy", "aa"))
        # Under another source the same id is somebody else.
        await erasures.add(connection, 2, clock(), source="edx", source_index=index("edx", "bb"))
    summary = await import_enrollments(database, clock, folder / "history.csv.gz", source_index=index)
    assert (3, 0, 0, 1, 2) == outcome(summary)
    assert [("rejected", "erased_learner", 2)] == [tuple(rule) for rule in summary.rules]
    assert not any("aa" in str(problem) for problem in summary.rejections)
    assert [("bb",)] == await rows(database, "SELECT source_id FROM learners")


async def test_robot_is_imported_once_a_course(database: Database, clock: ManualClock, folder: Path) -> None:
    """Ten thousand rows of one account are two enrollments, counters grow by one, and the rest are repetitions."""
    await import_courses(database, clock, folder / "courses.csv")
    moments = (datetime(2017, 3, 1, tzinfo=UTC) + timedelta(seconds=number) for number in range(10_000))
    lines = [f"robot,{11 + number % 2},{moment.isoformat()}" for number, moment in enumerate(moments)]
    told = "\n".join([ENROLLMENTS.strip(), *lines])
    (folder / "history.csv.gz").write_bytes(gzip.compress(told.encode()))
    summary = await import_enrollments(database, clock, folder / "history.csv.gz")
    assert (10_003, 5, 0, 0, 9_998) == outcome(summary)
    assert [("logic", 3), ("excel", 2), ("posters", 0)] == await rows(
        database, "SELECT slug, enrollment_count FROM courses JOIN course_statistics ON course_id = id ORDER BY id"
    )
    assert [(5,)] == await rows(database, "SELECT count(*) FROM events")
