"""The demonstration learner's account: created by the commands that any learner uses, on the simulated platform."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.wiring import Platform
from catalog.simulation.demonstration import demonstration_learner
from core.errors import CommandError, InputError
from core.ids import time_ordered_uuid
from resolvers.accounts import claim_learner
from resolvers.context import Context, Services
from resolvers.sessions import SignUp, sign_up

_FILE = "demonstration.json"


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a stranger signs in with; the password is random and lies in the data folder, for its owner only."""

    email: str
    password: str = field(repr=False)


async def create_account(parts: Platform, services: Services) -> SignIn:
    """Sign the demonstration learner up, and let the account claim a simulated history.

    Raises:
        InputError: the account exists already, or its password cannot be kept.
    """
    learner = demonstration_learner()
    account = SignIn(learner.email, secrets.token_urlsafe(12))
    _keep(parts.data_dir / _FILE, account)
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
            await sign_up(context, SignUp(account.email, account.password, learner.display_name))
        except CommandError as error:
            raise InputError(f"The demonstration learner cannot be signed up: {error.message}") from error
    identity = context.identity
    if identity is None:
        raise InputError("The demonstration learner was not signed in.")
    async with parts.database.transaction() as connection:
        await claim_learner(connection, identity.account_id, learner.source, learner.source_id, now=parts.clock())
    return account


def known_account(data_dir: Path) -> SignIn | None:
    """Return the demonstration learner's sign-in, or None where this folder has none."""
    try:
        found = json.loads((data_dir / _FILE).read_text(encoding="utf-8"))
        return SignIn(str(found["email"]), str(found["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, account: SignIn) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(account), file)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
