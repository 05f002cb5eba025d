"""What every subscription does: the state at once, then again after each change, as far as the caller still may."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from core.errors import UnauthenticatedError
from database.queries import sessions as queries
from resolvers.commands import caller
from resolvers.context import Context

ValueT = TypeVar("ValueT")


async def watched(context: Context, topic: str, read: Callable[[], Awaitable[ValueT]]) -> AsyncGenerator[ValueT, None]:
    """Yield what `read` returns: once at the start, and once after each change of `topic`.

    Changes that come faster than the client takes values are merged, and the value is read when it is taken, so a
    slow client costs one watch and gets the latest state. No connection is leased while waiting.

    Args:
        context: the operation's own; from now on its reader holds no connection between statements.
        topic: what is watched.
        read: reads the state; raises when the caller may not have it, which ends the subscription.

    Raises:
        UnauthenticatedError: the caller's session has ended meanwhile.
    """
    context.reader = context.database.passing_reader()
    with context.services.notifications.watch(topic) as watch:
        while True:
            # What was known for the value before this one may not hold any more.
            context.authorship.clear()
            await _refuse_ended_session(context)
            yield await read()
            if not await watch.changed():
                return


async def _refuse_ended_session(context: Context) -> None:
    session_id = caller(context).session_id
    if await context.reader.fetch_first(queries.STANDING, session_id=session_id, now=context.clock()) is None:
        raise UnauthenticatedError("Your session has ended; sign in again.")
