"""Serving: the parts that live as long as the process, the web server around them, and the end of both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from app.asgi import build_app
from app.heads import BoundedHeads
from app.process import settle
from app.revocations import following
from app.wiring import Platform
from catalog.quality import Standards
from core.errors import InputError
from core.settings import Recommendations
from core.tasks import running
from database.notifications import RECOMMENDATION_RULES, Notifications, listening
from gateway.limits import MOST_BODY_BYTES
from gateway.shared import shared_store
from gateway.usage import Usage
from resolvers.context import Services
from security.encryption import Cipher
from security.keys import load_or_create_key_ring, refuse_missing_keys
from security.passwords import Passwords
from security.tokens import Tokens
from serving.exploration import Exploration
from serving.exposures import Exposures
from serving.lists import RankedLists
from serving.models import Model
from serving.recommender import Recommender
from serving.rollout import Rollout
from serving.trials import CurrentTrial
from warehouse.analytics import Analyst

_LOG = logging.getLogger(__name__)
_START_SECONDS = 60
_DRAIN_SECONDS = 10
_STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Ranking:
    """What ranks recommendations, and how to tell an operator which model does."""

    model: Model | None
    version: Callable[[], str | None]
    lists: RankedLists | None = None
    phase: Recommendations = Recommendations.ON
    degraded: Callable[[], Mapping[str, str]] = dict
    trial: CurrentTrial = lambda: None

    def status(self) -> dict[str, str | None]:
        """Return what the readiness probe tells."""
        if self.model is None:
            return {"status": "off", "modelVersion": None}
        version = self.version()
        told = {"status": self.phase.value if version is not None else "no model", "modelVersion": version}
        trial, lost = self.trial(), self.degraded()
        if trial is not None:
            loaded = str(trial) if trial.model is not None else f"{trial}, not loaded"
            told |= {"trial": loaded, "trialVersion": trial.version}
        # A view that is missing makes lists a little worse, and is for somebody to mend.
        return told | ({"defaultsFor": ", ".join(sorted(lost))} if lost else {})

    def recommender(self, parts: Platform, deadline: float | None = None) -> Recommender:
        """Return what answers recommendations in the phase that the settings name, by their deadline or another."""
        settings = parts.settings
        return Recommender(
            self.model,
            deadline or settings.ranking.deadline,
            rollout=Rollout(settings.recommendations, settings.recommendations_percent),
            lists=self.lists,
            exposures=Exposures(parts.database, settings.ranking.exposure_share) if self.lists is not None else None,
            exploration=Exploration(settings.ranking.exploration_share),
            trial=self.trial,
            diversity=settings.ranking.diversity,
        )


def claim_port(host: str, port: int) -> socket.socket:
    """Bind the address to serve on, before any long work is done for a server that could not start.

    Raises:
        InputError: it is in use or cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    claimed = socket.socket(family)
    claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        claimed.bind((host, port))
        claimed.listen(1)
    except OSError as error:
        claimed.close()
        raise InputError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port with --port (`make run PORT=...`)."
        ) from error
    return claimed


async def services(parts: Platform, recommender: Recommender, notifications: Notifications | None = None) -> Services:
    """Return what resolvers use.

    Args:
        parts: the opened platform.
        recommender: ranks courses.
        notifications: from `listening`; without, subscriptions get their first value and no other.

    Raises:
        InputError: the key file cannot be used, or is not the one that belongs with the database.
        UnavailableError: PostgreSQL cannot be reached.
    """
    ring = load_or_create_key_ring(parts.key_file)
    async with parts.database.reader() as reader:
        await refuse_missing_keys(ring, reader)
    await recommender.rulebook.load(parts.database, parts.clock())
    security = parts.settings.security
    return Services(
        cipher=Cipher(ring),
        passwords=Passwords(security),
        tokens=Tokens(ring, security, parts.clock),
        recommender=recommender,
        notifications=notifications or Notifications(),
        analyst=Analyst(parts.lake_dir),
        standards=Standards.of(parts.settings.quality.blocking),
    )


@asynccontextmanager
async def ranking(parts: Platform) -> AsyncIterator[Ranking]:
    """Open what ranks by model and keep it fresh; with recommendations off, import and open nothing."""
    if parts.settings.recommendations is Recommendations.OFF:
        yield Ranking(None, lambda: None)
        return
    # Feast, XGBoost and Valkey are not wanted when it is off.
    from app.ranking import ranked_lists, ranking_engine  # noqa: PLC0415

    async with ranking_engine(parts) as engine, ranked_lists(parts) as lists:
        yield Ranking(
            engine,
            lambda: engine.version,
            lists,
            parts.settings.recommendations,
            lambda: engine.degraded,
            lambda: engine.trial,
        )


@asynccontextmanager
async def following_rules(
    parts: Platform, recommender: Recommender, notifications: Notifications
) -> AsyncIterator[None]:
    """Follow what recommendations must heed until the block ends, and end its comparisons in the background with it."""
    with notifications.watch(RECOMMENDATION_RULES) as watch:
        try:
            async with running(recommender.rulebook.follow(parts.database, parts.clock, watch)):
                yield
        finally:
            await recommender.close()


@asynccontextmanager
async def forgetting_the_erased(parts: Platform, notifications: Notifications) -> AsyncIterator[None]:
    """Delete from Valkey who was erased, until the block ends; without recommendations nobody is there."""
    if parts.redis_url is None:
        yield
        return
    from app.erasures import forgetting  # noqa: PLC0415 - it imports Feast, which is not wanted when they are off.

    lifetime = timedelta(seconds=parts.settings.ranking.list_lifetime)
    async with forgetting(parts.database, parts.redis_url, parts.clock, notifications, list_lifetime=lifetime):
        yield


@asynccontextmanager
async def application(parts: Platform) -> AsyncIterator[ASGIApp]:
    """Yield the application with everything that lives beside it.

    Args:
        parts: the opened platform, migrated.
    """
    usage = Usage(parts.clock)
    async with (
        ranking(parts) as ranked,
        listening(parts.database_url, parts.settings.database) as notifications,
        usage.flushing(parts.database, parts.settings.gateway.usage_interval),
        shared_store(_store_url(parts), parts.clock) as store,
    ):
        recommender = ranked.recommender(parts)
        parts_of_resolvers = await services(parts, recommender, notifications)
        app = build_app(parts, parts_of_resolvers, ranked.status, usage, store)
        async with (
            following(parts.database, parts_of_resolvers.tokens.revocations, parts.clock),
            following_rules(parts, recommender, notifications),
            forgetting_the_erased(parts, notifications),
        ):
            settle()
            yield app


def uvicorn_config(
    app: ASGIApp, *, workers: int = 1, lifespan: Literal["on", "off"] = "off", proxies: str | None = None
) -> uvicorn.Config:
    """Return how uvicorn serves an application.

    Args:
        app: the application.
        workers: how many processes serve it.
        lifespan: whether the application opens and closes what it needs by itself.
        proxies: addresses and networks of those who are believed when they say for whom they call; None for uvicorn's
            own, which are those of this machine.
    """
    return uvicorn.Config(
        app,
        http=BoundedHeads,
        workers=workers,
        lifespan=lifespan,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        # Also how long a process may take to start that replaces another; on a busy machine ours takes 10 seconds.
        timeout_worker_healthcheck=_START_SECONDS,
        forwarded_allow_ips=proxies,
        ws_max_size=MOST_BODY_BYTES,
    )


async def serve(parts: Platform, listener: socket.socket, started: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests under way.

    Args:
        parts: the opened platform, migrated.
        listener: from `claim_port`.
        started: called with the address when requests are answered.
    """
    async with application(parts) as app:
        server = _Server(uvicorn_config(app, proxies=parts.settings.gateway.trusted_proxies))
        loop = asyncio.get_running_loop()
        for how in _STOPPING:
            loop.add_signal_handler(how, server.handle_exit, how, None)
        try:
            async with running(_announce(server, lambda: started(address(listener)))):
                await server.serve(sockets=[listener])
        finally:
            for how in _STOPPING:
                loop.remove_signal_handler(how)


def address(listener: socket.socket) -> str:
    """Return where clients find what is served on a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}/graphql"


def _store_url(parts: Platform) -> str | None:
    """Return where budgets and answers are shared; without recommendations nothing is started for it."""
    given = parts.settings.redis_url
    return parts.redis_url if given is None else given.get_secret_value()


class _Server(uvicorn.Server):
    """Stops on signals that the event loop hands over.

    uvicorn's own handlers raise the signal again when it has stopped, which would cancel the closing of
    everything else.
    """

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield


async def _announce(server: uvicorn.Server, started: Callable[[], None]) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it.
        await asyncio.sleep(0.02)
    started()
