"""Which document a request means: by its text, by the id it was registered under, or by Apollo's automatic hashes.

Registered operations are looked up in PostgreSQL when they are first asked for and remembered; they never change.
That there is none of an id is remembered for a moment only, so that a registration is known to every process
without a restart. Automatic ones live in the memory of the process, as Apollo's protocol allows: clients send
the text again when it was forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import strawberry

from core.clock import Clock
from core.settings import OperationsMode
from database.queries.operations import OPERATION
from database.session import Reader
from gateway.bounded import BoundedCache
from gateway.documents import Document, Documents, sha256
from gateway.parameters import Parameters
from gateway.refusals import (
    HashMismatchError,
    IntrospectionError,
    PersistedQueryNotFoundError,
    PersistedQueryNotSupportedError,
    UntrustedOperationError,
)

_TRUSTED_DOCUMENTS = 4_096
_OTHER_DOCUMENTS = 256
_AUTOMATIC = 1_024
_ABSENT = 8_192
_ABSENT_FOR = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The document of a request.

    Attributes:
        document: prepared.
        persisted_id: the id it is registered under; None for one that is not.
    """

    document: Document
    persisted_id: str | None = None


class Operations:
    """Finds documents, as the mode allows.

    Args:
        schema: what documents must be valid for.
        mode: which documents may be run.
        clock: the current moment.
    """

    def __init__(self, schema: strawberry.Schema, mode: OperationsMode, clock: Clock) -> None:
        self.mode = mode
        self._clock = clock
        self._trusted = Documents(schema, _TRUSTED_DOCUMENTS)
        self._others = Documents(schema, _OTHER_DOCUMENTS)
        self._registered: BoundedCache[str, tuple[str, str]] = BoundedCache(_TRUSTED_DOCUMENTS)
        self._automatic: BoundedCache[str, str] = BoundedCache(_AUTOMATIC)
        self._absent: BoundedCache[str, datetime] = BoundedCache(_ABSENT)

    async def choose(self, reader: Reader, asked: Parameters) -> Chosen:
        """Return the document that a request asks for.

        Args:
            reader: looks registrations up.
            asked: the request's parameters.

        Raises:
            RefusedError: there is none, or the mode does not allow it.
            InvalidDocumentError: it is not valid for the schema.
            UnavailableError: PostgreSQL cannot be reached, and the answer is not known without it.
        """
        if asked.query is None:
            chosen = await self._of_id(reader, str(asked.document_id))
        elif asked.document_id is None:
            chosen = await self._of_text(reader, asked.query)
        else:
            chosen = await self._of_both(reader, asked.document_id, asked.query)
        if chosen.document.introspects and self.mode is not OperationsMode.OPEN:
            raise IntrospectionError
        return chosen

    async def _of_id(self, reader: Reader, document_id: str) -> Chosen:
        found = await self._find(reader, document_id)
        if found is not None:
            return found
        text = self._automatic.get(document_id)
        if text is None:
            raise PersistedQueryNotFoundError
        return Chosen(self._others.prepare(text))

    async def _of_text(self, reader: Reader, text: str) -> Chosen:
        if self.mode is not OperationsMode.TRUSTED_ONLY:
            return Chosen(self._others.prepare(text))
        # A client that sends the whole text of a registered operation gets what it would get by its id.
        found = await self._find(reader, sha256(text))
        if found is None:
            raise UntrustedOperationError
        return found

    async def _of_both(self, reader: Reader, document_id: str, text: str) -> Chosen:
        digest = sha256(text)
        found = await self._find(reader, document_id)
        if (found.document.sha256 if found else document_id) != digest:
            raise HashMismatchError
        if found is not None:
            return found
        if self.mode is OperationsMode.TRUSTED_ONLY:
            raise PersistedQueryNotSupportedError
        document = self._others.prepare(text)
        self._automatic.put(digest, text)
        return Chosen(document)

    async def _find(self, reader: Reader, document_id: str) -> Chosen | None:
        """Return the registered document of an id or hash."""
        known = self._registered.get(document_id)
        if known is None:
            now = self._clock()
            absent_since = self._absent.get(document_id)
            if absent_since is not None and now - absent_since < _ABSENT_FOR:
                return None
            row = await reader.fetch_first(OPERATION, id=document_id)
            if row is None:
                self._absent.put(document_id, now)
                return None
            known = (row.id, row.text)
            self._registered.put(document_id, known)
        persisted_id, text = known
        return Chosen(self._trusted.prepare(text), persisted_id)
