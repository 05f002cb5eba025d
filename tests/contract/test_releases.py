"""Nothing leaves the contract that somebody may still use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.consumers import consumer_operations
from tests.contract.releases import Change, breaking_changes, schema_of, unlicensed, used_coordinates

SCHEMA = Path(__file__).resolve().parents[2] / "schema"
RELEASED = max((SCHEMA / "releases").glob("*.graphql"))
OLD = """
type Query { course: Course }
type Course {
  title: String!
  name: String @deprecated(reason: "Use `title`; since 2026-01-31.")
  label: String @deprecated(reason: "Use `title`.")
  slug: String @deprecated(reason: "Use `id`; since 2026-01-31.")
}
"""
NEW = "type Query { course: Course } type Course { title: String! }"


def test_nothing_that_the_last_release_promised_is_broken() -> None:
    """graphql-inspector finds no breaking change but those that the policy allows."""
    released = schema_of(RELEASED)
    used = used_coordinates(released, _valid_documents())
    assert [] == unlicensed(breaking_changes(RELEASED, SCHEMA / "schema.graphql"), released, used)


def _valid_documents() -> list[str]:
    # Operations of later builds use what the released contract does not know, which is not used of it.
    return [operation.text for operation in consumer_operations()]


def test_policy_lets_go_what_was_deprecated_dated_and_is_unused(tmp_path: Path) -> None:
    """One field may go; the others lack a date, a deprecation, or are used."""
    before, after = tmp_path / "before.graphql", tmp_path / "after.graphql"
    before.write_text(OLD, encoding="utf-8")
    after.write_text(NEW, encoding="utf-8")
    changes = [*breaking_changes(before, after), Change("Course.title", "Field 'title' was removed.")]
    assert {"Course.name", "Course.label", "Course.slug", "Course.title"} == {change.path for change in changes}
    used = used_coordinates(schema_of(before), ["{ course { title slug } }"])
    told = unlicensed(changes, schema_of(before), used)
    assert ["no date", "not deprecated", "uses it"] == sorted(
        next(part for part in ("no date", "not deprecated", "uses it") if part in line) for line in told
    )


@pytest.mark.parametrize(
    ("document", "coordinate"),
    [
        ("{ courses(filter: {level: [BEGINNER]}) { nodes { title } } }", "CourseLevel.BEGINNER"),
        ('{ courses(filter: {query: "x"}) { nodes { title } } }', "CourseFilter.query"),
        ("{ courses(first: 1) { totalCount } }", "Query.courses.first"),
        ("{ courses { nodes { ...c } } } fragment c on Course { slug }", "Course.slug"),
    ],
)
def test_what_a_document_uses_is_found(document: str, coordinate: str) -> None:
    """Fields, arguments, input fields and enum values."""
    assert coordinate in used_coordinates(schema_of(SCHEMA / "schema.graphql"), [document])
