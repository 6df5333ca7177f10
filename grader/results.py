"""Outcome, Result and Report: what was measured, as frozen values.

Nothing here talks to Docker or writes a file; ``exports`` turns a Report into a format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from grader.errors import DOCKERFILE

BY_HAND = "by_hand"  # the evidence that is ours: what to type to see it


class Outcome(Enum):
    """What became of one check."""

    PASS = "pass"
    FAIL = "fail"  # the student's work
    SKIP = "skip"  # a prerequisite failed, or this machine cannot measure it
    ERROR = "error"  # the machine or the grader: nobody loses marks

    @property
    def mark(self) -> str:
        return {"pass": "✓", "fail": "✗", "skip": "–", "error": "!"}[self.value]


@dataclass(frozen=True)
class Result:
    """What one check says.

    A check returns it with ``outcome``, ``message``, ``line`` and ``evidence``; ``grade`` fills in
    the rest from the lab.toml. ``line`` is 1-based in ``file``, the submission's file to blame;
    ``seconds`` is the wall time until it was known, waiting for facts and for other checks counted
    in; ``measurable`` is False when this machine cannot tell, and then the points are taken out of
    the total.
    """

    outcome: Outcome
    message: str = ""
    line: int | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    id: str = ""
    title: str = ""
    max_points: float = 0
    seconds: float = 0
    measurable: bool = True
    file: str = DOCKERFILE

    @property
    def place(self) -> str:
        """``file:line``, as editors and compilers write it; "" where no line is to blame."""
        return f"{self.file}:{self.line}" if self.line else ""

    @property
    def lacks(self) -> str:
        """What this machine hasn't got and the check needs (a GPU); "" where it was measured."""
        return "" if self.measurable else str(self.evidence.get("lacks", ""))

    @property
    def observed(self) -> str:
        """All that was seen: what a program printed may stand in the evidence only."""
        said = (str(value) for key, value in self.evidence.items() if key != BY_HAND)
        return "\n".join((self.message, *said))

    @property
    def points(self) -> float:
        return self.max_points if self.outcome is Outcome.PASS else 0


def passed(message: str = "", **evidence: object) -> Result:
    return Result(Outcome.PASS, message, evidence=evidence)


def failed(
    message: str, *, line: int | None = None, file: str = DOCKERFILE, **evidence: object
) -> Result:
    return Result(Outcome.FAIL, message, line, evidence, file=file)


def skipped(message: str, **evidence: object) -> Result:
    return Result(Outcome.SKIP, message, evidence=evidence)


def unmeasurable(message: str, **evidence: object) -> Result:
    return Result(Outcome.SKIP, message, evidence=evidence, measurable=False)


def errored(message: str, **evidence: object) -> Result:
    return Result(Outcome.ERROR, message, evidence=evidence)


@dataclass(frozen=True)
class Opinion:
    """One finding of a linter. ``check`` is the row of ours that measured the same thing, or ""."""

    rule: str
    level: str
    line: int
    message: str
    check: str = ""
    outcome: Outcome | None = None

    @property
    def disagrees(self) -> bool:
        """Whether we measured that what it warns of is all right."""
        return self.outcome is Outcome.PASS


@dataclass(frozen=True)
class Report:
    """One submission's results, one row for each check of the lab.toml, in its order.

    ``engine`` holds what was measured on: ``version``, ``api``, ``gpu``
    (``none|simulated|nvidia``), ``cgroup``, ``build_limits`` … or ``{"mode": "static"}``.
    ``opinions`` are a linter's; they carry no marks.
    """

    lab: str
    exercise: str
    results: tuple[Result, ...]
    engine: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0
    opinions: tuple[Opinion, ...] = ()

    @property
    def points(self) -> float:
        return sum(r.points for r in self.results)

    @property
    def max_points(self) -> float:
        """All the points that could be earned here: what cannot be measured is taken out."""
        return sum(r.max_points for r in self.results if r.measurable)

    @property
    def gradable(self) -> bool:
        """False when the machine failed somewhere: run it again instead of marking it."""
        return all(r.outcome is not Outcome.ERROR for r in self.results)

    @property
    def complete(self) -> bool:
        """True when every check of the exercise was measured here."""
        return self.gradable and all(r.measurable for r in self.results)

    @property
    def full_marks(self) -> bool:
        every = all(r.outcome is Outcome.PASS for r in self.results)
        return self.complete and every and bool(self.results)

    @property
    def exit_status(self) -> int:
        """0 full marks, 1 something to fix, 3 the machine could not measure all of it."""
        if not self.gradable:
            return 3
        if any(r.outcome is Outcome.FAIL for r in self.results):
            return 1
        return 0 if self.full_marks else 3
