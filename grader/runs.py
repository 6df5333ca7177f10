"""Names a run, and tells from a name whether that run is over: what it left may then be removed.

Nothing of Docker's is removed here.
"""

from __future__ import annotations

import os
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SEPARATOR = "+"  # for the slashes of a name, where it is a file's
_NAME = re.compile(r"(?P<host>[^/]+)/(?P<pid>\d+)/(?P<start>\d+)/[0-9a-f]{8}")


def fresh() -> str:
    """A name for a run of this process: ``host/pid/start/random``."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{pid}/{_started(pid)}/{uuid.uuid4().hex[:8]}"


def is_over(name: str) -> bool:
    """Whether its process is gone. Another machine's run, or another kind of name, is not ours."""
    match = _NAME.fullmatch(name)
    if not match or match["host"] != socket.gethostname():
        return False
    pid, start = int(match["pid"]), int(match["start"])
    return _started(pid) != start if start else not _exists(pid)


@contextmanager
def announced(folder: Path) -> Iterator[Callable[[], bool]]:
    """While the block runs, others that use ``folder`` can know; gives whether there are others.

    What is measured of the whole machine says nothing of one of several. A folder that can't be
    written announces nobody.
    """
    mine = folder / fresh().replace("/", SEPARATOR)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        mine.touch()
    try:
        yield lambda: any(_at_work(path) for path in folder.glob("*") if path != mine)
    finally:
        with suppress(OSError):
            mine.unlink()


def any_at_work(folder: Path) -> bool:
    """Whether somebody has announced a run there that goes on."""
    return any(_at_work(path) for path in folder.glob("*"))


def _at_work(path: Path) -> bool:
    if not is_over(path.name.replace(SEPARATOR, "/")):
        return True
    with suppress(OSError):
        path.unlink()
    return False


def _started(pid: int) -> int:
    """When a process started, in clock ticks since boot: tells a reused pid from the old one.

    0 when there is no such process, or no /proc.
    """
    with suppress(OSError, IndexError, ValueError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[19])
    return 0


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
