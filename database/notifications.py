"""Who waits for a change in this process, and how a change made by another process reaches them.

A transaction that changes something worth telling sends a notification (`notify`), which PostgreSQL delivers
when it commits, to every process that listens. It names what changed, such as `enrollment:7`, and never says how:
whoever waits reads the state again, as far as they may see it. That makes it harmless to lose, to repeat or to
merge notifications, as long as nobody misses the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import ARRAY, Text, bindparam, column, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from core.settings import DatabaseSettings
from core.tasks import running

_LOG = logging.getLogger(__name__)
_CHANNEL = "waymark_changes"
_FIRST_DELAY = 0.05
_LONGEST_DELAY = 5.0
_CHECK_SECONDS = 30.0

_TOPIC = func.unnest(bindparam("topics", type_=ARRAY(Text))).table_valued(column("name", Text)).render_derived("topic")
_NOTIFY = select(func.pg_notify(_CHANNEL, _TOPIC.c.name))


async def notify(connection: AsyncConnection, topics: Sequence[str]) -> None:
    """Tell all processes, when the transaction commits, that something changed.

    Commits that notify wait for each other, so this is for changes that somebody may be waiting for, and not for
    every write.

    Args:
        connection: the transaction.
        topics: what changed, as `enrollment_topic` and the like name it; ids only, never personal data.
    """
    if topics:
        await connection.execute(_NOTIFY, {"topics": list(topics)})


RECOMMENDATION_RULES = "recommendation-rules"
"""The topic of what recommendations must heed; triggers of the migration `0008_recommendation_rules` tell of it."""

ERASURES = "erasures"
"""The topic of who must be forgotten."""


def enrollment_topic(enrollment_id: int) -> str:
    """Return the topic of how far a learner is in a course."""
    return f"enrollment:{enrollment_id}"


def course_topic(course_id: int) -> str:
    """Return the topic of what anybody may see of a course."""
    return f"course:{course_id}"


CATALOG = "catalog"
"""The topic of which courses there are for everybody."""
EVERYTHING = "catalog:everything"
"""The topic of all that anybody may see, for changes of more than can be named."""


def is_cached_topic(topic: str) -> bool:
    """Say whether answers that are kept may be made of what a topic names."""
    return topic.startswith(("course:", CATALOG))


def attempt_topic(attempt_id: int) -> str:
    """Return the topic of how an attempt is graded."""
    return f"attempt:{attempt_id}"


class Watch:
    """One who waits. Changes that come while they are busy are one change: they read the latest state anyway."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """Say that something changed."""
        self._changed.set()

    def end(self) -> None:
        """Say that nothing will change any more, because the process stops."""
        self._ended = True
        self._changed.set()

    async def changed(self) -> bool:
        """Wait until something has changed since the last call; False when there is nothing to wait for any more."""
        if not self._ended:
            await self._changed.wait()
            self._changed.clear()
        return not self._ended


class Notifications:
    """Everybody in this process who waits for a change, by topic. Without `listening`, nothing wakes them."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}
        self._followers: list[Callable[[str], None]] = []
        self._ended = False

    def follow(self, follower: Callable[[str], None]) -> None:
        """Tell `follower` every topic that changes from now on."""
        self._followers.append(follower)

    @contextmanager
    def watch(self, topic: str) -> Iterator[Watch]:
        """Watch one topic for the length of the block. Begin before the state is read, or a change may be missed."""
        watch = Watch()
        if self._ended:
            watch.end()
        self._watches.setdefault(topic, set()).add(watch)
        try:
            yield watch
        finally:
            others = self._watches[topic]
            others.remove(watch)
            if not others:
                del self._watches[topic]

    @property
    def watched(self) -> int:
        """How many wait at this moment."""
        return sum(map(len, self._watches.values()))

    def wake(self, topic: str) -> None:
        """Wake those who watch a topic."""
        for watch in self._watches.get(topic, ()):
            watch.wake()
        for follower in self._followers:
            follower(topic)

    def wake_all(self) -> None:
        """Wake everybody: while nobody listened, anything may have changed."""
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()
        for follower in self._followers:
            follower(EVERYTHING)

    def end(self) -> None:
        """End every watch, and every later one at once."""
        self._ended = True
        for watches in self._watches.values():
            for watch in watches:
                watch.end()


@asynccontextmanager
async def listening(url: str, settings: DatabaseSettings | None = None) -> AsyncIterator[Notifications]:
    """Listen to PostgreSQL on one connection for the length of the block, and end all watches with it.

    An outage is waited out, with longer and longer pauses; when it is over, everybody who waits is woken.

    Args:
        url: as for `open_database`; a connection pooler must keep sessions, or LISTEN would be lost.
        settings: how long to wait for a connection.
    """
    settings = settings or DatabaseSettings()
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    notifications = Notifications()
    first = asyncio.Event()
    async with running(_listen(plain, settings.connect_timeout, notifications, first)):
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(first.wait(), settings.connect_timeout)
            yield notifications
        finally:
            notifications.end()


async def _listen(url: str, patience: float, notifications: Notifications, first: asyncio.Event) -> None:
    delay = _FIRST_DELAY
    while True:
        try:
            connection = await asyncpg.connect(
                url, timeout=patience, server_settings={"application_name": "waymark notifications"}
            )
            try:
                await _pass_on(connection, patience, notifications, first)
            finally:
                connection.terminate()
            delay = _FIRST_DELAY
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _LOG.warning("Nothing listens for changes until PostgreSQL is back: %s", type(error).__name__)
            delay = min(2 * delay, _LONGEST_DELAY)
        await asyncio.sleep(delay)


async def _pass_on(
    connection: asyncpg.Connection[Any], patience: float, notifications: Notifications, first: asyncio.Event
) -> None:
    """Wake those whom a notification concerns, until the connection is lost."""
    lost = asyncio.Event()

    def received(_connection: object, _process: int, _channel: str, payload: object) -> None:
        notifications.wake(str(payload))

    connection.add_termination_listener(lambda _connection: lost.set())
    await connection.add_listener(_CHANNEL, received)
    notifications.wake_all()
    first.set()
    while not lost.is_set():
        try:
            await asyncio.wait_for(lost.wait(), _CHECK_SECONDS)
        except TimeoutError:
            # A peer that vanished without a word is noticed by asking.
            await connection.execute("SELECT 1", timeout=patience)
