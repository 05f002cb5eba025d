"""Statements about accounts, and about the learners that they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    LargeBinary,
    any_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from core.selections import Selection
from database.queries.written import Table, carrying, most_together
from database.rows import Row
from database.statements import Statement
from database.tables.accounts import Role, accounts
from database.tables.learners import learners


class AccountRow(Row):
    """An account with its personal data still encrypted."""

    id: int
    learner_id: int
    email_ciphertext: bytes
    display_name_ciphertext: bytes
    roles: list[str]


class CredentialsRow(AccountRow):
    """An account with what a password is verified against."""

    password_hash: str


class KeyIdRow(Row):
    """The id of an encryption key that is in use."""

    encryption_key_id: str


class ClaimableLearner(NamedTuple):
    """An imported learner, and whether somebody claimed it already."""

    id: int
    account_id: int | None


_COLUMNS = (
    accounts.c.id,
    accounts.c.learner_id,
    accounts.c.email_ciphertext,
    accounts.c.display_name_ciphertext,
    accounts.c.roles,
)

# Without what is personal: it is stored encrypted, and PostgreSQL cannot read it.
VIEWER = Table("Viewer", {each.name: each for each in (accounts.c.id, accounts.c.learner_id)})

BY_IDS = Statement(
    select(*_COLUMNS).where(accounts.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))), AccountRow
)


@lru_cache(maxsize=512)
def viewer(selection: Selection | None = None) -> Statement[AccountRow]:
    """Return the statement of the account `id`."""
    account = select(*_COLUMNS).where(accounts.c.id == bindparam("id", type_=BigInteger))
    return Statement(
        carrying(selection, account, ("id", "learner_id", "roles")), AccountRow, together=most_together(selection)
    )


CREDENTIALS = Statement(
    select(*_COLUMNS, accounts.c.password_hash).where(
        accounts.c.email_index == bindparam("email_index", type_=LargeBinary)
    ),
    CredentialsRow,
)

KEY_IDS = Statement(select(accounts.c.encryption_key_id).distinct(), KeyIdRow)

_NEXT_ID = select(func.nextval(func.pg_get_serial_sequence(literal_column("'accounts'"), literal_column("'id'"))))


async def reserve_id(connection: AsyncConnection) -> int:
    """Return the id of the next account, so that its personal data can be bound to it before it is stored."""
    number: int = (await connection.execute(_NEXT_ID)).scalar_one()
    return number


async def insert_learner(connection: AsyncConnection, now: datetime) -> int:
    """Create a learner without a past and return its id."""
    learner_id: int = (
        await connection.execute(insert(learners).returning(learners.c.id), {"created_at": now})
    ).scalar_one()
    return learner_id


async def insert_account(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Create an account; False when another one has the same address, even one that is created at this moment."""
    statement = (
        insert_or(accounts)
        .values(values)
        .on_conflict_do_nothing(index_elements=[accounts.c.email_index])
        .returning(accounts.c.id)
    )
    return (await connection.execute(statement)).scalar_one_or_none() is not None


async def set_password_hash(connection: AsyncConnection, account_id: int, password_hash: str) -> None:
    """Replace the hash of a password by one of the same password under other parameters."""
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(password_hash=password_hash))


async def lock_imported_learner(connection: AsyncConnection, source: str, source_id: str) -> ClaimableLearner | None:
    """Return the learner that was imported as `source_id`, locked until the transaction ends, or None."""
    learner = (
        select(learners.c.id).where(learners.c.source == source, learners.c.source_id == source_id).with_for_update()
    )
    learner_id = (await connection.execute(learner)).scalar_one_or_none()
    if learner_id is None:
        return None
    # Asked after the lock is held, so that of two claims at once the second sees the first.
    owner = select(accounts.c.id).where(accounts.c.learner_id == learner_id)
    return ClaimableLearner(learner_id, (await connection.execute(owner)).scalar_one_or_none())


async def set_learner(connection: AsyncConnection, account_id: int, learner_id: int) -> bool:
    """Make an account another learner; False when there is no such account."""
    statement = update(accounts).where(accounts.c.id == account_id).values(learner_id=learner_id)
    return (await connection.execute(statement)).rowcount == 1


# Whoever changes who administers takes turns on this advisory lock, so that the last administrator stays one.
_ADMINISTRATORS_LOCK = 7_236_917

PRIVILEGED = Statement(
    select(*_COLUMNS).where(func.cardinality(accounts.c.roles) > literal_column("1")).order_by(accounts.c.id),
    AccountRow,
)


async def lock_roles(connection: AsyncConnection, account_id: int) -> frozenset[str] | None:
    """Return the roles of an account, with everybody kept from changing anyone's; None when there is no account."""
    await connection.execute(select(func.pg_advisory_xact_lock(_ADMINISTRATORS_LOCK)))
    statement = select(accounts.c.roles).where(accounts.c.id == account_id).with_for_update()
    roles = (await connection.execute(statement)).scalar_one_or_none()
    return None if roles is None else frozenset(roles)


async def has_other_administrator(connection: AsyncConnection, account_id: int) -> bool:
    """Say whether somebody besides an account administers and is not suspended; ask after `lock_roles`."""
    others = select(
        exists().where(
            accounts.c.id != account_id,
            accounts.c.suspended_at.is_(None),
            literal_column(f"'{Role.ADMINISTRATOR}'") == any_(accounts.c.roles),
        )
    )
    found: bool = (await connection.execute(others)).scalar_one()
    return found


async def set_roles(connection: AsyncConnection, account_id: int, roles: Sequence[str]) -> None:
    """Replace the roles of an account."""
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(roles=list(roles)))


class StandingAccount(NamedTuple):
    """An account as it is while its lock is held."""

    id: int
    learner_id: int
    password_hash: str
    roles: list[str]
    suspended_at: datetime | None


async def lock_account(connection: AsyncConnection, account_id: int, *, shared: bool = False) -> StandingAccount | None:
    """Return an account that stays as it is until the transaction ends, or None.

    Whoever opens or ends sessions, changes the password, suspends or erases locks the account before its sessions.
    """
    statement = select(
        accounts.c.id, accounts.c.learner_id, accounts.c.password_hash, accounts.c.roles, accounts.c.suspended_at
    ).where(accounts.c.id == account_id)
    locked = statement.with_for_update(read=True) if shared else statement.with_for_update(key_share=True)
    found = (await connection.execute(locked)).one_or_none()
    return None if found is None else StandingAccount(*found)


async def administers(connection: AsyncConnection, account_id: int) -> bool:
    """Say whether an account administers and is not suspended; ask after `lock_roles`."""
    mine = exists().where(
        accounts.c.id == account_id,
        accounts.c.suspended_at.is_(None),
        literal_column(f"'{Role.ADMINISTRATOR}'") == any_(accounts.c.roles),
    )
    found: bool = (await connection.execute(select(mine))).scalar_one()
    return found


async def set_suspension(
    connection: AsyncConnection, account_id: int, suspended_at: datetime | None, reason: str | None
) -> None:
    """Suspend an account, or restore it."""
    await connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(suspended_at=suspended_at, suspension_reason=reason)
    )


async def set_personal_data(
    connection: AsyncConnection, account_id: int, *, email: bytes, display_name: bytes, encryption_key_id: str
) -> None:
    """Replace both ciphertexts, which are always under the same key."""
    await connection.execute(
        update(accounts)
        .where(accounts.c.id == account_id)
        .values(email_ciphertext=email, display_name_ciphertext=display_name, encryption_key_id=encryption_key_id)
    )
