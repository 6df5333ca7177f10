"""Facts about an image's HEALTHCHECK: what it says when the service in the container is broken.

Each fault has a container of its own, so that they run side by side. The student's probe is kept;
interval, time-out and retries are ours, because nobody waits for 30 s here. What the probe prints
is shown, never believed. No verdicts here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from grader import probes
from grader.busy import unless_busy
from grader.clock import moment
from grader.dockerfile import Dockerfile
from grader.engine import Engine, HealthProbe, Image
from grader.errors import NotMeasurable, SubmissionError
from grader.look import File
from grader.probes import Seen
from grader.registry import fact, timed
from grader.running import Health, start, when_ended
from grader.spec import Exercise
from grader.users import environment as variables
from grader.watched import Watch, Watched, signal_all

MODEL = "/app/models/digits.onnx"  # where the service looks when MODEL_PATH does not say
MS = 1_000_000  # nanoseconds
# Milliseconds between two probes. A probe that comes while the server still starts tells nothing,
# and slows four of them down.
INTERVAL, AFTER_START = 700, 1500
TIMEOUT = 5000  # milliseconds for one of them: long, so that a busy machine is not taken for a no
SLOW = (1.5, 2.1)  # seconds that the slow model takes, drawn anew for each run
LONGER = (1, 4)  # times as long, where no probe came to an end while it loaded
# Seconds that a worker may have been loading when the first answer was seen: questions are asked
# every 0.1 s, and accepting one takes its time.
BEGUN = 0.25
NO_MODELS = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")  # files that every container has
DEFAULTS = {"Interval": 30.0, "Timeout": 30.0, "StartPeriod": 0.0}  # Docker's, in seconds
SLEEP = 600  # seconds that the command sleeps which takes the service's place
COSTED = 2  # probes whose CPU time is measured

_dice = random.SystemRandom()


@dataclass(frozen=True)
class Healthcheck:
    """The image's own HEALTHCHECK as the engine keeps it, and its line in the Dockerfile."""

    config: Mapping[str, Any]
    line: int | None = None

    def seconds(self, key: str) -> float:
        """``Interval``, ``Timeout`` or ``StartPeriod``; what Docker takes where none is given."""
        return float(self.config.get(key) or 0) / 1e9 or DEFAULTS[key]

    @property
    def retries(self) -> int:
        return int(self.config.get("Retries") or 3)

    def quick(self, *, retries: int = 1, interval: int = INTERVAL) -> dict[str, object]:
        """The same test with numbers of ours.

        All of them: Docker merges what is given at create with what the image says.
        """
        return {
            "test": self.config["Test"],
            "interval": interval * MS,
            "timeout": TIMEOUT * MS,
            "start_period": MS,
            "retries": retries,
        }


@fact
def healthcheck(image: Image, dockerfile: Dockerfile) -> Healthcheck:
    """What the image says. Raises SubmissionError when it has none."""
    lines = [i.line for i in dockerfile.instructions if i.name == "HEALTHCHECK"]
    line = lines[-1] if lines else None
    if not (found := image.healthcheck):
        raise SubmissionError(
            "The image has no HEALTHCHECK. Add one that asks the service.", line=line
        )
    return Healthcheck(dict(found), line)


def respelled(path: str) -> str:
    """Another way to write the same path, so that a probe can't know a fault by its name."""
    parts = PurePosixPath(path).parts
    return "/" + "/".join("./" * _dice.randint(0, 2) + part for part in parts[1:])


def model_of(image: Image) -> str:
    """Where this image's service takes its model from."""
    return variables(image).get("MODEL_PATH", MODEL)


def environment(model: str, delay: float | None = None) -> dict[str, str]:
    """Both variables, always: that one is set tells a probe nothing."""
    delay = _dice.uniform(0.01, 0.2) if delay is None else delay
    return {"MODEL_PATH": respelled(model), "LOAD_DELAY_S": f"{delay:.3f}"}


# -- the model -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """A service that answers and can't work; ``settled`` is when it first answered anything."""

    watched: Watched
    settled: float | None

    @property
    def counted(self) -> tuple[HealthProbe, ...]:
        """The probes from then on: before, the server was not up, which every probe notices."""
        return self.watched.since(self.settled) if self.settled is not None else ()


@timed
@fact
def broken(image: Image, healthcheck: Healthcheck, engine: Engine, exercise: Exercise) -> Broken:
    """The service is up, and the file that it is told to load is no model.

    Not simply no file: a probe could look for that by itself, without a word to the service.
    """
    container = start(
        image,
        engine,
        exercise,
        healthcheck=healthcheck.quick(interval=AFTER_START),
        environment=environment(_dice.choice(NO_MODELS)),
    )
    watch = Watch(engine, container)
    with watch.meanwhile():
        seen = _asked(engine, container, exercise, until=(500,))
    settled = seen.first("/ready", 500)
    if settled is not None:
        watch.until(lambda w: bool(w.since(settled)))
    return Broken(_done(watch), settled)


def _asked(engine: Engine, container: str, exercise: Exercise, *, until: tuple[int, ...]) -> Seen:
    return probes.watch(
        engine,
        container,
        ["/ready"],
        port=exercise.port,
        seconds=exercise.limits.ready_seconds,
        ended=when_ended(engine, container, exercise),
        until=until,
    )


@dataclass(frozen=True)
class Slow:
    """A model that takes a while. ``not_ready`` is until when nothing of it can have been ready."""

    watched: Watched
    not_ready: float
    ready: float | None
    delay: float
    watch: Watch | None = field(default=None, repr=False)
    meter: Meter | None = None
    up: float = 0.0  # since when it answered at all

    @property
    def during(self) -> tuple[HealthProbe, ...]:
        """The probes that began once it answered and ended before anything could be ready."""
        return tuple(p for p in self.watched.since(self.up) if moment(p.end) < self.not_ready)

    @property
    def early(self) -> tuple[HealthProbe, ...]:
        """The probes that had said yes before the service was ready."""
        good = (p for p in self.watched.probes if p.exit_code == 0)
        return tuple(p for p in good if moment(p.end) < self.not_ready)


@timed
@fact
def slow(image: Image, healthcheck: Healthcheck, engine: Engine, exercise: Exercise) -> Slow:
    """The model is there, and loading it takes longer than the server needs to start.

    Without a probe that met it loading nothing is known; on a busy machine one may take long.
    """
    for times in LONGER:
        found = _slow(image, healthcheck, engine, exercise, _dice.uniform(*SLOW) * times)
        if found.ready is None or found.during:
            return found
        if found.watch:
            _done(found.watch)
    text = f"In {found.delay:.0f} s of loading no probe came to an end. Make it quicker."
    raise unless_busy(engine, SubmissionError(text, line=healthcheck.line))


def _slow(
    image: Image, healthcheck: Healthcheck, engine: Engine, exercise: Exercise, delay: float
) -> Slow:
    container = start(
        image,
        engine,
        exercise,
        healthcheck=healthcheck.quick(retries=1000),
        environment=environment(model_of(image), delay),
    )
    watch = Watch(engine, container)
    with watch.meanwhile():
        seen = _asked(engine, container, exercise, until=(200,))
    ready = seen.first("/ready", 200)
    before = [
        r.last for r in seen.of("/ready") if r.status != 200 and (not ready or r.last < ready)
    ]
    # Of several workers one may be ready, and say so to the probe, while another answers us 503.
    up = seen.first("/ready") or 0.0
    not_ready = min(max(before, default=0.0), up + delay - BEGUN)
    if ready is not None:
        watch.until(lambda w: w.last == "healthy")
    return Slow(watch.look(), not_ready, ready, delay, watch, Meter.read(watch), up)


# -- the process -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frozen:
    """Two looks at one container: while it was stopped, and when it went on."""

    during: Watched
    after: Watched
    stopped: float

    @property
    def seconds(self) -> float | None:
        """From the stop to the end of the first probe that noticed it."""
        ends = [moment(p.end) for p in self.during.since(self.stopped) if p.exit_code != 0]
        return ends[0] - self.stopped if ends else None


@timed
@fact
def frozen(health: Health, container: str, engine: Engine) -> Frozen:
    """Every process of the healthy container is stopped for a while, as if it hung, and goes on.

    Nothing else needs that container any more: its service was asked before.
    """
    watch, stopped = Watch(engine, container), time.time()
    if health.status != "healthy":
        return Frozen(watch.look(), watch.look(), stopped)
    signal_all(engine, container, "SIGSTOP")
    # What began before may still say yes; two that began after decide.
    decided = watch.until(lambda w: w.last == "unhealthy" or len(w.since(stopped)) > 1)
    signal_all(engine, container, "SIGCONT")
    watch.until(lambda w: w.last == "healthy")
    return Frozen(decided, _done(watch), stopped)


@dataclass(frozen=True)
class Replaced:
    """The same image, and something else runs in it; ``command`` says what."""

    watched: Watched
    command: str


@timed
@fact
def replaced(
    image: Image, healthcheck: Healthcheck, engine: Engine, exercise: Exercise, facts: Any
) -> Replaced:
    """The image with a command that only sleeps: nothing serves, nothing is healthy."""
    how: dict[str, Any] = {"command": [], "healthcheck": healthcheck.quick(interval=INTERVAL // 2)}
    for find in (_sleep, _python):
        command = find(facts)
        try:
            container = start(image, engine, exercise, entrypoint=command, **how)
        except SubmissionError:
            continue  # there is no such program in this image
        watched = Watch(engine, container).until(lambda w: len(w.probes) > 1)
        if engine.state(container).running:
            engine.signal(container, "SIGKILL")
            return Replaced(watched, " ".join(command))
    raise NotMeasurable("Not measured: nothing in the image can be told to wait.")


def _sleep(_: Any) -> list[str]:
    return ["sleep", str(SLEEP)]


def _python(facts: Any) -> list[str]:
    """A command that waits, for an image without sleep."""
    files: tuple[File, ...] = facts.get("files")
    found = sorted(f.path for f in files if "/bin/python3" in f.path and f.kind in "01")
    return [*(found[:1] or ["python3"]), "-c", f"import time; time.sleep({SLEEP})"]


# -- the price -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Meter:
    """A reading: probes that had ended, CPU seconds of all that ever ran, processes there now."""

    probes: int
    cpu_seconds: float
    pids: frozenset[int]

    @classmethod
    def read(cls, watch: Watch) -> Meter:
        count = len(watch.look().probes)
        usage = watch.engine.stats(watch.container)["cpu_stats"]["cpu_usage"]["total_usage"]
        pids = frozenset(pid for pid, _, _ in watch.engine.processes(watch.container))
        return cls(count, float(usage) / 1e9, pids)


@dataclass(frozen=True)
class Cost:
    """What a probe takes: CPU seconds each, and the processes that ``probes`` of them left."""

    cpu_seconds: float
    left: int
    probes: int


@fact
def cost(slow: Slow) -> Cost:
    """Measured where all is well and idle, from the end of one probe to that of a later one."""
    watch, start = slow.watch, slow.meter
    if watch is None or start is None:
        raise NotMeasurable("Not measured: the service did not get ready.")
    watch.until(lambda w: len(w.probes) >= start.probes + COSTED)
    end = Meter.read(watch)
    count, left = end.probes - start.probes, end.pids - start.pids
    if count < 1:
        raise NotMeasurable("Not measured: the engine ran no probe while its cost was measured.")
    if left:  # perhaps the next probe, which began just now: it ends before the one after it
        watch.until(lambda w: len(w.probes) >= end.probes + 2)
        left &= Meter.read(watch).pids
    _done(watch)
    return Cost(max(0.0, end.cpu_seconds - start.cpu_seconds) / count, len(left), count)


def _done(watch: Watch) -> Watched:
    """What was seen of it; it is ended, because its probes cost the other ones their time."""
    seen = watch.look()
    watch.engine.signal(watch.container, "SIGKILL")
    return seen
