"""Questions to one statement that travel together: what many requests ask at the same moment, in one round trip.

Under load the driver and PostgreSQL spend most of a small read on sending and receiving it. So a question that meets
others of the same statement under way waits until one of them is back, and then goes with all that came meanwhile, as
one statement that has a row of parameters for each. Nobody waits for company: with nothing under way a question goes
at once. Only statements that say so (`Statement.together`) are asked like this.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from core.errors import UnavailableError
from database.leases import OUTAGES, Lease, Leases, went_away
from database.rows import Row
from database.statements import PLACE, Statement

_LOG = logging.getLogger(__name__)
RowT = TypeVar("RowT", bound=Row)
Answer: TypeAlias = "asyncio.Future[list[Any] | None]"
Question = tuple[Sequence[Any], Answer]

_CLOSED = "The database is being closed."
# While PostgreSQL answers some, others can be sent, and those that are answered go back to their clients.
_FEW = 4


class _Line:
    """Who asks one statement.

    Attributes:
        waiting: questions that have not been sent.
        carriers: how many tasks send them and wait for their answers.
        under_way: how many of these wait for answers.
    """

    __slots__ = ("_most", "carriers", "under_way", "waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self.waiting: deque[Question] = deque()
        self.carriers = 0
        self.under_way = 0

    @property
    def wants_carrier(self) -> bool:
        """Say whether one more should be sent for who is waiting: a few always are, others only with a full load."""
        left = len(self.waiting) - (self.carriers - self.under_way) * self._most
        return left > 0 and (self.carriers < _FEW or left >= self._most)

    def board(self) -> list[Question]:
        """Return whose turn it is; those who have given up meanwhile are left out."""
        waiting = self.waiting
        found: list[Question] = []
        while waiting and len(found) < self._most:
            question = waiting.popleft()
            if not question[1].done():
                found.append(question)
        return found


class Batches:
    """Asks questions together, on connections of `leases`.

    Args:
        leases: where connections come from.
        patience: seconds to wait for one.
    """

    def __init__(self, leases: Leases, patience: float) -> None:
        self._leases = leases
        self._patience = patience
        self._lines: dict[Statement[Any], _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def fetch(self, statement: Statement[RowT], arguments: Sequence[Any]) -> list[RowT] | None:
        """Return all rows of a statement that may be asked together; None when it has to be asked alone.

        It has to be where those who were asked together failed: one of them may be to blame for all.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        line = self._lines.get(statement)
        if line is None:
            line = self._lines[statement] = _Line(statement.most_together)
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        line.waiting.append((arguments, answer))
        if line.wants_carrier:
            # It looks who is waiting when all that this turn of the event loop has to do is done.
            line.carriers += 1
            task = loop.create_task(self._carry(statement, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, statement: Statement[Any], line: _Line) -> None:
        """Answer who is waiting, until nobody is."""
        try:
            while line.waiting:
                await self._answer_some(statement, line)
        finally:
            line.carriers -= 1
            if not line.carriers:
                # Nobody waits any more, unless we are given up.
                _refuse(line.waiting, _CLOSED)
                del self._lines[statement]

    async def _answer_some(self, statement: Statement[Any], line: _Line) -> None:
        try:
            lease = await self._leases.take(self._patience)
        except (*OUTAGES, TimeoutError) as error:
            _refuse(line.board(), "PostgreSQL cannot be reached.", error)
            return
        except Exception:  # noqa: BLE001 - Whatever it is, they meet it again, alone.
            _let_go(line.board())
            return
        questions = line.board()
        if not questions:
            self._leases.give(lease)
            return
        line.under_way += 1
        try:
            found = await _asked(lease, statement, [arguments for arguments, _ in questions])
        except Exception as error:  # noqa: BLE001 - Whatever it is, it is told to who asked, or met again by them.
            if len(questions) > 1:
                # One of them may be to blame for all. What they asked for is personal, and the error may tell it.
                kind, row = type(error).__name__, statement.row.__name__
                _LOG.warning("%s: %d questions for %s failed together and are asked alone", kind, len(questions), row)
                _let_go(questions)
            elif went_away(error, lease):
                _refuse(questions, "PostgreSQL went away.", error)
            elif not questions[0][1].done():
                questions[0][1].set_exception(error)
            await self._leases.give_back(lease)
            return
        except asyncio.CancelledError:
            _refuse(questions, _CLOSED)
            await self._leases.give_back(lease)
            raise
        finally:
            line.under_way -= 1
        self._leases.give(lease)
        _settle(questions, found)


async def _asked(lease: Lease, statement: Statement[RowT], questions: Sequence[Sequence[Any]]) -> list[list[RowT]]:
    """Return the rows of each question.

    Raises:
        LookupError: a row belongs to none of them.
    """
    if len(questions) == 1 or statement.together is None:
        return [await lease.fetch(statement, arguments) for arguments in questions]
    found: list[list[RowT]] = [[] for _ in questions]
    for row in await lease.fetch(statement.together, tuple(zip(*questions, strict=True))):
        place = row[PLACE]
        if place < 1:
            raise LookupError(f"There is no question {place}.")
        found[place - 1].append(row)
    return found


def _settle(questions: Sequence[Question], found: Sequence[list[Any] | None]) -> None:
    for (_, answer), rows in zip(questions, found, strict=True):
        if not answer.done():
            answer.set_result(rows)


def _let_go(questions: Sequence[Question]) -> None:
    """Let everybody ask alone."""
    _settle(questions, [None] * len(questions))


def _refuse(questions: Iterable[Question], message: str, cause: BaseException | None = None) -> None:
    for _, answer in questions:
        if not answer.done():
            # One for each: who raises it adds to it where it came through.
            error = UnavailableError(message)
            error.__cause__ = cause
            answer.set_exception(error)
