"""From answers and refusals to responses: media type, status and bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from graphql import GraphQLError
from starlette.responses import Response

from core.errors import ClientError
from gateway.errors import present
from gateway.executors import Answer
from gateway.refusals import BAD_REQUEST, RefusedError

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"
_OK, _TOO_MANY_REQUESTS = 200, 429
# Clients send a handful of headers over and over; what else comes is bounded.
_REMEMBERED = 256
# What each accepted range means to us; the older type is what clients get that accept anything.
_RANGES = {GRAPHQL_RESPONSE: GRAPHQL_RESPONSE, JSON: JSON, "application/*": JSON, "*/*": JSON}


@lru_cache(maxsize=_REMEMBERED)
def media_type(accept: str) -> str:
    """Return the media type to answer in: the one of ours that is preferred, of equals the first, JSON if none is.

    An `Accept` that names neither is disregarded, as GraphQL over HTTP allows.
    """
    best, chosen = 0.0, JSON
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        ours = _RANGES.get(name)
        quality = _quality(parameters)
        if ours is not None and quality > best:
            best, chosen = quality, ours
    return chosen


@lru_cache(maxsize=_REMEMBERED)
def accepts(accept: str, wanted: str) -> bool:
    """Say whether a media type is named, without wildcards, and not refused."""
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name == wanted and _quality(parameters) > 0:
            return True
    return False


@lru_cache(maxsize=_REMEMBERED)
def prefers_html(accept: str) -> bool:
    """Say whether a page is wanted more than JSON is, as browsers do who are sent to an address.

    Of equals the first is preferred, as for `media_type`.
    """
    best, chosen = 0.0, ""
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        if (name == HTML or name in _RANGES) and quality > best:
            best, chosen = quality, name
    return chosen == HTML


@lru_cache(maxsize=_REMEMBERED)
def only_streams(accept: str) -> bool:
    """Say whether an event stream is all that is accepted: clients name it beside JSON with every operation."""
    return accepts(accept, EVENT_STREAM) and not any(accepts(accept, name) for name in _RANGES)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def payload(answer: Answer, request_id: UUID) -> dict[str, Any]:
    """Return an answer as the object of a GraphQL response; `data` is absent when nothing was executed."""
    body: dict[str, Any] = {}
    if answer.errors:
        body["errors"] = [present(error, request_id) for error in answer.errors]
    if not answer.refused:
        body["data"] = answer.data
    if answer.cost is not None:
        body["extensions"] = {"cost": answer.cost}
    return body


def refusal(error: ClientError) -> Answer:
    """Return the answer of an operation that was refused."""
    return Answer(None, [GraphQLError(str(error), original_error=error)])


def status_of(answer: Answer, chosen: str) -> int:
    """Return the status: 200, but 400 or 429 where the newer media type asks for it.

    It does for operations that were not executed. As the older type they are answered 200, as GraphQL over HTTP says.
    """
    if not answer.refused or chosen != GRAPHQL_RESPONSE:
        return _OK
    return BAD_REQUEST if answer.retry_after is None else _TOO_MANY_REQUESTS


def written(body: Any, status: int, chosen: str) -> Response:
    """Return a response."""
    return Response(orjson.dumps(body), status, {"Content-Type": f"{chosen}; charset=utf-8"})


def failure(chosen: str, status: int, message: str, code: str) -> Response:
    """Return a response that has one error and nothing else."""
    return written({"errors": [{"message": message, "extensions": {"code": code}}]}, status, chosen)


def refused_request(error: RefusedError, chosen: str) -> Response:
    """Return the response to a request that is refused as a whole."""
    status = error.status
    if status is None:
        status = BAD_REQUEST if chosen == GRAPHQL_RESPONSE else _OK
    response = failure(chosen, status, str(error), error.code)
    response.headers.update(error.headers)
    return response
