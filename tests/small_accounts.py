"""Requests of people on the small catalog: strangers and learners, with real keys, passwords and tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import select

from core.clock import ManualClock
from core.settings import SecuritySettings
from database.session import Database
from database.tables.audit import audit_log
from resolvers import sessions
from resolvers.context import Context, Services
from resolvers.sessions import SignUp
from security.encryption import Cipher
from security.keys import KeyRing, new_key_ring
from security.passwords import Passwords
from security.tokens import Tokens

EMAIL = "Ana.Learner@Example.com"
PASSWORD = "correct horse battery"
NAME = "Ana Ñandú"

Contexts = Callable[[], Context]


@pytest.fixture
def security_settings() -> SecuritySettings:
    """Settings under which a password hashes in less than a millisecond."""
    return SecuritySettings(password_memory_kib=8, password_iterations=1)


@pytest.fixture
def key_ring() -> KeyRing:
    """New keys."""
    return new_key_ring()


@pytest.fixture
def services(key_ring: KeyRing, security_settings: SecuritySettings, clock: ManualClock) -> Services:
    """The parts that commands need; nothing recommends."""
    recommender: Any = None
    return Services(
        cipher=Cipher(key_ring),
        passwords=Passwords(security_settings),
        tokens=Tokens(key_ring, security_settings, clock),
        recommender=recommender,
    )


@pytest_asyncio.fixture
async def strangers(catalog: Database, clock: ManualClock, services: Services) -> AsyncIterator[Contexts]:
    """Makes signed-out requests on the small catalog, each with its own reader and id."""
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(catalog.reader()) for _ in range(40)]

        def make() -> Context:
            return Context(
                reader=readers.pop(),
                database=catalog,
                clock=clock,
                identity=None,
                request_id=uuid4(),
                services=services,
                client_address="192.0.2.7",
            )

        yield make


@pytest.fixture
def stranger(strangers: Contexts) -> Context:
    """A signed-out request."""
    return strangers()


@pytest_asyncio.fixture
async def learner(strangers: Contexts) -> Context:
    """A request of somebody who has just signed up as `EMAIL`."""
    context = strangers()
    await sessions.sign_up(context, SignUp(EMAIL, PASSWORD, NAME))
    return context


async def trail(database: Database) -> list[tuple[str, str, str, int | None]]:
    """Return action, outcome, type of subject and actor of every row of the audit trail, in order."""
    statement = select(
        audit_log.c.action, audit_log.c.outcome, audit_log.c.subject_type, audit_log.c.actor_account_id
    ).order_by(audit_log.c.id)
    async with database.transaction() as connection:
        return [(row[0], row[1], row[2], row[3]) for row in await connection.execute(statement)]
