"""How full a running container's shared memory is: /dev/shm, seen from a container of ours.

Nothing in the container is run for it, and nothing is judged here.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader import probe
from grader.engine import Engine, State
from grader.errors import UsageError
from grader.plots.figure import (
    BLUE,
    GREY,
    INK,
    RED,
    Picture,
    called,
    canvas,
    never_raises,
    picture,
    rows,
)

SECONDS = 10
MIB = 2**20
NEARLY = 0.9  # share from which on it is nearly full: a worker's next batch may not fit

# The first process's own view of its files; a folder that is no mount has no size of its own.
_SCRIPT = r"""
import os
with open("/proc/1/mountinfo", encoding="utf-8", errors="replace") as file:
    mounted = any(line.split()[4] == "/dev/shm" for line in file)
if mounted:
    found = os.statvfs("/proc/1/root/dev/shm")
    said["size"] = found.f_blocks * found.f_frsize
    said["used"] = (found.f_blocks - found.f_bfree) * found.f_frsize
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Shm:
    """In bytes; a ``size`` of 0 is one without a limit of its own."""

    size: int
    used: int

    @property
    def share(self) -> float:
        return self.used / self.size if self.size else 0.0


@never_raises
def shm_gauge(container: str | Shm, *, name: str = "") -> Picture:
    """One bar: what lies in a container's /dev/shm, of what may.

    ``container`` is the name of a running one, or what is known already.
    """
    shm = container if isinstance(container, Shm) else measured(container)
    label = called(name or (container if isinstance(container, str) else "/dev/shm"))
    color = RED if shm.share >= NEARLY else BLUE
    whole = (shm.size or shm.used or MIB) / MIB
    with canvas(1.5) as (figure, axes):
        axes.barh(0, whole, color="none", edgecolor=GREY, height=0.6, linewidth=1.2)
        axes.barh(0, shm.used / MIB, color=color, height=0.6)
        axes.text(whole, -0.42, _short(shm), ha="right", va="bottom", color=INK, fontsize=10)
        rows(axes, [label], whole, "MiB in /dev/shm")
        axes.set(xlim=(0, whole * 1.005), ylim=(0.5, -0.75))
        return picture(figure, f"Shared memory of {label}: {_short(shm)}.")


def measured(container: str) -> Shm:
    """Ask the kernel, from inside the container's own process space."""
    with Engine.open() as engine:
        state = engine.state(container)
        if not state.running:
            _ended(state)
        said = probe.inject(
            engine, container, _SCRIPT, {}, seconds=SECONDS, ended=_ended, share="pid"
        )
    if "size" not in said:
        raise UsageError(f"{container} has no /dev/shm of its own. Was it started with --ipc none?")
    return Shm(int(said["size"]), int(said["used"]))


def _ended(state: State) -> None:
    raise UsageError(
        f"The container is not running (exit status {state.exit_code}). Start it, and look again."
    )


def _short(shm: Shm) -> str:
    if not shm.size:
        return f"{shm.used / MIB:.1f} MiB used, without a limit"
    full = ", nearly full" if shm.share >= NEARLY else ""
    return f"{shm.used / MIB:.1f} of {shm.size / MIB:g} MiB used ({shm.share:.0%}){full}"
