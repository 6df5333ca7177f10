"""Facts about the targets of one Dockerfile: what is in each, and when a build of one stops.

Whether tests really run is shown by breaking what they test. No verdicts here; flavours by a build
argument are ``flavours``'.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.behaviour import told
from grader.build import Build
from grader.builder import Builder
from grader.dockerfile import Dockerfile
from grader.flavours import Flavour, looked_at
from grader.registry import fact

DEV, TEST, PROD = "dev", "test", "prod"
PROGRAM, TESTS = "app/main.py", "tests/test_app.py"
# Drawn anew, so that no stage can look for one of them in the text: it has to run the tests.
FAULTS = (
    'live = lambda: {{"status": "{token}"}}',
    'ready = lambda: {{"status": "{token}"}}',
    "{token} = ready\n\n\ndef ready() -> dict[str, str]:\n    return {{**{token}(), 'more': ''}}",
    "del live",
    "if ready():\n    raise RuntimeError('{token}')",
)
FAILING = (
    "assert live() == '{token}'",
    "assert not ready()",
    "raise AssertionError('{token}')",
    "assert ready()['{token}']",
)


@dataclass(frozen=True)
class Targets:
    """The image of each target, and what is in it; into that of the tests nobody looks."""

    dev: Flavour
    test: Flavour
    prod: Flavour


@dataclass(frozen=True)
class Attempt:
    """A build of one target after an edit: of which folder, and the line at which it stopped."""

    built: bool
    line: int | None = None
    folder: Path = Path()


@dataclass(frozen=True)
class Tried:
    """``--target test`` after three edits: a comment, a fault of the program, a test that fails."""

    comment: Attempt
    program: Attempt
    test: Attempt


@dataclass(frozen=True)
class Gated:
    """``--target prod`` after a comment, and after a fault of the program."""

    comment: Attempt
    program: Attempt


@fact
def targets(build: Build, builder: Builder, dockerfile: Dockerfile) -> Targets:
    """Each built, and looked at; after the first build, so that much of it is in the cache."""
    made = {name: _made(name, builder, dockerfile) for name in (DEV, TEST, PROD)}
    dev, prod = (looked_at(builder.engine, name, made[name]) for name in (DEV, PROD))
    return Targets(dev, Flavour(TEST, builder.engine.image(made[TEST].image)), prod)


def _made(target: str, builder: Builder, dockerfile: Dockerfile) -> Build:
    with told(f"Built with --target {target}"):
        return builder.make(builder.context.folder, parsed=dockerfile, target=target)


@fact
def tested(targets: Targets, builder: Builder, dockerfile: Dockerfile) -> Tried:
    """Does the test stage stop for what is wrong, and for nothing else?"""
    given = builder.context.folder
    kinds = edits((given / PROGRAM).read_text(), (given / TESTS).read_text())
    folders = (_edited(builder, kind, files) for kind, files in kinds.items())
    return Tried(*(_attempt(TEST, folder, builder, dockerfile) for folder in folders))


@fact
def gated(tested: Tried, builder: Builder, dockerfile: Dockerfile) -> Gated:
    """Does the image that is shipped depend on the tests? The same two folders, built once more."""
    folders = (tested.comment.folder, tested.program.folder)
    return Gated(*(_attempt(PROD, folder, builder, dockerfile) for folder in folders))


def _attempt(target: str, folder: Path, builder: Builder, dockerfile: Dockerfile) -> Attempt:
    made = builder.attempt(folder, parsed=dockerfile, target=target)
    step = made.log.failed if not made.image else None
    return Attempt(bool(made.image), step.line if step else None, folder)


def _edited(builder: Builder, kind: str, files: Mapping[str, str]) -> Path:
    folder = builder.copy(f"tested-{kind}")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def edits(program: str, tests: str) -> Mapping[str, Mapping[str, str]]:
    """The given files after each edit. What is a comment in the first one is code in the others.

    So whoever looks for words in the files finds them where nothing is wrong, too.
    """
    token = f"lab{secrets.token_hex(8)}"
    fault = secrets.choice(FAULTS).format(token=token)
    failing = f"def test_{token}() -> None:\n    {secrets.choice(FAILING).format(token=token)}"
    return {
        "comment": {PROGRAM: _with(program, _quiet(fault)), TESTS: _with(tests, _quiet(failing))},
        "program": {PROGRAM: _with(program, fault)},
        "test": {TESTS: _with(tests, failing)},
    }


def _with(text: str, more: str) -> str:
    return f"{text}\n\n{more}\n"


def _quiet(code: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in code.split("\n"))
