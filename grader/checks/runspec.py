"""Whether the way in which a container is to run can be read and taken; nothing is started."""

from __future__ import annotations

from grader.boxed import Program
from grader.locked import Confined
from grader.registry import check
from grader.results import Result, failed, passed
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


@check
def given_program(program: Program) -> Result:
    """It runs the given program, as the image has it"""
    spec = program.confined.spec
    if program.command != program.of_image:
        return failed(
            f"It runs `{' '.join(program.command)[:200]}` and not what the image says. Only the"
            " limits are yours to choose here: take the command out.",
            file=spec.name,
            line=spec.line("command", "entrypoint"),
        )
    if program.brought:
        return failed(
            f"Files of yours are laid into it ({', '.join(program.brought)}). All that it needs is"
            " in the image: take them out.",
            file=spec.name,
            line=spec.line("volumes", "volume", "mount", "configs", "secrets"),
        )
    return passed("`" + " ".join(program.of_image) + "`")
