"""Processes and mounts that belong to one LAB_HOME: found by what they run, not by number.

Not here: starting any. A pid from a file may be somebody else's by now.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from grader.host.home import Home

PROC = Path("/proc")


def command_line(pid: int) -> list[str]:
    """A process's arguments; empty for one that is gone, or is a zombie."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [word.decode("utf-8", "replace") for word in raw.split(b"\0") if word]


def pids() -> Iterator[int]:
    """Every process; none where there is no /proc."""
    if PROC.is_dir():
        yield from (int(path.name) for path in PROC.iterdir() if path.name.isdigit())


def mine(place: Home, program: str) -> list[int]:
    """The processes of one program that work on this LAB_HOME."""
    return [pid for pid in pids() if belongs(command_line(pid), place, program)]


def belongs(words: list[str], place: Home, program: str) -> bool:
    """Is it this program, with a path of this LAB_HOME in its arguments?"""
    if not words or Path(words[0]).name != program:
        return False
    inside = f"{place.root}/"
    return any(inside in word for word in words)


def marked(name: str, value: str) -> list[int]:
    """The processes that have a variable in the environment they were started with."""
    wanted = f"{name}={value}".encode()
    return [pid for pid in pids() if wanted in _environment(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []  # gone, or another user's


def family() -> set[int]:
    """This process and those that it was started by."""
    found, pid = set(), os.getpid()
    while pid > 1 and pid not in found:
        found.add(pid)
        pid = _parent(pid)
    return found


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[str]:
    """State, parent and so on, after the name, which may hold anything; empty when it is gone."""
    try:
        stat = (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def end(pid: int, *, grace_s: float) -> None:
    """Ask a process to end, then make it."""
    if not _signal(pid, signal.SIGTERM):
        return
    if wait_for(lambda: not alive(pid), timeout_s=grace_s):
        return
    _signal(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), timeout_s=5)


def alive(pid: int) -> bool:
    """Running, which a zombie is not."""
    _reap(pid)
    if not PROC.is_dir():
        return _signal(pid, 0)
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def _reap(pid: int) -> None:
    # Not a child of ours: somebody else reaps it.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def wait_for(predicate: Callable[[], bool], *, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if predicate():
            return True
        time.sleep(0.05)
    return predicate()


def mounts_below(folder: Path, text: str | None = None) -> list[str]:
    """Mount points under a folder, the deepest first."""
    table = (PROC / "self/mounts").read_text("utf-8") if text is None else text
    points = [line.split()[1].replace("\\040", " ") for line in table.splitlines()]
    return sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True)


def unmount_below(folder: Path) -> None:
    """A killed container's file systems stay mounted, and keep a folder from being removed."""
    for point in mounts_below(folder):
        unmount(point)


def unmount(point: str) -> None:
    subprocess.run(["umount", "--lazy", point], capture_output=True, timeout=20)
