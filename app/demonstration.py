"""The demonstration learner's account: created by the commands that any learner uses, on the simulated platform."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.wiring import Platform
from catalog.simulation.demonstration import demonstration_learner
from core.errors import CommandError, InputError, UserErrorCode
from core.ids import time_ordered_uuid
from database.queries.accounts import lock_imported_learner
from database.session import Database
from resolvers.accounts import claim_learner
from resolvers.context import Context, Services
from resolvers.sessions import SignIn as Credentials, SignUp, sign_in, sign_up

_FILE = "demonstration.json"


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a stranger signs in with; the password is random and lies in the data folder, for its owner only."""

    email: str
    password: str = field(repr=False)


class TakenError(InputError):
    """The demonstration's address belongs to an account whose password we do not know."""


async def is_unclaimed(database: Database) -> bool:
    """Say whether the simulated learner is there and no account has claimed them yet."""
    learner = demonstration_learner()
    async with database.transaction() as connection:
        found = await lock_imported_learner(connection, learner.source, learner.source_id)
    return found is not None and found.account_id is None


async def create_account(parts: Platform, services: Services) -> SignIn:
    """Make an account for the demonstration, and let it claim a simulated history.

    Each step takes up what an interrupted call before it left, so that calling again finishes the work.

    Raises:
        TakenError: the address has an account with another password.
        InputError: the history is claimed already, or the password cannot be kept.
    """
    account = keep_password(parts.data_dir)
    try:
        account_id = await open_account(parts, services, account)
    except TakenError:
        # Nobody should be shown a password that opens nothing.
        (parts.data_dir / _FILE).unlink(missing_ok=True)
        raise
    await claim(parts, account_id)
    return account


def keep_password(data_dir: Path) -> SignIn:
    """Return the sign-in that the folder has, or write a new one: first of all, so that it cannot be lost.

    Raises:
        InputError: it cannot be written.
    """
    account = known_account(data_dir)
    if account is None:
        account = SignIn(demonstration_learner().email, secrets.token_urlsafe(12))
        _keep(data_dir / _FILE, account)
    return account


async def open_account(parts: Platform, services: Services, account: SignIn) -> int:
    """Sign up, or sign in where an earlier call signed up, and return the account's id.

    Raises:
        TakenError: the address has an account with another password.
        InputError: signing up was refused for another reason.
    """
    async with parts.database.reader() as reader:
        context = Context(
            reader=reader,
            database=parts.database,
            clock=parts.clock,
            identity=None,
            request_id=time_ordered_uuid(parts.clock()),
            services=services,
        )
        try:
            try:
                await sign_up(context, SignUp(account.email, account.password, demonstration_learner().display_name))
            except CommandError as error:
                if error.code is not UserErrorCode.EMAIL_TAKEN:
                    raise
                await sign_in(context, Credentials(account.email, account.password))
        except CommandError as error:
            if error.code is UserErrorCode.INVALID_CREDENTIALS:
                raise TakenError(f"{account.email} has an account with a password that is not kept here.") from error
            raise InputError(f"The demonstration learner cannot be signed up: {error.message}") from error
        if context.identity is None:
            raise InputError("The demonstration learner was not signed in.")
        return context.identity.account_id


async def claim(parts: Platform, account_id: int) -> None:
    """Make an account the simulated learner.

    Raises:
        InputError: the learner is missing or another account's.
    """
    learner = demonstration_learner()
    async with parts.database.transaction() as connection:
        await claim_learner(connection, account_id, learner.source, learner.source_id, now=parts.clock())


def known_account(data_dir: Path) -> SignIn | None:
    """Return the demonstration learner's sign-in, or None where this folder has none."""
    try:
        found = json.loads((data_dir / _FILE).read_text(encoding="utf-8"))
        return SignIn(str(found["email"]), str(found["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        # Also what a kill in the middle of writing left.
        return None


def _keep(path: Path, account: SignIn) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(account), file)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
