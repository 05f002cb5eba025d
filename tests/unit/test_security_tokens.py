"""Access tokens and refresh tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from core.clock import ManualClock
from core.errors import UnauthenticatedError
from core.settings import SecuritySettings
from security.keys import KeyRing, new_key_ring, rotated
from security.policies import Identity, signed_in
from security.tokens import Tokens, new_refresh_token, refresh_token_hash, sealed, session_of, unsealed

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RING = new_key_ring()
IDENTITY = Identity(account_id=7, learner_id=8, roles=frozenset({"LEARNER", "INSTRUCTOR"}), session_id=UUID(int=9))
LIFETIME = timedelta(seconds=900)


def opened(ring: KeyRing = RING, clock: ManualClock | None = None) -> Tokens:
    """Return the tokens of a process that has just started."""
    return Tokens(ring, SecuritySettings(), clock or ManualClock(NOW))


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good token, with some changed, or left out where they are None."""
    good = {
        "iss": "waymark",
        "aud": "waymark-api",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 900,
        "sub": "7",
        "learner": 8,
        "roles": ["LEARNER"],
        "sid": str(UUID(int=9)),
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(payload: dict[str, Any], key: bytes | None = None, **header: str) -> str:
    """Return a token of our active key, or of another key or header."""
    active = RING.signing.active
    octets = OctKey.import_key(key or RING.signing.keys[active])
    return jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": active, **header}, payload, octets, algorithms=["HS256"])


def test_issued_token_verifies_in_every_process() -> None:
    """A token says who its holder is, to the process that issued it and to any other, again and again."""
    issuer = opened()
    token = issuer.issue(IDENTITY)
    assert NOW + LIFETIME == token.expires_at
    for process in (issuer, issuer, opened(), opened(rotated(RING))):
        assert IDENTITY == process.verify(token.text)


@pytest.mark.parametrize("seen_before", [True, False])
def test_token_ends(seen_before: bool) -> None:  # noqa: FBT001 - pytest passes it.
    """After its lifetime, and the few seconds that clocks may differ, a token is worth nothing."""
    clock = ManualClock(NOW)
    process = opened(clock=clock)
    token = process.issue(IDENTITY).text
    clock.now = NOW + LIFETIME + timedelta(seconds=4)
    assert IDENTITY == process.verify(token)
    clock.now = NOW + LIFETIME + timedelta(seconds=5)
    later = process if seen_before else opened(clock=clock)
    for _ in range(2):
        with pytest.raises(UnauthenticatedError, match="expired"):
            later.verify(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c",
        "é",
        "x" * 3000,
        signed(claims(iss="another")),
        signed(claims(aud="another")),
        signed(claims(exp=None)),
        signed(claims(exp="soon")),
        signed(claims(iat=int(NOW.timestamp()) + 60)),
        signed(claims(sub=None)),
        signed(claims(sub="ana")),
        signed(claims(learner=None)),
        signed(claims(learner=[])),
        signed(claims(roles=5)),
        signed(claims(sid="1")),
        signed(claims(), typ="JWT"),
        signed(claims(), kid="key-unknown"),
        signed(claims(), key=b"0" * 32),
        signed(claims(), key=RING.index),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.",
    ],
)
def test_token_that_is_not_ours_is_refused(token: str) -> None:
    """Another issuer, audience, type, key or shape: one answer for all, and nothing is remembered."""
    process = opened()
    with pytest.raises(UnauthenticatedError, match="not valid"):
        process.verify(token)
    assert not process._verified


def test_other_algorithm_is_refused() -> None:
    """The header does not choose the algorithm, not even a stronger one under the right key."""
    active = RING.signing.active
    key = OctKey.import_key(RING.signing.keys[active])
    token = jwt.encode({"alg": "HS512", "typ": "at+jwt", "kid": active}, claims(), key, algorithms=["HS512"])
    with pytest.raises(UnauthenticatedError, match="not valid"):
        opened().verify(token)


@given(st.integers(min_value=0), st.characters(codec="ascii"))
def test_changed_token_is_refused(where: int, character: str) -> None:
    """A token with any character changed is not one of ours."""
    process = opened()
    token = process.issue(IDENTITY).text
    place = where % (len(token) - 1)  # The last character has bits that base64 ignores.
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        with pytest.raises(UnauthenticatedError):
            process.verify(changed)


def test_memory_of_verified_tokens_is_bounded() -> None:
    """The oldest are forgotten, and verified anew when they come again."""
    process = Tokens(RING, SecuritySettings(), ManualClock(NOW), remembered=2)
    issued = [
        process.issue(Identity(account_id=number, learner_id=1, roles=frozenset(), session_id=UUID(int=1))).text
        for number in range(4)
    ]
    assert [0, 1, 2, 3, 0] == [process.verify(token).account_id for token in (*issued, issued[0])]
    assert 2 == len(process._verified)


def test_refresh_tokens_are_random_and_stored_as_hashes() -> None:
    """256 bits each behind the id of their session; the hash does not contain the token."""
    session = UUID(int=7)
    first, second = new_refresh_token(session), new_refresh_token(session)
    assert first != second
    assert 48 == len(bytes.fromhex(first))
    assert 32 == len(refresh_token_hash(first))
    assert session == session_of(first) == session_of(second)
    assert [None] * 4 == [session_of(text) for text in ("", first[1:], first.upper() + "0", "\ud800" * 96)]
    assert refresh_token_hash(first) != refresh_token_hash(second)
    assert 32 == len(refresh_token_hash("\ud800"))


def test_secrets_are_not_shown() -> None:
    """A token that ends up in a log by its repr gives nothing away."""
    token = opened().issue(IDENTITY)
    assert token.text not in repr(token)


def test_signed_in_is_whoever_has_an_identity() -> None:
    """The rule refuses strangers with the error that asks them to sign in."""
    assert signed_in(IDENTITY) is None
    assert isinstance(signed_in(None), UnauthenticatedError)


def test_refresh_token_is_sealed_for_who_has_the_one_before() -> None:
    """And for nobody else: what another token unseals has another hash, and the seal tells nothing by itself."""
    session = UUID(int=7)
    first, second, other = (new_refresh_token(session) for _ in range(3))
    seal = sealed(second, first)
    assert 32 == len(seal)
    assert second == unsealed(seal, first)
    for token in (second, other):
        assert session == session_of(unsealed(seal, token))
        assert refresh_token_hash(second) != refresh_token_hash(unsealed(seal, token))
    assert sealed(other, first) != seal != bytes.fromhex(second[32:])


@pytest.mark.parametrize(("repeats", "seconds", "may"), [(60, 59.9, True), (60, 60, False), (0, 0, False)])
def test_exchanges_are_repeated_for_as_long_as_is_set(repeats: float, seconds: float, *, may: bool) -> None:
    """By default for a minute; zero is never."""
    tokens = Tokens(RING, SecuritySettings(refresh_repeats=repeats), ManualClock(NOW))
    assert may is tokens.may_repeat(NOW, NOW + timedelta(seconds=seconds))
