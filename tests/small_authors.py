"""Somebody who writes courses of the small catalog."""

from __future__ import annotations

from dataclasses import replace

import pytest_asyncio

from core.clock import ManualClock
from core.ids import encode_id
from database.session import Database
from database.tables.accounts import Role
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.editing import CourseVersion
from tests.small_content import teach, write_content

DESCRIPTION = (
    "You will learn how waves move through water, air and strings, and measure some of them at home with nothing "
    "but a telephone. Every week there is one experiment and a short assessment of what it showed."
)


@pytest_asyncio.fixture
async def author(catalog: Database, clock: ManualClock, learner: Context) -> Context:
    """The author of courses 1 and 2, of which 1 is published with content and has a draft."""
    await write_content(catalog, clock())
    await teach(catalog, caller(learner).account_id)
    learner.identity = replace(caller(learner), roles=frozenset({Role.INSTRUCTOR.value}))
    return learner


def target(course: int, version: int = 1) -> CourseVersion:
    """Return a course and the version that the caller has seen."""
    return CourseVersion(encode_id("Course", course), version)
