"""Sessions: signing up, in and out, and exchanging refresh tokens."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from core.errors import CommandError, UserErrorCode
from core.ids import time_ordered_uuid
from database.queries import accounts as account_queries, revocations as revocation_queries, sessions as queries
from database.queries.accounts import CredentialsRow, StandingAccount
from database.queries.sessions import StoredSession
from database.tables.accounts import Role
from resolvers.accounts import Viewer, by_ids, decrypted, display_name_place, email_place
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.payloads import Payload
from resolvers.throttling import attempted, failures, judge_in_turn, record_failure, refuse_too_many
from security.audit import Subject
from security.emails import Email, parse_email
from security.encryption import Cipher
from security.passwords import refuse_weak
from security.policies import Identity
from security.tokens import new_refresh_token, refresh_token_hash, sealed, session_of, unsealed

_LONGEST_NAME = 80
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
# These turn the direction of text, and so can make one name look like another; the joiners that some scripts
# are written with are of the same Unicode category and stay allowed.
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class SignUp:
    """What an account is made of."""

    email: str = field(repr=False)
    password: str = field(repr=False)
    display_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Credentials."""

    email: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefreshSession:
    """A refresh token, good for one use."""

    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """What a client keeps while it is signed in."""

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SessionPayload(Payload):
    """The answer of a command that signs in."""

    session: Session | None = None
    viewer: Viewer | None = None


@dataclass(frozen=True, kw_only=True)
class SignOutPayload(Payload):
    """The answer of `sign_out`."""


async def sign_up(context: Context, input: SignUp) -> SessionPayload:  # noqa: A002 - the contract's name.
    """Create a learner and their account, and sign them in.

    Raises:
        CommandError: INVALID, REQUIRED, TOO_LONG, WEAK_PASSWORD or EMAIL_TAKEN.
    """
    email = parse_email(input.email)
    name = clean_display_name(input.display_name)
    refuse_weak(input.password, email.text, name)
    password_hash = await context.services.passwords.hash(input.password)
    async with transact(context, "sign_up", Subject("Account")) as act:
        viewer = await _create_account(context, act, email, name, password_hash)
        act.actor, act.subject = viewer.id, Subject("Account", viewer.id)
        session, identity = await _open_session(context, act, viewer)
    context.identity = identity
    return SessionPayload(session=session, viewer=viewer)


async def sign_in(context: Context, input: SignIn) -> SessionPayload:  # noqa: A002 - the contract's name.
    """Open a session for whoever knows an account's password.

    An unknown address, a wrong password and a throttled guess of the right one cannot be told apart from
    their answers or from the time they take.

    Raises:
        CommandError: INVALID, INVALID_CREDENTIALS, RATE_LIMITED or, to who knows the password, ACCOUNT_SUSPENDED.
    """
    email = parse_email(input.email)
    guessed = attempted(context, email)
    refuse_too_many(await failures(context, guessed))
    account = await context.reader.fetch_first(account_queries.CREDENTIALS, email_index=email.index(_cipher(context)))
    # Hashing takes long enough that the connection is better lent to somebody who reads.
    await context.reader.release()
    passwords = context.services.passwords
    matches = await passwords.verify(None if account is None else account.password_hash, input.password)
    outdated = account is not None and matches and passwords.needs_rehash(account.password_hash)
    new_hash = await passwords.hash(input.password) if outdated else None
    if account is None or not matches:
        raise await record_failure(context, guessed, None if account is None else account.id)
    async with transact(context, "sign_in", guessed[0]) as act:
        await judge_in_turn(act, guessed)
        standing = await _standing(context, act, account, input.password)
        if new_hash is not None:
            await account_queries.set_password_hash(act.connection, account.id, new_hash)
        viewer = replace(decrypted(_cipher(context), account), learner_id=standing.learner_id, roles=standing.roles)
        session, identity = await _open_session(context, act, viewer)
        act.actor, act.subject = viewer.id, Subject("Session", str(identity.session_id))
    context.identity = identity
    return SessionPayload(session=session, viewer=viewer)


async def refresh_session(context: Context, input: RefreshSession) -> SessionPayload:  # noqa: A002 - as above.
    """Exchange a refresh token for a new one and a new access token.

    Whoever lost the answer asks again, and so does the other tab: the exchange of a moment ago is answered once more. A
    token that was exchanged before that is in two hands, and one of them is not the owner's: the session ends.

    Raises:
        CommandError: SESSION_EXPIRED or ACCOUNT_SUSPENDED.
    """
    refusal: CommandError | None = None
    session: Session | None = None
    identity: Identity | None = None
    async with transact(context, "refresh_session", Subject("Session")) as act:
        standing, stored = await _lock_session(act, input.refresh_token)
        # A token that never was one tells an auditor nothing, and anybody can send any number of them.
        act.recorded = stored is not None
        if standing is None or stored is None:
            raise _session_expired()
        act.actor, act.subject = stored.account_id, Subject("Session", str(stored.id))
        if standing.suspended_at is not None:
            raise _suspended()
        if stored.revoked_at is not None or stored.expires_at <= act.now:
            raise _session_expired()
        following = await _following(context, act, stored, input.refresh_token)
        if following is not None:
            identity = Identity(
                account_id=stored.account_id,
                learner_id=standing.learner_id,
                roles=frozenset(standing.roles),
                session_id=stored.id,
            )
            session = _session(context, identity, following)
        else:
            await _end_session(context, act, stored.id)
            act.details["token_reused"] = True
            refusal = _session_expired()
            act.outcome = refusal.code.value
    if refusal is not None or identity is None:
        raise refusal or _session_expired()
    context.identity = identity
    (viewer,) = await by_ids(context, [identity.account_id])
    return SessionPayload(session=session, viewer=viewer)


async def sign_out(context: Context) -> SignOutPayload:
    """End the caller's session: its refresh token at once, its access token here at once and elsewhere in seconds."""
    identity = caller(context)
    async with transact(context, "sign_out", Subject("Session", str(identity.session_id))) as act:
        await _end_session(context, act, identity.session_id)
    context.identity = None
    return SignOutPayload()


async def _create_account(context: Context, act: Act, email: Email, name: str, password_hash: str) -> Viewer:
    cipher = _cipher(context)
    account_id = await account_queries.reserve_id(act.connection)
    learner_id = await account_queries.insert_learner(act.connection, act.now)
    roles = [Role.LEARNER.value]
    values = {
        "id": account_id,
        "learner_id": learner_id,
        "encryption_key_id": cipher.active_key_id,
        "email_ciphertext": cipher.encrypt(email.text, email_place(account_id)),
        "email_index": email.index(cipher),
        "display_name_ciphertext": cipher.encrypt(name, display_name_place(account_id)),
        "password_hash": password_hash,
        "roles": roles,
        "created_at": act.now,
    }
    if not await account_queries.insert_account(act.connection, values):
        raise CommandError(UserErrorCode.EMAIL_TAKEN, "This address already has an account.", ("input", "email"))
    return Viewer(account_id, learner_id, roles, read_email=lambda: email.text, read_display_name=lambda: name)


async def _open_session(context: Context, act: Act, viewer: Viewer) -> tuple[Session, Identity]:
    identity = Identity(
        account_id=viewer.id,
        learner_id=viewer.learner_id,
        roles=frozenset(viewer.roles),
        session_id=time_ordered_uuid(act.now),
    )
    refresh_token = new_refresh_token(identity.session_id)
    await queries.delete_ended(act.connection, viewer.id, act.now)
    await queries.insert_session(
        act.connection,
        session_id=identity.session_id,
        account_id=viewer.id,
        token_hash=refresh_token_hash(refresh_token),
        now=act.now,
        expires_at=context.services.tokens.session_end(act.now),
    )
    return _session(context, identity, refresh_token), identity


async def _following(context: Context, act: Act, stored: StoredSession, given: str) -> str | None:
    """Return the token that follows the given one: a new one, or that of an exchange a moment ago; else None."""
    tokens = context.services.tokens
    if refresh_token_hash(given) == stored.token_hash:
        following = new_refresh_token(stored.id)
        await queries.exchange_token(
            act.connection,
            stored.id,
            token_hash=refresh_token_hash(following),
            sealed_token=sealed(following, given),
            now=act.now,
            expires_at=tokens.session_end(act.now),
        )
        return following
    if (
        stored.sealed_token is None
        or stored.exchanged_at is None
        or not tokens.may_repeat(stored.exchanged_at, act.now)
    ):
        return None
    following = unsealed(stored.sealed_token, given)
    if refresh_token_hash(following) != stored.token_hash:
        return None
    act.details["repeated"] = True
    return following


async def _lock_session(act: Act, refresh_token: str) -> tuple[StandingAccount | None, StoredSession | None]:
    """Return the session that a refresh token names and its account, the account locked first."""
    session_id = session_of(refresh_token)
    owner = None if session_id is None else await queries.owner(act.connection, session_id)
    if session_id is None or owner is None:
        return None, None
    standing = await account_queries.lock_account(act.connection, owner, shared=True)
    return standing, await queries.lock(act.connection, session_id)


async def _standing(context: Context, act: Act, account: CredentialsRow, password: str) -> StandingAccount:
    """Return the account as it is now, refused when it was suspended or got another password in the meantime."""
    standing = await account_queries.lock_account(act.connection, account.id)
    known = standing is not None and (
        standing.password_hash == account.password_hash
        # Another hash may be of the same password under newer parameters.
        or await context.services.passwords.verify(standing.password_hash, password)
    )
    if standing is None or not known:
        raise CommandError(UserErrorCode.INVALID_CREDENTIALS, "The address or the password is wrong.")
    if standing.suspended_at is not None:
        raise _suspended()
    return standing


async def _end_session(context: Context, act: Act, session_id: UUID) -> None:
    # Heard of here before the transaction commits: should it fail, somebody signs in once more than needed.
    await queries.revoke(act.connection, session_id, act.now)
    await revocation_queries.revoke_session(act.connection, session_id, act.now)
    context.services.tokens.revocations.add(session_id, None, act.now)


def _suspended() -> CommandError:
    return CommandError(UserErrorCode.ACCOUNT_SUSPENDED, "The account is suspended.")


def _session(context: Context, identity: Identity, refresh_token: str) -> Session:
    access = context.services.tokens.issue(identity)
    return Session(access_token=access.text, expires_at=access.expires_at, refresh_token=refresh_token)


def _session_expired() -> CommandError:
    return CommandError(
        UserErrorCode.SESSION_EXPIRED, "The session has ended; sign in again.", ("input", "refreshToken")
    )


def clean_display_name(text: str) -> str:
    """Return a name in its normal form."""
    path = ("input", "displayName")
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise CommandError(UserErrorCode.REQUIRED, "A display name is needed.", path)
    if len(name) > _LONGEST_NAME:
        raise CommandError(UserErrorCode.TOO_LONG, f"A display name has at most {_LONGEST_NAME} characters.", path)
    if any(character in _BIDIRECTIONAL or unicodedata.category(character) in _UNPRINTABLE for character in name):
        raise CommandError(UserErrorCode.INVALID, "A display name must not hold control characters.", path)
    return name


def _cipher(context: Context) -> Cipher:
    return context.services.cipher
