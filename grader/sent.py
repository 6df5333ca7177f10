"""What of a planted tree reaches a build, by a submission's .dockerignore: measured, or read.

The tree is planted in a copy: the kinds of files are those of the course's own script, the names
and how deep they lie are not, because everybody can read that one. No verdicts here.
"""

from __future__ import annotations

import os
import runpy
import secrets
import shutil
import string
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader import ignore
from grader.archive import Reader
from grader.builder import Builder
from grader.context import plant
from grader.course import Course
from grader.engine import Engine
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.facts import Facts
from grader.given import files as given_files
from grader.ignore import Ignore
from grader.look import REGULAR
from grader.registry import fact
from grader.spec import Exercise

IGNORE = ".dockerignore"
SCRIPT = "plant.py"
OURS = frozenset((IGNORE, "Dockerfile"))  # builders read them anyhow; sent or not is all the same
PROBE = "FROM scratch\nCOPY . /context/\n"
SECONDS = 60
LETTERS = string.ascii_letters + string.digits
MOST_WORDS = 8
# So that a report's number of bytes tells something: what is large in a real project is here, too.
BIG = (".ckpt", ".csv", ".npy", ".onnx")
BIG_BYTES, SMALL_BYTES = 300_000, 20_000


@dataclass(frozen=True)
class Planted:
    """A tree in ``folder``: what the service needs of it, and what only lies around."""

    folder: Path
    needed: frozenset[str]
    litter: frozenset[str]


@dataclass(frozen=True)
class Sent:
    """The files that reached the build. ``by`` says who found out; ``size`` is in bytes, or 0."""

    files: frozenset[str]
    by: str
    size: int = 0


@fact
def ignored(submission: Path) -> Ignore:
    """The submission's .dockerignore, read as Docker reads it."""
    path = submission / IGNORE
    if path.is_symlink() or not path.is_file():
        raise SubmissionError(f"There is no file {IGNORE} in {submission.name}. Write one.")
    if own := sorted(p.name for p in submission.glob("*?.dockerignore")):
        raise SubmissionError(
            f"{own[0]} would replace {IGNORE}, and only for BuildKit. Put its lines into {IGNORE}."
        )
    with path.open("rb") as file:
        return ignore.parse(file.read(ignore.MOST_BYTES + 1))


@fact
def planted(
    ignored: Ignore,  # noqa: ARG001  nothing is planted for a file that can't be read
    submission: Path,
    course: Course,
    exercise: Exercise,
    scratch: Path,
) -> Planted:
    """The project with all that lies around in one, under names of this run alone."""
    given = given_files(course.app, exercise.given)
    folder = scratch / "planted"
    folder.mkdir()
    for name, source in given.items():
        plant(folder, name, source.read_text())
    shutil.copyfile(submission / IGNORE, folder / IGNORE)
    script: dict[str, Any] = runpy.run_path(str(given[SCRIPT]))
    words = drawn()
    needed, litter = (
        {line.format(**words) for line in script[kind].split()} for kind in ("NEEDED", "LITTER")
    )
    for name in sorted(needed | litter):
        _write(folder / name)
    return Planted(folder, frozenset(needed), frozenset({*litter, SCRIPT} - OURS))


def drawn() -> dict[str, str]:
    """Words for the script's patterns, of any letters; a folder may be several folders deep."""
    names = {_word() for _ in range(MOST_WORDS)}
    a, b, c, d, *more = secrets.SystemRandom().sample(sorted(names), len(names))
    deep = "/".join([b, *more[: 1 + secrets.randbelow(len(more))]])
    return {"a": a, "b": deep, "c": c, "d": d, "x": str(secrets.randbelow(10**6))}


def _word() -> str:
    length = 5 + secrets.randbelow(6)
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def _write(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(secrets.token_bytes(BIG_BYTES if path.suffix in BIG else SMALL_BYTES))


@fact
def sent(planted: Planted, builder: Builder) -> Sent:
    """What reaches a stage that copies everything, built by BuildKit."""
    made = builder.make(planted.folder, file=_probe(builder.scratch))
    return Sent(_arrived(builder.engine, made.image), "BuildKit", made.context_bytes)


@fact
def classic_sent(planted: Planted, engine: Engine, scratch: Path) -> Sent:
    """The same by the classic builder, which not every client and engine still has."""
    engine.ping()
    words = [engine.connection.docker, "build", "--quiet", "--file", str(_probe(scratch))]
    words += [w for k, v in engine.labels("variant").items() for w in ("--label", f"{k}={v}")]
    ours = {**os.environ, **engine.connection.environment, "DOCKER_BUILDKIT": "0"}
    try:
        run = subprocess.run(
            [*words, str(planted.folder)], env=ours, capture_output=True, text=True, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError) as err:
        raise EngineError(f"The classic builder did not come to an end: {err}") from err
    image = run.stdout.strip().rpartition("\n")[2]
    if run.returncode or not image.startswith("sha256:"):
        said = run.stderr.strip().rpartition("\n")[2]
        raise NotMeasurable(f"The classic builder is not to be had here: {said[:200]}")
    return Sent(_arrived(engine, image), "the classic builder")


@fact
def arrived(planted: Planted, ignored: Ignore, facts: Facts) -> Sent:
    """What BuildKit is sent; where there is no engine, what Docker's rules say."""
    try:
        found: Sent = facts.get("sent")
    except NotMeasurable:
        every = planted.needed | planted.litter
        return Sent(ignored.sent(every), "Docker's matching rules (not built: no engine)")
    return found


@fact
def classic(planted: Planted, ignored: Ignore, facts: Facts) -> Sent:
    """What the classic builder is sent; where it is not to be had, what its rules say."""
    try:
        found: Sent = facts.get("classic_sent")
    except NotMeasurable:
        every = planted.needed | planted.litter
        return Sent(ignored.sent_by_classic(every), "its rules (it is not to be had here)")
    return found


def _probe(scratch: Path) -> Path:
    """A Dockerfile outside of the context, so that no pattern concerns it."""
    folder = scratch / "probe"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(PROBE)
    return folder / "Dockerfile"


def _arrived(engine: Engine, image: str) -> frozenset[str]:
    with engine.saved(image) as stream:
        layers = Reader().read(stream).layers.values()
    return named(e.path for blob in layers for e in blob.entries if e.kind == REGULAR)


def named(paths: Iterable[str]) -> frozenset[str]:
    """The files' names in the tree, without those that every builder reads."""
    return frozenset(p.removeprefix("/context/") for p in paths) - OURS
