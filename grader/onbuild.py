"""Facts about a base with ONBUILD triggers: what becomes of a child of it, and of a grandchild.

Both are projects of ours with random words in them, so that nothing of them can lie ready. What
they print is our own program's. No verdicts here.
"""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grader.behaviour import told
from grader.build import Build
from grader.builder import Builder
from grader.dockerfile import Dockerfile
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.flavours import Flavour, flavour, looked_at
from grader.layers import Base
from grader.leaks import saved
from grader.look import File
from grader.packages import normal
from grader.rebuilds import ADDABLE, found_in
from grader.registry import fact
from grader.spec import Exercise
from grader.users import RunAs
from grader.users import runs_as as user_of

SECONDS = 20  # that our few lines of Python may take to run
CHILD = 'FROM {}\nCMD ["python", "main.py"]\n'
# What the child does: says who it is, where it is, and what it can import.
PROGRAM = '''\
"""A program of the grader, {token}."""
import json, os
from importlib.metadata import version
seen = {{"token": "{token}", "version": version("{package}"), "folder": os.getcwd()}}
print(json.dumps(seen))
'''


@dataclass(frozen=True)
class Project:
    """What a child is made of: a word of this run, and one package that it asks for."""

    token: str
    package: str
    version: str

    @property
    def files(self) -> dict[str, str]:
        return {
            "app/main.py": PROGRAM.format(token=self.token, package=self.package),
            "requirements.txt": f"# {self.token}\n{self.package}=={self.version}\n",
        }


@dataclass(frozen=True)
class Ran:
    """How one run of a child ended, and what our program in it printed."""

    exit_code: int
    said: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""


@dataclass(frozen=True)
class Child:
    """An image ``FROM`` the submission's with nothing but a CMD.

    ``added`` are the regular files that the base has not; ``layers`` are those that hold the
    project's package, not looked for in a grandchild; ``tag`` is its name while this run lasts.
    """

    project: Project
    content: Flavour
    tag: str
    user: RunAs
    ran: Ran
    added: frozenset[str] = frozenset()
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parent:
    """The submission's image under a name that a FROM can say."""

    tag: str
    content: Flavour

    @property
    def triggers(self) -> tuple[str, ...]:
        return tuple(map(str, self.content.image.config.get("OnBuild") or ()))


@fact
def parent(
    build: Build,
    image: Image,
    files: tuple[File, ...],
    builder: Builder,
    dockerfile: Dockerfile,
) -> Parent:
    """The same build once more, which gives it a name; all of it is in the cache."""
    tag = _tag()
    builder.make(builder.context.folder, parsed=dockerfile, tag=tag)
    return Parent(tag, flavour("base", image, files))


@fact
def child(parent: Parent, builder: Builder, exercise: Exercise) -> Child:
    """A project that is FROM + CMD, built and run."""
    project, engine = drawn(parent.content), builder.engine
    with of_ours("A child of it, with requirements.txt, app/main.py and FROM + CMD"):
        made = _made(parent, builder, exercise, project, name="child")
    layers = _holding(engine, made.content.image, parent.content.image, project)
    return replace(made, layers=layers)


@fact
def edited_child(child: Child, parent: Parent, builder: Builder) -> Image:
    """The same child with one comment more in its program."""
    folder = builder.scratch / "child-edited"
    _lay(folder, {**child.project.files, "Dockerfile": CHILD.format(parent.tag)})
    with (folder / "app/main.py").open("a") as file:
        file.write(f"# {secrets.token_hex(8)}\n")
    with of_ours("A child of it, after an edit of app/main.py"):
        return builder.engine.image(builder.make(folder).image)


@fact
def grandchild(child: Child, parent: Parent, builder: Builder, exercise: Exercise) -> Child:
    """An image FROM the child, whose folder holds another project: nobody is to take it."""
    other = drawn(child.content)
    with of_ours("A grandchild of it, FROM the child + CMD"):
        return _made(parent, builder, exercise, other, name="grandchild", base=child.tag)


@contextmanager
def of_ours(what: str) -> Iterator[None]:
    """The line that fails is one of a Dockerfile of ours, which nobody else can look up.

    It is its FROM, which runs all triggers.
    """
    try:
        with told(what):
            yield
    except SubmissionError as err:
        text = re.sub(r"\bLine \d+ \(", "the trigger (", str(err), count=1)
        text = re.sub(r"\bLine \d+: ", "", text, count=1)
        raise SubmissionError(text, evidence=err.evidence) from err


def drawn(there: Flavour) -> Project:
    """A project with a package that is not there yet. Raises SubmissionError without one."""
    choice = sorted(name for name in ADDABLE if normal(name) not in there.packages)
    if not choice:
        raise SubmissionError("The base brings many packages along that no project asked for.")
    package = secrets.choice(choice)
    return Project(f"lab{secrets.token_hex(12)}", package, ADDABLE[package][0])


def _made(
    parent: Parent,
    builder: Builder,
    exercise: Exercise,
    project: Project,
    *,
    name: str,
    base: str = "",
) -> Child:
    folder, tag, engine = builder.scratch / name, _tag(), builder.engine
    _lay(folder, {**project.files, "Dockerfile": CHILD.format(base or parent.tag)})
    content = looked_at(engine, name, builder.make(folder, tag=tag))
    return Child(
        project,
        content,
        tag,
        user_of(content.image, engine),
        run(engine, content.image, exercise),
        content.paths - parent.content.paths,
    )


def _holding(engine: Engine, image: Image, parent: Image, project: Project) -> tuple[str, ...]:
    """The layers above the parent's that hold the project's package."""
    below = Base("the submission", parent.layers, len(parent.history), parent.size)
    layers, _, _ = saved(engine, image, below, None, None)
    return found_in(layers, frozenset({normal(project.package)})).layers


def run(engine: Engine, image: Image, exercise: Exercise) -> Ran:
    """Run it to its end, without a network."""
    memory, pids = round(exercise.limits.memory_mb * 1e6), int(exercise.limits.pids)
    container = engine.create(image.id, memory=memory, pids=pids)
    if why := engine.start(container):
        return Ran(127, output=why)
    code = engine.wait(container, SECONDS)
    return Ran(code, _said(engine.output(container)), engine.logs(container))


def _said(output: str) -> dict[str, Any]:
    """The JSON object of the last line, if it is one."""
    lines = output.strip().splitlines()
    try:
        value = json.loads(lines[-1]) if lines else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _lay(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _tag() -> str:
    return f"lab-onbuild:{uuid.uuid4().hex}"
