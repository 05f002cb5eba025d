"""Rules on the summary and the description."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from catalog.metadata import CourseMetadata
from catalog.problems import excerpt
from catalog.rules.findings import Finding

_FEWEST_WORDS = 15
_SENTENCE_LETTERS = 40
_REPETITIONS = 3

# A whole text that only holds the place of one.
_PLACEHOLDER = re.compile(
    r"(the |your |course |short |long )*(description|summary|abstract|overview|text)( goes)?( here)?"
    r"|(insert|add|enter|write|put|type) (a |an |the |your |some )?(short |long |course )*"
    r"(description|summary|text)( here)?"
    r"|no (course )?(description|summary|abstract|information)( is)?( yet)?( available| provided| given)?( yet)?"
    r"|pending|to ?do|tb[acd]|to be (announced|added|defined|written|completed|confirmed)|coming soon|work in progress"
    r"|none|null|n/?a|nil|unknown|test(ing)?( \d+| description| text)?|x{3,}|asdf\w*|blah( blah)*|foo( bar)?"
    r"|(la )?descripci[oó]n( del curso)?( aqu[ií])?|sin descripci[oó]n|pendiente|pr[oó]ximamente|descri[cç][aã]o",
    re.IGNORECASE,
)
# What no text of one's own contains.
_TEMPLATE = re.compile(
    r"lorem ipsum|dolor sit amet|\{\{[^{}]{0,100}\}\}|\[(insert|your|add)\b[^\[\]]{0,100}\]"
    r"|<(insert|your|add)\b[^<>]{0,100}>"
    r"|\b(course|short) description (goes )?here\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+")
_AROUND = " .\u2026!-\u2013_*#[]()<>\"'"
_NOT_LETTERS = re.compile(r"[\W_]+")


def undescribed(course: CourseMetadata) -> Iterator[Finding]:
    """Demand that something says what the course is about."""
    if _is_empty(course.description) and not (course.summary or "").strip():
        yield Finding("Nothing says what the course is about. Write a description.", ("description",))


def missing_description(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a description besides the summary."""
    if _is_empty(course.description) and (course.summary or "").strip():
        yield Finding(
            "There is a summary and no description. Say what learners will do and for whom it is.", ("description",)
        )


def missing_summary(course: CourseMetadata) -> Iterator[Finding]:
    """Ask for a summary, which lists of courses show."""
    if _is_empty(course.summary) and (course.description or "").strip():
        yield Finding("There is no summary. Lists of courses show it: one or two sentences.", ("summary",))


def placeholder_description(course: CourseMetadata) -> Iterator[Finding]:
    """Demand texts that somebody wrote for this course."""
    for field, text in (("description", course.description), ("summary", course.summary)):
        stripped = (text or "").strip()
        found = _PLACEHOLDER.fullmatch(stripped.strip(_AROUND)) or _TEMPLATE.search(stripped)
        if stripped and found:
            yield Finding(
                f"The {field} still has the placeholder {excerpt(found.group())}. Write the {field} of this course.",
                (field,),
            )


def description_is_title(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a description that says more than the title does."""
    title = plain(course.title or "")
    if title and plain(course.description or "") == title:
        yield Finding("The description is only the title again. Say what the course is about.", ("description",))


def short_description(course: CourseMetadata) -> Iterator[Finding]:
    """Ask for a description that is worth its name."""
    words = len((course.description or "").split())
    # Texts without spaces between words cannot be counted like this.
    if 0 < words < _FEWEST_WORDS and (course.description or "").isascii():
        yield Finding(
            f"The description has {words} words. Say what learners will do and for whom it is.", ("description",)
        )


def repeated_description(course: CourseMetadata) -> Iterator[Finding]:
    """Demand texts that no other course has word for word."""
    for field, text, same in (
        ("description", course.description, course.same_description),
        ("summary", course.summary, course.same_summary),
    ):
        if same:
            yield Finding(
                f"The {field} {excerpt(text or '')} is word for word that of {same}. "
                "Say what is special about this one.",
                (field,),
            )


def repetitive_description(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a description that does not say the same again and again."""
    sentences = Counter(map(plain, _SENTENCE_END.split(course.description or "")))
    for sentence, times in sentences.items():
        if times >= _REPETITIONS and len(sentence) >= _SENTENCE_LETTERS:
            yield Finding(f"The description says {times} times {excerpt(sentence)}. Once is enough.", ("description",))
            return


def plain(text: str) -> str:
    """Return a text without capitals, punctuation and doubled spaces, so that equal texts can be told."""
    return _NOT_LETTERS.sub(" ", text.casefold()).strip()


def _is_empty(text: str | None) -> bool:
    return text is not None and not text.strip()
