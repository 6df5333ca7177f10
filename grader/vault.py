"""Builds a submission with its key handed over in other ways, and knows what a key must give.

Where a key leaks to is ``leaks``'. No verdicts here.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.build import Build
from grader.builder import Builder
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.errors import EngineError
from grader.facts import Canary, Reader
from grader.registry import fact

SCRIPT_SECONDS = 30


@dataclass(frozen=True)
class Variant:
    """Another build of the same submission, with the key handed over in other ways.

    ``error`` says why it failed, "" when it gave an image; then ``reader`` reads from it.
    """

    error: str
    reader: Reader | None = None
    line: int | None = None


@fact
def only_secret(
    build: Build,  # noqa: ARG001  one that fails needs no variants
    builder: Builder,
    dockerfile: Dockerfile,
    canary: Canary,
) -> Variant:
    """Built with the key as a build secret, and nowhere else: no argument, no file."""
    folder = builder.copy("only-secret")
    for name in (f"{canary.id}.txt", ".env"):
        (folder / name).unlink(missing_ok=True)
    return _variant(builder, folder, dockerfile, secrets={canary.id: canary.token})


@fact
def without_secret(
    build: Build,  # noqa: ARG001  one that fails needs no variants
    builder: Builder,
    dockerfile: Dockerfile,
    canary: Canary,
) -> Variant:
    """Built without the build secret; the argument and the files are there as before."""
    args = {canary.id.upper(): canary.token}
    return _variant(builder, builder.copy("without-secret"), dockerfile, args=args)


def _variant(builder: Builder, folder: Path, dockerfile: Dockerfile, **how: Any) -> Variant:
    # Fresh: a step that was run with the secret would count as done without it, too.
    made = builder.attempt(folder, parsed=dockerfile, fresh=secrets.token_hex(8), **how)
    if made.image:
        return Variant("", Reader(builder.engine, made.image))
    step = made.log.failed
    said = builder.judge.error(made, builder.exercise.limits)
    return Variant(str(said), line=step.line if step else None)


@dataclass(frozen=True)
class Vault:
    """What the course's own script makes of a key; it runs here, on this side."""

    app: Path

    def artifact(self, script: str, token: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="lab-vault-") as folder:
            goal = Path(folder) / "artifact"
            run = subprocess.run(
                [sys.executable, "-I", str(self.app / script), str(goal)],
                env={"API_KEY": token},
                capture_output=True,
                text=True,
                timeout=SCRIPT_SECONDS,
            )
            if run.returncode or not goal.is_file():
                raise EngineError(f"The course's own {script} failed: {run.stderr.strip()}")
            return goal.read_bytes()


@fact
def vault(course: Course) -> Vault:
    """The way to the artifact that a key gives."""
    return Vault(course.app)
