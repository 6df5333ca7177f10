"""Looks at a container's health again and again, and keeps all that the engine said of it.

Also what makes every process of a container stop and go on. What is looked at is ``faults``'.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from grader.clock import moment
from grader.engine import PROBE_IMAGE, Engine, HealthProbe
from grader.errors import EngineError

LOOK = 0.1  # seconds between two looks at a container's health
WAIT = 20.0  # seconds at most for one change of a container's health

# Runs beside the container's processes: sends all that come from process 1 a signal. That one does
# not get signals like these from inside: it gets them from the engine. A health probe is no child
# of process 1, nor are we: one that is under way must not be stopped, its time-out would be our no.
SIGNAL_ALL = """
import os, sys
def parent(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])

def is_own(pid):
    try:
        while pid > 1:
            pid = parent(pid)
    except OSError:
        return False
    return pid == 1

for name in os.listdir("/proc"):
    if name.isdigit() and name != "1" and is_own(int(name)):
        try:
            os.kill(int(name), int(sys.argv[1]))
        except ProcessLookupError:
            pass
"""
SIGNALS = {"SIGSTOP": 19, "SIGCONT": 18}


@dataclass(frozen=True)
class Watched:
    """What the engine said of a container's health while we looked.

    ``statuses`` in the order in which they changed; ``probes`` are all that were run.
    """

    statuses: tuple[str, ...]
    probes: tuple[HealthProbe, ...]

    def since(self, when: float) -> tuple[HealthProbe, ...]:
        """The probes that began after a moment (seconds since 1970)."""
        return tuple(p for p in self.probes if moment(p.start) >= when)

    @property
    def last(self) -> str:
        """The last status; "none" without a HEALTHCHECK."""
        return self.statuses[-1] if self.statuses else "none"


class Watch:
    """Looks at one container's health again and again, and keeps every probe: the engine, five."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.engine, self.container = engine, container
        self.statuses: list[str] = []
        self.probes: dict[str, HealthProbe] = {}

    def look(self) -> Watched:
        state = self.engine.state(self.container)
        self.probes |= {probe.start: probe for probe in state.health_probes}
        status = state.health or "none"
        if not self.statuses or self.statuses[-1] != status:
            self.statuses.append(status)
        return Watched(tuple(self.statuses), tuple(self.probes.values()))

    def until(self, met: Callable[[Watched], bool], seconds: float = WAIT) -> Watched:
        end = time.monotonic() + seconds
        while not met(seen := self.look()) and time.monotonic() < end:
            time.sleep(LOOK)
        return seen

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """Go on looking while something else is waited for."""
        over = threading.Event()

        def looking() -> None:
            with suppress(EngineError):  # whoever asks next is told
                while not over.wait(LOOK):
                    self.look()

        thread = threading.Thread(target=looking, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def signal_all(engine: Engine, container: str, name: str) -> None:
    """Send a signal to every process of a container: a server may have workers."""
    engine.signal(container, name)
    if len(engine.processes(container)) < 2:
        return
    ours = engine.create(
        PROBE_IMAGE,
        kind="probe",
        entrypoint=["/usr/local/bin/python3", "-I", "-S", "-c", SIGNAL_ALL, str(SIGNALS[name])],
        command=[],
        pid_mode=f"container:{container}",
        cap_drop=["ALL"],
        cap_add=["KILL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        memory=128_000_000,
        pids=32,
    )
    if (why := engine.start(ours)) or engine.wait(ours, 10):
        raise EngineError(f"The grader can't send {name} to a container: {why or 'it failed'}")
