"""Facts about one submission: each worked out once, when a check first asks for it.

A fact is a plain function whose parameters are other facts. A failure is remembered like a value,
so a broken image is built once and not once a check. No verdicts here.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader import labels, references
from grader.blame import Judge
from grader.build import Build
from grader.builder import Builder, Watcher
from grader.context import Context, assemble
from grader.course import Course
from grader.dockerfile import MOST_BYTES, Dockerfile
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.given import files as given_files
from grader.look import File
from grader.references import Answer, References
from grader.registry import FACTS, fact
from grader.spec import Exercise

if TYPE_CHECKING:
    from grader.host.doctor import Row

# Facts that ``grade`` hands over instead of working them out.
GIVEN = ("course", "exercise", "submission", "engine", "scratch", "watcher", "facts")
# What a second build changes in train.py: what it writes into the model, and how it trains it.
TAG_LINE, SETTINGS = 'TAG = "course"', "random_state=0, max_iter=500"
ROUNDS, SEEDS = 12, 10**6  # few rounds: this model need not be good, only another one


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
        if name == "facts":  # for a fact that wants another one only sometimes
            return self
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


@dataclass(frozen=True)
class Canary:
    """A secret of this run alone; ``id`` is the build secret that it is, "" for none."""

    id: str
    token: str = field(repr=False)


@fact
def canary(exercise: Exercise) -> Canary:
    """Fresh for each run, so that wherever it turns up, it leaked there in this run."""
    return Canary(exercise.secret, f"lab{secrets.token_hex(16)}")


@fact
def context(
    submission: Path, course: Course, exercise: Exercise, scratch: Path, canary: Canary
) -> Context:
    """The submission with the course's given files laid over it, in a folder of our own.

    With a build secret, it also lies there as learners have it: in files that must not be copied.
    """
    planted = {}
    if canary.id:
        line = f"{canary.id.upper()}={canary.token}\n"
        planted = {f"{canary.id}.txt": canary.token, ".env": line}
    return assemble(
        submission,
        course.app,
        exercise.given,
        scratch / "context",
        max_mb=exercise.limits.context_mb,
        planted=planted,
    )


@fact
def dockerfile(submission: Path, course: Course, exercise: Exercise) -> Dockerfile:
    """The submission's Dockerfile, parsed; the course's where that one is given."""
    if given := given_files(course.app, exercise.given).get("Dockerfile"):
        return Dockerfile.parse(given.read_bytes())
    return read_dockerfile(submission)


def read_dockerfile(submission: Path) -> Dockerfile:
    """The Dockerfile in a folder. Raises SubmissionError when there is none to read."""
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
def builder(
    engine: Engine,
    exercise: Exercise,
    judge: Judge,
    watcher: Watcher,
    context: Context,
    scratch: Path,
) -> Builder:
    """Who builds the submission and its variants."""
    return Builder(engine, exercise, judge, watcher, context, scratch)


@fact
def build(builder: Builder, dockerfile: Dockerfile, canary: Canary) -> Build:
    """The submission's build. Raises SubmissionError or EngineError by whose failure it was.

    A build secret is given as one, and as a build argument for who asks for that.
    """
    given: dict[str, Any] = {}
    if canary.id:
        given = {
            "secrets": {canary.id: canary.token},
            "args": {canary.id.upper(): canary.token},
            "fresh": secrets.token_hex(8),  # another secret alone would not make a RUN run again
        }
    _no_answers(builder.engine, dockerfile)
    return builder.make(
        builder.context.folder, parsed=dockerfile, kind="submission", told=True, **given
    )


def _no_answers(engine: Engine, dockerfile: Dockerfile) -> None:
    """Refuse the course's own answers as a base or a source, whatever name they go by."""
    asked = [(stage.line, stage.base) for stage in dockerfile.stages]
    asked += [(i.line, source) for i in dockerfile.instructions for source in i.sources]
    for line, name in asked:
        if dockerfile.stage(name) or name == "scratch":
            continue
        if labels.REFERENCE in engine.label_names(name):
            raise SubmissionError(
                f"Line {line} takes {name}, which is the course's own answer. Build yours.",
                line=line,
            )


@fact
def image(exercise: Exercise, engine: Engine, course: Course, facts: Facts) -> Image:
    """The built image as the engine knows it, or the course's own that the exercise is about."""
    if exercise.image:
        return engine.image(References(engine, course).image(exercise.image))
    made: Build = facts.get("build")
    return engine.image(made.image)


@fact
def files(image: Image, engine: Engine) -> tuple[File, ...]:
    """Every path of the final file system."""
    return engine.files(image.id)


@dataclass(frozen=True)
class Retrained:
    """A second build, from a train.py that nobody has seen, and what that one gives by itself."""

    sha256: str
    reader: Reader


@fact
def retrained(build: Build, builder: Builder, dockerfile: Dockerfile, course: Course) -> Retrained:
    """The same build with another training: proves that the model is made by train.py, here.

    The model must be the one that the baseline makes of the same script, byte for byte: a tag
    alone could be patched into a file that lay ready.
    """
    folder = builder.copy("retrained")
    script = folder / "train.py"
    script.write_text(other_training(script.read_text()))
    with ThreadPoolExecutor(1) as pool:
        wanted = pool.submit(References(builder.engine, course).trained, script.read_text())
        made = builder.make(folder, parsed=dockerfile)
        return Retrained(wanted.result(), Reader(builder.engine, made.image))


def other_training(script: str) -> str:
    """train.py with a tag and settings that are drawn anew each time."""
    seed = secrets.randbelow(SEEDS) + 1
    tag = f'TAG = "lab{secrets.token_hex(16)}"'
    settings = f"random_state={seed}, max_iter={ROUNDS}"
    return script.replace(TAG_LINE, tag).replace(SETTINGS, settings)


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
