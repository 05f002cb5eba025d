"""Rules on level, language, topics, skills and prerequisites."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.languages import LANGUAGES, UNKNOWN_LANGUAGE
from catalog.levels import UNKNOWN_LEVEL
from catalog.metadata import LONGEST_SKILL, MOST_SKILLS, CourseMetadata
from catalog.problems import excerpt
from catalog.rules.findings import Finding
from catalog.taxonomy import SEPARATOR
from catalog.writing import foreign_language
from database.tables.courses import CourseLevel

# Most titles have nothing like a level in them, and one look tells.
_LEVEL_LIKE = re.compile(
    r"advanc|avan[zcç]|fortgesch|expert|beginner|principiant|iniciant|débutant|anfänger|einsteiger", re.IGNORECASE
)
# Only where the word surely names the level of the course: "Advanced Persistent Threats" is not advanced.
_ADVANCED = re.compile(
    r"^(advanced|avanzad[oa]s?)\b(?! (placement|persistent|manufactur|driver|storage|directory))"
    r"|\b(advanced|avanzad[oa]s?|avançad[oa]s?|avancée?s?)"
    r" ?(level|course|training|topics?|techniques?|class|workshop)?\W*$"
    r"|[:(\u2013\u2014-] ?advanced (topics|level|techniques|course)\b"
    r"|\b(nivel|curso|nível|niveau) (avanzado|avançado|avancé)\b"
    r"|\bfür fortgeschrittene\b|\bfor (experts|advanced)\b",
    re.IGNORECASE,
)
_BEGINNER = re.compile(
    r"^(the )?(absolute |complete |total )?beginner('?s)?\b"
    r"|\bfor (the )?((absolute|complete|total|true|adult) )?beginners?\b"
    r"|\bbeginner'?s? (guide|course|level|class)\b|\bpara (principiantes|iniciantes)\b|\bpour (les )?débutants\b"
    r"|\bfür (anfänger|einsteiger)\b|\bper principianti\b",
    re.IGNORECASE,
)
# A way from one level to another, or a word of another level: such a title says nothing certain.
_SPAN = re.compile(
    r"\b(to|till?|until|through|and|&|a|al|bis|à|ao|into)( an?| the)?"
    r" (advanced|expert|pro|professional|hero|intermediate|master|rock|avan[zcç]\w+)|zero|\bbeyond\b|all levels",
    re.IGNORECASE,
)
_INTERMEDIATE = re.compile(r"\b(intermediate|intermedi[oa]s?|intermediári[oa]|intermédiaire)\b", re.IGNORECASE)
_INTRODUCTORY = re.compile(
    r"\b(basics?|beginn\w*|intro\w*|fundament\w*|scratch|b[aá]sic[oa]s?|essentials?)\b", re.IGNORECASE
)
_LANGUAGE_TEACHING = "language"
# Also as they are called in the languages that courses are most often described in.
_LANGUAGE_NAMES = frozenset(LANGUAGES) | {
    "inglés",
    "inglês",
    "anglais",
    "inglese",
    "englisch",
    "francés",
    "alemán",
    "chino",
}
_WORD = re.compile(r"\w+")


def level_mismatch(course: CourseMetadata) -> Iterator[Finding]:
    """Demand that the level is the one that the title names."""
    title = course.title or ""
    if course.level is None or "level" in course.unmapped or not _LEVEL_LIKE.search(title):
        return
    if _SPAN.search(title) or _INTERMEDIATE.search(title):
        return
    beginner, advanced = _BEGINNER.search(title), _ADVANCED.search(title)
    if advanced and not _INTRODUCTORY.search(title) and course.level is CourseLevel.BEGINNER:
        word = advanced.group()
    elif beginner and not advanced and course.level in {CourseLevel.INTERMEDIATE, CourseLevel.ADVANCED}:
        word = beginner.group()
    else:
        return
    yield Finding(
        f"The title {excerpt(title)} says {excerpt(word.strip(' :(-'))}, and the level is {course.level}. "
        "Correct the one that is wrong.",
        ("level",),
    )


def language_mismatch(course: CourseMetadata) -> Iterator[Finding]:
    """Demand that the texts are in the language of the course."""
    if course.language is None or _teaches_a_language(course):
        # It may rightly be described in another one.
        return
    prose = "\n".join(text for text in (course.summary, course.description) if text)
    found = foreign_language(course.title or "", prose, course.language)
    if found:
        yield Finding(
            f"The language is {course.language!r}, and the texts are in {found}. Correct the one that is wrong.",
            ("language",),
        )


def unknown_level(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a level that the table has."""
    for text in course.unmapped.get("level", ()):
        what = f"The level {excerpt(text)} is not in the table of levels" if text else "The level is empty"
        yield Finding(f"{what}; the course counts as {UNKNOWN_LEVEL}.", ("level",))


def unknown_language(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a language that the table has."""
    texts = course.unmapped.get("language", ("",) if course.language == UNKNOWN_LANGUAGE else ())
    for text in texts:
        what = f"The language {excerpt(text)} is not in the table of languages" if text else "The language is empty"
        yield Finding(f"{what}; the course counts as {UNKNOWN_LANGUAGE!r}, undetermined.", ("language",))


def no_topic(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a topic."""
    if course.topics is not None and not course.topics and not course.unmapped.get("topics"):
        yield Finding("There is no topic. Nobody finds the course by browsing without one.", ("topics",))


def unknown_topic(course: CourseMetadata) -> Iterator[Finding]:
    """Demand topics that the taxonomy has."""
    nearest = f"it counts as {course.topics[0]!r}" if course.topics else "the course has no topic without it"
    for tag in course.unmapped.get("topics", ()):
        yield Finding(f"The taxonomy has no place for {excerpt(tag)}; {nearest}.", ("topics",))


def broad_topic(course: CourseMetadata) -> Iterator[Finding]:
    """Ask for a topic of the lower level."""
    if course.topics and not course.unmapped.get("topics") and not any(SEPARATOR in slug for slug in course.topics):
        yield Finding(
            f"The course is on {course.topics[0]!r} as a whole. A narrower topic brings it to the right people.",
            ("topics",),
        )


def no_skills(course: CourseMetadata) -> Iterator[Finding]:
    """Demand skills, which recommendations are made from."""
    if course.skills is not None and not course.skills:
        yield Finding("There are no skills. Name what learners will be able to do.", ("skills",))


def long_skill(course: CourseMetadata) -> Iterator[Finding]:
    """Demand skills that are names, and not lists or sentences."""
    skills = course.skills or ()
    if len(skills) > MOST_SKILLS:
        yield Finding(f"There are {len(skills)} skills; at most {MOST_SKILLS} are allowed.", ("skills",))
    for place, skill in enumerate(skills):
        if len(skill) > LONGEST_SKILL:
            yield Finding(
                f"The skill {excerpt(skill)} has more than {LONGEST_SKILL} characters.", ("skills", str(place))
            )


def missing_prerequisites(course: CourseMetadata) -> Iterator[Finding]:
    """Demand that an advanced course says what to know before."""
    if course.level is CourseLevel.ADVANCED and course.prerequisites is not None and not course.prerequisites:
        yield Finding(
            "The course is ADVANCED and names no course to take before. Name one, or choose another level.",
            ("prerequisites",),
        )


def _teaches_a_language(course: CourseMetadata) -> bool:
    if any(slug.split(SEPARATOR)[0] == _LANGUAGE_TEACHING for slug in course.topics or ()):
        return True
    return not _LANGUAGE_NAMES.isdisjoint(_WORD.findall((course.title or "").lower()))
