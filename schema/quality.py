"""How good a course is, as its authors see it."""

from __future__ import annotations

import strawberry

from catalog.quality import QualitySeverity
from execution.fields import column
from resolvers.quality import contract_path
from schema.enums import describe
from schema.policies import ANYONE

describe(
    QualitySeverity,
    "What an issue means for publication. Open to growth: treat unknown as WARNING.",
    BLOCKING="The course cannot be published with it.",
    WARNING="Learners will notice.",
    INFO="Could be better.",
)


@strawberry.type(description="Something about a course that its authors can improve.")
class QualityIssue:
    """An issue."""

    rule: str = column(ANYONE, "Name of the rule, stable; the documentation of imports lists them all.")
    severity: QualitySeverity = column(ANYONE, "Whether it stands in the way of publication.")
    message: str = column(ANYONE, "What is wrong and what to do, in English.")
    field: list[str] = column(
        ANYONE, 'Where it is: names of fields and places from 0, such as `["modules", "2"]`.', read=contract_path
    )


@strawberry.type(description="A course as it would be published, judged by the rules that imports are judged by.")
class CourseQuality:
    """A judgment."""

    score: float = column(ANYONE, "Above 0, up to 1 for a course without any issue.")
    publishable: bool = column(ANYONE, "Whether no issue blocks its publication.")
    issues: list[QualityIssue] = column(ANYONE, "What to improve, blocking issues first.")
