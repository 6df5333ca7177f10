"""Facts about a given program that runs to its end as the run specification says: how it ended.

It is the one whose worker processes hand over batches in shared memory. The container is
``locked``'s; what it runs is ``boxed``'s. No verdicts here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader import locked
from grader.boxed import TAIL
from grader.busy import unless_busy
from grader.engine import Engine, State
from grader.errors import SubmissionError
from grader.locked import Confined
from grader.registry import fact
from grader.spec import Exercise

SECONDS = 60.0  # that it may take: ten times as long as it needs on a slow machine
LOOK = 0.05  # seconds between two looks at its processes
SHM = "/dev/shm"
UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}


@dataclass(frozen=True)
class Fed:
    """A program that has ended. ``alike``: processes of one command line that ran at once."""

    state: State
    alike: int
    log: str = ""


@fact
def fed(confined: Confined, engine: Engine, exercise: Exercise) -> Fed:
    """The given program, run to its end. Raises SubmissionError when it does not get there."""
    locked.begin(engine, confined, exercise)
    alike, end = 0, time.monotonic() + SECONDS
    while (state := engine.state(confined.container)).running:
        alike = max(alike, _alike(engine, confined.container))
        if time.monotonic() > end:
            engine.signal(confined.container, "SIGKILL")
            late = SubmissionError(f"It had not ended after {SECONDS:g} s. It takes 3 elsewhere.")
            raise unless_busy(engine, late)
        time.sleep(LOOK)
    return Fed(state, alike, engine.logs(confined.container, tail=TAIL))


def _alike(engine: Engine, container: str) -> int:
    """Forked workers have the command line of the process that they are from."""
    lines = Counter(command for _, _, command in engine.processes(container))
    return max(lines.values(), default=0)


def shm_bytes(host: Mapping[str, Any]) -> int:
    """How big a container's /dev/shm will be, by its HostConfig; 0 for one without an end.

    A tmpfs that is mounted there takes the place of the one that Docker makes.
    """
    if (options := (host.get("Tmpfs") or {}).get(SHM)) is not None:
        return _size(str(options))
    for mount in host.get("Mounts") or ():
        if mount.get("Target") == SHM:
            return int((mount.get("TmpfsOptions") or {}).get("SizeBytes") or 0)
    return int(host.get("ShmSize") or 0)


def _size(options: str) -> int:
    """The ``size`` of a tmpfs's options, as the kernel reads it; 0 for none."""
    for option in options.lower().split(","):
        key, _, value = option.partition("=")
        number = value.rstrip("bkmg")
        if key == "size" and number.isdigit():
            return int(number) * UNITS.get(value[len(number) :], 0)
    return 0
