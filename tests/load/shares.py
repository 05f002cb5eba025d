"""A fixed share of a core for each process: what processes do when nothing else is full.

On a machine with few cores, servers, PostgreSQL and the load generator compete, and a second process has little to
run on. With a share that the kernel enforces (cgroups), small enough that all together never fill a core, what several
processes come to is what they would with cores of their own and the rest elsewhere, in proportion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

_ROOT = Path("/sys/fs/cgroup")
# Microseconds; short, so that who has used up its share is not away for long.
_PERIOD = 10_000


# What the kernel grants at least.
_LEAST = 1_000


class NoSharesError(Exception):
    """The kernel lets us make no groups of processes: that takes root, and is often forbidden in containers."""


@contextmanager
def limited(processes: Sequence[int], share: float, root: Path = _ROOT) -> Iterator[None]:
    """Let each process have this share of a core, and no more, for the length of the block.

    Args:
        processes: their ids.
        share: from a tenth; the kernel grants nothing less.
        root: where the groups of processes are mounted, of the first version or of the second.

    Raises:
        NoSharesError: it cannot be done here; nothing is left changed.
    """
    quota = int(share * _PERIOD)
    if quota < _LEAST:
        raise ValueError(f"{share} of a core is less than the kernel grants.")
    with ExitStack() as stack:
        try:
            parent = stack.enter_context(_parent(root))
            for process in processes:
                stack.enter_context(_group(process, quota, parent))
        except OSError as error:
            raise NoSharesError(str(error)) from error
        yield


@contextmanager
def _parent(root: Path) -> Iterator[Path]:
    """Yield the group to make others in."""
    old = root / "cpu"
    if old.is_dir():
        yield old
        return
    control = root / "cgroup.subtree_control"
    if not control.exists():
        raise NoSharesError(f"No groups of processes are mounted at {root}.")
    if "cpu" in _words(control):
        yield root
        return
    if "cpu" not in _words(root / "cgroup.controllers"):
        raise NoSharesError(f"The groups of processes at {root} cannot share out cores: they have no controller cpu.")
    # In a container whose own group is full of processes the kernel refuses this: only the first of all may do both.
    control.write_text("+cpu", encoding="ascii")
    try:
        yield root
    finally:
        control.write_text("-cpu", encoding="ascii")


@contextmanager
def _group(process: int, quota: int, parent: Path) -> Iterator[None]:
    home = _home(process, parent)
    group = parent / f"waymark-{uuid4().hex}"
    group.mkdir()
    try:
        if (group / "cpu.max").exists():
            _told(group / "cpu.max", f"{quota} {_PERIOD}")
        else:
            _told(group / "cpu.cfs_period_us", str(_PERIOD))
            _told(group / "cpu.cfs_quota_us", str(quota))
        (group / "cgroup.procs").write_text(str(process), encoding="ascii")
        yield
    finally:
        # A group can only be removed when nobody is in it; whom the process has started since is there too.
        for each in _words(group / "cgroup.procs"):
            # Who has ended meanwhile is nowhere.
            with suppress(ProcessLookupError):
                home.write_text(each, encoding="ascii")
        group.rmdir()


def _home(process: int, parent: Path) -> Path:
    """Return where a process goes back to: the group that it is in, which a container may not see."""
    for line in Path(f"/proc/{process}/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        # The hierarchy of the second version names no controllers.
        if ("cpu" if parent.name == "cpu" else "") in controllers.split(","):
            found = parent / path.lstrip("/") / "cgroup.procs"
            if found.exists():
                return found
    return parent / "cgroup.procs"


def _told(file: Path, value: str) -> None:
    """Write a limit, and see that it is in force.

    Raises:
        OSError: it is not.
    """
    file.write_text(value, encoding="ascii")
    if file.read_text(encoding="ascii").strip() != value:
        raise OSError(f"{file} does not take {value}.")


def _words(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").split()
