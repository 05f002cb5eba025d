"""Roles on a real database: granted, revoked, on record, and never without an administrator."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import any_, literal, select

from core.errors import CommandError, UserErrorCode
from database.session import Database
from database.tables.accounts import Role, accounts
from resolvers import sessions
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.roles import change_role
from resolvers.sessions import SignUp
from tests.small_accounts import PASSWORD, Contexts, trail


async def change(context: Context, account_id: int, role: Role, *, granted: bool) -> bool:
    """Change a role in a transaction of its own."""
    async with context.database.transaction() as connection:
        return await change_role(connection, account_id, role, granted=granted, now=context.clock())


async def administrators(database: Database) -> list[int]:
    """Return who administers."""
    statement = select(accounts.c.id).where(literal(Role.ADMINISTRATOR.value) == any_(accounts.c.roles))
    async with database.transaction() as connection:
        return list((await connection.execute(statement)).scalars())


async def test_a_role_is_granted_and_revoked_once(learner: Context) -> None:
    """Doing it again changes nothing and leaves nothing on record."""
    key = caller(learner).account_id
    assert [True, False] == [await change(learner, key, Role.MODERATOR, granted=True) for _ in range(2)]
    assert [True, False] == [await change(learner, key, Role.MODERATOR, granted=False) for _ in range(2)]
    told = [row for row in await trail(learner.database) if row[2] == "Account"][1:]
    assert [("grant_role", "done", "Account", None), ("revoke_role", "done", "Account", None)] == told


@pytest.mark.parametrize(
    ("role", "code"),
    [(Role.LEARNER, UserErrorCode.INVALID), (Role.ADMINISTRATOR, UserErrorCode.LAST_ADMINISTRATOR)],
)
async def test_what_is_needed_cannot_be_revoked(learner: Context, role: Role, code: UserErrorCode) -> None:
    """Everybody is a learner, and somebody administers."""
    key = caller(learner).account_id
    await change(learner, key, Role.ADMINISTRATOR, granted=True)
    with pytest.raises(CommandError) as refused:
        await change(learner, key, role, granted=False)
    assert code == refused.value.code


async def test_nobody_has_no_roles(learner: Context) -> None:
    """An account that is not there is told so."""
    with pytest.raises(CommandError) as refused:
        await change(learner, 999, Role.MODERATOR, granted=True)
    assert UserErrorCode.NOT_FOUND == refused.value.code


async def test_two_administrators_who_leave_at_once_leave_one(learner: Context, strangers: Contexts) -> None:
    """Of two revocations at the same moment one is done and the other refused."""
    other = strangers()
    await sessions.sign_up(other, SignUp("eva@example.com", PASSWORD, "Eva"))
    keys = [caller(one).account_id for one in (learner, other)]
    for key in keys:
        await change(learner, key, Role.ADMINISTRATOR, granted=True)
    results = await asyncio.gather(
        *(change(learner, key, Role.ADMINISTRATOR, granted=False) for key in keys), return_exceptions=True
    )
    assert 1 == results.count(True)
    (refused,) = [result for result in results if isinstance(result, CommandError)]
    assert UserErrorCode.LAST_ADMINISTRATOR == refused.code
    assert 1 == len(await administrators(learner.database))
