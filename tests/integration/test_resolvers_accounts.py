"""Claiming imported learners on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from core.errors import InputError
from database.session import Database
from database.tables.accounts import accounts
from database.tables.learners import learners
from resolvers import sessions
from resolvers.accounts import claim_learner
from resolvers.context import Context
from resolvers.sessions import SignIn, SignUp
from security.keys import KeyRing, new_key_ring, refuse_missing_keys, rotated
from tests.small_accounts import EMAIL, PASSWORD, Contexts, trail

SOURCE = "udemy"


@pytest_asyncio.fixture
async def imported(learner: Context) -> int:
    """An imported learner, beside one who signed up."""
    async with learner.database.transaction() as connection:
        row = {"source": SOURCE, "source_id": "u-1", "created_at": learner.clock()}
        number: int = (await connection.execute(insert(learners).returning(learners.c.id), row)).scalar_one()
    return number


async def claim(database: Database, context: Context, account_id: int, source_id: str = "u-1") -> int:
    """Claim in a transaction of its own."""
    async with database.transaction() as connection:
        return await claim_learner(connection, account_id, SOURCE, source_id, now=context.clock())


async def owners(database: Database) -> Sequence[int]:
    """Return the learner of every account."""
    async with database.transaction() as connection:
        return (await connection.execute(select(accounts.c.learner_id).order_by(accounts.c.id))).scalars().all()


async def test_account_becomes_the_learner_it_claims(learner: Context, imported: int, strangers: Contexts) -> None:
    """From its next session on it acts as that learner; claiming again changes nothing; both are safe to repeat."""
    assert learner.identity is not None
    account_id = learner.identity.account_id
    for _ in range(2):
        assert imported == await claim(learner.database, learner, account_id)
    context = strangers()
    await sessions.sign_in(context, SignIn(EMAIL, PASSWORD))
    assert context.identity is not None
    assert imported == context.identity.learner_id
    claims = [row for row in await trail(learner.database) if row[0] == "claim_learner"]
    assert [("claim_learner", "done", "Account", None)] == claims


async def test_learner_is_claimed_once(learner: Context, imported: int, strangers: Contexts) -> None:
    """Of accounts that claim at the same moment one gets the learner, and the other one clear line."""
    other = strangers()
    await sessions.sign_up(other, SignUp("eva@example.com", PASSWORD, "Eva"))
    assert learner.identity is not None
    assert other.identity is not None
    results = await asyncio.gather(
        *(claim(learner.database, learner, one.account_id) for one in (learner.identity, other.identity)),
        return_exceptions=True,
    )
    assert 1 == results.count(imported)
    (error,) = [result for result in results if isinstance(result, BaseException)]
    assert isinstance(error, InputError)
    assert 1 == list(await owners(learner.database)).count(imported)


@pytest.mark.parametrize("source_id", ["u-1", "u-2"])
async def test_what_is_not_there_cannot_be_claimed(learner: Context, imported: int, source_id: str) -> None:
    """A missing account or learner is one clear line, and nothing changes."""
    assert imported
    with pytest.raises(InputError):
        await claim(learner.database, learner, 999, source_id)
    assert learner.identity is not None
    assert [learner.identity.learner_id] == await owners(learner.database)


async def test_database_of_other_keys_is_noticed(learner: Context, key_ring: KeyRing) -> None:
    """A key file made anew beside an old database is refused at the start, with the key that is missing."""
    await refuse_missing_keys(rotated(key_ring), learner.reader)
    with pytest.raises(InputError, match=key_ring.encryption.active):
        await refuse_missing_keys(new_key_ring(), learner.reader)
