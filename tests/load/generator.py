"""A load generator that is cheap enough to share a core with PostgreSQL: one thread, `epoll`, requests made beforehand.

Closed loop: each connection sends its next request when it has its answer, which finds out how much a server can do.
Open loop: requests are due at fixed moments, whatever the server does, and waiting counts; that is how latency is
measured, since a slow server cannot slow its clients down.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONNECTIONS = 32
_CHUNK = 262_144


@dataclass(frozen=True)
class Request:
    """What is sent, and how long the body of the right answer is."""

    sent: bytes
    length: int | None


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        seconds: how long it took.
        latencies: of each answer, in seconds.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency that this share of answers kept below, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class UnexpectedAnswerError(Exception):
    """An answer is not the one that was compared."""


def request(body: bytes, headers: Mapping[str, str], length: int | None = None) -> Request:
    """Return a POST to `/graphql`, ready to be sent."""
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Request(f"POST /graphql HTTP/1.1\r\n{head}\r\n".encode() + body, length)


class _Connection:
    """A connection with at most one request under way."""

    __slots__ = ("asked", "due", "got", "socket", "whole")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked: Request | None = None
        self.due = 0.0
        self.got = b""
        self.whole = 0

    def ask(self, what: Request, due: float) -> None:
        self.asked, self.due, self.got, self.whole = what, due, b"", 0
        self.socket.sendall(what.sent)

    def receive(self) -> bool:
        """Read what has come, and say whether the answer is complete.

        Raises:
            UnexpectedAnswerError: it is another one than was compared.
        """
        came = self.socket.recv(_CHUNK)
        if not came:
            raise UnexpectedAnswerError("The server closed a connection.")
        got = self.got = self.got + came if self.got else came
        if not self.whole:
            end = got.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.whole = self._whole(got, end)
        if len(got) < self.whole:
            return False
        if len(got) > self.whole:
            raise UnexpectedAnswerError("The server sent more than an answer.")
        return True

    def _whole(self, got: bytes, end: int) -> int:
        place = got.find(b"ontent-length:", 0, end)
        place = place if place >= 0 else got.find(b"ontent-Length:", 0, end)
        if not got.startswith(b"HTTP/1.1 200") or place < 0:
            raise UnexpectedAnswerError(got[:500].decode(errors="replace"))
        length = int(got[place + 14 : got.find(b"\r\n", place)])
        if self.asked is not None and self.asked.length not in {None, length}:
            raise UnexpectedAnswerError(f"Expected {self.asked.length} bytes: {got[:500]!r}")
        return end + 4 + length


def load(
    port: int, requests: Sequence[Request], seconds: float, rate: float | None = None, clients: int = CONNECTIONS
) -> Outcome:
    """Send requests for a while and return what came of it.

    Args:
        port: of the server, on this machine.
        requests: sent in turn.
        seconds: how long new ones are sent.
        rate: requests per second; None for as many as the server answers.
        clients: how many connections there are.

    Raises:
        UnexpectedAnswerError: an answer is not the one that was compared.
    """
    connections = [_Connection(port) for _ in range(clients)]
    try:
        with selectors.DefaultSelector() as selector:
            for each in connections:
                selector.register(each.socket, selectors.EVENT_READ, each)
            return (
                _closed(selector, connections, requests, seconds)
                if rate is None
                else _open(selector, connections, requests, seconds, rate)
            )
    finally:
        for each in connections:
            each.socket.close()


def _closed(
    selector: selectors.BaseSelector, connections: Sequence[_Connection], requests: Sequence[Request], seconds: float
) -> Outcome:
    outcome = Outcome()
    latencies, count, number = outcome.latencies, len(requests), 0
    clock = time.perf_counter
    begun = clock()
    end = begun + seconds
    for each in connections:
        each.ask(requests[number % count], clock())
        number += 1
    waiting = len(connections)
    while waiting:
        for key, _ in selector.select(5):
            connection: _Connection = key.data
            if not connection.receive():
                continue
            now = clock()
            latencies.append(now - connection.due)
            if now < end:
                connection.ask(requests[number % count], now)
                number += 1
            else:
                waiting -= 1
    # With the answers to what was sent last: a slow server has little else.
    outcome.seconds = clock() - begun
    return outcome


def _open(
    selector: selectors.BaseSelector,
    connections: Sequence[_Connection],
    requests: Sequence[Request],
    seconds: float,
    rate: float,
) -> Outcome:
    outcome = Outcome()
    latencies, count, number, total = outcome.latencies, len(requests), 0, max(int(seconds * rate), 1)
    idle = deque(connections)
    clock = time.perf_counter
    begun = clock()
    while len(latencies) < total:
        now = clock()
        while number < total and idle and begun + number / rate <= now:
            idle.popleft().ask(requests[number % count], begun + number / rate)
            number += 1
        patience = begun + number / rate - now if number < total and idle else 5
        for key, _ in selector.select(max(patience, 0)):
            if key.data.receive():
                latencies.append(clock() - key.data.due)
                idle.append(key.data)
    outcome.seconds = clock() - begun
    return outcome
