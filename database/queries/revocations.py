"""Statements about access tokens that are not believed any more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, bindparam, delete, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.accounts import revocations, sessions


class RevocationRow(Row):
    """A revocation: of a session, or of an account."""

    session_id: UUID | None
    account_id: int | None
    revoked_at: datetime


SINCE = Statement(
    select(revocations.c.session_id, revocations.c.account_id, revocations.c.revoked_at).where(
        revocations.c.revoked_at > bindparam("since", type_=DateTime(timezone=True))
    ),
    RevocationRow,
)


async def revoke_account(connection: AsyncConnection, account_id: int, now: datetime) -> None:
    """Revoke the access tokens that an account was issued until now; its sessions go on."""
    await connection.execute(insert(revocations), {"account_id": account_id, "revoked_at": now})


async def revoke_session(connection: AsyncConnection, session_id: UUID, now: datetime) -> None:
    """Revoke the access tokens of a session."""
    await connection.execute(insert(revocations), {"session_id": session_id, "revoked_at": now})


async def end_sessions(
    connection: AsyncConnection, account_id: int, now: datetime, *, but: UUID | None = None
) -> list[UUID]:
    """End the sessions of an account and revoke their access tokens.

    Args:
        connection: a transaction that holds the account's lock, so that no session is opened meanwhile.
        account_id: the account.
        now: the moment.
        but: a session that goes on.

    Returns:
        The sessions.
    """
    mine = update(sessions).where(sessions.c.account_id == account_id, sessions.c.revoked_at.is_(None))
    if but is not None:
        mine = mine.where(sessions.c.id != but)
    ended = list((await connection.execute(mine.values(revoked_at=now).returning(sessions.c.id))).scalars())
    if ended:
        await connection.execute(
            insert(revocations).from_select(
                ["session_id", "revoked_at"],
                select(sessions.c.id, literal(now, DateTime(timezone=True))).where(sessions.c.id.in_(ended)),
            )
        )
    return ended


async def delete_before(connection: AsyncConnection, moment: datetime) -> int:
    """Delete revocations whose tokens have expired, and return how many."""
    return (await connection.execute(delete(revocations).where(revocations.c.revoked_at < moment))).rowcount
