"""What can be read in the Dockerfile alone; needs no daemon."""

from __future__ import annotations

import json
import re

from grader.dockerfile import Dockerfile, Instruction, Stage, Swallowed
from grader.registry import check
from grader.results import Result, failed, passed

_USE = re.compile(r"(?<!\\)\$(?:\{(\w+)[^}]*\}|(\w+))")
# NAME or NAME=value, where a value may be quoted
_PAIR = re.compile(r"""(?:^|\s)(\w+)(=(?:"[^"]*"|'[^']*'|\\.|\S)*)?(?=\s|$)""")
_SECRET = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)"
    r"(_|$)(?!(FILE|PATH|ID)$)",
    re.I,
)


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


@check
def arg_scope(dockerfile: Dockerfile) -> Result:
    """No stage uses an ARG that was only declared above the first FROM"""
    for stage in dockerfile.stages:
        known = _inherited(dockerfile, stage)
        for one in stage.instructions:
            lost = [n for n in _used(one) if n in dockerfile.arguments and n not in known]
            if lost:
                return failed(
                    f"Line {one.line} uses ${lost[0]}, which is empty there: an ARG above FROM is"
                    f" for FROM lines alone. Write ARG {lost[0]} once more inside the stage.",
                    line=one.line,
                    name=lost[0],
                )
            known |= _set_by(one)
    return passed(f"{len(dockerfile.arguments)} ARG above FROM")


@check
def exec_form(dockerfile: Dockerfile) -> Result:
    """CMD and ENTRYPOINT are JSON lists, so that no shell stands between Docker and the program"""
    last = dockerfile.stages[-1].instructions if dockerfile.stages else ()
    effective = {i.name: i for i in last if i.name in ("CMD", "ENTRYPOINT")}
    for one in effective.values():
        if not _is_list(one.text):
            return failed(
                f"Line {one.line}: {one.name} {_shortened(one.text)} is started by a shell, which"
                " passes no signal on: `docker stop` waits and then kills. Write it as a list:"
                f' {one.name} ["program", "argument"].',
                line=one.line,
            )
    return passed(", ".join(effective) or "neither is set")


@check
def no_secret_names(dockerfile: Dockerfile) -> Result:
    """No ARG or ENV is named like a secret"""
    for one in dockerfile.instructions:
        names = sorted(_set_by(one)) if one.name in ("ARG", "ENV") else []
        for name in filter(_SECRET.search, names):
            return failed(
                f"Line {one.line}: {one.name} {name}. What an ARG or ENV holds is in the image's"
                " history or settings, for all who have it. Hand secrets to the RUN that needs"
                " them: --mount=type=secret.",
                line=one.line,
                name=name,
            )
    return passed("none")


def _inherited(dockerfile: Dockerfile, stage: Stage) -> set[str]:
    """What a stage knows from the stage that it goes on from: ARGs and ENVs alike."""
    above = None if stage.pulls else dockerfile.stage(stage.base)
    if above is None or above.index >= stage.index:
        return set()
    own = (name for one in above.instructions for name in _set_by(one))
    return _inherited(dockerfile, above) | set(own)


def _set_by(one: Instruction) -> set[str]:
    if one.name == "ARG" or (one.name == "ENV" and "=" in one.text.split()[0]):
        return {name for name, _ in _PAIR.findall(one.text)}
    return {one.text.split()[0]} if one.name == "ENV" and one.text else set()


def _used(one: Instruction) -> list[str]:
    """The variables that it uses, without those that a RUN sets itself."""
    if one.name in ("FROM", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
        return []  # FROM has its own rules; the others are for the container
    text = "\n".join((one.raw, *one.heredocs))
    names = [found[1] or found[2] for found in _USE.finditer(text)]
    if one.name == "RUN":
        names = [
            n for n in names if not re.search(rf"\b(for|read|export|local) {n}\b|\b{n}=", text)
        ]
    return names


def _is_list(text: str) -> bool:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(words, list) and all(isinstance(w, str) for w in words)


def _shortened(text: str) -> str:
    return text if len(text) <= 50 else f"{text[:49]}…"


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
