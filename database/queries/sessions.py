"""Statements about sessions: a session is read to be changed, or to see whether it still stands."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.accounts import sessions


class SessionRow(Row):
    """A session that stands."""

    id: UUID


STANDING = Statement(
    select(sessions.c.id).where(
        sessions.c.id == bindparam("session_id", type_=Uuid),
        sessions.c.revoked_at.is_(None),
        sessions.c.expires_at > bindparam("now", type_=DateTime(timezone=True)),
    ),
    SessionRow,
)


class StoredSession(NamedTuple):
    """A session, locked.

    Attributes:
        token_hash: of the current refresh token.
        sealed_token: the current refresh token, for whoever has the one before it; None before the first exchange.
        exchanged_at: moment of the last exchange; None before the first.
    """

    id: UUID
    account_id: int
    expires_at: datetime
    revoked_at: datetime | None
    token_hash: bytes
    sealed_token: bytes | None
    exchanged_at: datetime | None


async def insert_session(
    connection: AsyncConnection,
    *,
    session_id: UUID,
    account_id: int,
    token_hash: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Create a session."""
    await connection.execute(
        insert(sessions),
        {
            "id": session_id,
            "account_id": account_id,
            "refresh_token_hash": token_hash,
            "created_at": now,
            "expires_at": expires_at,
        },
    )


async def delete_ended(connection: AsyncConnection, account_id: int, now: datetime) -> None:
    """Forget the sessions of an account that have expired."""
    await connection.execute(delete(sessions).where(sessions.c.account_id == account_id, sessions.c.expires_at <= now))


async def owner(connection: AsyncConnection, session_id: UUID) -> int | None:
    """Return the account that a session is of, or None."""
    statement = select(sessions.c.account_id).where(sessions.c.id == session_id)
    account_id: int | None = (await connection.execute(statement)).scalar_one_or_none()
    return account_id


async def lock(connection: AsyncConnection, session_id: UUID) -> StoredSession | None:
    """Return a session, locked; None when there is none."""
    statement = (
        select(
            sessions.c.id,
            sessions.c.account_id,
            sessions.c.expires_at,
            sessions.c.revoked_at,
            sessions.c.refresh_token_hash,
            sessions.c.sealed_token,
            sessions.c.exchanged_at,
        )
        .where(sessions.c.id == session_id)
        .with_for_update()
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else StoredSession(*found)


async def exchange_token(
    connection: AsyncConnection,
    session_id: UUID,
    *,
    token_hash: bytes,
    sealed_token: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Give a session another refresh token."""
    values = {
        "refresh_token_hash": token_hash,
        "sealed_token": sealed_token,
        "exchanged_at": now,
        "expires_at": expires_at,
    }
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(**values))


async def revoke(connection: AsyncConnection, session_id: UUID, now: datetime) -> bool:
    """End a session; False when there is none or it was ended before."""
    statement = (
        update(sessions).where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return (await connection.execute(statement)).rowcount == 1


async def take_turn(connection: AsyncConnection, number: int) -> None:
    """Wait until no other transaction holds the turn of this 64-bit number, and hold it to the end of this one."""
    await connection.execute(select(func.pg_advisory_xact_lock(number)))
