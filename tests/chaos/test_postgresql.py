"""PostgreSQL is killed under a running application: an outage that is said, not a crash, and that ends by itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.asgi import build_app
from app.embedded import embedded_postgres
from app.server import services
from app.wiring import platform
from core.settings import GatewaySettings, OperationsMode, Recommendations, SecuritySettings, Settings
from database.migrate import migrate
from serving.recommender import Recommender

READ = "{ courses { totalCount } recommendedCourses { strategy } }"
WRITE = (
    'mutation { signUp(input: { email: "a@example.org", password: "correct horse", displayName: "A" }) '
    "{ userErrors { code } } }"
)


async def send(http: httpx.AsyncClient, document: str) -> Any:
    """Send an operation and return the response object."""
    return (await http.post("/graphql", json={"query": document})).json()


async def test_postgresql_killed_and_started_again(tmp_path: Path) -> None:
    """Reads and writes fail with UNAVAILABLE and a correlation id; when it is back, so are the answers."""
    folder = tmp_path / "postgres"
    with embedded_postgres(folder) as url:
        settings = Settings(
            data_dir=tmp_path,
            database_url=url,  # type: ignore[arg-type]
            recommendations=Recommendations.OFF,
            gateway=GatewaySettings(operations=OperationsMode.OPEN),
            security=SecuritySettings(password_memory_kib=8, password_iterations=1),
        )
        async with platform(settings) as parts:
            await migrate(parts.database)
            app = build_app(parts, await services(parts, Recommender(None, 1.0)), dict)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://waymark.test") as http:
                assert {"courses": {"totalCount": 0}, "recommendedCourses": {"strategy": "POPULARITY"}} == (
                    await send(http, READ)
                )["data"]
                assert {"signUp": {"userErrors": []}} == (await send(http, WRITE))["data"]
                kill(int((folder / "postmaster.pid").read_text().splitlines()[0]))
                for document in (READ, WRITE):
                    errors = (await send(http, document))["errors"]
                    assert {"UNAVAILABLE"} == {error["extensions"]["code"] for error in errors}
                    assert "postgres" not in str(errors).lower()
                assert 503 == (await http.get("/health/ready")).status_code
                assert 200 == (await http.get("/health/live")).status_code
                with embedded_postgres(folder) as again:
                    assert url == again
                    assert (await send(http, READ))["data"]["courses"] == {"totalCount": 0}
                    assert "EMAIL_TAKEN" == (await send(http, WRITE))["data"]["signUp"]["userErrors"][0]["code"]
                    assert 200 == (await http.get("/health/ready")).status_code


def kill(pid: int) -> None:
    """Kill a server with its children, and wait until they are gone."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)
