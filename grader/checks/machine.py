"""Whether this machine can do what the labs need. Never a student's failure: only lab 00 asks."""

from __future__ import annotations

from typing import Any

from grader.errors import EngineError
from grader.registry import check
from grader.results import Result, passed


@check
def ok(machine: dict[str, Any], *, probe: str) -> Result:
    """This machine: {probe}"""
    row = machine.get(probe)
    if row is None:
        raise EngineError(
            f"The doctor has no probe {probe!r}; it has {', '.join(sorted(machine))}."
        )
    if row.state == "bad":
        raise EngineError(f"{row.title}: {row.seen}. {row.do}".strip())
    return passed(f"{row.title}: {row.seen}", state=row.state)
