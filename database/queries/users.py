"""Statements of administrators about accounts."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from sqlalchemy import ARRAY, BigInteger, ColumnElement, LargeBinary, Text, any_, bindparam, func, select

from database.queries.accounts import AccountRow
from database.queries.topics import CountRow
from database.statements import Statement
from database.tables.accounts import accounts


class UserRow(AccountRow):
    """An account as administrators see it, with its personal data still encrypted."""

    suspended_at: datetime | None
    created_at: datetime


_COLUMNS = (
    accounts.c.id,
    accounts.c.learner_id,
    accounts.c.email_ciphertext,
    accounts.c.display_name_ciphertext,
    accounts.c.roles,
    accounts.c.suspended_at,
    accounts.c.created_at,
)

BY_IDS = Statement(select(*_COLUMNS).where(accounts.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))), UserRow)


def _conditions(*, address: bool, role: bool, suspended: bool | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if address:
        conditions.append(accounts.c.email_index == bindparam("email_index", type_=LargeBinary))
    if role:
        conditions.append(bindparam("role", type_=Text) == any_(accounts.c.roles))
    if suspended is not None:
        conditions.append(accounts.c.suspended_at.is_not(None) if suspended else accounts.c.suspended_at.is_(None))
    return conditions


@lru_cache(maxsize=24)
def page(*, address: bool, role: bool, suspended: bool | None, after: bool) -> Statement[UserRow]:
    """Return the statement of a page of accounts, newest first: `email_index`, `role`, `after_id`, `limit`."""
    statement = select(*_COLUMNS).where(*_conditions(address=address, role=role, suspended=suspended))
    if after:
        statement = statement.where(accounts.c.id < bindparam("after_id", type_=BigInteger))
    return Statement(statement.order_by(accounts.c.id.desc()).limit(bindparam("limit", type_=BigInteger)), UserRow)


@lru_cache(maxsize=12)
def count(*, address: bool, role: bool, suspended: bool | None) -> Statement[CountRow]:
    """Return the statement that counts accounts: `email_index`, `role`."""
    conditions = _conditions(address=address, role=role, suspended=suspended)
    return Statement(select(func.count().label("count")).select_from(accounts).where(*conditions), CountRow)
