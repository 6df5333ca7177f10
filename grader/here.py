"""Which of the things that a lab can need are here: looked up at once, and nothing is started.

The only place that says so, for every table and picture of the labs. Whether an engine that answers
works as it should is the doctor's to try out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from grader.errors import EngineError
from grader.host import registry
from grader.host.connection import wanted
from grader.spec import NEEDS, Lab

NAMES = {"engine": "Docker engine", "gpu": "GPU", "network": "internet"}


@dataclass(frozen=True)
class Here:
    """``missing`` maps each need that is not met to the reason."""

    missing: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, lab: Lab) -> tuple[str, ...]:
        """What the lab needs and this machine doesn't have."""
        return tuple(need for need in lab.needs if need in self.missing)

    def verdict(self, lab: Lab) -> str:
        """How much of the lab can be done here, in words."""
        names = [NAMES[need] for need in self.lacks(lab)]
        return f"only in part: no {', no '.join(names)}" if names else "all of it"

    def reasons(self) -> list[str]:
        """A sentence for each need that is not met."""
        return [f"No {NAMES[need]}: {why}" for need, why in self.missing.items()]


def look(labs: Iterable[Lab]) -> Here:
    """Look for what these labs need, and for nothing else."""
    needed = {need for lab in labs for need in lab.needs}
    found = {need: _why_not(need) for need in NEEDS if need in needed}
    return Here({need: why for need, why in found.items() if why})


def _why_not(need: str) -> str:
    try:
        return LOOKS[need]()
    except EngineError as err:
        return " ".join(str(err).split())


def _engine() -> str:
    wanted()
    return ""


def _gpu() -> str:
    from grader.engine import Engine

    with closing(Engine(wanted())) as engine:
        return "the engine has none to give." if engine.facts()["gpu"] == "none" else ""


def _network() -> str:
    return "" if registry.reachable() else "Docker Hub does not answer."


LOOKS: Mapping[str, Callable[[], str]] = {"engine": _engine, "gpu": _gpu, "network": _network}
