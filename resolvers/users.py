"""Accounts as administrators see and govern them: roles, suspension, and the end of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.queries import accounts as account_queries, revocations as revocation_queries, users as queries
from database.queries.users import UserRow
from database.tables.accounts import Role
from resolvers.accounts import decrypted
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.pages import Count, Page, page, window
from resolvers.payloads import Payload
from resolvers.roles import refuse_nobody_left, replace_roles
from resolvers.texts import required
from security.audit import Subject
from security.emails import parse_email
from security.policies import has_role

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class User:
    """Somebody's account, decrypted. Only administrators are given one."""

    id: int
    email: str = field(repr=False)
    display_name: str = field(repr=False)
    roles: Sequence[str]
    suspended_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SetRoles:
    """The roles that an account has from now on, besides being a learner."""

    user_id: str
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class SuspendUser:
    """An account to suspend, and why."""

    user_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class NamedUser:
    """An account, by its opaque id."""

    user_id: str


@dataclass(frozen=True, kw_only=True)
class UserPayload(Payload):
    """The answer of the commands about accounts."""

    user: User | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which accounts a list holds."""

    email_index: bytes | None
    role: Role | None
    suspended: bool | None

    @property
    def shape(self) -> dict[str, Any]:
        """Which conditions its statements have."""
        return {
            "address": self.email_index is not None,
            "role": self.role is not None,
            "suspended": self.suspended,
        }

    @property
    def values(self) -> dict[str, Any]:
        """What the conditions compare with."""
        values = {"email_index": self.email_index, "role": None if self.role is None else self.role.value}
        return {name: value for name, value in values.items() if value is not None}


async def users(
    context: Context,
    roots: Sequence[None],
    *,
    query: str | None = None,
    role: Role | None = None,
    suspended: bool | None = None,
    first: int | None = None,
    after: str | None = None,
) -> list[Page[User]]:
    """Return a page of accounts, newest first.

    Raises:
        InvalidArgumentError: the cursor is of another list, or the page is too large.
    """
    scope = f"users:{role or ''}:{suspended}"
    asked = window(scope=scope, kinds=(int,), first=first, after=after)
    index = None if query is None else _index(context, query)
    wanted = _Wanted(index, role, suspended)
    values = {**wanted.values, "limit": asked.limit + 1}
    if asked.after is not None:
        (values["after_id"],) = asked.after
    rows = await context.reader.fetch(queries.page(**wanted.shape, after=asked.after is not None), **values)
    found = [_readable(context, row) for row in rows]
    answer = page(found, asked, scope=scope, key=lambda user: (user.id,), count=Count(_count, wanted))
    return [answer] * len(roots)


async def by_ids(context: Context, keys: Sequence[int]) -> list[User | None]:
    """Return the account of each key to administrators, and None to everybody else."""
    if has_role(context.identity, Role.ADMINISTRATOR) is not None:
        return [None] * len(keys)
    rows = {row.id: row for row in await context.reader.fetch(queries.BY_IDS, ids=list(keys))}
    return [_readable(context, rows[key]) if key in rows else None for key in keys]


async def set_roles(context: Context, input: SetRoles) -> UserPayload:  # noqa: A002 - the contract's name.
    """Replace the roles of an account; its access tokens of before are revoked, its sessions go on.

    Raises:
        CommandError: NOT_FOUND, FORBIDDEN or LAST_ADMINISTRATOR.
    """
    account_id = _key(input.user_id)
    async with _governing(context, "set_roles", account_id) as act:
        changed = await replace_roles(act.connection, account_id, {Role.LEARNER, *input.roles})
        act.details["roles"] = [role.value for role in Role if role in {Role.LEARNER, *input.roles}]
        if changed:
            await revoke_tokens(context, act, account_id)
    return UserPayload(user=await _told(context, account_id))


async def suspend_user(context: Context, input: SuspendUser) -> UserPayload:  # noqa: A002 - the contract's name.
    """Suspend an account: its sessions end, and nobody can sign in to it.

    Raises:
        CommandError: NOT_FOUND, REQUIRED, TOO_LONG, INVALID, FORBIDDEN, INVALID_STATE or LAST_ADMINISTRATOR.
    """
    account_id = _key(input.user_id)
    reason = required(input.reason, LONGEST_REASON, ("input", "reason"))
    async with _governing(context, "suspend_user", account_id) as act:
        await _refuse_state(act, account_id, suspended=True)
        await refuse_last_administrator(act, account_id)
        await account_queries.set_suspension(act.connection, account_id, act.now, reason)
        await end_sessions(context, act, account_id)
    return UserPayload(user=await _told(context, account_id))


async def restore_user(context: Context, input: NamedUser) -> UserPayload:  # noqa: A002 - the contract's name.
    """Let the owner of a suspended account sign in again.

    Raises:
        CommandError: NOT_FOUND, FORBIDDEN or INVALID_STATE.
    """
    account_id = _key(input.user_id)
    async with _governing(context, "restore_user", account_id) as act:
        await _refuse_state(act, account_id, suspended=False)
        await account_queries.set_suspension(act.connection, account_id, None, None)
    return UserPayload(user=await _told(context, account_id))


async def refuse_last_administrator(act: Act, account_id: int) -> None:
    """Refuse what would leave nobody who administers; ask after `lock_roles`.

    Raises:
        CommandError: LAST_ADMINISTRATOR.
    """
    if await account_queries.administers(act.connection, account_id):
        await refuse_nobody_left(act.connection, account_id)


async def end_sessions(context: Context, act: Act, account_id: int, *, but: UUID | None = None) -> None:
    """End the sessions of an account, all but one if it is named, and revoke their access tokens."""
    for session_id in await revocation_queries.end_sessions(act.connection, account_id, act.now, but=but):
        context.services.tokens.revocations.add(session_id, None, act.now)


async def revoke_tokens(context: Context, act: Act, account_id: int) -> None:
    """Revoke the access tokens of an account whose lock is held: each names what was true when it was issued."""
    # The moment after the lock was taken: a session that was refreshed while this command waited is meant too.
    now = context.clock()
    await revocation_queries.revoke_account(act.connection, account_id, now)
    context.services.tokens.revocations.add(None, account_id, now)


@asynccontextmanager
async def _governing(context: Context, action: str, account_id: int) -> AsyncIterator[Act]:
    """Open a command of somebody who still administers, with everybody kept from changing who does."""
    identity = caller(context)
    async with transact(context, action, Subject("Account", account_id)) as act:
        roles = await account_queries.lock_roles(act.connection, account_id)
        if not await account_queries.administers(act.connection, identity.account_id):
            raise CommandError(UserErrorCode.FORBIDDEN, "The caller does not administer any more.")
        if roles is None:
            raise _not_found()
        yield act


async def _refuse_state(act: Act, account_id: int, *, suspended: bool) -> None:
    account = await account_queries.lock_account(act.connection, account_id)
    if account is not None and (account.suspended_at is not None) is suspended:
        state = "suspended already" if suspended else "not suspended"
        raise CommandError(UserErrorCode.INVALID_STATE, f"The account is {state}.", ("input", "userId"))


async def _told(context: Context, account_id: int) -> User | None:
    row = await context.reader.fetch_first(queries.BY_IDS, ids=[account_id])
    return None if row is None else _readable(context, row)


async def _count(context: Context, keys: Sequence[_Wanted]) -> list[int]:
    totals = []
    for wanted in keys:
        (row,) = await context.reader.fetch(queries.count(**wanted.shape), **wanted.values)
        totals.append(row.count)
    return totals


def _readable(context: Context, row: UserRow) -> User:
    account = decrypted(context.services.cipher, row)
    return User(
        id=row.id,
        email=account.email,
        display_name=account.display_name,
        roles=row.roles,
        suspended_at=row.suspended_at,
        created_at=row.created_at,
    )


def _index(context: Context, query: str) -> bytes:
    try:
        return parse_email(query).index(context.services.cipher)
    except CommandError:
        # Nobody has what is not an address.
        return b""


def _key(user_id: str) -> int:
    key = decode_key(user_id, "User")
    if key is None:
        raise _not_found()
    return key


def _not_found() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such account.", ("input", "userId"))
