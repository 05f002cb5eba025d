"""Rules of metadata quality on a course as it would be published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from catalog.metadata import CourseMetadata, MediaLink, ModuleOutline
from catalog.quality import (
    IMPORT_SEVERITY,
    RULES,
    Issue,
    QualitySeverity,
    Standards,
    examine,
    is_publishable,
    score,
)
from core.errors import InputError
from database.tables.courses import CourseLevel

PROSE = (
    "In this course you will learn how arguments are built, how to tell a valid one from a fallacy, and how to write "
    "proofs that convince others. Each week has a short lecture, worked examples and exercises with feedback."
)
SPANISH = (
    "En este curso aprenderás cómo se construyen los argumentos, cómo distinguir uno válido de una falacia y cómo "
    "escribir demostraciones que convenzan a los demás. Cada semana hay una clase breve, ejemplos y ejercicios."
)
GOOD = CourseMetadata(
    title="The Art of Logic",
    slug="logic",
    summary="How to argue well.",
    description=PROSE,
    level=CourseLevel.ADVANCED,
    language="en",
    topics=("academics/math-and-science",),
    skills=("Logic",),
    prerequisites=("reading",),
    has_assessment=True,
    modules=(ModuleOutline("Arguments", 3), ModuleOutline("Exam", 0, has_assessment=True)),
    media=(MediaLink("https://media.example.org/a.mp4"),),
)
BLOCKING, WARNING, INFO = QualitySeverity


def broken(**changes: Any) -> list[str]:
    """Return the rules that a good course breaks with some values changed."""
    return [issue.rule for issue in examine(replace(GOOD, **changes))]


def test_good_course_breaks_no_rule() -> None:
    """It may be published, and its score is 1."""
    assert [] == examine(GOOD)
    assert is_publishable([])
    assert 1.0 == score([])


def test_what_nobody_can_know_is_not_judged() -> None:
    """A course of which nothing is known breaks no rule."""
    assert [] == examine(CourseMetadata())


@pytest.mark.parametrize(
    ("changes", "rule", "severity", "field"),
    [
        ({"title": " "}, "missing_title", BLOCKING, ("title",)),
        ({"title": "Logic! " * 40}, "long_title", BLOCKING, ("title",)),
        ({"title": "Value Investing,https://host/x,true"}, "garbled_title", BLOCKING, ("title",)),
        ({"title": "Logic\nRhetoric"}, "garbled_title", BLOCKING, ("title",)),
        ({"title": "Untitled course"}, "placeholder_title", WARNING, ("title",)),
        ({"title": "Copy of Logic"}, "placeholder_title", WARNING, ("title",)),
        ({"title": "LEARN EVERYTHING NOW"}, "shouting_title", WARNING, ("title",)),
        ({"same_title": "line 7"}, "duplicate_title", WARNING, ("title",)),
        ({"slug": ""}, "missing_slug", BLOCKING, ("slug",)),
        ({"slug": "No Slug"}, "malformed_slug", BLOCKING, ("slug",)),
        ({"summary": "", "description": " "}, "undescribed", BLOCKING, ("description",)),
        ({"summary": None, "description": ""}, "undescribed", BLOCKING, ("description",)),
        ({"description": ""}, "missing_description", WARNING, ("description",)),
        ({"summary": ""}, "missing_summary", INFO, ("summary",)),
        (
            {"title": PROSE[:150], "description": PROSE[:150].upper() + "!"},
            "description_is_title",
            BLOCKING,
            ("description",),
        ),
        ({"same_description": "line 7"}, "repeated_description", WARNING, ("description",)),
        ({"same_summary": "line 7"}, "repeated_description", WARNING, ("summary",)),
        ({"description": f"{PROSE}\n" * 3}, "repetitive_description", WARNING, ("description",)),
        ({"topics": ()}, "no_topic", WARNING, ("topics",)),
        ({"topics": ("academics",)}, "broad_topic", INFO, ("topics",)),
        ({"topics": (), "unmapped": {"topics": ("alchemy",)}}, "unknown_topic", WARNING, ("topics",)),
        ({"skills": ()}, "no_skills", WARNING, ("skills",)),
        ({"skills": ("Logic", "x" * 101)}, "long_skill", BLOCKING, ("skills", "1")),
        ({"skills": tuple(map(str, range(101)))}, "long_skill", BLOCKING, ("skills",)),
        ({"unmapped": {"level": ("guru",)}}, "unknown_level", WARNING, ("level",)),
        ({"language": "und"}, "unknown_language", WARNING, ("language",)),
        ({"language": "und", "unmapped": {"language": ("klingon",)}}, "unknown_language", WARNING, ("language",)),
        ({"language": "es"}, "language_mismatch", WARNING, ("language",)),
        ({"prerequisites": ()}, "missing_prerequisites", WARNING, ("prerequisites",)),
        ({"has_assessment": False}, "no_assessment", WARNING, ("modules",)),
        ({"modules": ()}, "no_lessons", WARNING, ("modules",)),
        ({"modules": None, "lesson_count": 0}, "no_lessons", WARNING, ("lesson_count",)),
        ({"modules": (ModuleOutline("A", 1), ModuleOutline("B", 0))}, "empty_module", BLOCKING, ("modules", "1")),
        ({"media": (MediaLink("nowhere", ("modules", "0")),)}, "malformed_media", BLOCKING, ("modules", "0")),
        ({"media": (MediaLink("http://media.example.org/a"),)}, "insecure_media", INFO, ("media",)),
        (
            {"media": (MediaLink("https://media.example.org/a", failure="it answers 404"),)},
            "unreachable_media",
            WARNING,
            ("media",),
        ),
    ],
)
def test_breach_has_its_rule_severity_and_field(
    changes: dict[str, Any], rule: str, severity: QualitySeverity, field: tuple[str, ...]
) -> None:
    """One change of a good course breaks one rule, and the message is one line that says what to do."""
    (issue,) = examine(replace(GOOD, **changes))
    assert (rule, severity, field) == (issue.rule, issue.severity, issue.field)
    assert issue.message[-1] == "."
    assert len(issue.message.splitlines()) == 1


def test_every_rule_has_a_breach_in_these_tests() -> None:
    """No rule is without an example above, or in the tests of descriptions and levels below."""
    marks = test_breach_has_its_rule_severity_and_field.pytestmark
    covered = {case[1] for mark in marks for case in mark.args[1]}
    assert {"short_description", "placeholder_description", "level_mismatch"} == {rule.name for rule in RULES} - covered


@pytest.mark.parametrize(
    "text",
    [
        "Course description here",
        "Insert your description here.",
        "<Description goes here>",
        "TBD",
        "todo",
        "Coming soon!",
        "N/A",
        "pending",
        "no abstract available",
        "Descripción del curso",
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
        f"{PROSE} [Insert testimonials]",
        f"{PROSE} Hello {{{{ name }}}}!",
    ],
)
def test_placeholder_refuses_publication(text: str) -> None:
    """A text that only holds the place of one is found in both fields, whatever else is there."""
    for field in ("description", "summary"):
        changes: dict[str, Any] = {field: text}
        found = [issue for issue in examine(replace(GOOD, **changes)) if issue.rule == "placeholder_description"]
        assert [(field,)] == [issue.field for issue in found]
        assert not is_publishable(found)


@pytest.mark.parametrize(
    "text",
    [
        "A test course on testing: how to write a description here and there.",
        "What is pending after a divorce, and what is to be done about it.",
        "Nothing is coming soon enough for those who wait.",
        "How the text of lorem and of ipsum came to be, in an overview of typesetting.",
        "Information [see below] on the <b>course</b>.",
    ],
)
def test_text_that_only_looks_like_a_placeholder_is_left_alone(text: str) -> None:
    """Words of placeholders are words of courses too."""
    assert "placeholder_description" not in broken(summary=text)


def test_short_description_is_remarked_where_words_can_be_counted() -> None:
    """Fewer than 15 words are few, but not in a language without spaces between words."""
    assert ["short_description"] == broken(description="You will learn how to argue.")
    assert [] == broken(
        language="zh", title="逻辑", summary="逻辑入门。", description="学习如何论证以及如何写出令人信服的证明。"
    )


@pytest.mark.parametrize(
    ("title", "level", "is_wrong"),
    [
        ("Advanced Logic", CourseLevel.BEGINNER, True),
        ("Databases: Advanced Topics in SQL", CourseLevel.BEGINNER, True),
        ("Adobe Illustrator CC Advanced", CourseLevel.BEGINNER, True),
        ("Excel avanzado", CourseLevel.BEGINNER, True),
        ("Logic for Absolute Beginners", CourseLevel.ADVANCED, True),
        ("A Beginner's Guide to Logic", CourseLevel.INTERMEDIATE, True),
        ("Lógica para principiantes", CourseLevel.ADVANCED, True),
        ("Advanced Logic", CourseLevel.ADVANCED, False),
        ("Advanced Logic", CourseLevel.INTERMEDIATE, False),
        ("Advanced Logic", CourseLevel.ALL_LEVELS, False),
        ("Logic for Beginners", CourseLevel.ALL_LEVELS, False),
        ("Logic: Beginner to Advanced", CourseLevel.BEGINNER, False),
        ("Logic: from Basics to Advanced", CourseLevel.BEGINNER, False),
        ("Advanced Persistent Threats", CourseLevel.BEGINNER, False),
        ("Build Your Professional Advanced Storage Box", CourseLevel.BEGINNER, False),
        ("Become a Trading Expert", CourseLevel.BEGINNER, False),
        ("An Introduction to Advanced Logic", CourseLevel.BEGINNER, False),
        ("Logic for Beginners - Intermediate Level", CourseLevel.BEGINNER, False),
        ("Learn Redis from Scratch", CourseLevel.INTERMEDIATE, False),
    ],
)
def test_level_is_compared_with_a_title_that_surely_names_one(
    title: str, level: CourseLevel, *, is_wrong: bool
) -> None:
    """A word that may mean something else, or a way from one level to another, accuses nobody."""
    assert (["level_mismatch"] if is_wrong else []) == broken(title=title, level=level)


def test_course_that_teaches_a_language_may_be_described_in_another_one() -> None:
    """Neither its topic nor its title is held against it."""
    assert [] == broken(language="it", topics=("language/italian",))
    assert [] == broken(language="it", title="AP Italian Language and Culture")
    assert [] == broken(title="Inglés empresarial", description=SPANISH)
    assert ["language_mismatch"] == broken(title="Lógica", description=SPANISH)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "does not begin with https://"),
        ("media.example.org/a.mp4", "does not begin with https://"),
        ("ftp://media.example.org/a", "does not begin with https://"),
        ("javascript:alert(1)", "does not begin with https://"),
        ("https://", "names no host"),
        ("https:///a.mp4", "names no host"),
        ("https://media.example.org/a b", "has a space"),
        ("https://media.example.org/a\n", "has a space"),
        ("https://media.example.org:x/", "is not an address"),
        ("https://[::1/", "is not an address"),
        ("https://u:p@media.example.org/", "holds a user name"),
        ("https://localhost/a", "only its own network knows"),
        ("https://files.internal./a", "only its own network knows"),
        ("https://intranet/a", "only its own network knows"),
        ("https://10.1.2.3/a", "only its own network knows"),
        ("https://169.254.169.254/latest", "only its own network knows"),
        ("https://[::ffff:127.0.0.1]/a", "only its own network knows"),
        ("https://[fe80::1%25eth0]/a", "only its own network knows"),
        ("https://2130706433/a", "not written as four numbers"),
        ("https://0x7f.1/a", "not written as four numbers"),
        ("https://media.example.org/" + "x" * 2_000, "more than 2000 characters"),
    ],
)
def test_address_that_no_learner_can_open_is_refused_without_a_look_up(url: str, said: str) -> None:
    """Its shape alone tells."""
    (issue,) = examine(replace(GOOD, media=(MediaLink(url),)))
    assert ("malformed_media", True) == (issue.rule, said in issue.message)


@pytest.mark.parametrize("url", ["https://8.8.8.8/a", "https://media.example.org:8443/a?b=c#d", "HTTPS://Example.COM"])
def test_address_that_may_be_reached_is_left_alone(url: str) -> None:
    """Public numbers, ports and queries are nothing wrong."""
    assert [] == broken(media=(MediaLink(url),))


@given(st.text(max_size=60))
def test_any_address_is_judged(url: str) -> None:
    """Whatever an author types is right or wrong, never an exception, and a message is one line."""
    issues = examine(replace(GOOD, media=(MediaLink(url),)))
    assert all(len(issue.message.splitlines()) == 1 for issue in issues)


def test_operator_can_make_a_warning_refuse_publication() -> None:
    """The setting names rules; a name that is none is told."""
    course = replace(GOOD, has_assessment=False)
    (warning,) = examine(course)
    (blocking,) = examine(course, Standards.of("no_assessment, no_topic"))
    assert (WARNING, BLOCKING) == (warning.severity, blocking.severity)
    assert is_publishable([warning])
    assert not is_publishable([blocking])
    assert Standards() == Standards.of(None) == Standards.of("")
    with pytest.raises(InputError, match="There is no rule of quality 'no_fun'"):
        Standards.of("no_topic,no_fun")


def test_blocking_issues_come_first() -> None:
    """Whoever shows only the first issue shows one that matters."""
    issues = examine(replace(GOOD, slug="", summary="", skills=(), title="Logic! " * 40))
    assert [BLOCKING, BLOCKING, WARNING, INFO] == [issue.severity for issue in issues]


def test_publishable_course_never_scores_below_one_that_is_not() -> None:
    """All warnings and remarks together leave more than one blocking issue does."""
    harmless = [Issue(rule.name, rule.severity, "", ()) for rule in RULES if rule.severity is not BLOCKING]
    assert 0 < score([Issue("long_title", BLOCKING, "", ("title",))]) < score(harmless) < 1


@given(st.lists(st.sampled_from(RULES), max_size=40))
def test_score_lies_between_0_and_1_and_no_issue_raises_it(rules: list[Any]) -> None:
    """A rule counts once, and the order does not matter."""
    issues = [Issue(rule.name, rule.severity, "", ()) for rule in rules]
    assert 0 <= score(issues) <= 1
    assert score(issues) <= score(issues[1:])
    assert score(issues) == score(issues[::-1]) == score(issues * 2)


def test_every_severity_has_its_meaning_in_an_import() -> None:
    """Three callers, one table."""
    assert {"BLOCKING": "rejected", "WARNING": "warning", "INFO": "info"} == {
        severity.value: meaning.value for severity, meaning in IMPORT_SEVERITY.items()
    }
