"""Whether the way in which a container is to run can be read and taken; nothing is started."""

from __future__ import annotations

from grader.locked import Confined
from grader.registry import check
from grader.results import Result, passed
from grader.runspec import RunSpec


@check
def accepted(runspec: RunSpec) -> Result:
    """The run specification can be read, and asks for nothing that is refused"""
    keys = ", ".join(sorted(map(str, runspec.wanted))) or "nothing"
    what = f"service {runspec.service}: {keys}" if runspec.service else keys
    return passed(f"{runspec.name}, {what}", file=runspec.name, keys=sorted(runspec.wanted))


@check
def creates(confined: Confined) -> Result:
    """Docker makes a container of it"""
    return passed(f"from {confined.spec.name}")
