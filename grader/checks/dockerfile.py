"""What can be read in the Dockerfile alone; needs no daemon."""

from __future__ import annotations

from grader.dockerfile import Dockerfile, Stage, Swallowed
from grader.registry import check
from grader.results import Result, failed, passed


@check
def parses(dockerfile: Dockerfile) -> Result:
    """The Dockerfile can be read, line by line"""
    for problem in dockerfile.problems:
        more = len(dockerfile.problems) - 1
        rest = f" And {more} more." if more else ""
        return failed(f"Line {problem.line}: {problem.message}{rest}", line=problem.line)
    return passed(f"{len(dockerfile.stages)} stage(s), {len(dockerfile.instructions)} instructions")


@check
def pinned(dockerfile: Dockerfile) -> Result:
    """Each base image names a version"""
    for stage in dockerfile.stages:
        earlier = [s.name.lower() for s in dockerfile.stages[: stage.index] if s.name]
        if stage.base == "scratch" or stage.base.lower() in earlier:
            continue
        if why := _loose(stage.base):
            return failed(
                f"Line {stage.line}: {stage.base or 'an empty name'} {why}. Name a version, like"
                " python:3.11-slim.",
                line=stage.line,
                base=stage.base,
            )
    return passed(", ".join(dict.fromkeys(s.base for s in dockerfile.stages)))


@check
def stages(dockerfile: Dockerfile) -> Result:
    """Each stage that files are copied from is there"""
    for stage in dockerfile.stages:
        for line, source in ((i.line, s) for i in stage.instructions for s in i.sources):
            found = dockerfile.stage(source)
            if (found and found.index < stage.index) or (not found and _is_image(source)):
                continue
            lost = [s for s in dockerfile.swallowed if s.name.lower() == source.lower()]
            why = _swallowed(lost[0]) if lost else _unknown(dockerfile, found)
            return failed(
                f"Line {line} takes files from {source!r}. {why}",
                line=lost[0].line if lost else line,
                source=source,
            )
    if dockerfile.swallowed:
        return failed(_swallowed(dockerfile.swallowed[0]), line=dockerfile.swallowed[0].line)
    return passed("every --from has its stage")


def _loose(base: str) -> str:
    if "@sha256:" in base:
        return ""
    if "$" in base:
        return "holds an expression that only the builder works out"
    name = base.rpartition("/")[2]
    tag = name.partition(":")[2]
    if not tag:
        return "has no tag"
    return "is whatever is newest on the day" if tag == "latest" else ""


def _is_image(source: str) -> bool:
    """A name with a tag, a digest or a path is an image; a bare word is meant to be a stage."""
    return any(mark in source for mark in ":@/") or source.startswith("$")


def _swallowed(lost: Swallowed) -> str:
    return (
        f"The FROM on line {lost.line} does not start a stage: comments and empty lines are taken"
        f" out before lines are joined, so the backslash above line {lost.gap_line} joins that FROM"
        f" to the instruction of line {lost.instruction_line}. End that instruction first."
    )


def _unknown(dockerfile: Dockerfile, late: Stage | None) -> str:
    if late:
        return f"That stage starts only on line {late.line}: move it above the one that needs it."
    names = ", ".join(s.name for s in dockerfile.stages if s.name) or "none has a name"
    return f"No stage is called so (there is: {names}), and an image needs a tag."
