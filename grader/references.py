"""The builds that submissions are measured against: made once for an engine, kept, reused.

``baseline`` is R, the cleaned single-stage image; every exercise has its reference solution. What
they answer to secret inputs is kept in LAB_HOME. Nothing here looks at a submission.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from grader import labels, probe
from grader.blame import Judge, smells_of_network
from grader.build import Request, build
from grader.context import assemble
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.engine import PROBE_IMAGE, Engine, State
from grader.errors import EngineError
from grader.given import files as given_files
from grader.host.home import home
from grader.spec import Exercise, Limits

BASELINE = "baseline"
SHARED = (BASELINE, "digits")  # the images of ours that exercises are measured against or start
GIVEN = ("app", "requirements.txt", "requirements-train.txt", "train.py")
Of = Literal["baseline", "reference"]  # what a check's ``of`` may say
SECONDS = 900  # a reference build's time is the course's own, not a student's
POOL = 400  # noisy digits that a reference is asked; what a grade draws from is among them
NOISE = 8  # how far a pixel (0…16) is moved at most
# How far the noise must have moved some probability: else the answer to the plain digit, which is
# public, would do for it.
MARKED = 0.1
READY_SECONDS, ASK_SECONDS = 60, 180

# Runs in the baseline image: the digits that train.py held out, as [pixels, label].
_HELD_OUT = """
import json
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
X, y = load_digits(return_X_y=True)
_, X, _, y = train_test_split(X, y, test_size=.25, random_state=0, stratify=y)
print(json.dumps([[[int(v) for v in x], int(l)] for x, l in zip(X, y)]))
"""

# Runs in the baseline image, with a training script as its argument: the model's sum.
_TRAIN = """
import hashlib, pathlib, subprocess, sys
pathlib.Path("/tmp/train.py").write_text(sys.argv[1])
subprocess.run([sys.executable, "/tmp/train.py", "/tmp/model"], check=True, stdout=sys.stderr)
print(hashlib.sha256(pathlib.Path("/tmp/model/digits.onnx").read_bytes()).hexdigest())
"""


@dataclass(frozen=True)
class Answer:
    """One input (64 pixels, 0…16) and what the reference says to it."""

    pixels: tuple[int, ...]
    digit: int
    proba: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """How one reference is built; ``key`` changes with every byte that goes into it."""

    name: str
    folder: Path
    given: tuple[str, ...]
    bases: tuple[str, ...]
    port: int = 8000


class References:
    """The reference images of a course on one engine."""

    def __init__(self, engine: Engine, course: Course) -> None:
        self.engine, self.course = engine, course
        self._tags: dict[str, str] = {}  # a recipe is read once a run, however many checks ask

    def recipe(self, name: str) -> Recipe:
        """One of ``SHARED`` or an exercise's id. Raises UsageError for one that is not there."""
        if name in SHARED:
            folder = self.course.root / "images" / name
            return Recipe(name, folder, GIVEN, (PROBE_IMAGE,))
        one = self.course.exercise(name)
        return Recipe(name, self.course.solution(one), one.given, one.images, one.port)

    def all(self) -> list[Recipe]:
        """What some check compares with or some exercise starts."""
        exercises = [e for lab in self.course.labs() for e in lab.exercises]
        wanted = [e for e in exercises if any(i.settings.get("of") == "reference" for i in e.items)]
        return [self.recipe(n) for n in (*SHARED, *(e.id for e in wanted))]

    def key(self, recipe: Recipe) -> str:
        digest = hashlib.sha256()
        for base in recipe.bases:
            digest.update((self.engine.image_id(base) or f"no {base}").encode())
        given = given_files(self.course.app, recipe.given)
        for path in (*_files(recipe.folder), *given.values()):
            digest.update(str(path.relative_to(self.course.root)).encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def image(self, name: str, *, tell: Callable[[str], None] | None = None) -> str:
        """The image's tag; built if this engine has not got it. Raises EngineError."""
        if name in self._tags:
            return self._tags[name]
        recipe = self.recipe(name)
        key = self.key(recipe)
        tag = f"lab/reference-{name.replace('/', '-')}:{key}"
        if not self.engine.has_image(tag):
            with _lock(tag):
                if not self.engine.has_image(tag):
                    if tell:
                        tell(f"building the reference {name}")
                    self._build(recipe, tag, key)
        self._tags[name] = tag
        return tag

    def _build(self, recipe: Recipe, tag: str, key: str) -> None:
        limits = Limits(build_seconds=SECONDS)
        data = (recipe.folder / "Dockerfile").read_bytes()
        with tempfile.TemporaryDirectory(prefix="lab-reference-") as scratch:
            context = assemble(
                recipe.folder, self.course.app, recipe.given, Path(scratch, "c"), max_mb=100
            )
            marks = {labels.REFERENCE: key, labels.KIND: "reference"}
            request = Request(context.folder, marks, tag=tag, limits=limits)
            parsed = Dockerfile.parse(data)
            made = build(self.engine.connection, request, parsed=parsed)
            if not made.image and smells_of_network(made):
                made = build(self.engine.connection, request, parsed=parsed)
        if not made.image:
            judge = Judge(
                self.engine.connection,
                recipe.bases,
                self.engine.ping,
                self.engine.labels("canary"),
            )
            why = judge.error(made, limits)
            raise EngineError(f"The reference {recipe.name} could not be built: {why}") from why

    def size(self, name: str) -> int:
        """Σ history sizes of the reference, in bytes."""
        return self.engine.image(self.image(name)).size

    def held_out(self) -> list[tuple[tuple[int, ...], int]]:
        """The 450 digits that training never saw, with their labels."""
        tag = self.image(BASELINE)
        data = self._kept(tag, "held-out", lambda: json.loads(self._run(tag, _HELD_OUT)))
        return [(tuple(pixels), label) for pixels, label in data]

    def answers(self, name: str) -> list[Answer]:
        """What the reference says to noisy digits that only this machine has seen."""
        tag = self.image(name)
        rows = self._kept(tag, "marked-answers", lambda: self._ask(name, tag))
        return [Answer(tuple(p), d, tuple(q)) for p, d, q in rows]

    def _kept(self, tag: str, what: str, work: Callable[[], Any]) -> Any:
        image = self.engine.image_id(tag).removeprefix("sha256:")
        path = home().root / "references" / f"{image[:24]}.{what}.json"
        with contextlib.suppress(OSError, json.JSONDecodeError):
            return json.loads(path.read_text())
        with _lock(f"{image}.{what}"):
            with contextlib.suppress(OSError, json.JSONDecodeError):
                return json.loads(path.read_text())
            data = work()
            _save(path, json.dumps(data))
        return data

    def trained(self, script: str) -> str:
        """The sha256 of the model that a training script gives in the baseline."""
        return self._run(self.image(BASELINE), _TRAIN, script).strip()

    def _run(self, tag: str, script: str, *words: str) -> str:
        container = self.engine.create(
            tag, kind="reference", entrypoint=["python", "-c", script], command=words
        )
        try:
            self.engine.start(container)
            code = self.engine.wait(container, READY_SECONDS)
            if code != 0:
                raise EngineError(f"The baseline does not run: {self.engine.logs(container)}")
            return self.engine.output(container)
        finally:
            self.engine.remove(container)

    def _ask(self, name: str, tag: str) -> list[list[Any]]:
        plain = [list(pixels) for pixels, _ in _drawn(self.held_out(), POOL)]
        noisy = [_noisy(pixels) for pixels in plain]
        container = self.engine.create(tag, kind="reference")
        try:
            self.engine.start(container)
            said = probe.talk(
                self.engine,
                container,
                port=self.recipe(name).port,
                bodies=[{"pixels": q} for q in (*noisy, *plain)],
                seconds=ASK_SECONDS,
                ended=_reference_ended,
            )
        finally:
            self.engine.remove(container)
        try:
            replies = [json.loads(text) for _, text in said["answers"]]
            rows = zip(noisy, replies[:POOL], replies[POOL:], strict=True)
            return [
                [pixels, reply["digit"], reply["proba"]]
                for pixels, reply, other in rows
                if _moved(reply["proba"], other["proba"]) > MARKED
            ]
        except (ValueError, KeyError) as err:
            raise EngineError(f"The reference {name} does not answer: {said['error']}") from err


def ensure(course: Course, engine: Engine, tell: Callable[[str], None]) -> None:
    """Build the whole set and ask each service once, so that no learner waits for it."""
    references = References(engine, course)
    for recipe in references.all():
        references.image(recipe.name, tell=tell)
    tell("asking the references")
    references.held_out()
    for name in sorted(_asked(course)):
        references.answers(name)


def _asked(course: Course) -> set[str]:
    """The references whose answers some check compares with."""
    exercises = [e for lab in course.labs() for e in lab.exercises]
    return {
        for_exercise(e, str(i.settings["of"]))
        for e in exercises
        for i in e.items
        if i.check.name == "service.predicts"
    }


def _reference_ended(state: State) -> None:
    raise EngineError(f"A reference container ended with {state.exit_code}: {state.error}")


def _moved(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _noisy(pixels: list[int]) -> list[int]:
    dice = random.SystemRandom()
    return [min(16, max(0, p + dice.randint(-NOISE, NOISE))) if p else p for p in pixels]


def _drawn(
    digits: list[tuple[tuple[int, ...], int]], count: int
) -> list[tuple[tuple[int, ...], int]]:
    dice = random.SystemRandom()
    return [dice.choice(digits) for _ in range(count)]


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


@contextlib.contextmanager
def _lock(name: str) -> Iterator[None]:
    """One builder at a time on this machine, whichever process it is in."""
    folder = home().root / "references"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock").open("w")
    except OSError as err:
        raise EngineError(f"{folder} cannot be written: {err.strerror}") from err
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def for_exercise(exercise: Exercise, of: str) -> str:
    """The name of the reference that a check's ``of`` means."""
    return BASELINE if of == BASELINE else exercise.id
