"""Accounts: the viewer, and which learner an account is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import InputError
from core.selections import Written
from database.queries import accounts as queries
from database.queries.accounts import AccountRow
from resolvers.context import Context
from resolvers.writing import asked_for
from security import audit
from security.audit import Subject
from security.encryption import Cipher


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller's own account. Never make one for anybody else.

    Attributes:
        read_email: returns the address, decrypted when somebody asks for it.
        read_display_name: returns the name, likewise.
        row: with what the database has written of it, under the names of its columns.
    """

    id: int
    learner_id: int
    roles: Sequence[str]
    read_email: Callable[[], str] = field(repr=False, compare=False)
    read_display_name: Callable[[], str] = field(repr=False, compare=False)
    row: AccountRow | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> Any:
        """Return what the database has written in a column.

        Raises:
            KeyError: nothing.
        """
        if self.row is None:
            raise KeyError(name)
        return self.row[name]

    @property
    def email(self) -> str:
        """Return the address.

        Raises:
            DecryptionError: the key is missing, or the row was changed outside Waymark.
        """
        return self.read_email()

    @property
    def display_name(self) -> str:
        """Return the name; raises as `email` does."""
        return self.read_display_name()


def email_place(account_id: int) -> str:
    """Return the place that an account's address is encrypted for."""
    return f"accounts.email_ciphertext:{account_id}"


def display_name_place(account_id: int) -> str:
    """Return the place that an account's display name is encrypted for."""
    return f"accounts.display_name_ciphertext:{account_id}"


def decrypted(cipher: Cipher, account: AccountRow) -> Viewer:
    """Return an account whose personal data can be read."""

    def email() -> str:
        return cipher.decrypt(account.email_ciphertext, email_place(account.id))

    def display_name() -> str:
        return cipher.decrypt(account.display_name_ciphertext, display_name_place(account.id))

    return Viewer(account.id, account.learner_id, account.roles, email, display_name, account)


async def viewer(context: Context, roots: Sequence[None], *, written: Written | None = None) -> list[Viewer | None]:
    """Return the caller's own account; None when signed out, or when the account is gone."""
    if context.identity is None:
        return [None] * len(roots)
    selection, parameters = asked_for(context, written)
    row = await context.reader.fetch_first(queries.viewer(selection), **parameters, id=context.identity.account_id)
    return [None if row is None else decrypted(context.services.cipher, row)] * len(roots)


async def by_ids(context: Context, keys: Sequence[int]) -> list[Viewer | None]:
    """Return the account of each key if it is the caller's own, or None."""
    own = None if context.identity is None else context.identity.account_id
    if own is None or own not in keys:
        return [None] * len(keys)
    row = await context.reader.fetch_first(queries.BY_IDS, ids=[own])
    account = None if row is None else decrypted(context.services.cipher, row)
    return [account if key == own else None for key in keys]


async def claim_learner(
    connection: AsyncConnection,
    account_id: int,
    source: str,
    source_id: str,
    *,
    now: datetime,
    request_id: UUID | None = None,
) -> int:
    """Make an account the learner that was imported as `source_id`, whose history is then the account's.

    The learner that the account was before keeps its rows and has no account any more. Access tokens issued
    before still name it until they expire. Claiming the same learner twice changes nothing.

    Returns:
        The learner's id.

    Raises:
        InputError: there is no such learner or account, or another account has claimed it.
    """
    learner = await queries.lock_imported_learner(connection, source, source_id)
    if learner is None:
        raise InputError(f"No learner was imported from {source} as {source_id}.")
    if learner.account_id == account_id:
        return learner.id
    if learner.account_id is not None:
        raise InputError(f"The learner {source_id} of {source} already belongs to another account.")
    if not await queries.set_learner(connection, account_id, learner.id):
        raise InputError(f"There is no account {account_id}.")
    await audit.record(
        connection,
        actor=None,
        action="claim_learner",
        subject=Subject("Account", account_id),
        outcome=audit.DONE,
        details={"learner_id": learner.id},
        request_id=request_id,
        now=now,
    )
    return learner.id
