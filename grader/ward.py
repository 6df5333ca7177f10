"""Makes the patients of lab 09: containers that are ill, each in another way, with random values.

One image for all; what is wrong is in how each was started. ``patients`` tells what ails them.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grader import labels
from grader.build import Request, build
from grader.course import Course
from grader.engine import Engine
from grader.errors import EngineError
from grader.patients import CAUSES, FILE, KIND, Patient, patient_of
from grader.probe import POLL
from grader.work import start

EXERCISE, COUNT = "09-debugging/five-patients", 5
MB, SECOND = 1_000_000, 1_000_000_000
SHOWS = 30.0  # seconds until it must be seen what ails it
TRIES = 3  # a start that came late looks like a second one
FOLDER = "/srv/service"
READY = "import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/ready', timeout=2)"

_dice = random.SystemRandom()


@dataclass(frozen=True)
class Illness:
    """How one container is started; at first, one that is well."""

    port: int
    memory: int
    shm: int
    cache_mb: int = 6
    shared_mb: int = 6
    library: str = "libm.so.6"
    host: str = "0.0.0.0"
    folder: str = FOLDER
    probe: str = ""
    binds: dict[str, str] = field(default_factory=dict)


def well() -> Illness:
    """Values drawn anew each time: what is only read off from one patient fits no other one."""
    port = _dice.randint(8000, 8999)
    probe = f'python -c "{READY.format(port=port)}" || exit 1'
    binds = {_name("notes"): "/notes"}
    memory, shm = (_dice.randint(most // 2, most) * 4096 for most in (20000, 6000))
    return Illness(port, memory, shm, probe=probe, binds=binds)


def _name(what: str) -> str:
    return f"{what}-{secrets.token_hex(3)}"


def _library(one: Illness) -> Illness:
    return replace(one, library=f"lib{_name('blas')}.so.3")


def _memory(one: Illness) -> Illness:
    return replace(one, cache_mb=one.memory // MB + 40)


def _shared(one: Illness) -> Illness:
    return replace(one, shared_mb=one.shm // MB + 20)


def _folder(one: Illness) -> Illness:
    return replace(one, folder=f"/srv/{_name('app')}")


def _probe(one: Illness) -> Illness:
    return replace(one, probe=f"/opt/{_name('tools')}/curl -f localhost:{one.port}/ready || exit 1")


def _model(one: Illness) -> Illness:
    return replace(one, binds={**one.binds, _name("models"): "/models"})


def _loopback(one: Illness) -> Illness:
    return replace(one, host="127.0.0.1")


FAULTS: dict[str, Callable[[Illness], Illness]] = dict(
    zip(CAUSES, (_library, _memory, _shared, _folder, _probe, _model, _loopback), strict=True)
)


def admit(engine: Engine, course: Course) -> tuple[str, ...]:
    """Five new patients with the label of this engine's run; gives their names, in no order.

    Raises EngineError when one does not show what it has.
    """
    image, ward = _image(engine, course), secrets.token_hex(4)
    drawn = _dice.sample(sorted(FAULTS), COUNT)
    made = {cause: _admitted(engine, image, ward, cause) for cause in drawn}
    names = [_shown(engine, container, cause).name for cause, container in made.items()]
    return tuple(sorted(names))


def _image(engine: Engine, course: Course) -> str:
    request = Request(course.app / "ward", engine.labels(KIND))
    made = build(engine.connection, request)
    if not made.image:
        raise EngineError(f"The patients' image could not be built: {made.log.refusal[:300]}")
    return made.image


def _admitted(engine: Engine, image: str, ward: str, cause: str) -> str:
    """Made and started; once more where the start came so late that it looks like a restart."""
    for _ in range(TRIES):
        container = _create(engine, image, ward, FAULTS[cause](well()))
        if why := engine.start(container):
            raise EngineError(f"A patient does not start: {why}")
        if not patient_of(engine, container).touched:
            return container
        engine.remove(container)
    raise EngineError("This machine takes too long to start a container. Try again.")


def _create(engine: Engine, image: str, ward: str, one: Illness) -> str:
    for volume in one.binds:
        engine.volume(volume, kind=f"{KIND}-{ward}")
    probe = {
        "test": ["CMD-SHELL", one.probe],
        "interval": SECOND,
        "timeout": 5 * SECOND,
        "retries": 2,
        "start_period": 0,
    }
    how: dict[str, Any] = {
        "shm_size": one.shm,
        "binds": [f"{name}:{path}:nocopy" for name, path in one.binds.items()],
        "port_bindings": {one.port: ("127.0.0.1", None)},
    }
    return engine.create(
        image,
        kind=f"{KIND}-{ward}",
        environment={
            "NATIVE_LIBRARY": one.library,
            "SHARED_MB": str(one.shared_mb),
            "CACHE_MB": str(one.cache_mb),
            "HOST": one.host,
            "PORT": str(one.port),
        },
        healthcheck=probe,
        network="bridge",
        memory=one.memory,
        pids=64,
        working_dir=one.folder,
        ports=[one.port],
        **how,
    )


def _shown(engine: Engine, container: str, cause: str) -> Patient:
    end = time.monotonic() + SHOWS
    while True:
        one = patient_of(engine, container)
        if one.ails and one.ails.cause == cause:
            return one
        if time.monotonic() > end:
            log = engine.logs(container, tail=3)
            raise EngineError(
                f"A patient that was to have {cause} does not show it: {one.seen}. {log}"
            )
        time.sleep(POLL)


def patients_command() -> int:
    """``grader patients``: five new ones in the place of those that were there before."""
    course = Course.find()
    print(told(admitted_anew(course)))
    return 0


def admitted_anew(course: Course, run: str = "") -> tuple[str, ...]:
    """New patients, which stay when this process ends, and their names in the answer file.

    Earlier ones of the same ``run`` (of the lab's notebook, where none is named) go.
    """
    exercise = course.exercise(EXERCISE)
    engine = Engine.open()
    engine.run = run or course.run(exercise.lab)
    _discharge(engine)
    names = admit(engine, course)
    engine.api.close()  # and not engine.close(), which would remove them
    start(course, exercise)
    write_template(course.workplace(exercise) / FILE, names)
    return names


def _discharge(engine: Engine) -> None:
    """All wards of this engine's run, with their volumes."""
    mine = {id_ for id_, _, value in engine.labelled(labels.RUN) if value == engine.run}
    kinds = {kind for id_, _, kind in engine.labelled(labels.KIND) if id_ in mine}
    for kind in kinds:
        if kind.startswith(f"{KIND}-"):
            engine.clear(kind)


def told(names: Sequence[str]) -> str:
    """For who asked for them."""
    rows = "\n".join(f"  {name}" for name in names)
    return f"Five patients were admitted. `docker ps -a` shows them, too:\n{rows}"


def write_template(path: Path, names: Sequence[str]) -> None:
    """Put the names into an answer file, below the comment that it opens with."""
    head = path.read_text(encoding="utf-8").partition("\n[")[0].rstrip("\n")
    rows = "\n".join(f'[{name}]\ncause = ""\nevidence = ""\n' for name in names)
    path.write_text(f"{head}\n\n{rows}", encoding="utf-8")
