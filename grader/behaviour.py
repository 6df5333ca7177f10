"""Facts about a submission that runs under a constraint: does it get ready, and does it answer?

Each constraint has a container of its own, so that they run side by side; that a service needs no
network is what ``running.service`` shows of each. How it stops is ``stopping``'s, what it says of
itself ``observed``'s. No verdicts here.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from grader.clock import moment
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.references import Answer
from grader.registry import fact
from grader.running import (
    HEALTH_INTERVAL,
    Questions,
    Reply,
    health_of,
    readied,
    start,
    when_ended,
)
from grader.spec import Exercise

ASKED = 3  # pictures that a constrained service is asked about
SIZE, BRIGHTEST = 64, 16  # of a picture that nobody knows the answer to
UIDS = (1_000_000_000, 1_999_999_999)  # where a user ID is drawn from that no image has
HEALTHY_SECONDS = 20.0  # how long a ready service may take to be called healthy
# Docker adds what an image says itself: its start period would put off the first probe.
QUICK = {"interval": HEALTH_INTERVAL, "start_period": 1_000_000}

# A start is mostly work for a processor: a dozen at once would each look slow to get ready.
AT_ONCE = 2 * (os.cpu_count() or 1)

_dice = random.SystemRandom()
_turns = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Asked:
    """Pictures to ask about, and the answers where they are known."""

    bodies: tuple[Mapping[str, Any], ...]
    answers: tuple[Answer | None, ...]


def pictures(questions: Questions, count: int = ASKED) -> Asked:
    """Some of the exercise's own questions; where it has none, noise, drawn anew for each run."""
    known = questions.noisy[:count]
    if known:
        return Asked(tuple({"pixels": a.pixels} for a in known), tuple(known))
    rows = ([_dice.randint(0, BRIGHTEST) for _ in range(SIZE)] for _ in range(count))
    return Asked(tuple({"pixels": row} for row in rows), (None,) * count)


@dataclass(frozen=True)
class Ran:
    """A service that became ready under a constraint. ``memory`` is what it used then, in bytes.

    ``health`` is None without a HEALTHCHECK; ``uids`` are those of its processes, as the engine's
    host sees them; ``oom_killed`` says that the kernel ended some process of it.
    """

    ready_seconds: float
    asked: Asked
    replies: tuple[Reply, ...]
    health: str | None = None
    uids: tuple[int, ...] = ()
    memory: int = 0
    oom_killed: bool = False

    @property
    def wrong(self) -> tuple[str, ...]:
        """What is not right about its answers, in words."""
        pairs = zip(self.replies, self.asked.answers, strict=False)
        told = [what for reply, answer in pairs if (what := _difference(reply, answer))]
        lost = len(self.asked.bodies) - len(self.replies)
        return (*told, *(("no answer in time",) if lost else ()))


def _difference(reply: Reply, answer: Answer | None) -> str:
    if reply.status != 200:
        return f"status {reply.status}: {reply.text[:200]}"
    if answer is not None and reply.digit != answer.digit:
        return f"{reply.digit} where {answer.digit} is right"
    return ""


@contextmanager
def told(how: str) -> Iterator[None]:
    """Put in front of a student's mistake under which constraint it showed."""
    try:
        yield
    except SubmissionError as err:
        raise SubmissionError(
            f"{how}: {err}", line=err.line, file=err.file, evidence=err.evidence
        ) from err


@dataclass(frozen=True)
class Up:
    """A container of the submission that is ready; ``ready_at`` is in seconds since 1970."""

    container: str
    ready_at: float
    replies: tuple[Reply, ...] = ()


def up(
    image: Image,
    engine: Engine,
    exercise: Exercise,
    *,
    bodies: tuple[Mapping[str, Any], ...] = (),
    **how: Any,
) -> Up:
    """Start one more, when it is its turn, and wait until it is ready; ``how`` as ``start``."""
    with _turns:
        container = start(image, engine, exercise, **how)
        return Up(container, *readied(engine, container, exercise, bodies))


def run_so(
    image: Image, questions: Questions, engine: Engine, exercise: Exercise, **how: Any
) -> Ran:
    """Run it in a container of its own; ``how`` are settings of ``Engine.create``."""
    asked = pictures(questions)
    healthcheck = QUICK if image.healthcheck else None
    one = up(image, engine, exercise, bodies=asked.bodies, healthcheck=healthcheck, **how)
    container = one.container
    uids = {uid for _, uid, _ in engine.processes(container)}
    usage = engine.stats(container).get("memory_stats") or {}
    health = health_of(engine, container, HEALTHY_SECONDS).status
    state = engine.state(container)
    if not state.running:
        when_ended(engine, container, exercise)(state)
    return Ran(
        ready_seconds=max(0.0, one.ready_at - moment(state.started_at)),
        asked=asked,
        replies=one.replies,
        health=health,
        uids=tuple(sorted(uids)),
        memory=int(usage.get("usage") or 0),
        oom_killed=state.oom_killed,
    )


def settings(exercise: Exercise, check: str, name: str) -> tuple[Any, ...]:
    """What an exercise sets ``name`` to wherever it uses a check: facts that hang on a setting."""
    found = (i.settings.get(name) for i in exercise.items if i.check.name == check)
    return tuple(dict.fromkeys(value for value in found if value is not None))


# -- constraints -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReadOnly:
    """Run with a root file system that nothing can be written to, but for /tmp."""

    ran: Ran


@fact
def read_only_run(
    image: Image, questions: Questions, engine: Engine, exercise: Exercise
) -> ReadOnly:
    """As ``docker run --read-only --tmpfs /tmp`` runs it."""
    with told("With --read-only --tmpfs /tmp"):
        how: dict[str, Any] = {"read_only": True, "tmpfs": {"/tmp": "size=64m,mode=1777"}}
        return ReadOnly(run_so(image, questions, engine, exercise, **how))


@dataclass(frozen=True)
class Powerless:
    """Run without any capability, and without a way to get one."""

    ran: Ran


@fact
def powerless_run(
    image: Image, questions: Questions, engine: Engine, exercise: Exercise
) -> Powerless:
    """As ``docker run --cap-drop ALL --security-opt no-new-privileges`` runs it."""
    with told("With --cap-drop ALL --security-opt no-new-privileges"):
        how: dict[str, Any] = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
        return Powerless(run_so(image, questions, engine, exercise, **how))


@dataclass(frozen=True)
class AnyUser:
    """Run as ``uid``, a number that the image has never heard of, in group 0."""

    ran: Ran
    uid: int


@fact
def any_user_run(image: Image, questions: Questions, engine: Engine, exercise: Exercise) -> AnyUser:
    """As OpenShift runs it: ``docker run --user NUMBER:0``."""
    uid = _dice.randint(*UIDS)
    with told(f"With --user {uid}:0"):
        return AnyUser(run_so(image, questions, engine, exercise, user=f"{uid}:0"), uid)


@dataclass(frozen=True)
class Cramped:
    """Run with less memory: for each limit in MB what came of it, or the student's error."""

    by_limit: Mapping[float, Ran | SubmissionError] = field(default_factory=dict)


@fact
def cramped_runs(image: Image, questions: Questions, engine: Engine, exercise: Exercise) -> Cramped:
    """As ``docker run --memory N --memory-swap N`` runs it, for each N that is asked for."""
    found: dict[float, Ran | SubmissionError] = {}
    for limit in settings(exercise, "limits.fits", "memory_mb"):
        tight = replace(exercise, limits=replace(exercise.limits, memory_mb=limit))
        try:
            with told(f"With --memory {limit:g}m --memory-swap {limit:g}m"):
                found[limit] = run_so(image, questions, engine, tight)
        except SubmissionError as err:
            found[limit] = err
    return Cramped(found)
