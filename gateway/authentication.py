"""Credentials of a request: a bearer token in a header, and nothing that a browser would send by itself."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import UnauthenticatedError
from security.policies import Identity
from security.tokens import Tokens

_HOW = "Send credentials as `Authorization: Bearer <accessToken>`."


def bearer_token(header: object) -> str | None:
    """Return the token of an `Authorization` header, or of the field of that name of a WebSocket's first message.

    Raises:
        UnauthenticatedError: there is something else in it.
    """
    if header is None:
        return None
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError(_HOW)
    return token.strip()


def identify(said: Mapping[str, str], tokens: Tokens) -> tuple[str | None, Identity | None]:
    """Return the token of a request's headers, and who is asking; None and None without credentials.

    Raises:
        UnauthenticatedError: there are credentials, and they are not valid or not valid any more.
    """
    token = bearer_token(said.get("authorization"))
    return token, None if token is None else tokens.verify(token)
