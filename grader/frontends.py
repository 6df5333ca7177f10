"""Which frontend a Dockerfile asks for (# syntax=), and whether the builder heard it.

The builder's own behaviour tells, not the text: the line is pointed at a frontend that nobody has.
No verdicts here.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from grader.build import Build
from grader.builder import Builder
from grader.dockerfile import Dockerfile
from grader.registry import fact
from grader.syntax import SYNTAX, neutral

ASKS = "resolve image config for "  # how BuildKit calls the look for a frontend, and no other
NOBODYS = "lab.invalid/none"  # .invalid is kept for names that no registry can have (RFC 2606)


@dataclass(frozen=True)
class Asked:
    """A line that reads like a syntax directive, whether it is one or not."""

    line: int
    name: str


@dataclass(frozen=True)
class Plain:
    """The build that gave an image; ``as_written`` is False where the frontend is not to be had."""

    build: Build
    as_written: bool


@dataclass(frozen=True)
class Pointed:
    """The build with every such line pointed at ``name``, which does not exist.

    ``sought`` is whether the builder went to look for it.
    """

    name: str
    sought: bool


@fact
def asked(dockerfile: Dockerfile) -> tuple[Asked, ...]:
    """The lines that read like a syntax directive."""
    text = dockerfile.text
    found = SYNTAX.finditer(text)
    return tuple(Asked(text.count("\n", 0, m.start()) + 1, m["name"] or "") for m in found)


@fact
def plain(builder: Builder, dockerfile: Dockerfile, asked: tuple[Asked, ...]) -> Plain:
    """Built as it is; where its frontend can't be had here, with the engine's own."""
    first = builder.tried(builder.context.folder, parsed=dockerfile)
    if first.image:
        return Plain(first, as_written=True)
    if not any(unresolved(first, one.name) for one in asked if one.name):
        raise builder.judge.error(first, builder.exercise.limits)
    folder = _with(builder, "plain", neutral(dockerfile.text))
    parsed = Dockerfile.parse(neutral(dockerfile.text).encode())
    return Plain(builder.make(folder, parsed=parsed, told=True), as_written=False)


@fact
def pointed(builder: Builder, dockerfile: Dockerfile) -> Pointed:
    """Built with a frontend that does not exist, in every line that reads like a directive."""
    name = f"{NOBODYS}:{secrets.token_hex(8)}"
    text = SYNTAX.sub(lambda m: f"{m['head']}{name}{m['end']}", dockerfile.text)
    made = builder.tried(_with(builder, "pointed", text), parsed=dockerfile)
    if made.image:
        return Pointed(name, sought=False)
    if unresolved(made, name):
        return Pointed(name, sought=True)
    raise builder.judge.error(made, builder.exercise.limits)


def unresolved(made: Build, name: str) -> bool:
    """Whether a build failed because a frontend of that name could not be found.

    A base of that name is another question: a FROM may be made of what such a line says.
    """
    short, step = name.removeprefix("docker.io/"), made.log.failed
    if made.image or step is None or not step.name.startswith(ASKS):
        return False
    return "resolve" in made.log.refusal and short in made.log.refusal


def _with(builder: Builder, name: str, text: str) -> Path:
    folder = builder.copy(name)
    (folder / "Dockerfile").write_text(text)
    return folder
