"""Whether this machine is too busy to time anybody: then being late is nobody's mistake.

Asked only where a submission was late, so that it costs the others nothing.
"""

from __future__ import annotations

from contextlib import nullcontext

from grader.engine import PROBE_IMAGE, Engine
from grader.errors import EngineError

BUSY = 4.0  # times as long as a bit of work should take: from then on nothing is timed

# Runs alone: a tenth of a second of a processor, and how long it waits for that.
WORK = """
import time
began, worked = time.monotonic(), time.process_time()
while time.process_time() - worked < 0.1:
    pass
print((time.monotonic() - began) / 0.1)
"""


def slowdown(engine: Engine) -> float:
    """How many times as long a bit of work of ours takes as it needs of a processor."""
    ours = engine.create(
        PROBE_IMAGE,
        kind="probe",
        entrypoint=["/usr/local/bin/python3", "-I", "-S", "-c", WORK],
        command=[],
        memory=128_000_000,
        pids=32,
    )
    if (why := engine.start(ours)) or engine.wait(ours, 60):
        raise EngineError(f"The grader's probe does not run: {why or engine.logs(ours)[-300:]}")
    return float(engine.output(ours))


def why_busy(engine: Engine, container: str = "") -> str:
    """What to tell of a machine that is too busy; "" where nobody was late because of it.

    ``container`` is the one that was late: it stands still meanwhile, since what it takes of the
    machine itself is no excuse.
    """
    with engine.paused(container) if container else nullcontext():
        times = slowdown(engine)
    if times <= BUSY:
        return ""
    return (
        f"This machine is busy: what should take a second takes {times:.0f}. It cannot be told"
        " whether the submission was late or the machine. Try again when less is going on."
    )


def unless_busy(engine: Engine, late: Exception, container: str = "") -> Exception:
    """What to raise for a submission that was late: on a busy machine it is the machine's fault."""
    why = why_busy(engine, container)
    return EngineError(why) if why else late
