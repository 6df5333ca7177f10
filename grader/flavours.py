"""Facts about the flavours of one Dockerfile: what is in the image for each value of an argument.

Each flavour is a build of its own, and its files are listed without running anything of it. No
verdicts here; flavours by ``--target`` are ``targets``'.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from grader.behaviour import told
from grader.build import Build
from grader.builder import Builder
from grader.dockerfile import Dockerfile
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.look import HARD_LINK, REGULAR, File
from grader.packages import normal
from grader.rebuilds import distributions
from grader.registry import fact

ARGUMENT = "ENV"
DEVELOPMENT, PRODUCTION = "development", "production"
ODD = ("preview", "qa", "staging", "production-", "development-")  # how an unknown value begins
# A file of Python code right where packages are installed, or anywhere in a folder there.
_MODULE = re.compile(r"/(?:site|dist)-packages/([^/.]+)(?:\.py|/(?:[^/]+/)*[^/]+\.py)$")
_PROGRAM = re.compile(r"/s?bin/([^/]+)$")  # where a PATH leads to, and not a package's own scripts
KEPT = ("Cmd", "Entrypoint", "Env", "User", "WorkingDir")  # of a configuration, what is compared


@dataclass(frozen=True)
class Flavour:
    """One image: ``packages`` maps each Python package to its version, ``programs`` are names.

    ``modules`` can be imported, by the files that are there; ``paths`` are its regular files.
    """

    name: str
    image: Image
    packages: Mapping[str, str] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()

    def has(self, package: str) -> bool:
        """Whether a package is there that brings a module of its own name."""
        return normal(package) in self.packages and normal(package) in self.modules

    def shows(self, package: str) -> bool:
        """Whether anything of it is there: a description or a module."""
        return normal(package) in self.packages or normal(package) in self.modules

    def tools(self, names: Iterable[str]) -> list[str]:
        """Its programs of these names; Debian calls one of several vims vim.tiny."""
        known = frozenset(names)
        return sorted(p for p in self.programs if p in known or p.partition(".")[0] in known)

    @property
    def settings(self) -> dict[str, object]:
        """What of its configuration a container is started with."""
        return {key: self.image.config.get(key) or None for key in KEPT}


@dataclass(frozen=True)
class Refused:
    """A build with a value that nobody knows: ``built`` when it went through."""

    value: str
    built: bool
    why: str = ""


def flavour(name: str, image: Image, files: Iterable[File]) -> Flavour:
    """What an image has, from the list of its files."""
    rows = list(files)
    paths = frozenset(f.path for f in rows if f.kind in (REGULAR, HARD_LINK))
    code = (_MODULE.search(f.path) for f in rows if f.kind == REGULAR and f.size)
    programs = (_PROGRAM.search(f.path) for f in rows if _is_program(f))
    return Flavour(
        name,
        image,
        packages={normal(n): version for n, version, _ in distributions(sorted(paths))},
        modules=frozenset(map(normal, {m[1] for m in code if m})),
        programs=frozenset(m[1] for m in programs if m),
        paths=paths,
    )


def _is_program(file: File) -> bool:
    return file.kind == REGULAR and bool(file.size and file.mode & 0o111)


def looked_at(engine: Engine, name: str, made: Build) -> Flavour:
    """A build's image, and what is in it."""
    image = engine.image(made.image)
    return flavour(name, image, engine.files(image.id))


@fact
def plain_flavour(image: Image, files: tuple[File, ...]) -> Flavour:
    """The image that is built without any argument."""
    return flavour("", image, files)


@fact
def development(build: Build, builder: Builder, dockerfile: Dockerfile) -> Flavour:
    """Built with ENV=development, after the first build: what both share is in the cache then."""
    return _with(DEVELOPMENT, builder, dockerfile)


@fact
def production(build: Build, builder: Builder, dockerfile: Dockerfile) -> Flavour:
    """Built with ENV=production."""
    return _with(PRODUCTION, builder, dockerfile)


def _with(value: str, builder: Builder, dockerfile: Dockerfile) -> Flavour:
    with told(f"Built with --build-arg {ARGUMENT}={value}"):
        made = builder.make(builder.context.folder, parsed=dockerfile, args={ARGUMENT: value})
    return looked_at(builder.engine, value, made)


@fact
def unknown_flavour(build: Build, builder: Builder, dockerfile: Dockerfile) -> Refused:
    """Built with a value that is drawn anew for each run, so that none can be prepared for."""
    value = f"{secrets.choice(ODD)}{secrets.token_hex(3)}"
    args = {ARGUMENT: value}
    made = builder.tried(builder.context.folder, parsed=dockerfile, args=args)
    if made.image:
        return Refused(value, built=True)
    error = builder.judge.error(made, builder.exercise.limits)
    # A FROM of that name looks for an image of that name: no registry has it, whatever it says.
    if not isinstance(error, SubmissionError) and value not in made.log.refusal:
        raise error
    return Refused(value, built=False, why=made.log.message)
