"""Roles: what accounts may do besides learning, and that somebody always administers."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import CommandError, UserErrorCode
from database.queries import accounts as queries, revocations
from database.tables.accounts import Role
from security import audit
from security.audit import Subject


async def change_role(
    connection: AsyncConnection,
    account_id: int,
    role: Role,
    *,
    granted: bool,
    now: datetime,
    request_id: UUID | None = None,
) -> bool:
    """Grant a role to an account, or revoke it, and put that on record; False when nothing had to change.

    Access tokens that were issued before are revoked; the sessions go on and get new ones.

    Raises:
        CommandError: NOT_FOUND, INVALID for the role that everybody has, or LAST_ADMINISTRATOR.
    """
    before = await queries.lock_roles(connection, account_id)
    if before is None:
        raise CommandError(UserErrorCode.NOT_FOUND, "There is no such account.")
    if not granted:
        await _refuse_needed(connection, account_id, role, before)
    after = before | {role.value} if granted else before - {role.value}
    if after == before:
        return False
    roles: list[str] = [each.value for each in Role if each.value in after]
    await queries.set_roles(connection, account_id, roles)
    await revocations.revoke_account(connection, account_id, now)
    await audit.record(
        connection,
        actor=None,
        action="grant_role" if granted else "revoke_role",
        subject=Subject("Account", account_id),
        outcome=audit.DONE,
        details={"role": role.value, "roles": roles},
        request_id=request_id,
        now=now,
    )
    return True


async def _refuse_needed(connection: AsyncConnection, account_id: int, role: Role, before: frozenset[str]) -> None:
    if role is Role.LEARNER:
        raise CommandError(UserErrorCode.INVALID, "Everybody is a learner; that role cannot be revoked.")
    if role is Role.ADMINISTRATOR and role.value in before:
        await refuse_nobody_left(connection, account_id)


async def refuse_nobody_left(connection: AsyncConnection, account_id: int) -> None:
    """Refuse what takes an administrator away when there is no other; ask after `lock_roles`.

    Raises:
        CommandError: LAST_ADMINISTRATOR.
    """
    if not await queries.has_other_administrator(connection, account_id):
        raise CommandError(
            UserErrorCode.LAST_ADMINISTRATOR, "This is the last administrator; make somebody else one first."
        )


async def replace_roles(connection: AsyncConnection, account_id: int, wanted: AbstractSet[Role]) -> bool:
    """Give an account these roles and no others; False when nothing had to change.

    Raises:
        CommandError: NOT_FOUND or LAST_ADMINISTRATOR.
    """
    before = await queries.lock_roles(connection, account_id)
    if before is None:
        raise CommandError(UserErrorCode.NOT_FOUND, "There is no such account.")
    after = {role.value for role in wanted}
    if Role.ADMINISTRATOR not in wanted:
        await _refuse_needed(connection, account_id, Role.ADMINISTRATOR, before)
    if after == before:
        return False
    await queries.set_roles(connection, account_id, [role.value for role in Role if role in wanted])
    return True
