"""Looks at a container's processes and mounts from inside its PID namespace, with our own eyes.

Docker's ``top`` gives what the host's ps says; this gives what the kernel says: all four user IDs,
capabilities, zombies. It talks to no server: that is ``probe``'s.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grader import probe
from grader.engine import LOOKS, Engine, State
from grader.errors import EngineError
from grader.objects import being_made

SECONDS = 10
_SCRIPT = r"""
import os
me = os.getpid()

def status(pid):
    rows = {}
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            rows[key] = value.split()
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        rows["command"] = file.read(300).replace(b"\0", b" ").decode("utf-8", "replace")
    return rows

def threads(pid):  # one may keep what the first one gave up
    rows = []
    for name in os.listdir(f"/proc/{pid}/task"):
        try:
            rows.append(status(f"{pid}/task/{name}"))
        except OSError:
            pass
    return [[row["Uid"], row["CapEff"][0]] for row in rows]

found = []
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) != me:
        try:
            found.append([int(name), status(name), threads(name)])
        except OSError:
            pass
try:
    with open("/proc/1/mountinfo", encoding="utf-8", errors="replace") as file:
        mounts = [line.split() for line in file]
except OSError:
    mounts = None
print(json.dumps({"processes": found, "mounts": mounts}))
"""


@dataclass(frozen=True)
class Process:
    """One process as the kernel sees it; ``pid`` is the one inside the container.

    ``uids`` and ``gids`` are real, effective, saved and file system ID. ``state`` is the kernel's
    letter, Z for a zombie. ``cap_eff`` is a bit set. A user ID of any thread that is 0 counts, and
    so does a capability that any thread has.
    """

    pid: int
    ppid: int
    uids: tuple[int, ...]
    gids: tuple[int, ...]
    groups: tuple[int, ...]
    state: str
    cap_eff: int
    no_new_privs: bool
    seccomp: int
    threads: int
    command: str


@dataclass(frozen=True)
class Mount:
    """One line of the container's mount table."""

    path: str
    kind: str
    writable: bool
    options: tuple[str, ...]


@dataclass(frozen=True)
class Peek:
    """What was seen in one look."""

    processes: tuple[Process, ...]
    mounts: tuple[Mount, ...]

    @property
    def root_read_only(self) -> bool:
        return any(m.path == "/" and not m.writable for m in self.mounts)

    @property
    def first(self) -> Process | None:
        """Process 1 of the container."""
        return next((p for p in self.processes if p.pid == 1), None)


def peek(engine: Engine, container: str, *, ended: Callable[[State], None]) -> Peek:
    """What is in a running container. ``ended`` is called when it is not running, and raises.

    Raises EngineError when the kernel does not let us look.
    """
    seen = _look(engine, container, ended)
    for _ in range(LOOKS):
        if not any(map(_begins, seen.processes)):
            break
        seen = _look(engine, container, ended)
    return seen


def _look(engine: Engine, container: str, ended: Callable[[State], None]) -> Peek:
    said = probe.inject(engine, container, _SCRIPT, {}, seconds=SECONDS, ended=ended, share="pid")
    if said["mounts"] is None:
        raise EngineError("The grader's probe may not read the container's mount table.")
    processes = tuple(_process(*row) for row in said["processes"])
    return Peek(processes, tuple(map(_mount, said["mounts"])))


def _begins(process: Process) -> bool:
    """As ``being_made``; what still is at the last look is judged."""
    return process.ppid == 0 and process.pid != 1 and being_made(process.command)


def _process(pid: int, rows: dict[str, Any], threads: list[tuple[list[str], str]]) -> Process:
    every = [tuple(map(int, ids)) for ids, _ in threads] or [tuple(map(int, rows["Uid"]))]
    return Process(
        pid=pid,
        ppid=int(rows["PPid"][0]),
        uids=tuple(min(ids) for ids in zip(*every, strict=True)),
        gids=tuple(map(int, rows["Gid"])),
        groups=tuple(map(int, rows["Groups"])),
        state=rows["State"][0],
        cap_eff=functools.reduce(operator.or_, (int(c, 16) for _, c in threads), 0),
        no_new_privs=rows.get("NoNewPrivs") == ["1"],
        seccomp=int((rows.get("Seccomp") or ["0"])[0]),
        threads=int(rows["Threads"][0]) if "Threads" in rows else 0,
        command=rows["command"].strip(),
    )


def _mount(words: list[str]) -> Mount:
    """Fields of /proc/PID/mountinfo (man 5 proc): 5 the place, 6 its options, after - the kind."""
    options = tuple(words[5].split(","))
    kind = words[words.index("-") + 1]
    return Mount(words[4], kind, "rw" in options, options)
