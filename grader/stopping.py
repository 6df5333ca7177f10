"""Facts about how a submission's container stops: how long it takes, what becomes of a request.

Each way to stop has a container of its own. The signal comes from the engine, as ``docker stop``
sends it, and a probe of ours holds the request. No verdicts here.
"""

from __future__ import annotations

import math
import random
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader import probe
from grader.behaviour import pictures, settings, up
from grader.busy import BUSY, slowdown
from grader.clock import moment
from grader.dockerfile import Dockerfile, Stage
from grader.engine import Engine, Image, State
from grader.errors import EngineError
from grader.registry import fact, timed
from grader.running import Questions, when_ended
from grader.spec import Exercise

KILLED = 137  # exit code of a process that got SIGKILL
PATIENCE = 3  # seconds that it may take to stop, where no check of the exercise says
HOLD = 0.6  # seconds between the signal and the rest of the request: long enough to be stopped
MORE = 4  # seconds more where only whether it ends counts, and not how soon
SENT = "half of the request is sent"
SHELLS = frozenset(("ash", "bash", "busybox", "dash", "ksh", "sh", "zsh"))

_dice = random.SystemRandom()

# Runs in the container's PID namespace: what does the kernel know of process 1?
FIRST = r"""
import os
rows = {}
with open("/proc/1/status", encoding="utf-8", errors="replace") as file:
    for line in file:
        key, _, value = line.partition(":")
        rows[key] = value.strip()
with open("/proc/1/cmdline", "rb") as file:
    command = file.read(300).replace(b"\0", b" ").decode("utf-8", "replace").strip()
try:
    program = os.path.basename(os.readlink("/proc/1/exe"))
except OSError:
    program = ""
print(json.dumps({"caught": rows.get("SigCgt", "0"), "command": command, "program": program}))
"""

# Runs beside the container, in its network. It asks once in peace, then holds back the end of the
# same request until it is told (SIGUSR1) that the signal to stop was sent. Any server will do: a
# request that is not complete is in flight.
HALF = r"""
import http.client, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
body = json.dumps(ask["body"]).encode()
said = {"before": None, "status": 0, "error": "", "went_on": False, "same": False}

def asked(held):
    link = http.client.HTTPConnection(ask["host"], ask["port"], timeout=ask["patience"])
    try:
        link.putrequest("POST", ask["path"])
        link.putheader("Content-Type", "application/json")
        link.putheader("Content-Length", str(len(body)))
        link.endheaders()
        link.send(body[: len(body) // 2])
        if held:
            print(ask["mark"], file=sys.stderr, flush=True)
            said["went_on"] = bool(signal.sigtimedwait({signal.SIGUSR1}, ask["patience"]))
            time.sleep(ask["hold"])
        link.send(body[len(body) // 2 :])
        reply = link.getresponse()
        return reply.status, reply.read(100_000)
    finally:
        link.close()

try:
    said["before"], text = asked(False)
    said["status"], again = asked(True)
    said["same"] = len(text) == len(again)
except (OSError, http.client.HTTPException) as err:
    said["error"] = f"{type(err).__name__}: {err}"
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Command:
    """What the image runs and how it is stopped; ``lines`` maps CMD, ENTRYPOINT … to their lines.

    ``shell`` says that Docker wraps it in ``sh -c``.
    """

    words: tuple[str, ...]
    shell: bool
    stop_signal: str
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def line(self) -> int | None:
        """The line that starts the service: of ENTRYPOINT when there is one."""
        return self.lines.get("ENTRYPOINT") or self.lines.get("CMD")

    @property
    def number(self) -> int:
        """The stop signal's number; 0 when nobody knows it."""
        name = self.stop_signal.upper().removeprefix("SIG")
        if name.isdigit():
            return int(name)
        return int(signal.Signals.__members__.get(f"SIG{name}", 0))


@fact
def command(image: Image, exercise: Exercise, facts: Any) -> Command:
    """From the image; the lines from the Dockerfile, where the student has written one."""
    config = image.config
    entry, cmd = config.get("Entrypoint") or [], config.get("Cmd") or []
    parsed = None if exercise.image else facts.get("dockerfile")
    return Command(
        tuple(map(str, [*entry, *cmd])),
        shell=(entry or cmd)[:2] in (["/bin/sh", "-c"], ["/bin/bash", "-c"]),
        stop_signal=str(config.get("StopSignal") or "SIGTERM"),
        lines=lines_of(parsed, "CMD", "ENTRYPOINT", "STOPSIGNAL") if parsed else {},
    )


def lines_of(dockerfile: Dockerfile, *names: str) -> dict[str, int]:
    """The line of each instruction that counts: the last of the last stage, or of its base."""
    found: dict[str, int] = {}
    stage: Stage | None = dockerfile.stages[-1] if dockerfile.stages else None
    while stage is not None:
        here = {i.name: i.line for i in stage.instructions if i.name in names}
        found = {**here, **found}
        base = dockerfile.stage(stage.base)
        stage = base if base and base.index < stage.index else None
    return found


# -- stop ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class First:
    """Process 1 as the kernel sees it: ``handles`` says that it catches the stop signal."""

    command: str
    handles: bool
    shell: bool


@dataclass(frozen=True)
class Stopped:
    """A ready container that was told to stop, with ``patience`` seconds before it is killed."""

    seconds: float
    exit_code: int
    patience: int
    first: First

    @property
    def killed(self) -> bool:
        return self.exit_code == KILLED


@timed
@fact
def stopped(image: Image, command: Command, engine: Engine, exercise: Exercise) -> Stopped:
    """``docker stop`` of a container that is ready and has nothing to do.

    One that has a handler and is late gets a second try: the machine may have been busy. Raises
    EngineError when it still is.
    """
    tries = [_stopped(image, command, engine, exercise)]
    if _late(tries[0]):
        tries.append(_stopped(image, command, engine, exercise))
    best = min(tries, key=lambda one: (one.killed, one.seconds))
    if _late(best) and (times := slowdown(engine)) > BUSY:
        raise EngineError(
            f"This machine has too much to do to time a stop: all takes {times:.0f} times as long"
            " as it should. Try again when it has less."
        )
    return best


def _late(one: Stopped) -> bool:
    """Whether it did what it should, and not in time."""
    return one.first.handles and (one.killed or one.seconds > one.patience - 1)


def _stopped(image: Image, command: Command, engine: Engine, exercise: Exercise) -> Stopped:
    container = up(image, engine, exercise).container
    ended = when_ended(engine, container, exercise)
    first = _first(engine, container, command, ended)
    time.sleep(_dice.uniform(0, 0.3))  # at no time that it could know beforehand
    state, patience = engine.state(container), _patience(exercise)
    if not state.running:
        ended(state)
    began, seconds = time.time(), engine.stop(container, patience)
    state = engine.state(container)
    return Stopped(_took(state, began, seconds), state.exit_code, patience, first)


def _took(state: State, began: float, seconds: float) -> float:
    """By the engine's own record where its clock is ours: its answer may be late on a busy one."""
    took = moment(state.finished_at) - began if state.finished_at else seconds
    return took if 0 <= took <= seconds else seconds


def _patience(exercise: Exercise) -> int:
    """A second more than it may take: what takes longer has failed, so nobody waits for it."""
    asked = settings(exercise, "stop.graceful", "max_seconds")
    return math.ceil(max(asked, default=PATIENCE)) + 1


def _first(
    engine: Engine, container: str, command: Command, ended: Callable[[State], None]
) -> First:
    """Only words hang on it: where we may not look, the image's own word has to do."""
    try:
        said = probe.inject(engine, container, FIRST, {}, seconds=10, ended=ended, share="pid")
    except EngineError:
        engine.ping()
        return First(" ".join(command.words), handles=False, shell=command.shell)
    caught = int(said["caught"], 16) >> (command.number - 1) & 1 if command.number else 0
    return First(said["command"], bool(caught), said["program"] in SHELLS)


# -- a request in flight ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Interrupted:
    """A request that was half sent when the container was told to stop.

    ``status`` is 0 where no answer came, and ``error`` then says why; ``whole`` says that the
    answer was as long as the same one in peace. ``logged`` says that the request's random word is
    in the container's log.
    """

    status: int
    whole: bool
    error: str
    exit_code: int
    ended: bool
    logged: bool


@timed
@fact
def interrupted(
    image: Image, command: Command, questions: Questions, engine: Engine, exercise: Exercise
) -> Interrupted:
    """A container of its own, told to stop while our probe holds back the end of a request."""
    container = up(image, engine, exercise).container
    ended = when_ended(engine, container, exercise)
    word, patience = f"lab{secrets.token_hex(8)}", _patience(exercise)
    ask = {
        "host": probe.local_address(),
        "port": exercise.port,
        "path": f"/predict?{word}",
        "body": pictures(questions, 1).bodies[0],
        "patience": patience + 5,
        "hold": HOLD,
        "mark": SENT,
    }

    def stop(ours: str) -> None:
        if _half_sent(engine, container, ours, ended):
            engine.signal(container, str(command.number or command.stop_signal))
            engine.signal(ours, "SIGUSR1")

    said = probe.inject(
        engine,
        container,
        HALF,
        ask,
        seconds=patience + 10,
        ended=lambda _: None,  # it is meant to end
        meanwhile=stop,
    )
    state = _over(engine, container, patience + MORE)
    logged = word in engine.logs(container, tail=200)
    if said["before"] is not None and not said["went_on"] and not said["error"]:
        raise EngineError("The grader's probe was not told to go on.")
    return Interrupted(
        status=said["status"],
        whole=said["same"],
        error=said["error"],
        exit_code=state.exit_code,
        ended=not state.running,
        logged=logged,
    )


def _half_sent(engine: Engine, container: str, ours: str, ended: Callable[[State], None]) -> bool:
    """Wait until the request is in flight; False when there is none, which the probe tells."""
    while SENT not in engine.logs(ours):
        if not engine.state(container).running:
            ended(engine.state(container))
        if not engine.state(ours).running:
            return SENT in engine.logs(ours)
        time.sleep(probe.POLL)
    return True


def _over(engine: Engine, container: str, patience: float) -> State:
    """The state once it has ended, or when our patience has."""
    end = time.monotonic() + patience
    while (state := engine.state(container)).running and time.monotonic() < end:
        time.sleep(probe.POLL)
    return state
