"""Credentials of a request: a bearer token in a header, and nothing that a browser would send by itself."""

from __future__ import annotations

from starlette.requests import Request

from core.errors import UnauthenticatedError
from security.policies import Identity
from security.tokens import Tokens


def identify(request: Request, tokens: Tokens) -> Identity | None:
    """Return who is asking; None without credentials.

    Raises:
        UnauthenticatedError: there are credentials, and they are not valid or not valid any more.
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError("Send credentials as `Authorization: Bearer <accessToken>`.")
    return tokens.verify(token.strip())
