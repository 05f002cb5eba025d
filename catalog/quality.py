"""Metadata quality as a gate: named rules with a severity over a course as it would be published.

The same rules serve an import, `waymark catalog check`, and an author who wants to publish a draft. A blocking
breach refuses publication, and keeps a row of a file out; the rest is reported. The rules look at one course at a
time: what takes the whole file or catalog (duplicates), or the network (reachability), is told to them in fields of
`CourseMetadata`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from catalog.metadata import CourseMetadata, FieldPath
from catalog.problems import Severity
from catalog.rules import classification, content, descriptions, titles
from catalog.rules.findings import Check
from core.errors import InputError


class QualitySeverity(StrEnum):
    """What a breach means for publication."""

    BLOCKING = "BLOCKING"
    WARNING = "WARNING"
    INFO = "INFO"


# What a breach means for a row of a file.
IMPORT_SEVERITY: Mapping[QualitySeverity, Severity] = MappingProxyType(
    {
        QualitySeverity.BLOCKING: Severity.REJECTED,
        QualitySeverity.WARNING: Severity.WARNING,
        QualitySeverity.INFO: Severity.INFO,
    }
)

# What is left of the score after a broken rule of each severity. One blocking breach weighs more than all that
# may be wrong with a course that is publishable; a test holds that.
_LEFT: Mapping[QualitySeverity, float] = MappingProxyType(
    {QualitySeverity.BLOCKING: 0.2, QualitySeverity.WARNING: 0.92, QualitySeverity.INFO: 0.98}
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand on the metadata of a course.

    Attributes:
        name: stable; reports, clients and the documentation use it.
        severity: what a breach means, unless the operator's standards are stricter.
        check: yields what is wrong.
    """

    name: str
    severity: QualitySeverity
    check: Check


@dataclass(frozen=True, slots=True)
class Issue:
    """One breach of a rule.

    Attributes:
        rule: name of the rule.
        severity: whether it refuses publication.
        message: what is wrong, for an author who can act on it.
        field: where it is, by the names of `CourseMetadata`.
    """

    rule: str
    severity: QualitySeverity
    message: str
    field: FieldPath


def _rules(severity: QualitySeverity, *checks: Check) -> tuple[Rule, ...]:
    return tuple(Rule(getattr(check, "__name__", ""), severity, check) for check in checks)


RULES: tuple[Rule, ...] = (
    *_rules(
        QualitySeverity.BLOCKING,
        titles.missing_title,
        titles.missing_slug,
        titles.malformed_slug,
        titles.long_title,
        titles.garbled_title,
        descriptions.undescribed,
        descriptions.placeholder_description,
        descriptions.description_is_title,
        classification.long_skill,
        content.empty_module,
        content.malformed_media,
    ),
    *_rules(
        QualitySeverity.WARNING,
        titles.placeholder_title,
        titles.shouting_title,
        titles.duplicate_title,
        descriptions.missing_description,
        descriptions.repeated_description,
        descriptions.repetitive_description,
        classification.no_skills,
        classification.no_topic,
        classification.unknown_topic,
        classification.unknown_level,
        classification.level_mismatch,
        classification.unknown_language,
        classification.language_mismatch,
        classification.missing_prerequisites,
        content.no_lessons,
        content.no_assessment,
        content.unreachable_media,
    ),
    *_rules(
        QualitySeverity.INFO,
        descriptions.missing_summary,
        descriptions.short_description,
        classification.broad_topic,
        content.insecure_media,
    ),
)


@dataclass(frozen=True, slots=True)
class Standards:
    """How strict an operator is.

    Attributes:
        blocking: names of rules that refuse publication although they only warn otherwise.
    """

    blocking: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: str | None) -> Standards:
        """Return the standards that a setting describes: names of rules, separated by commas.

        Raises:
            InputError: there is no such rule.
        """
        blocking = frozenset(name.strip() for name in (names or "").split(",") if name.strip())
        unknown = sorted(blocking - {rule.name for rule in RULES})
        if unknown:
            raise InputError(f"There is no rule of quality {unknown[0]!r}; docs/imports.md lists them all.")
        return cls(blocking)


def examine(course: CourseMetadata, standards: Standards = Standards()) -> list[Issue]:
    """Return what is wrong with a course, blocking issues first.

    The first description of a process takes a second, because the identification of languages has to be loaded, and
    later ones milliseconds: an event loop runs this in a thread.
    """
    issues = [
        Issue(rule.name, _severity(rule, standards), finding.message, finding.field)
        for rule in RULES
        for finding in rule.check(course)
    ]
    return sorted(issues, key=lambda issue: _ORDER[issue.severity])


def score(issues: Iterable[Issue]) -> float:
    """Return how good metadata with these issues is: above 0, up to 1 for metadata without any.

    The score is a product: each broken rule leaves 0.92 of it when it warns, 0.98 when it informs, and 0.2 when it
    blocks; a rule counts once, however often it is broken. So a new issue never raises it.
    """
    product = 1.0
    for _, severity in sorted({(issue.rule, issue.severity) for issue in issues}):
        product *= _LEFT[severity]
    return round(product, 4)


def is_publishable(issues: Iterable[Issue]) -> bool:
    """Return whether a course with these issues may be published."""
    return all(issue.severity is not QualitySeverity.BLOCKING for issue in issues)


_ORDER = {severity: place for place, severity in enumerate(QualitySeverity)}


def _severity(rule: Rule, standards: Standards) -> QualitySeverity:
    return QualitySeverity.BLOCKING if rule.name in standards.blocking else rule.severity
