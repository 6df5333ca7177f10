"""Whether a Dockerfile's ``# syntax=`` line is a directive or only looks like one."""

from __future__ import annotations

import re

from grader.frontends import Asked, Plain, Pointed
from grader.registry import check
from grader.results import Result, failed, passed

_OFFICIAL = re.compile(
    r"(docker\.io/)?docker/dockerfile:1(\.\d+(\.\d+)?)?(-labs)?(@sha256:[0-9a-f]{64})?"
)


@check
def builds(plain: Plain) -> Result:
    """It builds"""
    how = "with the frontend that it names"
    if not plain.as_written:
        how = "with the engine's own frontend: no registry that has the other one is reached here"
    return passed(f"in {plain.build.seconds:.1f} s, {how}", as_written=plain.as_written)


@check
def official(asked: tuple[Asked, ...]) -> Result:
    """A syntax line names Docker's own frontend, version 1"""
    if not asked:
        return failed("There is no line with # syntax= in the file. Add one.")
    for one in asked:
        if not _OFFICIAL.fullmatch(one.name):
            return failed(
                f"Line {one.line} names the frontend {one.name!r}: a program that is pulled,"
                " and reads all of your file. Take docker/dockerfile:1.",
                line=one.line,
            )
    return passed(asked[0].name)


@check
def live(pointed: Pointed, asked: tuple[Asked, ...]) -> Result:
    """The builder obeys it: pointed at a frontend that does not exist, the build fails"""
    if pointed.sought:
        return passed(f"it went to look for {pointed.name}")
    line = asked[0].line if asked else None
    return failed(
        f"Line {line} is a comment and nothing else: with a frontend that does not exist"
        f" ({pointed.name}) the build goes on as before. A directive stands in the first line of"
        " the file, with no empty line, no comment and no instruction above it.",
        line=line,
    )
