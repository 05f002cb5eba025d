"""Registering operations: each is checked against the schema and the limits first, and none is ever replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import strawberry

from core.errors import InputError
from database.queries import operations as queries
from database.session import Database
from gateway.documents import Documents, sha256
from gateway.manifests import Entry, Problem
from gateway.parameters import is_sha256, normalized_id
from gateway.refusals import DocumentLimitError, InvalidDocumentError
from security import audit

ACTION = "registerOperations"
_SHOWN_ID = 80
_NAME = re.compile(r"\b(?:query|mutation|subscription)\s+([_A-Za-z]\w*)")
_OTHER_TEXT = "another operation is registered under this id; registered operations are never replaced."


@dataclass(frozen=True, slots=True)
class Build:
    """A build of a client.

    Attributes:
        client: what it calls itself.
        version: its version.
        registered_by: who registers its operations.
    """

    client: str
    version: str
    registered_by: str


@dataclass(slots=True)
class Registration:
    """What came of one.

    Attributes:
        new: how many operations were not registered before.
        known: how many were.
        problems: what was not registered, and why.
    """

    new: int = 0
    known: int = 0
    problems: list[Problem] = field(default_factory=list)


async def register(
    database: Database, schema: strawberry.Schema, entries: Iterable[Entry | Problem], build: Build, now: datetime
) -> Registration:
    """Register what is right of some manifests, in one transaction, with a row in the audit trail.

    Args:
        database: PostgreSQL.
        schema: what operations must be valid for.
        entries: operations, and what could not be read as one.
        build: whose operations they are.
        now: the current moment.
    """
    done = Registration()
    rows: dict[str, dict[str, Any]] = {}
    sources: dict[str, Entry] = {}
    documents = Documents(schema, most=1)
    for entry in entries:
        row = entry if isinstance(entry, Problem) else judge(documents, entry, now)
        if isinstance(row, Problem):
            done.problems.append(row)
        elif isinstance(entry, Entry):
            kept = rows.setdefault(row["id"], row)
            sources.setdefault(row["id"], entry)
            if kept["text"] != row["text"]:
                done.problems.append(Problem(entry.file, _OTHER_TEXT, entry.id, row["name"]))
    async with database.transaction() as connection:
        new, texts = await queries.register(connection, list(rows.values()))
        taken = [id_ for id_, row in rows.items() if texts[id_] != row["text"]]
        registered = [id_ for id_ in rows if id_ not in taken]
        await queries.register_builds(
            connection,
            registered,
            client=build.client,
            client_version=build.version,
            registered_by=build.registered_by,
            registered_at=now,
        )
        done.new, done.known = len(new), len(registered) - len(new)
        done.problems += [Problem(sources[id_].file, _OTHER_TEXT, sources[id_].id, rows[id_]["name"]) for id_ in taken]
        await audit.record(
            connection,
            actor=None,
            action=ACTION,
            subject=audit.Subject("Operation"),
            outcome=audit.DONE,
            details={"new": done.new, "known": done.known, "refused": len(done.problems)},
            request_id=None,
            now=now,
        )
    return done


def judge(documents: Documents, entry: Entry, now: datetime) -> dict[str, Any] | Problem:
    """Return the row of an operation, or why it cannot be registered."""
    try:
        return _row(documents, entry, now)
    except (InputError, DocumentLimitError, InvalidDocumentError) as refused:
        # A document that does not parse may still say what it is called.
        named = _NAME.search(entry.text)
        return Problem(entry.file, str(refused), entry.id[:_SHOWN_ID], entry.name or (named and named[1]))


def _row(documents: Documents, entry: Entry, now: datetime) -> dict[str, Any]:
    id_ = normalized_id(entry.id)
    if id_ is None:
        raise InputError("the id is too long, or has other characters than letters, digits and . _ : / ~ + = -.")
    if is_sha256(id_) and id_ != sha256(entry.text):
        raise InputError("the id is a sha256, and not that of the text.")
    if "\0" in entry.text:
        raise InputError("the text has a NUL character.")
    document = documents.prepare(entry.text)
    if len(document.operations) != 1:
        raise InputError("has several operations; register each by itself.")
    if document.introspects:
        raise InputError("asks for the schema, which is published as a file and not served to trusted clients.")
    (operation,) = document.operations
    return {
        "id": id_,
        "text": entry.text,
        "sha256": document.sha256,
        "name": operation.name,
        "kind": operation.kind.value,
        "coordinates": documents.coordinates(document),
        "registered_at": now,
    }
