"""Facts about where packages come from: which build of one is installed when the indexes change.

The submission is built once more, with indexes of another day in which nobody knows what lies. No
verdicts here; how an index is made is ``wheels``'.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from grader import wheels
from grader.builder import Builder
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.engine import Engine
from grader.facts import Reader
from grader.registry import fact

_VERSION = re.compile(r'^VERSION = "([^"]*)"$', re.M)


@dataclass(frozen=True)
class Installed:
    """One copy of the package in an image: which index it came from, and which version it is.

    ``fresh``: it was made for this run, so it can't have been brought along.
    """

    path: str
    index: str
    version: str
    fresh: bool


@fact
def reindexed(
    builder: Builder, dockerfile: Dockerfile, course: Course, engine: Engine
) -> tuple[Installed, ...]:
    """The package, wherever it lies in the image that is built with the other indexes."""
    token, folder = secrets.token_hex(8), builder.copy("reindexed")
    source = course.app / wheels.PACKAGE
    wheels.indexes(folder / "indexes", source, wheels.ANOTHER_DAY, token)
    made = builder.make(folder, parsed=dockerfile)
    reader = Reader(engine, made.image)
    end = f"/{wheels.PACKAGE}/_build.py"
    paths = sorted(file.path for file in engine.files(made.image) if file.path.endswith(end))
    return tuple(installed(path, reader.read(path) or b"", token) for path in paths)


def installed(path: str, content: bytes, token: str) -> Installed:
    """What one copy says of itself."""
    text = content.decode("utf-8", "replace")
    origin, version = wheels.ORIGIN.search(text), _VERSION.search(text)
    index, _, mark = (origin[1] if origin else "").partition(" ")
    return Installed(path, index, version[1] if version else "", mark == token)
