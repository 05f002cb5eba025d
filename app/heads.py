"""Heads of HTTP requests, bounded: uvicorn's fast parser takes any number of headers of any length, for any time."""

from __future__ import annotations

import asyncio

import orjson
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MOST_BYTES = 65_536
"""Of the address and all headers together; one chunk of what the network brings may go beyond."""
LONGEST_SECONDS = 30.0
"""Until a head must be there, from when the connection was made or its first byte came."""
_TOO_LARGE, _TOO_LATE = 431, 408


class BoundedHeads(HttpToolsProtocol):
    """A connection that is closed when a head is too long, or too long in coming.

    What a usual request costs is a comparison: its head comes in one piece.
    """

    most_bytes = MOST_BYTES
    longest_seconds = LONGEST_SECONDS
    # Of the head that is awaited: bytes of earlier chunks, and of the one that is being read.
    _earlier = 0
    _chunk = 0
    _begun = False
    _complete = False
    _timer: asyncio.TimerHandle | None = None
    _refused = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn has it.
        """Begin to wait."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.longest_seconds, self._late)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        """Read what came, and see that an unfinished head does not get too long."""
        self._chunk = len(data)
        super().data_received(data)
        if self._complete or self.transport.is_closing():
            return
        self._earlier += self._chunk
        if self._earlier > self.most_bytes:
            self._refuse(_TOO_LARGE, f"The head of a request may be at most {self.most_bytes} bytes long.")
        elif self._timer is None:
            self._timer = self.loop.call_later(self.longest_seconds, self._late)

    @override
    def on_message_begin(self) -> None:
        """Begin to count."""
        self._earlier, self._begun, self._complete = 0, True, False
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        """Go on with the request, unless its head is too long."""
        self._complete = True
        self._stop_waiting()
        if self._earlier + self._chunk > self.most_bytes and self._length() > self.most_bytes:
            self._refused = True
            raise ValueError
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        """What else the chunk has belongs to the next request."""
        self._chunk = 0
        # Nothing of the next one has come yet, and uvicorn bounds how long nothing may come.
        self._complete = True
        super().on_message_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        """Say what was wrong; the parser tells uvicorn only that something was."""
        if self._refused:
            self._refuse(_TOO_LARGE, f"The head of a request may be at most {self.most_bytes} bytes long.")
        else:
            super().send_400_response(msg)

    def _length(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _late(self) -> None:
        self._timer = None
        if self._begun:
            self._refuse(_TOO_LATE, "The head of the request took too long to arrive.")
        else:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, message: str) -> None:
        self._stop_waiting()
        code = "HEADERS_TOO_LARGE" if status == _TOO_LARGE else "REQUEST_TIMEOUT"
        body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
