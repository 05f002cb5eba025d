"""Signing up, in and out on a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from core.clock import ManualClock
from core.errors import CommandError, DecryptionError, UnauthenticatedError, UserErrorCode
from core.settings import SecuritySettings
from database.session import Database
from database.tables.accounts import accounts, sessions as session_table
from database.tables.audit import audit_log
from database.tables.learners import learners
from resolvers import accounts as account_resolvers, sessions, throttling
from resolvers.context import Context, Services
from resolvers.sessions import RefreshSession, Session, SessionPayload, SignIn, SignUp
from security.passwords import Passwords
from tests.small_accounts import EMAIL, NAME, PASSWORD, Contexts, trail


async def refused(command: object) -> CommandError:
    """Run a command that must be refused and return the refusal."""
    with pytest.raises(CommandError) as error:
        await command  # type: ignore[misc]
    return error.value


def opened(payload: SessionPayload) -> Session:
    """Return the session of a payload that must have one."""
    assert payload.session is not None
    return payload.session


async def count(database: Database, table: str) -> int:
    """Return the number of rows of a table."""
    async with database.transaction() as connection:
        number: int = (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608 - ours.
    return number


async def test_sign_up_makes_an_account_that_is_signed_in(stranger: Context, services: Services) -> None:
    """The payload has the session and the viewer, and the rest of the request is the new learner's."""
    payload = await sessions.sign_up(stranger, SignUp(" ana@EXAMPLE.com", PASSWORD, f"  {NAME} "))
    viewer = payload.viewer
    assert viewer is not None
    assert ("ana@example.com", NAME, ["LEARNER"]) == (viewer.email, viewer.display_name, viewer.roles)
    assert stranger.identity == services.tokens.verify(opened(payload).access_token)
    (read,) = await account_resolvers.viewer(stranger, [None])
    assert viewer == read
    assert (viewer.email, viewer.display_name) == (read.email, read.display_name)
    assert [("sign_up", "done", "Account", viewer.id)] == await trail(stranger.database)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        (SignUp("ana", PASSWORD, NAME), UserErrorCode.INVALID, "email"),
        (SignUp(EMAIL, "short", NAME), UserErrorCode.WEAK_PASSWORD, "password"),
        (SignUp(EMAIL, EMAIL, NAME), UserErrorCode.WEAK_PASSWORD, "password"),
        (SignUp(EMAIL, PASSWORD, " "), UserErrorCode.REQUIRED, "displayName"),
        (SignUp(EMAIL, PASSWORD, "x" * 81), UserErrorCode.TOO_LONG, "displayName"),
        (SignUp(EMAIL, PASSWORD, "Ana\0"), UserErrorCode.INVALID, "displayName"),
        (SignUp(EMAIL, PASSWORD, "Ana\u202egnp"), UserErrorCode.INVALID, "displayName"),
        (SignUp(EMAIL, PASSWORD, "Ana\nMaria"), UserErrorCode.INVALID, "displayName"),
    ],
)
async def test_sign_up_refuses_wrong_input(stranger: Context, given: SignUp, code: UserErrorCode, field: str) -> None:
    """Each refusal names its field, and nothing is written."""
    error = await refused(sessions.sign_up(stranger, given))
    assert (code, ("input", field)) == (error.code, error.field)
    assert 0 == await count(stranger.database, "accounts")
    assert stranger.identity is None


async def test_display_name_may_be_of_any_script(stranger: Context) -> None:
    """Persian is written with a joiner that is invisible and not a control character."""
    name = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    viewer = (await sessions.sign_up(stranger, SignUp(EMAIL, PASSWORD, name))).viewer
    assert viewer is not None
    assert name == viewer.display_name


async def test_address_is_unique_whatever_its_case(learner: Context, strangers: Contexts) -> None:
    """The refused attempt is on record and leaves no learner behind."""
    error = await refused(sessions.sign_up(strangers(), SignUp(EMAIL.upper(), PASSWORD, NAME)))
    assert UserErrorCode.EMAIL_TAKEN is error.code
    assert 1 == await count(learner.database, "learners")
    assert ("sign_up", "EMAIL_TAKEN", "Account", None) == (await trail(learner.database))[-1]


async def test_of_sign_ups_at_once_one_wins(catalog: Database, strangers: Contexts) -> None:
    """The unique index decides, and each other attempt is refused as expected."""
    attempts = [sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)) for _ in range(8)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert 1 == sum(isinstance(result, SessionPayload) for result in results)
    codes = [result.code for result in results if isinstance(result, CommandError)]
    assert [UserErrorCode.EMAIL_TAKEN] * 7 == codes
    assert (1, 1) == (await count(catalog, "accounts"), await count(catalog, "learners"))


async def test_sign_in_with_any_case_of_the_address(learner: Context, strangers: Contexts) -> None:
    """The same account is signed in, in a session of its own."""
    context = strangers()
    payload = await sessions.sign_in(context, SignIn(EMAIL.lower(), PASSWORD))
    assert context.identity is not None
    assert learner.identity is not None
    assert learner.identity.account_id == context.identity.account_id
    assert learner.identity.session_id != context.identity.session_id
    assert payload.viewer is not None
    assert ("sign_in", "done", "Session", payload.viewer.id) == (await trail(learner.database))[-1]


async def test_unknown_address_and_wrong_password_look_alike(learner: Context, strangers: Contexts) -> None:
    """Neither the answer nor the statements tell who has an account; both are on record, without the address."""
    first, second = strangers(), strangers()
    unknown = await refused(sessions.sign_in(first, SignIn("eva@example.com", PASSWORD)))
    wrong = await refused(sessions.sign_in(second, SignIn(EMAIL, "wrong password")))
    assert (UserErrorCode.INVALID_CREDENTIALS, None) == (unknown.code, unknown.field)
    assert (unknown.code, unknown.message, unknown.field) == (wrong.code, wrong.message, wrong.field)
    assert first.reader.statements == second.reader.statements
    assert second.identity is None
    attempts = [row for row in await trail(learner.database) if row[1] == "INVALID_CREDENTIALS"]
    assert 2 * [("SignInAddress", None), ("SignInEmail", None)] == [(row[2], row[3]) for row in attempts]


async def test_guessing_at_an_account_is_throttled(learner: Context, strangers: Contexts, clock: ManualClock) -> None:
    """After ten failures even the right password is refused for a while, and other accounts are not concerned."""
    await sessions.sign_up(strangers(), SignUp("eva@example.com", PASSWORD, "Eva"))
    for number in range(10):
        context = strangers()
        context.client_address = f"198.51.100.{number}"
        await refused(sessions.sign_in(context, SignIn(EMAIL, "wrong password")))
    error = await refused(sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD)))
    assert UserErrorCode.RATE_LIMITED is error.code
    await sessions.sign_in(strangers(), SignIn("eva@example.com", PASSWORD))
    clock.now += throttling.THROTTLE_WINDOW
    assert (await sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD))).session is not None
    assert learner.identity is not None


async def test_guessing_in_parallel_gains_nothing(learner: Context, strangers: Contexts) -> None:
    """Of many guesses at the same moment only ten are answered, though all were let in at first."""
    guesses = [sessions.sign_in(strangers(), SignIn(EMAIL, f"wrong password {n}")) for n in range(20)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    codes = [result.code for result in results if isinstance(result, CommandError)]
    assert 10 == codes.count(UserErrorCode.INVALID_CREDENTIALS)
    assert 10 == codes.count(UserErrorCode.RATE_LIMITED)
    assert learner.identity is not None


async def test_guessing_from_one_place_is_throttled(
    catalog: Database, strangers: Contexts, clock: ManualClock, services: Services
) -> None:
    """A hundred failures from one network address, on whatever accounts, are enough."""
    key = services.cipher.blind_index("192.0.2.7", "sign_in.address").hex()
    row = {
        "occurred_at": clock(),
        "action": "sign_in",
        "subject_type": "SignInAddress",
        "subject_id": key,
        "outcome": "INVALID_CREDENTIALS",
    }
    async with catalog.transaction() as connection:
        await connection.execute(insert(audit_log), [row] * 100)
    error = await refused(sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD)))
    assert UserErrorCode.RATE_LIMITED is error.code
    elsewhere = strangers()
    elsewhere.client_address = None
    error = await refused(sessions.sign_in(elsewhere, SignIn(EMAIL, PASSWORD)))
    assert UserErrorCode.INVALID_CREDENTIALS is error.code


async def test_hash_follows_the_parameters(learner: Context, strangers: Contexts, services: Services) -> None:
    """Signing in after the operator changed argon2's parameters stores a new hash of the same password."""
    stored = select(accounts.c.password_hash)
    async with learner.database.transaction() as connection:
        before = (await connection.execute(stored)).scalar_one()
    stronger = SecuritySettings(password_memory_kib=16, password_iterations=1)
    context = strangers()
    context.services = Services(services.cipher, Passwords(stronger), services.tokens, services.recommender)
    await sessions.sign_in(context, SignIn(EMAIL, PASSWORD))
    async with learner.database.transaction() as connection:
        after = (await connection.execute(stored)).scalar_one()
    assert ("m=8," in before, "m=16," in after) == (True, True)
    await sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD))


async def test_refresh_exchanges_both_tokens(strangers: Contexts, clock: ManualClock, services: Services) -> None:
    """The session goes on under new tokens, and its end moves."""
    first = opened(await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    clock.now += timedelta(days=29)
    context = strangers()
    payload = await sessions.refresh_session(context, RefreshSession(first.refresh_token))
    second = opened(payload)
    assert first.refresh_token != second.refresh_token
    assert payload.viewer is not None
    assert NAME == payload.viewer.display_name
    assert context.identity == services.tokens.verify(second.access_token)
    clock.now += timedelta(days=29)
    third = opened(await sessions.refresh_session(strangers(), RefreshSession(second.refresh_token)))
    assert clock() < third.expires_at


async def test_exchange_may_be_asked_again(
    strangers: Contexts, services: Services, catalog: Database, clock: ManualClock
) -> None:
    """Whoever lost the answer gets the same refresh token, and so does another tab, for a minute; it is on record."""
    first = opened(await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    second = opened(await sessions.refresh_session(strangers(), RefreshSession(first.refresh_token)))
    clock.now += timedelta(seconds=59)
    context = strangers()
    again = opened(await sessions.refresh_session(context, RefreshSession(first.refresh_token)))
    assert second.refresh_token == again.refresh_token
    assert context.identity == services.tokens.verify(again.access_token)
    third = opened(await sessions.refresh_session(strangers(), RefreshSession(second.refresh_token)))
    assert third.refresh_token not in {first.refresh_token, second.refresh_token}
    async with catalog.transaction() as connection:
        found = (await connection.execute(select(audit_log.c.details).order_by(audit_log.c.id))).scalars().all()
        row = (await connection.execute(select(session_table))).one()
    assert [{}, {"repeated": True}, {}] == list(found[-3:])
    assert bytes.fromhex(third.refresh_token[32:]) not in {row.sealed_token, row.refresh_token_hash}


async def test_many_exchanges_at_once_have_one_answer(strangers: Contexts) -> None:
    """Tabs that wake up together go on together."""
    first = opened(await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    asked = RefreshSession(first.refresh_token)
    found = await asyncio.gather(*(sessions.refresh_session(strangers(), asked) for _ in range(4)))
    assert 1 == len({opened(each).refresh_token for each in found})


async def test_exchange_before_the_last_one_may_not_be_asked_again(strangers: Contexts) -> None:
    """Not even at once: the token that follows has been used, so that its owner had the answer."""
    first = opened(await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    second = opened(await sessions.refresh_session(strangers(), RefreshSession(first.refresh_token)))
    third = opened(await sessions.refresh_session(strangers(), RefreshSession(second.refresh_token)))
    for token in (first.refresh_token, third.refresh_token):
        error = await refused(sessions.refresh_session(strangers(), RefreshSession(token)))
        assert UserErrorCode.SESSION_EXPIRED is error.code


async def test_token_used_twice_ends_the_session(strangers: Contexts, catalog: Database, clock: ManualClock) -> None:
    """Whoever comes second may be a thief: neither they nor the first go on, and the reuse is on record."""
    first = opened(await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    second = opened(await sessions.refresh_session(strangers(), RefreshSession(first.refresh_token)))
    clock.now += timedelta(seconds=60)
    for token in (first.refresh_token, second.refresh_token):
        context = strangers()
        error = await refused(sessions.refresh_session(context, RefreshSession(token)))
        assert UserErrorCode.SESSION_EXPIRED is error.code
        assert context.identity is None
    async with catalog.transaction() as connection:
        rows = (
            await connection.execute(select(audit_log.c.outcome, audit_log.c.details).order_by(audit_log.c.id))
        ).all()
    assert [("SESSION_EXPIRED", {"token_reused": True}), ("SESSION_EXPIRED", {})] == [tuple(row) for row in rows[-2:]]


async def test_token_of_two_exchanges_ago_ends_the_session(strangers: Contexts) -> None:
    """A thief who refreshed more than once before the owner came back is noticed all the same."""
    stolen = opened(await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    newest = stolen
    for _ in range(3):
        newest = opened(await sessions.refresh_session(strangers(), RefreshSession(newest.refresh_token)))
    for token in (stolen.refresh_token, newest.refresh_token):
        error = await refused(sessions.refresh_session(strangers(), RefreshSession(token)))
        assert UserErrorCode.SESSION_EXPIRED is error.code


async def test_session_ends_without_use(strangers: Contexts, catalog: Database, clock: ManualClock) -> None:
    """After thirty days the refresh token is refused; the next sign-in forgets the session."""
    first = opened(await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    clock.now += timedelta(days=30)
    error = await refused(sessions.refresh_session(strangers(), RefreshSession(first.refresh_token)))
    assert UserErrorCode.SESSION_EXPIRED is error.code
    await sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD))
    assert 1 == await count(catalog, "sessions")


async def test_unknown_refresh_token_is_refused_without_a_trace(stranger: Context) -> None:
    """Anybody can send any number of them, so they do not grow the trail."""
    error = await refused(sessions.refresh_session(stranger, RefreshSession("nonsense \ud800")))
    assert (UserErrorCode.SESSION_EXPIRED, ("input", "refreshToken")) == (error.code, error.field)
    assert [] == await trail(stranger.database)


async def test_sign_out_ends_the_session(strangers: Contexts, catalog: Database) -> None:
    """Its refresh token is void; signing out again changes nothing; a stranger cannot."""
    context = strangers()
    first = opened(await sessions.sign_up(context, SignUp(EMAIL, PASSWORD, NAME)))
    identity = context.identity
    for _ in range(2):
        context.identity = identity
        assert () == (await sessions.sign_out(context)).user_errors
        assert context.identity is None
    await refused(sessions.refresh_session(strangers(), RefreshSession(first.refresh_token)))
    with pytest.raises(UnauthenticatedError):
        await sessions.sign_out(context)
    async with catalog.transaction() as connection:
        assert (await connection.execute(select(session_table.c.revoked_at))).scalar_one() is not None


async def test_personal_data_is_nowhere_in_plain(learner: Context, strangers: Contexts) -> None:
    """After every command, no table holds the address, its parts, the name, the password, a token or an address."""
    context = strangers()
    session = opened(await sessions.sign_in(context, SignIn(EMAIL, PASSWORD)))
    session = opened(await sessions.refresh_session(strangers(), RefreshSession(session.refresh_token)))
    await refused(sessions.sign_in(strangers(), SignIn(EMAIL, "wrong password")))
    await refused(sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, NAME)))
    await sessions.sign_out(context)
    secrets = [EMAIL, "ana.learner", NAME, "andú", PASSWORD, "192.0.2.7", session.refresh_token, session.access_token]
    async with learner.database.transaction() as connection:
        names = (
            await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        ).scalars()
        stored = ""
        for name in names.all():
            rows = await connection.execute(text(f"SELECT to_jsonb(t)::text FROM {name} t"))  # noqa: S608 - ours.
            stored += "\n".join(rows.scalars())
    assert "sign_in" in stored
    for secret in secrets:
        assert secret.lower() not in stored.lower()
        assert secret.encode().hex() not in stored


async def test_without_its_audit_row_nothing_is_done(stranger: Context) -> None:
    """When the trail cannot be written, the account is not made and nobody is signed in."""
    async with stranger.database.transaction() as connection:
        await connection.execute(text("ALTER TABLE audit_log ADD CONSTRAINT never CHECK (false)"))
    with pytest.raises(Exception, match="never"):
        await sessions.sign_up(stranger, SignUp(EMAIL, PASSWORD, NAME))
    assert stranger.identity is None
    assert [0, 0, 0] == [await count(stranger.database, name) for name in ("accounts", "learners", "sessions")]


async def test_failed_statement_does_not_tell_its_values(stranger: Context) -> None:
    """What goes to the log when an insert fails holds neither the password's hash nor the envelopes."""
    async with stranger.database.transaction() as connection:
        await connection.execute(text("ALTER TABLE accounts RENAME COLUMN roles TO gone"))
    with pytest.raises(DBAPIError) as error:
        await sessions.sign_up(stranger, SignUp(EMAIL, PASSWORD, NAME))
    assert "accounts" in str(error.value)
    assert "argon2id" not in str(error.value)


async def test_row_changed_outside_is_noticed(learner: Context) -> None:
    """An address that was copied over from another account does not decrypt."""
    async with learner.database.transaction() as connection:
        await connection.execute(text("UPDATE accounts SET email_ciphertext = display_name_ciphertext"))
    (viewer,) = await account_resolvers.viewer(learner, [None])
    assert viewer is not None
    with pytest.raises(DecryptionError, match="does not decrypt"):
        _ = viewer.email
    assert viewer.display_name


async def test_viewer_is_nobody_else(learner: Context, strangers: Contexts) -> None:
    """An account can be fetched by its own holder alone."""
    assert learner.identity is not None
    own = learner.identity.account_id
    (viewer, other) = await account_resolvers.by_ids(learner, [own, own + 1])
    assert viewer is not None
    assert (own, None) == (viewer.id, other)
    stranger = strangers()
    assert [None] == await account_resolvers.by_ids(stranger, [own])
    assert [None, None] == await account_resolvers.viewer(stranger, [None, None])
    assert EMAIL.lower() not in repr(viewer).lower()


async def test_viewer_of_a_deleted_account_is_nobody(learner: Context) -> None:
    """The token of an account that is gone shows nothing."""
    async with learner.database.transaction() as connection:
        await connection.execute(accounts.delete())
        await connection.execute(learners.delete())
    assert [None] == await account_resolvers.viewer(learner, [None])
