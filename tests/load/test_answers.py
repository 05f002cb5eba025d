"""The fast form of the benchmark: the contestants that are written in Python answer the same, and the tools work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.load import report
from tests.load.contestants import Contestant, World, application, product, python_contestants, running
from tests.load.generator import UnexpectedAnswerError, load
from tests.load.measuring import Figures, answers, filled
from tests.load.operations import OPERATIONS
from tests.load.report import Results
from tests.load.shares import NoSharesError, limited

pytestmark = pytest.mark.load


@pytest.fixture
async def made(database_url: str, tmp_path: Path) -> World:
    """A database that was filled, and what a contestant must know."""
    found = await filled(database_url, tmp_path)
    found.save()
    return found


async def answered(contestant: Contestant, made: World) -> list[Any]:
    """Return a contestant's answers, asked for in this process."""
    async with application(contestant.name, made.url, made.caller.identity, made.folder) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://waymark.test") as http:
            headers = {"Content-Type": "application/json"}
            return [
                (await http.post("/graphql", content=body, headers=headers)).json()
                for operation in OPERATIONS
                for body in contestant.bodies(operation)[:5]
            ]


async def test_contestants_answer_the_same(made: World) -> None:
    """The plain server, the compiled executor, the handwritten endpoint, and the product over a socket."""
    expected, *others = [await answered(each, made) for each in python_contestants()]
    assert 20 == len(expected[0]["data"]["courses"]["nodes"])
    assert 5 == len(expected[0]["data"]["courses"]["nodes"][0]["modules"][0]["lessons"])
    assert 20 == len(expected[1]["data"]["viewer"]["enrollments"]["nodes"])
    for found in others:
        assert [each["data"] for each in expected] == [each["data"] for each in found]
    with running(product(made.caller), made, cores=range(2)) as served:
        found = [answer for operation in OPERATIONS for answer, _ in answers(served, operation)[:5]]
        assert [each["data"] for each in expected] == [each["data"] for each in found]
        outcome = load(served.port, served.requests(OPERATIONS[2]), 0.1, rate=100.0)
        assert 10 == len(outcome.latencies)
        with pytest.raises(UnexpectedAnswerError):
            load(served.port, served.requests(OPERATIONS[2], [1] * 40), 0.1)


def test_report_says_what_is_reached_and_replaces_the_figures_of_a_page(tmp_path: Path) -> None:
    """A target is reached by the rate, by processor time where PostgreSQL was busy, or it is missed."""
    contestants = python_contestants()
    table = {
        (each.name, operation.name): Figures([10.0 * speed**2], [1000.0 / speed], [1.0])
        for each, speed in zip(contestants, (1, 5, 6), strict=True)
        for operation in OPERATIONS
    }
    memory = dict.fromkeys((each.name for each in contestants), 100.0)
    workers = {
        (name, operation.name): Figures([rate], [100.0], [1.0])
        for name, rate in ((report.ONE, 10), (report.TWO, 12), (report.ONE_HELD, 10), (report.TWO_HELD, 19))
        for operation in OPERATIONS
    }
    held = dict.fromkeys((report.ONE, report.TWO), 100.0)
    text = report.written(Results(contestants, table, memory, [], 1, 1.0, workers=workers, worker_memory=held))
    assert "| times | 1.20 | 1.20 | 1.20 |" in text
    assert "| times | 1.90 | 1.90 | 1.90 |" in text
    assert "| 20 | 25.00 | 5.00 | reached |" in text
    assert "| 0.6 | 0.69 | 0.83 | reached |" in text
    assert "| 1 | 0.69 | 0.83 | **missed** |" in text
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n", encoding="utf-8")
    report.replace_figures(page, "new")
    assert "before\n<!-- figures -->\n\nnew\n\n<!-- end of figures -->\nafter\n" == page.read_text(encoding="utf-8")


def test_process_is_held_to_a_share_of_a_core_for_a_while() -> None:
    """It is in a group of its own, with a quota, and afterwards where it was."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        groups = Path(f"/proc/{process.pid}/cgroup")
        before = groups.read_text(encoding="ascii")
        try:
            with limited([process.pid], 0.1):
                assert "/waymark-" in groups.read_text(encoding="ascii")
            assert before == groups.read_text(encoding="ascii")
        except NoSharesError as error:
            pytest.skip(f"Groups of processes take root: {error}")
        finally:
            process.communicate(b"\n")


def test_where_cores_cannot_be_shared_out_it_says_so(tmp_path: Path) -> None:
    """No groups at all, groups of the second version without the controller, and a share that is too small."""
    with pytest.raises(NoSharesError, match="No groups of processes are mounted"), limited([1], 0.5, tmp_path):
        raise AssertionError
    for name, content in (("cgroup.subtree_control", ""), ("cgroup.controllers", "memory hugetlb")):
        (tmp_path / name).write_text(content, encoding="ascii")
    with pytest.raises(NoSharesError, match="have no controller cpu"), limited([1], 0.5, tmp_path):
        raise AssertionError
    with pytest.raises(ValueError, match="less than the kernel grants"), limited([1], 0.01, tmp_path):
        raise AssertionError
    assert ["cgroup.controllers", "cgroup.subtree_control"] == sorted(each.name for each in tmp_path.iterdir())
