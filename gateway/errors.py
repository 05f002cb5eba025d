"""What a client may read of an error: its own mistakes as they are, ours as a correlation id."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from graphql import GraphQLError

from core.errors import ClientError, UnavailableError
from gateway.refusals import RefusedError

_ARGUMENTS = ("Argument ", "Variable ")

_LOG = logging.getLogger(__name__)

MASKED = "Something went wrong on our side. Quote the correlation id when you report it."
UNAVAILABLE = "The service is unavailable for the moment. Try again later."


def present(error: GraphQLError, request_id: UUID) -> dict[str, Any]:
    """Return an error as the response's `errors` carry it, and log it if it is ours.

    Every error has `extensions.code`: `BAD_REQUEST` for a document that is wrong, the code of a
    `ClientError`, `UNAVAILABLE` for an outage, and `INTERNAL` for a bug. The last two are masked and carry
    `extensions.correlationId`, which the logs carry too.
    """
    original = error.original_error
    shown = error.formatted
    extensions: dict[str, Any] = dict(shown.get("extensions") or {})
    if isinstance(original, GraphQLError):
        original = None
    # graphql-core's own errors while a value is completed are bugs of ours, and arguments are the client's.
    broken = original is None and error.path is not None and not shown["message"].startswith(_ARGUMENTS)
    if original is None and not broken:
        extensions.setdefault("code", "BAD_REQUEST")
        message = shown["message"]
    elif isinstance(original, ClientError):
        extensions["code"] = original.code
        if isinstance(original, RefusedError):
            extensions.update(original.details)
        message = str(original)
    else:
        outage = isinstance(original, UnavailableError)
        extensions = {"code": "UNAVAILABLE" if outage else "INTERNAL", "correlationId": str(request_id)}
        message = UNAVAILABLE if outage else MASKED
        _LOG.error("request %s failed at %s", request_id, error.path, exc_info=original or error)
    return {**shown, "message": message, "extensions": extensions}
