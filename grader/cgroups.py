"""Limits each RUN of an untrusted build to some memory and some processes, on cgroup v1 and v2.

BuildKit ignores ``--memory``. It makes one control group for each RUN, below its parent group's
``buildkit``; a thread of ours sets the limits there as the groups appear. Setting them on the
parent would let one build's hunger kill another's. A running container's own limits are set
through the engine's API and are no business of this module.
Files: https://docs.kernel.org/admin-guide/cgroup-v2.html and …/cgroup-v1/memory.html.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path("/sys/fs/cgroup")
POLL = 0.01  # seconds between two looks for new groups: how long a RUN is free at its start


class CgroupUnavailable(Exception):
    """No limits can be set here; the message says why."""


def version(root: Path = ROOT) -> int:
    """2 for the unified hierarchy, 1 for one tree a controller, 0 for none."""
    if (root / "cgroup.controllers").exists():
        return 2
    return 1 if (root / "memory").is_dir() else 0


@dataclass(frozen=True)
class Limit:
    """What one RUN may use: ``memory`` in bytes, swap included, and ``pids`` processes."""

    memory: int
    pids: int


@dataclass
class Guard:
    """Sets ``limit`` on every group that appears below ``parent``/buildkit while it is entered.

    Entering raises CgroupUnavailable where that is not possible. ``memory_killed`` and
    ``pids_hit`` say what a group was seen to suffer; a group that ends within POLL is missed. Two
    builds at once can't tell their new groups apart: both guards set their limits on all of them,
    and the last one wins.
    """

    parent: str
    limit: Limit
    root: Path = ROOT
    memory_killed: bool = False
    pids_hit: bool = False
    _over: threading.Event = field(default_factory=threading.Event)
    _seen: set[str] = field(default_factory=set)
    _others: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self.version = version(self.root)
        if self.version == 0:
            raise CgroupUnavailable("no cgroup file system is mounted")
        try:
            self._prepare()
        except OSError as err:
            raise CgroupUnavailable(f"{err.strerror} ({err.filename})") from err
        self._others = set(self._children())  # another build's, which has a guard of its own
        self._thread = threading.Thread(target=self._watch, name="cgroup-guard", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def _group(self) -> str:
        return f"{self.parent.strip('/')}/buildkit"

    @property
    def _memory(self) -> Path:
        return (self.root if self.version == 2 else self.root / "memory") / self._group

    @property
    def _pids(self) -> Path:
        return (self.root if self.version == 2 else self.root / "pids") / self._group

    def _prepare(self) -> None:
        """Make the group, and on v2 hand the two controllers down to it."""
        for folder in {self._memory, self._pids}:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "Permission denied", str(folder))
        if self.version == 2:
            for folder in (self.root, self._memory.parent, self._memory):
                (folder / "cgroup.subtree_control").write_text("+memory +pids")

    def _watch(self) -> None:
        while not self._over.wait(POLL):
            for name in self._children():
                if name in self._others:
                    continue
                if name not in self._seen and self._set(name):
                    self._seen.add(name)
                self._look(name)

    def _children(self) -> list[str]:
        with suppress(OSError):
            return [entry.name for entry in os.scandir(self._memory) if entry.is_dir()]
        return []

    def _set(self, name: str) -> bool:
        """Whether the limits stand. What uses more already is killed: v1 refuses to limit it."""
        memory, pids = str(self.limit.memory), str(self.limit.pids)
        if self.version == 2:
            done = _write(self._memory / name / "memory.max", memory)
            _write(self._memory / name / "memory.swap.max", "0")
        else:
            done = _write(self._memory / name / "memory.limit_in_bytes", memory)
            _write(self._memory / name / "memory.memsw.limit_in_bytes", memory)
        if done == errno.EBUSY:
            self.memory_killed = True
            _kill(self._memory / name)
        return not _write(self._pids / name / "pids.max", pids) and not done

    def _look(self, name: str) -> None:
        events = "memory.events" if self.version == 2 else "memory.oom_control"
        if _counter(self._memory / name / events, "oom_kill"):
            self.memory_killed = True
        if _counter(self._pids / name / "pids.events", "max"):
            self.pids_hit = True


def kill(name: str, root: Path = ROOT, timeout: float = 5) -> None:
    """Kill every process of a group and of those below it, and wait until they are gone."""
    top = (root if version(root) == 2 else root / "pids") / name.strip("/")
    end = time.monotonic() + timeout
    while top.is_dir() and time.monotonic() < end:
        files = [*top.rglob("cgroup.procs")]
        if not sum(_kill(file.parent) for file in files):
            return
        time.sleep(0.02)


def holds(name: str, root: Path = ROOT) -> bool:
    """Whether any process runs in a group, or below it."""
    top = (root if version(root) == 2 else root / "pids") / name.strip("/")
    for file in top.rglob("cgroup.procs"):
        with suppress(OSError):
            if file.read_text().split():
                return True
    return False


def remove(name: str, root: Path = ROOT) -> None:
    """Remove a group that holds no process any more, and those below it, in every hierarchy."""
    trees = [root] if version(root) == 2 else [p for p in root.glob("*/") if p.is_dir()]
    for tree in trees:
        top = tree / name.strip("/")
        below = sorted(top.rglob("*/"), reverse=True) if top.is_dir() else []
        for folder in (*below, top):
            with suppress(OSError):
                folder.rmdir()


def _write(path: Path, text: str) -> int:
    """0, or the error's number: the group may be gone again, or swap accounting may be off."""
    try:
        path.write_text(text)
    except OSError as err:
        return err.errno or errno.EIO
    return 0


def _kill(group: Path) -> int:
    """Kill what is in this group itself; gives how many processes that were."""
    pids: list[str] = []
    with suppress(OSError):
        pids = (group / "cgroup.procs").read_text().split()
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(int(pid), signal.SIGKILL)
    return len(pids)


def _counter(path: Path, key: str) -> int:
    with suppress(OSError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key and value.isdigit():
                return int(value)
    return 0
