"""Facts about one submission: each worked out once, when a check first asks for it.

A fact is a plain function whose parameters are other facts. A failure is remembered like a value,
so a broken image is built once and not once a check. No verdicts here.
"""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader import references
from grader.blame import Judge
from grader.build import Build, Request
from grader.build import build as run_build
from grader.buildlog import BuildEvent
from grader.context import Context, assemble
from grader.course import Course
from grader.dockerfile import MOST_BYTES, Dockerfile
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.look import File
from grader.references import Answer, References
from grader.registry import FACTS, fact
from grader.spec import Exercise

if TYPE_CHECKING:
    from grader.host.doctor import Row

# Facts that ``grade`` hands over instead of working them out.
GIVEN = ("course", "exercise", "submission", "engine", "scratch", "watcher")
TAG_LINE = 'TAG = "course"'  # the line of train.py that says what to write into the model


@dataclass(frozen=True)
class Watcher:
    """Who is told of a build's progress, and who may cancel it."""

    on_event: Callable[[BuildEvent], None] | None = None
    cancel: threading.Event | None = None


class Facts:
    """``get("image")`` builds; ``get("service")`` also starts a container and talks to it.

    Safe to ask from many threads: the first one works it out, the others wait for it.
    """

    def __init__(self, given: Mapping[str, Any], *, no_engine: Exception | None = None) -> None:
        self.given, self.no_engine = dict(given), no_engine
        self._known: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Any:
        """The fact. Raises what working it out raised, each time it is asked for."""
        if name == "engine" and self.no_engine:
            raise self.no_engine
        if name in self.given:
            return self.given[name]
        with self._lock:
            future, mine = self._known.get(name), name not in self._known
            if future is None:
                future = self._known[name] = Future()
        if mine:
            self._work_out(name, future)
        return future.result()

    def known(self, name: str) -> Any:
        """The fact if it was worked out and did not fail, else None."""
        future = self._known.get(name)
        good = future is not None and future.done() and future.exception() is None
        return future.result() if good and future is not None else None

    def _work_out(self, name: str, future: Future[Any]) -> None:
        try:
            one = FACTS[name]
            future.set_result(one.work(*[self.get(need) for need in one.needs]))
        except BaseException as err:  # noqa: BLE001  remembered, and raised at each get()
            future.set_exception(err)


@fact
def machine(engine: Engine) -> dict[str, Row]:
    """What `grader doctor` sees, by its rows' keys."""
    from grader.host.doctor import examine

    engine.ping()
    return {row.key: row for row in examine()}


@fact
def context(submission: Path, course: Course, exercise: Exercise, scratch: Path) -> Context:
    """The submission with the course's given files laid over it, in a folder of our own."""
    return assemble(
        submission,
        course.app,
        exercise.given,
        scratch / "context",
        max_mb=exercise.limits.context_mb,
    )


@fact
def dockerfile(submission: Path) -> Dockerfile:
    """The submission's Dockerfile, parsed."""
    path = submission / "Dockerfile"
    if path.is_dir():
        raise SubmissionError("Dockerfile is a folder. It must be a file of that name.")
    if path.is_symlink() and not _leads_inside(path, submission):
        raise SubmissionError(
            "Dockerfile is a link out of the folder or to nothing. Hand in a file."
        )
    if not path.is_file():
        near = [p.name for p in sorted(submission.glob("*")) if _is_meant(p.name)]
        other = f" There is {near[0]!r}: rename it." if near else ""
        raise SubmissionError(f"There is no file called Dockerfile in {submission.name}.{other}")
    with path.open("rb") as file:
        return Dockerfile.parse(file.read(MOST_BYTES + 1))


def _is_meant(name: str) -> bool:
    """Whether a file of this name was meant to be the Dockerfile."""
    return bool(re.fullmatch(r"dockerfile([._-].*)?|.*\.dockerfile|containerfile", name, re.I))


def _leads_inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # nowhere, or round in a circle
        return False


@fact
def judge(engine: Engine, exercise: Exercise) -> Judge:
    """Who tells the machine's failures from the student's."""
    return Judge(
        engine.connection,
        exercise.images,
        engine.ping,
        engine.labels("canary"),
        engine.data_root,
    )


@fact
def build(
    context: Context,
    dockerfile: Dockerfile,
    engine: Engine,
    exercise: Exercise,
    judge: Judge,
    watcher: Watcher,
) -> Build:
    """The submission's build. Raises SubmissionError or EngineError by whose failure it was."""
    engine.ping()
    request = Request(context.folder, engine.labels("submission"), limits=exercise.limits)
    made = run_build(
        engine.connection,
        request,
        parsed=dockerfile,
        data_root=engine.data_root,
        on_event=watcher.on_event,
        cancel=watcher.cancel,
    )
    if not made.image:
        raise _with_links(judge.error(made, exercise.limits), context)
    return made


def _with_links(error: Exception, context: Context) -> Exception:
    """A link out of the folder is not followed; a build that fails may have wanted it."""
    if not context.outside_links or not isinstance(error, SubmissionError):
        return error
    note = f" Note that {context.outside_links[0]} points out of the folder and is not followed."
    return SubmissionError(f"{error}{note}", line=error.line, evidence=error.evidence)


@fact
def image(build: Build, engine: Engine) -> Image:
    """The built image as the engine knows it."""
    return engine.image(build.image)


@fact
def files(image: Image, engine: Engine) -> tuple[File, ...]:
    """Every path of the final file system."""
    return engine.files(image.id)


@dataclass(frozen=True)
class Retrained:
    """A second build, from a train.py that writes ``token`` into the model."""

    token: str
    reader: Reader


@fact
def retrained(
    build: Build,
    context: Context,
    dockerfile: Dockerfile,
    engine: Engine,
    exercise: Exercise,
    judge: Judge,
    scratch: Path,
    watcher: Watcher,
) -> Retrained:
    """The same build with one line of train.py changed: proves where the model comes from."""
    token = f"lab{secrets.token_hex(16)}"
    folder = scratch / "retrained"
    shutil.copytree(context.folder, folder, symlinks=True)
    script = folder / "train.py"
    script.write_text(script.read_text().replace(TAG_LINE, f'TAG = "{token}"'))
    request = Request(folder, engine.labels("canary"), limits=exercise.limits)
    made = run_build(
        engine.connection,
        request,
        parsed=dockerfile,
        data_root=engine.data_root,
        cancel=watcher.cancel,
    )
    if not made.image:
        raise judge.error(made, exercise.limits)
    return Retrained(token, Reader(engine, made.image))


@dataclass(frozen=True)
class Reader:
    """Reads single files of the built image without running anything of it."""

    engine: Engine
    image: str

    def read(self, path: str) -> bytes | None:
        with self.engine.created(self.image) as container:
            return self.engine.read(container, path)


@fact
def reader(image: Image, engine: Engine) -> Reader:
    """The way to a file's bytes in the built image."""
    return Reader(engine, image.id)


@fact
def reference(engine: Engine, course: Course, exercise: Exercise) -> Reference:
    """What the submission is measured against."""
    return Reference(References(engine, course), exercise)


@dataclass(frozen=True)
class Reference:
    """The reference images, as the settings of a check name them: ``baseline``, ``reference``."""

    all: References
    exercise: Exercise

    def size(self, of: str) -> int:
        return self.all.size(self._name(of))

    def bytes_of(self, of: str, path: str) -> bytes | None:
        tag = self.all.image(self._name(of))
        return Reader(self.all.engine, tag).read(path)

    def answers(self, of: str) -> list[Answer]:
        return self.all.answers(self._name(of))

    def _name(self, of: str) -> str:
        return references.for_exercise(self.exercise, of)
