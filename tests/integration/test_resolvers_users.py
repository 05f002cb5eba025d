"""Administrators on a real database: who is found, suspended, restored and given roles, and whose tokens still work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.revocations import following, read_revocations
from core.clock import ManualClock
from core.errors import CommandError, UnauthenticatedError, UserErrorCode
from core.ids import encode_id
from database.tables.accounts import Role
from resolvers import sessions, users
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.roles import change_role
from resolvers.sessions import RefreshSession, SessionPayload, SignIn, SignUp
from resolvers.users import NamedUser, SetRoles, SuspendUser
from security.revocations import Revocations
from tests.small_accounts import EMAIL, PASSWORD, Contexts, trail

# As it is stored: the domain in lower case.
ANA = "Ana.Learner@example.com"


async def grant(context: Context, role: Role = Role.ADMINISTRATOR) -> None:
    """Give the caller a role, in the database and in the request."""
    async with context.database.transaction() as connection:
        await change_role(connection, caller(context).account_id, role, granted=True, now=context.clock())
    await sessions.sign_in(context, SignIn(EMAIL, PASSWORD))


async def person(strangers: Contexts, email: str) -> tuple[Context, SessionPayload]:
    """Sign somebody up."""
    context = strangers()
    return context, await sessions.sign_up(context, SignUp(email, PASSWORD, "Somebody"))


def user_id(context: Context) -> str:
    """Return the opaque id of the caller's account."""
    return encode_id("User", caller(context).account_id)


async def refused(act: Awaitable[Any]) -> UserErrorCode:
    """Return the code of a refusal."""
    with pytest.raises(CommandError) as error:
        await act
    return error.value.code


@pytest_asyncio.fixture
async def administrator(learner: Context, clock: ManualClock) -> Context:
    """A request of an administrator, a second after they became one."""
    await grant(learner)
    clock.now += timedelta(seconds=1)
    return learner


async def test_users_are_found_by_address_role_and_suspension(administrator: Context, strangers: Contexts) -> None:
    """One statement a page; a part of an address finds nobody."""
    eva, _ = await person(strangers, "eva@example.com")
    await users.suspend_user(administrator, SuspendUser(user_id(eva), "spam"))

    async def found(**asked: Any) -> list[str]:
        before = administrator.reader.statements
        (page,) = await users.users(administrator, [None], **asked)
        assert 1 == administrator.reader.statements - before
        return [user.email for user in page.nodes]

    assert ["eva@example.com", ANA] == await found()
    assert ["eva@example.com"] == await found(query=" EVA@example.com")
    assert [] == await found(query="eva")
    assert [ANA] == await found(role=Role.ADMINISTRATOR)
    assert ["eva@example.com"] == await found(suspended=True)
    assert [ANA] == await found(suspended=False)
    (first,) = await users.users(administrator, [None], first=1)
    assert [ANA] == await found(after=first.page_info.end_cursor)
    assert [2] == await first.count.many(administrator, [first.count.key])


async def test_accounts_are_nobodys_but_administrators(learner: Context) -> None:
    """An id of an account opens nothing for others."""
    assert [None] == await users.by_ids(learner, [caller(learner).account_id])


async def test_a_suspended_users_sessions_and_tokens_stop(administrator: Context, strangers: Contexts) -> None:
    """At once in this process: the access token, the refresh token and the password; restored, they sign in again."""
    eva, opened = await person(strangers, "eva@example.com")
    assert opened.session is not None
    tokens = administrator.services.tokens
    assert eva.identity == tokens.verify(opened.session.access_token)
    payload = await users.suspend_user(administrator, SuspendUser(user_id(eva), "spam"))
    assert payload.user is not None
    assert administrator.clock() == payload.user.suspended_at
    with pytest.raises(UnauthenticatedError):
        tokens.verify(opened.session.access_token)
    refresh = sessions.refresh_session(strangers(), RefreshSession(opened.session.refresh_token))
    assert UserErrorCode.ACCOUNT_SUSPENDED == await refused(refresh)
    credentials = SignIn("eva@example.com", PASSWORD)
    assert UserErrorCode.ACCOUNT_SUSPENDED == await refused(sessions.sign_in(strangers(), credentials))
    assert UserErrorCode.INVALID_CREDENTIALS == await refused(
        sessions.sign_in(strangers(), SignIn("eva@example.com", "wrong password"))
    )
    again = SuspendUser(user_id(eva), "again")
    assert UserErrorCode.INVALID_STATE == await refused(users.suspend_user(administrator, again))
    await users.restore_user(administrator, NamedUser(user_id(eva)))
    assert UserErrorCode.INVALID_STATE == await refused(users.restore_user(administrator, NamedUser(user_id(eva))))
    session = (await sessions.sign_in(strangers(), credentials)).session
    assert session is not None
    tokens.verify(session.access_token)
    with pytest.raises(UnauthenticatedError):
        tokens.verify(opened.session.access_token)
    assert ("suspend_user", "done", "Account", caller(administrator).account_id) in await trail(administrator.database)


async def test_other_processes_hear_of_revocations(learner: Context, clock: ManualClock) -> None:
    """What was revoked elsewhere is read from the table, and forgotten when its tokens have expired."""
    identity = caller(learner)
    await sessions.sign_out(learner)
    elsewhere = Revocations(timedelta(minutes=15))
    async with following(learner.database, elsewhere, clock, interval=0.01):
        assert elsewhere.cover(identity.session_id, identity.account_id, 0.0)
    clock.now += timedelta(minutes=16)
    await read_revocations(learner.database, elsewhere, clock.now)
    assert 0 == len(elsewhere)


async def test_changed_roles_need_a_new_token(administrator: Context, strangers: Contexts, clock: ManualClock) -> None:
    """The access token of before is revoked; the session goes on and gets one with the new roles."""
    eva, opened = await person(strangers, "eva@example.com")
    assert opened.session is not None
    clock.now += timedelta(milliseconds=1)
    payload = await users.set_roles(administrator, SetRoles(user_id(eva), (Role.MODERATOR,)))
    assert payload.user is not None
    assert ["LEARNER", "MODERATOR"] == payload.user.roles
    tokens = administrator.services.tokens
    with pytest.raises(UnauthenticatedError):
        tokens.verify(opened.session.access_token)
    clock.now += timedelta(milliseconds=1)
    renewed = await sessions.refresh_session(strangers(), RefreshSession(opened.session.refresh_token))
    assert renewed.session is not None
    assert frozenset({"LEARNER", "MODERATOR"}) == tokens.verify(renewed.session.access_token).roles
    # Nothing changes, so nobody has to refresh.
    await users.set_roles(administrator, SetRoles(user_id(eva), (Role.MODERATOR,)))
    tokens.verify(renewed.session.access_token)


async def test_somebody_always_administers(administrator: Context) -> None:
    """The last administrator is neither suspended nor demoted."""
    mine = user_id(administrator)
    assert UserErrorCode.LAST_ADMINISTRATOR == await refused(users.set_roles(administrator, SetRoles(mine, ())))
    suspended = users.suspend_user(administrator, SuspendUser(mine, "x"))
    assert UserErrorCode.LAST_ADMINISTRATOR == await refused(suspended)


@pytest.mark.parametrize(("reason", "code"), [(" ", "REQUIRED"), ("x" * 501, "TOO_LONG"), ("\0", "INVALID")])
async def test_a_suspension_has_a_reason(administrator: Context, reason: str, code: str) -> None:
    """It is needed, bounded and storable."""
    assert code == await refused(users.suspend_user(administrator, SuspendUser(user_id(administrator), reason)))


@pytest.mark.parametrize("unknown", [encode_id("User", 999), encode_id("Course", 1), "?"])
async def test_an_unknown_account_is_not_found(administrator: Context, unknown: str) -> None:
    """Whatever the id is."""
    assert UserErrorCode.NOT_FOUND == await refused(users.restore_user(administrator, NamedUser(unknown)))


async def test_two_administrators_who_suspend_each_other_leave_one(administrator: Context, strangers: Contexts) -> None:
    """One is suspended, and the other's command is done."""
    eva, _ = await person(strangers, "eva@example.com")
    await users.set_roles(administrator, SetRoles(user_id(eva), (Role.ADMINISTRATOR,)))
    results = await asyncio.gather(
        users.suspend_user(administrator, SuspendUser(user_id(eva), "x")),
        users.suspend_user(eva, SuspendUser(user_id(administrator), "x")),
        return_exceptions=True,
    )
    (lost,) = [result for result in results if isinstance(result, CommandError)]
    assert UserErrorCode.FORBIDDEN == lost.code
