"""HTTP caching of answers (RFC 9111): what may be kept, by whom, and how a copy is found to be still good."""

from __future__ import annotations

import hashlib

from starlette.responses import Response

_NOT_MODIFIED = 304
# Compression belongs to the transport and changes the bytes, so tags are weak: the same answer, however packed.
_WEAK = 'W/"{}"'
# Compression is decided further out, which adds the header that it looks at where it looked.
VARY = "Accept, Authorization"


def mark_private(response: Response) -> None:
    """Keep an answer out of every cache."""
    response.headers["Cache-Control"] = "no-store"


def public(response: Response, if_none_match: str | None, max_age: int) -> Response:
    """Let caches keep the answer to a GET of a signed-out caller, and spare it where the caller has it already.

    Args:
        response: the whole answer.
        if_none_match: the header of the request.
        max_age: seconds for which caches need not ask again; 0 makes them ask every time.
    """
    digest = hashlib.blake2b(bytes(response.body), digest_size=16).hexdigest()
    tag = _WEAK.format(digest)
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={max_age}" if max_age else "public, no-cache"}
    if if_none_match is not None and _matches(if_none_match, tag):
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    response.headers.update(headers)
    return response


def _matches(if_none_match: str, tag: str) -> bool:
    """Compare weakly, as If-None-Match does."""
    opaque = tag.removeprefix("W/")
    return any(each.strip() == "*" or each.strip().removeprefix("W/") == opaque for each in if_none_match.split(","))
