"""The targets of the Makefile, by its `##` comments, as bare `make` lists them."""

from __future__ import annotations

import re

from grader.course import Course
from grader.pages.markdown import sentence

TARGET = re.compile(r"^([a-z-]+):.*?## (.+)$", re.M)


def targets(course: Course) -> dict[str, str]:
    """Each target that has a comment, and the comment."""
    path = course.root / "Makefile"
    return dict(TARGET.findall(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def text(course: Course) -> str:
    """One heading a target."""
    found = targets(course).items()
    return "\n\n".join(f"### make {name}\n\n{sentence(what)}" for name, what in found)
