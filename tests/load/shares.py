"""A fixed share of a core for each process: what processes do when nothing else is full.

On a machine with few cores, servers, PostgreSQL and the load generator compete, and a second process has little to
run on. With a share that the kernel enforces (cgroups), small enough that all together never fill a core, what several
processes come to is what they would with cores of their own and the rest elsewhere, in proportion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

_ROOT = Path("/sys/fs/cgroup")
# Microseconds; short, so that who has used up its share is not away for long. The kernel grants a millisecond at least.
_PERIOD = 10_000


class NoSharesError(Exception):
    """The kernel lets us make no groups of processes: that takes root, and is often forbidden in containers."""


@contextmanager
def limited(processes: Sequence[int], share: float) -> Iterator[None]:
    """Let each process have this share of a core, and no more, for the length of the block.

    Raises:
        NoSharesError: it cannot be done here.
    """
    with ExitStack() as stack:
        for process in processes:
            stack.enter_context(_group(process, int(share * _PERIOD)))
        yield


@contextmanager
def _group(process: int, quota: int) -> Iterator[None]:
    old = _ROOT / "cpu"
    parent = old if old.is_dir() else _ROOT
    group = parent / f"waymark-{uuid4().hex}"
    try:
        group.mkdir()
    except OSError as error:
        raise NoSharesError(str(error)) from error
    try:
        try:
            if parent is old:
                (group / "cpu.cfs_period_us").write_text(str(_PERIOD), encoding="ascii")
                (group / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")
            else:
                (group / "cpu.max").write_text(f"{quota} {_PERIOD}", encoding="ascii")
            (group / "cgroup.procs").write_text(str(process), encoding="ascii")
        except OSError as error:
            raise NoSharesError(str(error)) from error
        yield
    finally:
        # A group can only be removed when nobody is in it.
        for each in (group / "cgroup.procs").read_text(encoding="ascii").split():
            (parent / "cgroup.procs").write_text(each, encoding="ascii")
        group.rmdir()
