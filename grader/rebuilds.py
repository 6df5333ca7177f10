"""Variants of the submission's build: what a second build does after one small change.

Each variant is a fact of its own, so that they run side by side. No verdicts here.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from grader.archive import Entry
from grader.build import Build
from grader.builder import Builder
from grader.buildlog import Step
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.given import files as given_files
from grader.layers import Base, Layers
from grader.leaks import saved
from grader.look import REGULAR, File
from grader.packages import normal
from grader.registry import fact
from grader.spec import Exercise

EDITED = "app/main.py"
REQUIREMENTS = "requirements.txt"
DATE = "BUILD_DATE"  # the build argument that says when
# Small packages in pure Python that need no others, each with a file that is there to be imported.
ADDABLE = {
    "blinker": ("1.9.0", "blinker/__init__.py"),
    "decorator": ("5.2.1", "decorator.py"),
    "iniconfig": ("2.1.0", "iniconfig/__init__.py"),
    "itsdangerous": ("2.2.0", "itsdangerous/__init__.py"),
    "six": ("1.17.0", "six.py"),
    "sniffio": ("1.3.1", "sniffio/__init__.py"),
    "sortedcontainers": ("2.4.0", "sortedcontainers/__init__.py"),
    "tabulate": ("0.9.0", "tabulate/__init__.py"),
    "toolz": ("1.0.0", "toolz/__init__.py"),
    "zipp": ("3.23.0", "zipp/__init__.py"),
}
_METADATA = re.compile(r"(?P<folder>.*)/(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info/METADATA")


@dataclass(frozen=True)
class Rebuilt:
    """A second build; ``token`` is what was changed: a comment, a date, a requirement.

    ``again`` names the stages, other than the last, in which the packages were installed anew;
    ``ran`` are the lines of the RUNs that ran for it.
    """

    build: Build
    image: Image
    token: str
    again: tuple[str, ...] = ()
    ran: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Installed:
    """Where an image has the packages of requirements.txt: the layers (diff ids), the folders.

    ``lines`` are those of the Dockerfile that made these layers, as far as they are known.
    """

    layers: tuple[str, ...]
    folders: frozenset[str]
    lines: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Added:
    """What became of a requirement that was added: ``folders`` are those that have it now."""

    name: str
    version: str
    module: str
    image: Image
    folders: frozenset[str]
    folder: Path = Path()  # what it was built from
    build: Build | None = None


@fact
def requirements(course: Course, exercise: Exercise) -> frozenset[str]:
    """The names in the course's requirements.txt."""
    text = given_files(course.app, exercise.given)[REQUIREMENTS].read_text()
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return frozenset(normal(re.split(r"[=<>~!;\[ ]", line)[0]) for line in lines if line)


@fact
def installed(layers: Layers, requirements: frozenset[str]) -> Installed:
    """Where the first build has put the packages."""
    return found_in(layers, requirements)


@fact
def redated(build: Build, builder: Builder, dockerfile: Dockerfile) -> Rebuilt:
    """Built again with every file touched and another build date; no byte is another.

    After the first build: its steps are in the cache then.
    """
    folder = builder.copy("redated")
    _touch(folder)
    moment = time.gmtime(time.time() - secrets.randbelow(10**8))
    token = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
    made = builder.make(folder, parsed=dockerfile, args={DATE: token})
    lines = _lines(ran_after(made.steps, build.steps))
    return Rebuilt(made, builder.engine.image(made.image), token, ran=lines)


@fact
def required(files: tuple[File, ...], builder: Builder, dockerfile: Dockerfile) -> Added:
    """Built again with one requirement more, which the first image has not."""
    there = {normal(name) for name, _, _ in distributions(f.path for f in files)}
    choice = sorted(ADDABLE.keys() - there)
    if not choice:
        raise SubmissionError(
            "The image has many packages that requirements.txt does not name, like"
            f" {sorted(ADDABLE)[0]}. Install what stands there, and nothing else."
        )
    name = secrets.choice(choice)
    version, module = ADDABLE[name]
    folder = builder.copy("required")
    _require(folder, name, version)
    made = builder.make(folder, parsed=dockerfile)
    image = builder.engine.image(made.image)
    folders = _with(builder.engine, image, name, version, module)
    return Added(name, version, module, image, folders, folder, made)


@fact
def installed_then(
    required: Added,
    engine: Engine,
    base: Base,
    requirements: frozenset[str],
    dockerfile: Dockerfile,
) -> Installed:
    """Where the image with one requirement more has its packages, the added one too."""
    layers, _, _ = saved(engine, required.image, base, dockerfile, None)
    return found_in(layers, requirements | {required.name})


@fact
def edited(
    required: Added,
    builder: Builder,
    dockerfile: Dockerfile,
    base: Base,
    requirements: frozenset[str],
) -> Rebuilt:
    """Built after that with one comment more in the program.

    After that, so that packages can't have been put out of the way for the ones we know of alone.
    """
    token = f"lab{secrets.token_hex(16)}"
    folder = builder.copy("edited")
    _require(folder, required.name, required.version)
    with (folder / EDITED).open("a") as file:
        file.write(f"\n# {token}\n")
    made = builder.make(folder, parsed=dockerfile)
    names = requirements | {required.name}
    pair = (required.folder, folder)
    steps = ran_after(made.steps, required.build.steps if required.build else ())
    again = _again(builder, pair, steps, dockerfile=dockerfile, base=base, names=names)
    image = builder.engine.image(made.image)
    return Rebuilt(made, image, token, tuple(again), _lines(steps))


def _require(folder: Path, name: str, version: str) -> None:
    with (folder / REQUIREMENTS).open("a") as file:
        file.write(f"\n{name}=={version}\n")


def _with(engine: Engine, image: Image, name: str, version: str, module: str) -> frozenset[str]:
    """The folders of an image in which that version lies, with the file that is imported."""
    files = {f.path for f in engine.files(image.id) if f.kind == REGULAR and f.size}
    rows = distributions(files)
    places = (place for n, v, place in rows if (normal(n), v) == (normal(name), version))
    return frozenset(place for place in places if f"{place}/{module}" in files)


def _touch(folder: Path) -> None:
    now = time.time() + 60
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.utime(Path(place, name), (now, now), follow_symlinks=False)


def _again(
    builder: Builder,
    pair: tuple[Path, Path],
    steps: list[Step],
    *,
    dockerfile: Dockerfile,
    base: Base,
    names: frozenset[str],
) -> Iterator[str]:
    """Stages that installed the packages anew, though what was copied from them is the same.

    The digests of the last stage don't tell: COPY --from looks at the files' content, not at their
    age. Only a stage in which some RUN ran is looked into, and mostly there is none. Its own
    digests don't tell all either: who sets the times of the files makes the same layer again.
    """
    last = dockerfile.stages[-1].index if dockerfile.stages else 0
    for target in sorted({_index(dockerfile, s) for s in steps} - {last, -1}):
        engine, (name, text) = builder.engine, _named(dockerfile, target)
        file = builder.scratch / f"Dockerfile.stage-{target}"
        file.write_text(text)
        first, second = (
            engine.image(builder.make(f, parsed=dockerfile, target=name, file=file).image)
            for f in pair
        )
        layers, _, _ = saved(engine, first, base, _up_to(dockerfile, target), None)
        found = found_in(layers, names)
        if set(found.layers) - set(second.layers) or found.lines & _lines(steps):
            yield dockerfile.stages[target].name or str(target)


def _up_to(dockerfile: Dockerfile, index: int) -> Dockerfile:
    """The same file with that stage as its last one."""
    return replace(dockerfile, stages=dockerfile.stages[: index + 1])


def _named(dockerfile: Dockerfile, index: int) -> tuple[str, str]:
    """A stage's name and the Dockerfile's text, in which it has one: only names can be built."""
    stage = dockerfile.stages[index]
    if stage.name:
        return stage.name, dockerfile.text
    lines = dockerfile.text.split("\n")
    at = stage.instructions[0].end - 1
    lines[at] = f"{lines[at].rstrip()} AS lab-stage-{index}"
    return f"lab-stage-{index}", "\n".join(lines)


def _index(dockerfile: Dockerfile, step: Step) -> int:
    name = step.stage.removeprefix("stage-")
    found = dockerfile.stage(step.stage) or dockerfile.stage(name)
    return found.index if found else -1


def ran(steps: Iterable[Step]) -> list[Step]:
    """The RUNs that were not taken from the cache."""
    return [s for s in steps if s.line and not s.cached and re.search(r"\] RUN ", s.name)]


def ran_after(steps: Iterable[Step], earlier: Iterable[Step]) -> list[Step]:
    """The RUNs that ran for a build and no other: they began when the earlier one was over.

    Of a step that two builds have in common at a time, both are told the same story, and neither
    that it was cached. One that is done again after the earlier build can only be this one's.
    """
    over = max((s.started + s.seconds for s in earlier), default=0.0)
    return [step for step in ran(steps) if step.started >= over]


def _lines(steps: Iterable[Step]) -> frozenset[int]:
    return frozenset(s.line for s in steps if s.line)


def found_in(layers: Layers, requirements: frozenset[str]) -> Installed:
    """The layers that hold a description of one of the packages, and the folders they are in."""
    names, folders, lines = list[str](), set[str](), set[int]()
    for layer in layers.layers:
        rows = list(distributions(e.path for e in layer.files if _is_file(e)))
        mine = {place for name, _, place in rows if normal(name) in requirements}
        folders |= mine
        names += [layer.diff_id] if mine else []
        lines |= {layer.line} if mine and layer.line else set()
    return Installed(tuple(names), frozenset(folders), frozenset(lines))


def _is_file(entry: Entry) -> bool:
    return entry.kind == REGULAR and entry.size > 0


def distributions(paths: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(name, version, folder) of each installed distribution."""
    for match in filter(None, map(_METADATA.fullmatch, paths)):
        yield match["name"], match["version"], match["folder"]
