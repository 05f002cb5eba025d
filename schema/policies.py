"""The named policies that fields and commands declare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.errors import ClientError
from database.tables.accounts import Role
from execution.policies import Policy
from resolvers import authors
from resolvers.context import Context
from security import policies


def _signed_in(context: Context) -> ClientError | None:
    return policies.signed_in(context.identity)


def _has(role: Role) -> Callable[[Context], ClientError | None]:
    def check(context: Context) -> ClientError | None:
        return policies.has_role(context.identity, role)

    return check


async def _author(context: Context, parents: Sequence[Any]) -> Sequence[ClientError | None]:
    return await authors.refusals(context, parents)


ANYONE = Policy("anyone")
SIGNED_IN = Policy("signed-in", _signed_in)
INSTRUCTOR = Policy("instructor", _has(Role.INSTRUCTOR))
MODERATOR = Policy("moderator", _has(Role.MODERATOR))
ADMINISTRATOR = Policy("administrator", _has(Role.ADMINISTRATOR))
AUTHOR = Policy("author-of-the-course", _signed_in, _author)
"""For fields of rows that have a course: its authors, moderators and administrators."""
