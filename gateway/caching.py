"""HTTP caching of answers (RFC 9111): what may be kept, by whom, and how a copy is found to be still good."""

from __future__ import annotations

import hashlib

from starlette.responses import Response

from gateway.executors import Answer

_NOT_MODIFIED = 304
# Compression belongs to the transport and changes the bytes, so tags are weak: the same answer, however packed.
_WEAK = 'W/"{}"'
# Compression is decided further out, which adds the header that it looks at where it looked.
VARY = "Accept, Authorization"


def headers(data: bytes, answer: Answer, longest: int) -> dict[str, str]:
    """Return what is said of the answer to a GET of a signed-out caller.

    Args:
        data: the `data` of the answer, which its tag is made of: what is told of costs changes from time to time.
        answer: with the hint that its fields gave.
        longest: seconds for which caches may keep an answer at most, whatever its fields say.
    """
    said = {"ETag": _WEAK.format(hashlib.blake2b(data, digest_size=16).hexdigest())}
    if answer.hint is None:
        # Nothing says that it may be kept; whoever asked may ask again whether it has changed.
        return said | {"Cache-Control": "private, no-cache"}
    scope = "private" if answer.hint.personal else "public"
    age = min(answer.hint.max_age or 0, longest)
    said["Cache-Control"] = f"{scope}, max-age={age}" if age else f"{scope}, no-cache"
    if answer.kept is not None:
        said["Age"] = str(min(answer.kept.age, age))
    return said


def conditional(response: Response, said: dict[str, str], if_none_match: str | None) -> Response:
    """Return a response with these headers, spared where the caller has it already.

    Args:
        response: the whole answer.
        said: from `headers`.
        if_none_match: the header of the request.
    """
    if if_none_match is not None and _matches(if_none_match, said["ETag"]):
        return Response(status_code=_NOT_MODIFIED, headers=said)
    response.headers.update(said)
    return response


def _matches(if_none_match: str, tag: str) -> bool:
    """Compare weakly, as If-None-Match does."""
    opaque = tag.removeprefix("W/")
    return any(each.strip() == "*" or each.strip().removeprefix("W/") == opaque for each in if_none_match.split(","))
