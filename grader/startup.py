"""Facts about a service while its model loads, when it can't load it, and when it is told to stop.

Asked from outside, on /live and /ready. What its HEALTHCHECK makes of that is ``faults``'.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from grader import probes
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.faults import NO_MODELS, environment, model_of
from grader.probes import Seen
from grader.registry import fact, timed
from grader.running import start, when_ended
from grader.spec import Exercise
from grader.users import environment as variables

LIVE, READY, PREDICT = "/live", "/ready", "/predict"
PICTURE = {"pixels": [0] * 64}  # any will do: asked is whether it can answer
LOADS = (1.5, 2.2)  # seconds that the slow model takes, drawn anew for each run
BROKEN_SECONDS = 1.5  # how long a service without a model is asked, from its first answer on
AFTER = 0.5  # seconds that are asked on, to see that it says so and stays ready
STRICT = "error::DeprecationWarning"  # makes a warning of Python an exception
HOOKS = "/lab-strict"  # where the container finds what Python runs first
# The same where the program has switched warnings off; for its own files only, because libraries
# may have their reasons. Python runs it by its name before anything of the program.
HOOK = r"""
import os, sys, warnings
home, warn = os.getcwd(), warnings.warn

def strict(message, category=None, stacklevel=1, source=None, **more):
    kind = type(message) if isinstance(message, Warning) else category or UserWarning
    frame = sys._getframe()
    for _ in range(stacklevel):
        frame = frame.f_back or frame
    file = os.path.abspath(frame.f_code.co_filename)
    if issubclass(kind, DeprecationWarning) and file.startswith(home + "/"):
        raise message if isinstance(message, Warning) else kind(message)
    warn(message, category, stacklevel + 1, source, **more)

warnings.warn = strict
"""
PATIENCE = 10  # seconds between SIGTERM and SIGKILL, as `docker stop` has it

_dice = random.SystemRandom()


@dataclass(frozen=True)
class Loading:
    """What the paths answered while the model was loaded, and a little longer."""

    seen: Seen
    delay: float
    container: str = ""

    @property
    def loaded(self) -> float | None:
        """When it could predict: /ready may say so too early, or too late."""
        return self.seen.first(PREDICT, 200)

    @property
    def not_loaded(self) -> float:
        """When it was last seen that it could not."""
        end = self.loaded
        before = (r.last for r in self.seen.of(PREDICT) if r.status != 200)
        return max((at for at in before if end is None or at < end), default=0.0)


@timed
@fact
def loading(image: Image, engine: Engine, exercise: Exercise) -> Loading:
    """A good model that takes a while."""
    delay = _dice.uniform(*LOADS)
    container = start(image, engine, exercise, environment=environment(model_of(image), delay))
    seen = _asked(engine, container, exercise, [PREDICT, READY, LIVE], until=(200,), after=AFTER)
    return Loading(seen, delay, container)


@dataclass(frozen=True)
class NoModel:
    """The same of a service whose model can't be loaded; ``ended`` says how it ended, if it did.

    ``what`` is what it finds where its model should be, in words.
    """

    seen: Seen
    ended: str = ""
    what: str = "There is no model"


@timed
@fact
def no_model(image: Image, engine: Engine, exercise: Exercise) -> NoModel:
    """There is no file where the model should be."""
    return _without(f"/app/models/{_dice.randrange(10**9):x}.onnx", image, engine, exercise)


@timed
@fact
def bad_model(image: Image, engine: Engine, exercise: Exercise) -> NoModel:
    """There is a file, and it is no model: who only looks whether one is there does not notice."""
    seen = _without(_dice.choice(NO_MODELS), image, engine, exercise)
    return replace(seen, what="MODEL_PATH points to a file that is no model")


def _without(path: str, image: Image, engine: Engine, exercise: Exercise) -> NoModel:
    container = start(image, engine, exercise, environment=environment(path))
    try:
        seen = _asked(engine, container, exercise, [LIVE, READY], until=(), after=BROKEN_SECONDS)
    except SubmissionError as err:
        return NoModel(Seen(()), str(err))
    return NoModel(seen)


@dataclass(frozen=True)
class Strict:
    """Whether it gets ready where a deprecation is an exception; ``said`` is what came instead."""

    ready: bool
    said: str = ""


@fact
def strict(image: Image, engine: Engine, exercise: Exercise) -> Strict:
    """Python is told to raise for each DeprecationWarning."""
    path = ":".join(filter(None, (HOOKS, variables(image).get("PYTHONPATH"))))
    settings = {**environment(model_of(image)), "PYTHONWARNINGS": STRICT, "PYTHONPATH": path}
    hook = {f"{HOOKS}/sitecustomize.py": HOOK}
    container = start(image, engine, exercise, environment=settings, files=hook)
    try:
        seen = _asked(engine, container, exercise, [READY], until=(200,))
    except SubmissionError as err:
        return Strict(ready=False, said=str(err))
    last = seen.runs[-1].text if seen.runs else ""
    return Strict(ready=seen.first(READY, 200) is not None, said=last)


@dataclass(frozen=True)
class Stopped:
    """How it ended on SIGTERM; ``PATIENCE`` seconds later it would have been killed."""

    seconds: float
    exit_code: int


@timed
@fact
def told_to_stop(loading: Loading, engine: Engine) -> Stopped:
    """The container that loaded slowly is stopped, when all was asked of it."""
    seconds = engine.stop(loading.container, PATIENCE)
    return Stopped(seconds, engine.state(loading.container).exit_code)


def _asked(
    engine: Engine,
    container: str,
    exercise: Exercise,
    paths: list[str],
    *,
    until: tuple[int, ...],
    after: float = 0,
) -> Seen:
    return probes.watch(
        engine,
        container,
        paths,
        port=exercise.port,
        seconds=exercise.limits.ready_seconds,
        ended=when_ended(engine, container, exercise),
        until=until,
        after=after,
        bodies={PREDICT: PICTURE},
    )
