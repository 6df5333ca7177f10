"""Facts about a given program in a container that is limited as the run specification says.

What it runs there, and what comes of it under a load of ours: what it answers, what is killed, how
often the kernel puts it on hold. The container itself is ``locked``'s. No verdicts here.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from grader import locked, probe, running, usage
from grader.behaviour import told
from grader.busy import unless_busy
from grader.context import Context
from grader.engine import Engine, Image, State
from grader.errors import SubmissionError
from grader.locked import Confined
from grader.registry import fact, timed
from grader.spec import Exercise

MB = 1_000_000
MEANS = "patched/centroids.json"  # all that the given service's model knows
PICTURES, BATCHES = 200, 2
PAUSE = 0.012  # seconds between an answer and the next picture: nothing is ever made up for
SECONDS = 4.0  # after which no more pictures are sent
PATIENCE = 30.0  # seconds for one answer, and for all that is under way at the end
ENDING = 2.0  # seconds in which the engine notices that a container has ended
SIZE, BRIGHTEST = 64, 16  # of a picture
TAIL = 6  # lines of output in a message

# Runs beside the container, in its network: asks one question after the other.
LOAD = r"""
import http.client, time
end = time.monotonic() + ask["for"]
said["rows"], link = [], None
for path, body in ask["questions"]:
    if time.monotonic() > end:
        break
    began = time.monotonic()
    try:
        link = link or http.client.HTTPConnection(ask["host"], ask["port"], timeout=ask["patience"])
        link.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        reply = link.getresponse()
        status, text = reply.status, reply.read(10_000)[:300].decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as err:
        link, status, text = None, 0, f"{type(err).__name__}: {err}"
    said["rows"].append([status, text, 1000 * (time.monotonic() - began)])
    if not status:
        break
    time.sleep(ask["pause"])
print(json.dumps(said))
"""

_dice = random.SystemRandom()


@dataclass(frozen=True)
class Program:
    """What a container that was made runs, beside what its image says: command lines in one piece.

    ``environment`` are all of its variables, ``brought`` what the submission lays into it.
    """

    confined: Confined
    command: tuple[str, ...]
    of_image: tuple[str, ...]
    environment: Mapping[str, str]
    brought: tuple[str, ...] = ()


@fact
def program(confined: Confined, image: Image, engine: Engine) -> Program:
    """From what the engine says of the container, which has not been started."""
    config = engine.inspect(confined.container).get("Config") or {}
    pairs = (str(row).partition("=") for row in config.get("Env") or ())
    mounted = [str(m.get("Destination")) for m in confined.mounts if m.get("Type") == "bind"]
    laid = [k for k in ("configs", "secrets") if confined.spec.wanted.get(k)]
    return Program(
        confined,
        _command(config),
        _command(image.config),
        {name: value for name, _, value in pairs},
        (*mounted, *laid),
    )


def _command(config: Mapping[str, Any]) -> tuple[str, ...]:
    return (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))


@dataclass(frozen=True)
class Loaded:
    """What came of the load. ``milliseconds`` are of each picture that was sent, in their order.

    ``wrong`` says what was not right about the answers. While the pictures came ``periods`` of the
    scheduler went by, in ``held`` of them it was put on hold, and it used ``cpu`` seconds of a
    processor. ``oom_killed``: the kernel ended some process of it.
    """

    milliseconds: tuple[float, ...]
    batches: int
    wrong: tuple[str, ...]
    periods: int
    held: int
    cpu: float
    oom_killed: bool


@fact
def loaded(confined: Confined, context: Context, engine: Engine, exercise: Exercise) -> Loaded:
    """The given service under pictures, then under batches. Raises SubmissionError when it ends."""
    means = json.loads((context.folder / MEANS).read_text())
    asked = [picture() for _ in range(PICTURES + 1)]
    box = _Box(engine, confined.container, exercise)
    locked.begin(engine, confined, exercise)
    box.ready(asked.pop(), round(int(confined.host.get("Memory") or 0) / MB))
    before = box.counters()
    rows = box.ask([("/predict", {"pixels": one}) for one in asked])
    after = box.counters()
    batches = box.ask([("/batch", {"pictures": 500})] * BATCHES) if _went_on(rows) else []
    digits = [nearest(means, one) for one in asked]
    return Loaded(
        tuple(ms for _, _, ms in rows),
        len(batches),
        (*_wrong(rows, digits), *_wrong(batches, [None] * len(batches))),
        after.periods - before.periods,
        after.throttled - before.throttled,
        after.cpu - before.cpu,
        engine.state(confined.container).oom_killed,
    )


@dataclass(frozen=True)
class Held:
    """What the load cost: as in ``Loaded``."""

    periods: int
    held: int
    cpu: float
    milliseconds: tuple[float, ...]


@timed
@fact
def held(loaded: Loaded) -> Held:
    """The part of the load's outcome that a busy machine can spoil."""
    return Held(loaded.periods, loaded.held, loaded.cpu, loaded.milliseconds)


@dataclass(frozen=True)
class _Box:
    engine: Engine
    container: str
    exercise: Exercise

    def ready(self, first: Sequence[int], memory_mb: int) -> None:
        """Wait until it has answered one picture: then the model is loaded."""
        limits = self.exercise.limits
        mine = replace(limits, memory_mb=memory_mb or limits.memory_mb)
        one = replace(self.exercise, limits=mine)
        with told("Within its limits"):
            running.readied(self.engine, self.container, one, [{"pixels": list(first)}])

    def counters(self) -> usage.Reading:
        """Raises by whose doing it has ended when it has."""
        reading = usage.reading(self.engine.stats(self.container))
        if reading is None:
            self.ended(self.engine.state(self.container))
        return reading

    def ask(self, questions: Sequence[tuple[str, Any]]) -> list[tuple[int, str, float]]:
        ask = {"host": probe.local_address(), "port": self.exercise.port, "questions": questions}
        ask |= {"for": SECONDS, "pause": PAUSE, "patience": PATIENCE}
        said = probe.inject(
            self.engine,
            self.container,
            LOAD,
            ask,
            seconds=SECONDS + PATIENCE,
            ended=self.ended,
        )
        rows = [(int(status), str(text), float(ms)) for status, text, ms in said["rows"]]
        if not _went_on(rows):
            self.unanswered(rows[-1][1] if rows else "nothing was asked in time")
        return rows

    def unanswered(self, why: str) -> None:
        """Tell one that has just ended from one that hangs; whatever else it was is in the rows."""
        end = time.monotonic() + ENDING
        while (state := self.engine.state(self.container)).running and time.monotonic() < end:
            time.sleep(probe.POLL)
        if not state.running:
            self.ended(state)
        if "timed out" in why or "in time" in why:
            late = SubmissionError(f"Under the load: no answer: {why}.")
            raise unless_busy(self.engine, late, self.container)

    def ended(self, state: State) -> NoReturn:
        self.engine.ping()  # a daemon that goes down takes its containers with it
        log = self.engine.logs(self.container, tail=TAIL)
        raise SubmissionError(f"Under the load the container ended with {how(state)}{printed(log)}")


def how(state: State) -> str:
    """How a container ended, in words: its exit code, and what is known of why."""
    code = f"exit code {state.exit_code}"
    if not state.oom_killed:
        return f"{code}."
    killed = "its first process" if state.exit_code == 137 else "a process of it"
    return f"{code}: out of memory, the kernel killed {killed} (OOMKilled is true)."


def printed(log: str) -> str:
    lines = "\n".join(f"    {line}" for line in log.splitlines() if line.strip())
    return f" It printed:\n{lines}" if lines else " It printed nothing."


def picture() -> list[int]:
    """Noise that nobody has seen before."""
    return [_dice.randint(0, BRIGHTEST) for _ in range(SIZE)]


def nearest(means: Sequence[Sequence[float]], pixels: Sequence[int]) -> int:
    """What the given service has to answer."""
    far = [sum((p - m) ** 2 for p, m in zip(pixels, mean, strict=True)) for mean in means]
    return far.index(min(far))


def _went_on(rows: Sequence[tuple[int, str, float]]) -> bool:
    return bool(rows) and rows[-1][0] != 0


def _wrong(rows: Sequence[tuple[int, str, float]], digits: Sequence[int | None]) -> tuple[str, ...]:
    """What is not right about the answers, each thing once."""
    pairs = zip(rows, digits, strict=False)
    found = (_fault(status, text, digit) for (status, text, _), digit in pairs)
    return tuple(dict.fromkeys(what for what in found if what))


def _fault(status: int, text: str, digit: int | None) -> str:
    if status != 200:
        return f"status {status}: {text[:200]}" if status else f"no answer: {text[:200]}"
    said = running.Reply(status, text).digit
    return "" if digit is None or said == digit else f"{said} where {digit} is right"
