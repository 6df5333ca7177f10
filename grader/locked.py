"""Facts about a container that is started as the submission's run specification says.

How it is said is ``runspec``'s and ``compose``'s; here it is made, looked at, given an upper limit
and started, and its service is asked. No verdicts here.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader import compose, running
from grader import runspec as runspecs
from grader.engine import Engine, Image, State
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.facts import Reference
from grader.peek import Peek, peek
from grader.registry import fact, timed
from grader.running import Health, Questions, Service
from grader.runspec import RunSpec
from grader.spec import Exercise

TAIL = 3  # lines of its output that a message may show
ASKED = 12  # digits that the service has to read while it is locked down


@dataclass(frozen=True)
class Confined:
    """A container that was made as the specification says, and has not been started.

    ``host`` is what the engine will hold it to, HostConfig; ``mounts`` are what it mounts.
    ``counts_swap`` is False where the kernel can't limit swap: then no specification can.
    """

    container: str
    spec: RunSpec
    host: Mapping[str, Any]
    mounts: tuple[Mapping[str, Any], ...] = ()
    counts_swap: bool = True


@fact
def confined(runspec: RunSpec, image: Image, engine: Engine, scratch: Path) -> Confined:
    """The container, made by Docker's own client. Raises SubmissionError when it can't be."""
    if not engine.connection.local:
        raise NotMeasurable("Not measured: this engine does not see the submission's folder.")
    if runspec.service:
        made = compose.create(engine, runspec, image, scratch)
    else:
        made = runspecs.create(engine, runspec, image)
    seen = engine.inspect(made)
    mounts, swap = tuple(seen.get("Mounts") or ()), engine.info.get("SwapLimit") is not False
    return Confined(made, runspec, seen["HostConfig"], mounts, swap)


@dataclass(frozen=True)
class Guarded:
    """The same container, running, with the answers of its service; ``log`` is its last output."""

    container: str
    service: Service
    log: str = ""


@fact
def guarded(
    confined: Confined, reference: Reference, engine: Engine, exercise: Exercise
) -> Guarded:
    """The service while it is locked down. Raises SubmissionError when it does not get ready."""
    pool = reference.answers("baseline")
    drawn = secrets.SystemRandom().sample(pool, min(ASKED, len(pool)))
    begin(engine, confined, exercise)
    service = running.service(Questions(tuple(drawn)), confined.container, engine, exercise)
    return Guarded(confined.container, service, engine.logs(confined.container, tail=TAIL))


@fact
def inside(guarded: Guarded, engine: Engine) -> Peek:
    """What the kernel says of its processes and mounts, by a probe of ours."""

    def ended(state: State) -> None:
        engine.ping()
        raise SubmissionError(f"The container ended with exit code {state.exit_code}.")

    return peek(engine, guarded.container, ended=ended)


@timed
@fact
def guarded_health(guarded: Guarded, engine: Engine) -> Health:
    """What the image's HEALTHCHECK says of it, once it has answered."""
    return running.health_of(engine, guarded.container, running.HEALTH_SECONDS)


def begin(engine: Engine, confined: Confined, exercise: Exercise) -> None:
    """Start it, with a limit wherever it has none. Raises by whose failure it was."""
    _limit(engine, confined, exercise)
    _start(engine, confined)


def _limit(engine: Engine, confined: Confined, exercise: Exercise) -> None:
    """What the specification leaves open gets the grader's own limit: whatever runs has one."""
    words, host = ["update"], confined.host
    most = round(exercise.limits.memory_mb * 1e6)
    if not 0 < int(host.get("Memory") or 0) <= most:
        words += ["--memory", str(most), "--memory-swap", str(most)]
    if not 0 < int(host.get("PidsLimit") or 0) <= exercise.limits.pids:
        words += ["--pids-limit", str(int(exercise.limits.pids))]
    if len(words) == 1:
        return
    done = runspecs.client(engine, [*words, confined.container], folder=confined.spec.folder)
    if done.returncode:
        raise EngineError(f"Docker does not limit a container: {done.stderr.strip()[-300:]}")


def _start(engine: Engine, confined: Confined) -> None:
    try:
        why = engine.start(confined.container)
    except EngineError as err:  # a mount or a size that the specification asks for, or the machine
        raise runspecs.blamed(engine, confined.spec, str(err)) from err
    if why:
        short = " ".join(why.split())[-400:]
        raise SubmissionError(f"{confined.spec.name}: the container does not start: {short}")
