"""What a request asks for, whichever dialect it says it in: GraphQL over HTTP, Apollo's, or a Relay network layer's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from gateway.refusals import MalformedRequestError

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
# Ids of the dialects: GraphQL over HTTP's own, and what Relay's network layers are written to send.
_ID_NAMES = ("documentId", "doc_id", "id")
_JSON_PARAMETERS = ("variables", "extensions")
_LONGEST_ID = 200
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/~+=-]*")
_APQ_VERSION = 1


@dataclass(frozen=True, slots=True)
class Parameters:
    """One operation that a client asks for.

    Attributes:
        query: the text of a document.
        document_id: what it is registered under; normalized, see `normalized_id`.
        operation_name: which of its operations to run.
        variables: their values.
    """

    query: str | None = None
    document_id: str | None = None
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


def normalized_id(given: str) -> str | None:
    """Return an id as it is stored: a sha256 as bare lowercase hexadecimal, any other as it is; None if it is none."""
    found = _SHA256.fullmatch(given)
    if found:
        return found[1].lower()
    return given if len(given) <= _LONGEST_ID and _PLAIN_ID.fullmatch(given) else None


def is_sha256(document_id: str) -> bool:
    """Say whether a normalized id is a sha256."""
    return _SHA256.fullmatch(document_id) is not None


def decoded(body: bytes | str) -> Any:
    """Return the JSON of a body or a parameter; nesting is bounded by the decoder.

    Raises:
        MalformedRequestError: it is no JSON in UTF-8.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequestError("The request is not JSON in UTF-8.") from error


def names_no_id(raw: bytes) -> bool:
    """Say whether the query string of a GET names a document by its text, if at all, as a person in a browser does."""
    names = {name for name, _ in parse_qsl(raw.decode("latin-1"), keep_blank_values=True)}
    return not names & {"extensions", *_ID_NAMES}


def of_query_string(raw: bytes) -> Parameters | None:
    """Return what the query string of a GET asks for; None where it names no operation at all.

    Raises:
        MalformedRequestError: it cannot be read.
    """
    try:
        given: dict[str, Any] = dict(
            parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
        )
    except ValueError as error:
        raise MalformedRequestError("The query string cannot be read.") from error
    for name in _JSON_PARAMETERS:
        if name in given:
            given[name] = decoded(given[name]) if given[name] else None
    return of_object(given) if {"query", "extensions", *_ID_NAMES} & given.keys() else None


def of_object(given: object) -> Parameters:
    """Return what a JSON object asks for.

    Raises:
        MalformedRequestError: a parameter is missing, or of another type than it must have.
    """
    if not isinstance(given, dict):
        raise MalformedRequestError("Expected a JSON object.")
    query = _of_type(given, "query", str, "a string")
    operation_name = _of_type(given, "operationName", str, "a string")
    variables = _of_type(given, "variables", dict, "an object")
    extensions = _of_type(given, "extensions", dict, "an object")
    document_id = _document_id(given, extensions or {})
    if query is None and document_id is None:
        raise MalformedRequestError("Send a document as `query`, or the id of a registered one as `documentId`.")
    return Parameters(query, document_id, operation_name or None, variables or {})


def _of_type(given: dict[str, Any], name: str, kind: type, said: str) -> Any:
    value = given.get(name)
    if value is not None and not isinstance(value, kind):
        raise MalformedRequestError(f"`{name}` must be {said}.")
    return value


def _document_id(given: dict[str, Any], extensions: dict[str, Any]) -> str | None:
    named = [_of_type(given, name, str, "a string") for name in _ID_NAMES]
    named.append(_apollo_hash(extensions))
    ids = {normalized_id(each) for each in named if each}
    if None in ids:
        raise MalformedRequestError("The id of an operation has characters that no id has, or is too long.")
    if len(ids) > 1:
        raise MalformedRequestError("The request names two different operations.")
    return ids.pop() if ids else None


def _apollo_hash(extensions: dict[str, Any]) -> str | None:
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    if not isinstance(persisted, dict):
        raise MalformedRequestError("`extensions.persistedQuery` must be an object.")
    if persisted.get("version") != _APQ_VERSION:
        raise MalformedRequestError("Unsupported persisted query version")
    sha = persisted.get("sha256Hash")
    if not isinstance(sha, str) or not _SHA256.fullmatch(sha):
        # Manifests may name operations by other ids than hashes, and Apollo's link sends them here too.
        if isinstance(sha, str) and normalized_id(sha) is not None:
            return sha
        raise MalformedRequestError("`extensions.persistedQuery.sha256Hash` must be a hash.")
    return sha
