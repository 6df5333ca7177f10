"""What a learner has done, one fact a line in ``work/progress.txt``; it merges with ``sort -u``.

It grades nothing and decides nothing: ``work`` asks it how many tries there were, ``standing`` how
far each lab is.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from grader.course import Course
from grader.errors import UsageError
from grader.results import Outcome, Report

if sys.platform != "win32":
    import fcntl

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (\S+) ([a-z]+)(?: (.*))?")
POINTS = re.compile(r"([\d.]+)/([\d.]+) ([a-z]+)(?::(\S+))?(?: (.*))?")
PRINT = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})")
CLOCK = "%Y-%m-%dT%H:%M:%SZ"
COUNTED = ("pass", "fail", "incomplete")
CHANGED = {
    "": "",
    "you": ", then you changed it",
    "the exercise": ", then the exercise changed",
}


@dataclass(frozen=True)
class Fact:
    """One line: when, about which exercise (or lab), what kind of thing, and the rest."""

    time: str
    about: str
    kind: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.time} {self.about} {self.kind} {self.text}".rstrip()


@dataclass(frozen=True)
class Fingerprint:
    """What was checked: eight characters for the learner's files, eight for what was asked."""

    mine: str
    asked: str

    def __str__(self) -> str:
        return f"{self.mine}-{self.asked}"


@dataclass(frozen=True)
class Try:
    """One check of the learner's work; ``verdict`` is pass, fail, incomplete, untouched, error.

    Lines that older versions wrote have no ``fingerprint``.
    """

    points: float
    max_points: float
    verdict: str
    failed: tuple[str, ...] = ()
    fingerprint: Fingerprint | None = None

    @property
    def counted(self) -> bool:
        """Whether it was an attempt: the machine's faults and an untouched starter are not."""
        return self.verdict in COUNTED

    def __str__(self) -> str:
        tail = f":{','.join(self.failed)}" if self.failed else ""
        mark = f" {self.fingerprint}" if self.fingerprint else ""
        return f"{self.points:g}/{self.max_points:g} {self.verdict}{tail}{mark}"


@dataclass(frozen=True)
class Summary:
    """An exercise in one line.

    ``changed`` says who has changed something since the last pass: "you", "the exercise", or "".
    """

    best: float = 0
    tries: int = 0
    failed_tries: int = 0
    hints: int = 0
    passed: bool = False
    solution_seen: bool = False
    changed: str = ""
    last: str = ""  # the verdict of the last attempt

    @property
    def state(self) -> str:
        if self.passed:
            return f"passed{CHANGED[self.changed]}"
        return "in progress" if self.tries else "not attempted"


@dataclass(frozen=True)
class Progress:
    """The file. Every method reads it anew, so that several programs can share it."""

    path: Path

    @classmethod
    def of(cls, course: Course) -> Progress:
        return cls(course.work / "progress.txt")

    def facts(self) -> tuple[Fact, ...]:
        """All the lines that can be read, oldest first."""
        return tuple(f for f in map(_parse, self._lines()) if f)

    def broken(self) -> tuple[str, ...]:
        """The lines that cannot be read. They are kept where they are."""
        return tuple(line for line in self._lines() if not _parse(line))

    def about(self, about: str, kind: str) -> tuple[Fact, ...]:
        return tuple(f for f in self.facts() if (f.about, f.kind) == (about, kind))

    def add(self, about: str, kind: str, text: object = "", *, now: datetime | None = None) -> Fact:
        """Write one fact. A second one that reads the same gets the next second."""
        moment = now or datetime.now(UTC)
        words = " ".join(str(text).split())
        with _locked(self.path):
            lines = self._lines()
            while str(fact := Fact(moment.strftime(CLOCK), about, kind, words)) in lines:
                moment += timedelta(seconds=1)
            _write(self.path, [*lines, str(fact)])
        return fact

    def record(
        self, report: Report, *, untouched: bool = False, fingerprint: Fingerprint | None = None
    ) -> Try:
        """Write down what a check said, and of what: the fingerprint from before it began."""
        outcome = replace(_try(report, untouched), fingerprint=fingerprint)
        self.add(f"{report.lab}/{report.exercise}", "check", outcome)
        return outcome

    def merge(self, other: Path) -> int:
        """Take over the lines of another such file; says how many were new."""
        try:
            theirs = other.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as err:
            raise UsageError(f"{other} cannot be read: {err.strerror}") from err
        with _locked(self.path):
            ours = self._lines()
            new = {line.strip() for line in theirs if line.strip()} - set(ours)
            _write(self.path, [*ours, *new])
        return len(new)

    def tries(self, exercise: str) -> tuple[Try, ...]:
        found = (_read_try(f.text) for f in self.about(exercise, "check"))
        return tuple(t for t in found if t)

    def summary(self, exercise: str, now: Fingerprint | None = None) -> Summary:
        """``now`` is what a check would find; without it nobody can tell what has changed."""
        tries = [t for t in self.tries(exercise) if t.counted]
        return Summary(
            best=max((t.points for t in tries), default=0),
            tries=len(tries),
            failed_tries=sum(t.verdict == "fail" for t in tries),
            hints=len({f.text for f in self.about(exercise, "hint")}),
            passed=any(t.verdict == "pass" for t in tries),
            solution_seen=bool(self.about(exercise, "solution")),
            changed=_changed(tries, now),
            last=tries[-1].verdict if tries else "",
        )

    def _lines(self) -> list[str]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        except OSError as err:
            raise UsageError(f"{self.path} cannot be read: {err.strerror}") from err
        return [line.strip() for line in text.splitlines() if line.strip()]


def _try(report: Report, untouched: bool) -> Try:
    wanted = Outcome.FAIL if report.gradable else Outcome.ERROR
    ids = tuple(r.id for r in report.results if r.outcome is wanted)
    return Try(report.points, report.max_points, _verdict(report, untouched), ids)


def _verdict(report: Report, untouched: bool) -> str:
    if not report.gradable:
        return "error"
    if untouched:
        return "untouched"
    if any(r.outcome is Outcome.FAIL for r in report.results):
        return "fail"
    return "pass" if report.full_marks else "incomplete"


def _parse(line: str) -> Fact | None:
    match = LINE.fullmatch(line.strip())
    return Fact(match[1], match[2], match[3], match[4] or "") if match else None


def _read_try(text: str) -> Try | None:
    match = POINTS.fullmatch(text)
    if not match:
        return None
    try:
        points, maximum = float(match[1]), float(match[2])
    except ValueError:
        return None
    failed = tuple(match[4].split(",")) if match[4] else ()
    mark = PRINT.fullmatch(match[5] or "")
    return Try(points, maximum, match[3], failed, Fingerprint(*mark.groups()) if mark else None)


def _changed(tries: Iterable[Try], now: Fingerprint | None) -> str:
    """Nothing, where some pass was earned with just what is there now, or where none can tell."""
    known = [t.fingerprint for t in tries if t.verdict == "pass" and t.fingerprint]
    if now is None or not known or now in known:
        return ""
    return "you" if known[-1].asked == now.asked else "the exercise"


def _write(path: Path, lines: Iterable[str]) -> None:
    """Replace the file in one step, sorted: a crash leaves the old one."""
    text = "".join(f"{line}\n" for line in sorted(set(lines)))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".progress-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time, across processes; the lock goes when its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / ".progress.lock").open("a") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as err:
        raise UsageError(f"{path} cannot be written: {err.strerror or err}") from err
