"""Facts about a submission's running container: is it up, what does it answer, is it healthy?

How facts are found and remembered, and all that needs no running container, is ``facts``. No
verdicts here.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader import probe
from grader.busy import unless_busy
from grader.clock import moment
from grader.engine import Engine, Image, State
from grader.errors import SubmissionError
from grader.facts import Reference
from grader.references import Answer
from grader.registry import fact, timed
from grader.spec import Exercise

HEALTH_INTERVAL = 500_000_000  # nanoseconds between two health probes while we watch
QUICK_INTERVAL = 800_000_000  # the same, where several containers start side by side
QUICK_TIMEOUT = 6_000_000_000  # nanoseconds for one probe, where a frozen service is looked at
HEALTH_SECONDS = 15  # how long a service that is ready may take to be called healthy
TAIL = 12  # lines of a dead container's output that a message shows


@dataclass(frozen=True)
class Questions:
    """What the service is asked in one go: noisy digits, then the held-out ones."""

    noisy: tuple[Answer, ...] = ()
    held_out: tuple[tuple[tuple[int, ...], int], ...] = ()

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        return [
            *({"pixels": a.pixels} for a in self.noisy),
            *({"pixels": pixels} for pixels, _ in self.held_out),
        ]


@dataclass(frozen=True)
class Reply:
    """One answer of the service: ``status`` is 0 when none came."""

    status: int
    text: str

    @property
    def digit(self) -> int | None:
        value = self._json().get("digit")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def proba(self) -> list[float]:
        value = self._json().get("proba")
        try:
            return [float(p) for p in value] if isinstance(value, list) else []
        except (TypeError, ValueError, OverflowError):
            return []

    def _json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Service:
    """A server that became ready. ``ready_seconds`` counts from the container's start."""

    ready_seconds: float
    questions: Questions = field(default_factory=Questions)
    noisy: tuple[Reply, ...] = ()
    held_out: tuple[Reply, ...] = ()


@dataclass(frozen=True)
class Health:
    """What the engine says of the image's own HEALTHCHECK: ``status`` is None without one."""

    status: str | None
    log: str = ""


@fact
def questions(exercise: Exercise, reference: Reference) -> Questions:
    """Fresh for each run, so that no answer can be prepared."""
    noisy: list[Answer] = []
    held_out: list[tuple[tuple[int, ...], int]] = []
    for item in exercise.items:
        if item.check.name == "service.predicts":
            pool = reference.answers(str(item.settings["of"]))
            count = min(len(pool), int(str(item.settings["count"])))
            noisy = secrets.SystemRandom().sample(pool, count)
        if item.check.name == "service.accuracy":
            held_out = reference.all.held_out()
    return Questions(tuple(noisy), tuple(held_out))


@fact
def container(image: Image, engine: Engine, exercise: Exercise) -> str:
    """A running container of the image: no network, its memory and processes limited."""
    healthcheck: dict[str, object] = {"interval": HEALTH_INTERVAL}
    if any(item.check.name == "health.fails_frozen" for item in exercise.items):
        healthcheck = {"interval": QUICK_INTERVAL, "timeout": QUICK_TIMEOUT, "retries": 1}
    numbers = healthcheck if image.healthcheck else None
    return start(image, engine, exercise, healthcheck=numbers)


def start(
    image: Image,
    engine: Engine,
    exercise: Exercise,
    *,
    healthcheck: Mapping[str, object] | None = None,
    files: Mapping[str, str] | None = None,
    **how: Any,
) -> str:
    """Create and start one, limited so; ``how`` are more settings of ``Engine.create``.

    ``files`` maps paths in it to what we write there before it starts.
    """
    if not (image.config.get("Cmd") or image.config.get("Entrypoint")):
        raise SubmissionError("The image does not say what to run. Add a CMD line.")
    made = engine.create(
        image.id,
        memory=round(exercise.limits.memory_mb * 1e6),
        pids=int(exercise.limits.pids),
        healthcheck=healthcheck,
        **how,
    )
    for path, text in (files or {}).items():
        engine.write(made, path, text.encode())
    if why := engine.start(made):
        raise SubmissionError(f"The container does not start: {_runc(why)}")
    return made


def when_ended(engine: Engine, container: str, exercise: Exercise) -> Callable[[State], None]:
    """What a probe calls when the container has stopped: raises by whose doing that was."""

    def ended(state: State) -> None:
        engine.ping()  # a daemon that goes down takes its containers with it
        raise SubmissionError(_ended(engine, container, state, exercise))

    return ended


def readied(
    engine: Engine, container: str, exercise: Exercise, bodies: Sequence[Mapping[str, Any]] = ()
) -> tuple[float, tuple[Reply, ...]]:
    """Wait until it is ready and ask it; gives when that was (since 1970), and the answers.

    Raises SubmissionError when it does not get ready or ends; on a busy machine EngineError.
    """
    said = probe.talk(
        engine,
        container,
        port=exercise.port,
        bodies=list(bodies),
        seconds=exercise.limits.ready_seconds,
        ready=exercise.ready,
        ended=when_ended(engine, container, exercise),
    )
    if said["ready_at"] is None:
        late = SubmissionError(_never_ready(engine, container, said, exercise))
        raise late if said["loopback_only"] else unless_busy(engine, late, container)
    return float(said["ready_at"]), tuple(Reply(s, text) for s, text in said["answers"])


@fact
def service(questions: Questions, container: str, engine: Engine, exercise: Exercise) -> Service:
    """The server, ready, with its answers. Raises SubmissionError when it does not get ready."""
    started = engine.state(container).started_at
    ready_at, replies = readied(engine, container, exercise, questions.bodies)
    count = len(questions.noisy)
    seconds = max(0.0, ready_at - moment(started))
    return Service(seconds, questions, replies[:count], replies[count:])


@timed
@fact
def health(service: Service, container: str, engine: Engine) -> Health:
    """The HEALTHCHECK's verdict once the service is ready."""
    return health_of(engine, container, HEALTH_SECONDS)


def health_of(engine: Engine, container: str, seconds: float) -> Health:
    """The HEALTHCHECK's verdict on a service that is ready, waited for."""
    end = time.monotonic() + seconds
    while True:
        state = engine.state(container)
        if state.health in (None, "healthy") or not state.running or time.monotonic() > end:
            return Health(state.health, state.health_log)
        time.sleep(probe.POLL)


@fact
def processes(service: Service, container: str, engine: Engine) -> list[tuple[int, int, str]]:
    """(pid, uid, command) of every process while the service is up, as the host sees them."""
    return engine.processes(container)


def _runc(why: str) -> str:
    """The part of runc's message that says what is wrong with the command."""
    short = why.rpartition("runc create failed: ")[2] or why
    return short.replace("unable to start container process: ", "").strip()[:400]


def _ended(engine: Engine, container: str, state: State, exercise: Exercise) -> str:
    log = engine.logs(container, tail=TAIL)
    killed = ""
    if state.oom_killed:
        killed = f" It used more than {exercise.limits.memory_mb:g} MB of memory."
    if container in engine.too_big:
        killed = f" It was ended: it wrote more than {exercise.limits.disk_mb:g} MB of disk."
    return f"The container ended with exit code {state.exit_code}.{killed}{_printed(log)}"


def _never_ready(engine: Engine, container: str, said: Mapping[str, Any], one: Exercise) -> str:
    if said["loopback_only"]:
        return (
            f"The server listens on 127.0.0.1:{one.port} only, so nobody outside the container can"
            " reach it. Make it listen on 0.0.0.0 (uvicorn: --host 0.0.0.0)."
        )
    seen = f"GET {one.ready} answered {said['status']}: {said['error']}"
    if said["status"] is None:
        seen = f"nothing answers on port {one.port} ({said['error']})"
    log = engine.logs(container, tail=TAIL)
    return f"Not ready after {one.limits.ready_seconds:g} s: {seen}.{_printed(log)}"


def _printed(log: str) -> str:
    lines = "\n".join(f"    {line}" for line in log.splitlines() if line.strip())
    return f" It printed:\n{lines}" if lines else " It printed nothing."
