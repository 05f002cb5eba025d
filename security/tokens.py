"""Tokens: short-lived signed access tokens, and opaque refresh tokens that are exchanged at each use.

An access token is a JWT (RFC 9068's shape): HS256 under a key of the ring, named by `kid`. Whoever holds one is
believed until it expires or is revoked, without a look into the database. A refresh token is 256 random bits of
which the database keeps the SHA-256.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet, OctKey

from core.clock import Clock
from core.errors import UnauthenticatedError
from core.settings import SecuritySettings
from security.keys import KeyRing
from security.policies import Identity
from security.revocations import Revocations

_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_ISSUER = "waymark"
_AUDIENCE = "waymark-api"
_REFRESH_BYTES = 32
_ID_DIGITS = 32
_REFRESH_TOKEN = re.compile(r"[0-9a-f]{96}")
_LONGEST = 2_000
# Seconds that the clocks of two replicas may differ by.
_LEEWAY = 5
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token and the moment it ends."""

    text: str = field(repr=False)
    expires_at: datetime


class Tokens:
    """Issues and verifies access tokens.

    Args:
        ring: its active signing key signs; any of them verifies.
        settings: how long a token is valid, and a session without use.
        clock: the current moment.
        remembered: how many verified tokens are kept in memory.

    Attributes:
        revocations: the tokens that are not believed any more.
    """

    def __init__(
        self, ring: KeyRing, settings: SecuritySettings, clock: Clock, *, remembered: int = _REMEMBERED
    ) -> None:
        self._keys = KeySet([OctKey.import_key(key, {"kid": key_id}) for key_id, key in ring.signing.keys.items()])
        self._header = {"alg": _ALGORITHM, "typ": _TYPE, "kid": ring.signing.active}
        self._lifetime = timedelta(seconds=settings.access_token_lifetime)
        self._session_lifetime = timedelta(seconds=settings.refresh_token_lifetime)
        self._repeats = timedelta(seconds=settings.refresh_repeats)
        self._clock = clock
        self._remembered = remembered
        self._verified: OrderedDict[str, tuple[Identity, float, float]] = OrderedDict()
        self.revocations = Revocations(self._lifetime + timedelta(seconds=2 * _LEEWAY))

    def issue(self, identity: Identity) -> AccessToken:
        """Return a token for `identity`, valid from now."""
        # Not cut to seconds: a token that is issued right after a revocation must be told from those before.
        issued = self._clock().timestamp()
        now = int(issued)
        expires = now + int(self._lifetime.total_seconds())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "iat": issued,
            "exp": expires,
            "sub": str(identity.account_id),
            "learner": identity.learner_id,
            "roles": sorted(identity.roles),
            "sid": str(identity.session_id),
        }
        text = jwt.encode(self._header, claims, self._keys, algorithms=[_ALGORITHM])
        return AccessToken(text, datetime.fromtimestamp(expires, UTC))

    def verify(self, token: str) -> Identity:
        """Return who a token speaks of. One that was verified before is only checked for its end and revocation.

        Raises:
            UnauthenticatedError: the token is not one of ours, or it has expired or was revoked.
        """
        now = self._clock().timestamp()
        known = self._verified.get(token)
        if known is None:
            known = self._verified[token] = self._decode(token, int(now))
            if len(self._verified) > self._remembered:
                self._verified.popitem(last=False)
        identity, expires, issued = known
        if expires + _LEEWAY <= now:
            self._verified.pop(token, None)
            raise UnauthenticatedError("The access token has expired; refresh the session.")
        if self.revocations.cover(identity.session_id, identity.account_id, issued):
            raise UnauthenticatedError("The access token was revoked; refresh the session, or sign in again.")
        return identity

    def may_repeat(self, exchanged_at: datetime, now: datetime) -> bool:
        """Say whether an exchange of a refresh token may be asked again, by who lost the answer."""
        return now - exchanged_at < self._repeats

    def session_end(self, now: datetime) -> datetime:
        """Return when a session ends that is not refreshed after `now`."""
        return now + self._session_lifetime

    def _decode(self, token: str, now: int) -> tuple[Identity, float, float]:
        try:
            if len(token) > _LONGEST:
                raise ValueError("longer than any token of ours")
            decoded = jwt.decode(token, self._keys, algorithms=[_ALGORITHM])
            if decoded.header.get("typ") != _TYPE:
                raise ValueError("a token of another type")
            _registry(now).validate(decoded.claims)
            return _identity(decoded.claims), decoded.claims["exp"], decoded.claims["iat"]
        except ExpiredTokenError as error:
            raise UnauthenticatedError("The access token has expired; refresh the session.") from error
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise UnauthenticatedError("The access token is not valid.") from error


def new_refresh_token(session_id: UUID, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return the session's id and 256 random bits as hexadecimal text.

    The id lets any token that a session ever had be recognized, so that one in two hands ends it.
    """
    return session_id.hex + random_bytes(_REFRESH_BYTES).hex()


def session_of(refresh_token: str) -> UUID | None:
    """Return the id of the session that a refresh token names, or None where it is none of ours."""
    return UUID(refresh_token[:_ID_DIGITS]) if _REFRESH_TOKEN.fullmatch(refresh_token) else None


def sealed(token: str, earlier: str) -> bytes:
    """Return a refresh token so that only who has the one before it can read it: with `unsealed`.

    A token is 256 random bits, which seal one other, so that a hash of them serves as a one-time pad.
    """
    return bytes(one ^ other for one, other in zip(bytes.fromhex(token[_ID_DIGITS:]), _pad(earlier), strict=True))


def unsealed(seal: bytes, earlier: str) -> str:
    """Return what `sealed` was given; another token of the form if `earlier` is another one."""
    return earlier[:_ID_DIGITS] + bytes(one ^ other for one, other in zip(seal, _pad(earlier), strict=True)).hex()


def _pad(token: str) -> bytes:
    return hashlib.sha256(b"waymark: the refresh token after\0" + token.encode()).digest()


def refresh_token_hash(token: str) -> bytes:
    """Return the 32 bytes that are stored; a token is random, so a plain hash gives nothing away."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _registry(now: int) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=now,
        leeway=_LEEWAY,
        iss={"essential": True, "value": _ISSUER},
        aud={"essential": True, "value": _AUDIENCE},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )


def _identity(claims: dict[str, Any]) -> Identity:
    return Identity(
        account_id=int(claims["sub"]),
        learner_id=int(claims["learner"]),
        roles=frozenset(claims["roles"]),
        session_id=UUID(claims["sid"]),
    )
