"""The three operations that everybody is measured with, and what is sent for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True)
class Measured:
    """An operation with the variables that its requests cycle through.

    Attributes:
        name: what tables call it.
        title: what it asks for.
        text: the document.
        variables: of each request, in turn.
    """

    name: str
    title: str
    text: str
    variables: tuple[dict[str, Any], ...]

    @property
    def sha256(self) -> str:
        """What it is registered under."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def by_text(self) -> list[bytes]:
        """Return the bodies of clients that send the document."""
        return [orjson.dumps({"query": self.text, "variables": each}) for each in self.variables]

    def by_id(self) -> list[bytes]:
        """Return the bodies of clients that registered it."""
        return [orjson.dumps({"documentId": self.sha256, "variables": each}) for each in self.variables]


OPERATIONS = (
    Measured(
        "Q1",
        "20 courses with topics, instructor, modules of 5 lessons, and the length of the list",
        """query Catalog($first: Int!) {
  courses(first: $first) {
    totalCount
    nodes {
      id slug title summary level language durationMinutes publishedAt enrollmentCount
      topics { id slug name }
      instructors(first: 1) { nodes { id displayName } }
      modules { id title lessons { id title durationSeconds } }
    }
  }
}""",
        ({"first": 20},),
    ),
    Measured(
        "Q2",
        "the caller's 20 newest enrollments with their courses",
        """query MyCourses($first: Int!) {
  viewer {
    id
    enrollments(first: $first) {
      nodes { id status progress enrolledAt course { id slug title level durationMinutes } }
    }
  }
}""",
        ({"first": 20},),
    ),
    Measured(
        "Q3",
        "one course by its slug",
        "query Course($slug: String!) { course(by: {slug: $slug}) { id slug title summary level language } }",
        tuple({"slug": f"course-{number}"} for number in range(1, 41)),
    ),
)
