"""The caller's own account: their name, their password, a copy of their data, and the end of it all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from core.errors import CommandError, UnauthenticatedError, UserErrorCode
from database.notifications import ERASURES, EVERYTHING, notify
from database.queries import accounts as account_queries, personal_data
from database.queries.accounts import StandingAccount
from resolvers.accounts import Viewer, by_ids, display_name_place, email_place
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.payloads import Payload
from resolvers.sessions import clean_display_name
from resolvers.throttling import attempted, refuse_wrong_password
from resolvers.users import end_sessions, refuse_last_administrator
from security.audit import Subject
from security.emails import Email, parse_email
from security.passwords import refuse_weak


@dataclass(frozen=True, slots=True)
class UpdateProfile:
    """What the caller changes of their profile; None where it stays."""

    display_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """The password that the caller has, and the one that they want."""

    current_password: str = field(repr=False)
    new_password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeleteMyAccount:
    """The password, so that nobody deletes an account from a browser that was left open."""

    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ViewerPayload(Payload):
    """The answer of the commands that change the caller's own account."""

    viewer: Viewer | None = None


@dataclass(frozen=True, kw_only=True)
class ExportMyDataPayload(Payload):
    """The answer of `export_my_data`."""

    data: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class DeleteMyAccountPayload(Payload):
    """The answer of `delete_my_account`."""


async def update_profile(context: Context, input: UpdateProfile) -> ViewerPayload:  # noqa: A002 - the contract's name.
    """Change the display name.

    Raises:
        CommandError: REQUIRED, TOO_LONG or INVALID.
    """
    mine = await _mine(context)
    if input.display_name is None:
        return ViewerPayload(viewer=mine)
    name = clean_display_name(input.display_name)
    cipher = context.services.cipher
    async with transact(context, "update_profile", Subject("Account", mine.id)) as act:
        await _lock(act, mine.id)
        await account_queries.set_personal_data(
            act.connection,
            mine.id,
            email=cipher.encrypt(mine.email, email_place(mine.id)),
            display_name=cipher.encrypt(name, display_name_place(mine.id)),
            encryption_key_id=cipher.active_key_id,
        )
    return ViewerPayload(viewer=await _mine(context))


async def change_password(context: Context, input: ChangePassword) -> ViewerPayload:  # noqa: A002 - as above.
    """Replace the password and end the caller's other sessions; of two changes at once the second is refused.

    Raises:
        CommandError: INVALID_CREDENTIALS, RATE_LIMITED, WEAK_PASSWORD or CONFLICT.
    """
    mine = await _mine(context)
    known = await _verify(context, mine, input.current_password, ("input", "currentPassword"))
    try:
        refuse_weak(input.new_password, mine.email, mine.display_name)
    except CommandError as refused:
        raise CommandError(refused.code, refused.message, ("input", "newPassword")) from refused
    new_hash = await context.services.passwords.hash(input.new_password)
    session_id = caller(context).session_id
    async with transact(context, "change_password", Subject("Account", mine.id)) as act:
        _refuse_changed(await _lock(act, mine.id), known)
        await account_queries.set_password_hash(act.connection, mine.id, new_hash)
        await end_sessions(context, act, mine.id, but=session_id)
    return ViewerPayload(viewer=mine)


async def export_my_data(context: Context) -> ExportMyDataPayload:
    """Return everything that is held about the caller as one JSON document."""
    mine = await _mine(context)
    email_subject = str(attempted(context, parse_email(mine.email))[0].key)
    async with transact(context, "export_my_data", Subject("Account", mine.id)) as act:
        rows = await personal_data.collect(
            act.connection, account_id=mine.id, learner_id=mine.learner_id, email_subject=email_subject
        )
        document = _document(mine, rows, act.now)
    return ExportMyDataPayload(data=document)


async def delete_my_account(
    context: Context,
    input: DeleteMyAccount,  # noqa: A002 - the contract's name.
) -> DeleteMyAccountPayload:
    """Erase the caller: account, sessions, personal data and learning history, in one transaction.

    Raises:
        CommandError: INVALID_CREDENTIALS, RATE_LIMITED, CONFLICT or LAST_ADMINISTRATOR.
    """
    mine = await _mine(context)
    known = await _verify(context, mine, input.password, ("input", "password"))
    async with transact(context, "delete_my_account", Subject("Account", mine.id)) as act:
        await account_queries.lock_roles(act.connection, mine.id)
        account = await _lock(act, mine.id)
        _refuse_changed(account, known)
        await refuse_last_administrator(act, mine.id)
        await end_sessions(context, act, mine.id)
        # Of the row, and not of the token: an imported learner may have been claimed since it was issued.
        await personal_data.erase(
            act.connection,
            account_id=mine.id,
            learner_id=account.learner_id,
            now=act.now,
            source_index=context.services.cipher.source_index,
        )
        await notify(act.connection, [EVERYTHING, ERASURES])
    context.identity = None
    return DeleteMyAccountPayload()


async def _mine(context: Context) -> Viewer:
    (mine,) = await by_ids(context, [caller(context).account_id])
    if mine is None:
        raise _gone()
    return mine


async def _lock(act: Act, account_id: int) -> StandingAccount:
    account = await account_queries.lock_account(act.connection, account_id)
    if account is None or account.suspended_at is not None:
        raise _gone()
    return account


async def _verify(context: Context, mine: Viewer, password: str, path: tuple[str, ...]) -> str:
    """Return the hash that a password was verified against."""
    email: Email = parse_email(mine.email)
    row = await context.reader.fetch_first(
        account_queries.CREDENTIALS, email_index=email.index(context.services.cipher)
    )
    if row is None:
        raise _gone()
    await refuse_wrong_password(context, email, mine.id, password_hash=row.password_hash, given=password, field=path)
    verified: str = row.password_hash
    return verified


def _refuse_changed(account: StandingAccount, known: str) -> None:
    if account.password_hash != known:
        raise CommandError(UserErrorCode.CONFLICT, "The password was changed in the meantime; try again.")


def _gone() -> UnauthenticatedError:
    return UnauthenticatedError("The account is not there any more.")


def _document(mine: Viewer, rows: dict[str, list[dict[str, Any]]], now: datetime) -> str:
    account = {
        "id": mine.id,
        "learnerId": mine.learner_id,
        "email": mine.email,
        "displayName": mine.display_name,
        "roles": list(mine.roles),
    }
    # Kinds of which there may be older rows than those that are in the document.
    cut = [kind for kind, found in rows.items() if len(found) == personal_data.MOST_ROWS]
    document = {"format": 1, "exportedAt": now, "account": account, "incomplete": cut, **rows}
    # The driver's own kind of UUID is written as text.
    return orjson.dumps(document, default=str).decode()
