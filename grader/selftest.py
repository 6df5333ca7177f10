"""Grades what has a known verdict on this machine's engine, and says where the grader is off.

Right and wrong answers come from ``lint``'s plan, cheats and hostile submissions from ``corpus``.
The course's faults are ``lint``'s business; here the grader is on trial, and this engine with it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader import corpus
from grader.corpus import Case
from grader.course import Course
from grader.lint import Done, Grade, Job, live, plan, run
from grader.lint_files import wrong_answers
from grader.results import Outcome, Report
from grader.spec import Exercise

KINDS = ("good", "wrong", "cheat", "hostile")
PLANNED = {"reference": "good", "right": "good", "wrong": "wrong"}  # of the names in lint's plan
LOST = ("none", "lost")  # a report's ``mode`` where there was no engine, or none any more
Tell = Callable[[object], None]
Expected = Mapping[str, frozenset[Outcome]]  # check → what is right
_NOT_FAILED = frozenset((Outcome.PASS, Outcome.SKIP))


@dataclass(frozen=True)
class Trial:
    """One folder with what its report must say; ``case`` is None for the course's own answers."""

    kind: str
    exercise: Exercise
    name: str
    folder: Path
    expected: Expected
    case: Case | None = None
    quick: bool = False

    @property
    def job(self) -> Job:
        return Job(self.exercise, f"{self.kind}/{self.name}", self.folder, lambda _: [])


@dataclass(frozen=True)
class Off:
    """One verdict that is not what it must be. ``got`` is None for a row that is missing."""

    trial: Trial
    check: str
    got: Outcome | None
    message: str = ""

    def __str__(self) -> str:
        wanted = "/".join(sorted(o.value for o in self.trial.expected[self.check]))
        got = self.got.value if self.got else "no row"
        name = f"{self.trial.kind} {self.trial.exercise.id} {self.trial.name}"
        return f"✗ {name}: {self.check} must be {wanted} and is {got}: {self.message.strip()[:200]}"


@dataclass
class Verdicts:
    """All that was seen: how often each pair of expected and got, and each that is off."""

    pairs: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # check, expected, got
    off: list[Off] = field(default_factory=list)
    machine: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0 all right · 1 a verdict is off, or there was none · 3 only the machine failed."""
        if self.machine and all(one.got is Outcome.ERROR for one in self.off):
            return 3
        return 1 if self.off or self.closed or not self.pairs else 0

    def add(self, trial: Trial, report: Report) -> None:
        if report.engine.get("mode") in LOST:
            self.machine.append(f"! {trial.job.where}: {report.engine.get('why')}")
            return
        if not trial.case and (errors := [r for r in report.results if r.outcome is Outcome.ERROR]):
            self.machine += [f"! {trial.job.where}: {r.id}: {r.message}" for r in errors]
            return  # what hangs on it is skipped, which proves nothing either
        found = {r.id: r for r in report.results}
        wrong = []
        for check, right in trial.expected.items():
            if check in found and found[check].lacks:
                continue  # neither right nor wrong
            got = found[check].outcome if check in found else None
            if got is None or got not in right:
                message = found[check].message if check in found else ""
                wrong.append(Off(trial, check, got, message))
            self.pairs[check, _named(right, got), got.value if got else "-"] += 1
        self._told(trial, wrong)

    def _told(self, trial: Trial, wrong: list[Off]) -> None:
        """A case that is known to be open may be off, and must not be anything else."""
        if not (trial.case and trial.case.open):
            self.off += wrong
        elif wrong:
            self.open.append(f"  {trial.job.where}: {trial.case.open}")
        else:
            self.closed.append(f"✗ {trial.job.where}: found out now; remove `open` there")


def _named(right: frozenset[Outcome], got: Outcome | None) -> str:
    """The expected outcome as one word: where two are right, the one that came."""
    return (got if got in right and got else min(right, key=lambda o: o.value)).value


def trials(course: Course, only: str = "") -> list[Trial]:
    """Everything with a known verdict, or one kind of it."""
    found = [*_own(course)]
    for kind in corpus.KINDS:
        found += [_of_case(case) for case in corpus.cases(course, kind)]
    return [t for t in found if only in ("", t.kind)]


def _own(course: Course) -> Iterator[Trial]:
    """The course's right and wrong answers, as lint plans them; the first of each are quick."""
    for lab in course.labs():
        fails, seen = wrong_answers(course, lab), set[str]()
        for job in plan(course, lab):
            head, _, name = job.name.partition("/")
            if not (kind := PLANNED.get(head, "")):
                continue
            check = fails[job.exercise.name][name] if kind == "wrong" else ""
            expected, first = _expected(job.exercise, check), kind not in seen
            seen.add(kind)
            yield Trial(kind, job.exercise, name or head, job.folder, expected, quick=first)


def _expected(exercise: Exercise, fails: str) -> Expected:
    """Full marks, or one named check that fails and none beside it."""
    other = _NOT_FAILED if fails else frozenset((Outcome.PASS,))
    table = {i.id: other for i in exercise.items}
    return {**table, fails: frozenset((Outcome.FAIL,))} if fails else table


def _of_case(case: Case) -> Trial:
    expected = {check: frozenset((outcome,)) for check, outcome in case.outcomes.items()}
    return Trial(case.kind, case.exercise, case.name, case.folder, expected, case, case.quick)


def selftest(todo: Sequence[Trial], grade: Grade, *, jobs: int = 2, tell: Tell) -> Verdicts:
    """Grade all of them, ``jobs`` at a time; ``tell`` gets a line for each as it ends."""
    verdicts = Verdicts()
    by_folder = {trial.folder: trial for trial in todo}
    reports: dict[Path, Report] = {}

    def kept(exercise: Exercise, folder: Path) -> Report:
        case = by_folder[folder].case
        if case is None:
            reports[folder] = grade(exercise, folder)
        else:
            with case.laid_out() as place:
                reports[folder] = grade(exercise, place)
        return reports[folder]

    for done in _all(todo, kept, jobs):
        trial = by_folder[done.job.folder]
        before = len(verdicts.off)
        if trial.folder in reports:
            verdicts.add(trial, reports[trial.folder])
        else:
            verdicts.machine += [f"! {fault}" for fault in done.faults]
        tell(_line(done, verdicts.off[before:]))
    return verdicts


def _all(todo: Sequence[Trial], grade: Grade, jobs: int) -> Iterator[Done]:
    """Side by side, but for those that must be alone on the engine: they come last."""
    alone = [trial for trial in todo if trial.case and trial.case.alone]
    yield from run([trial.job for trial in todo if trial not in alone], grade, jobs)
    yield from run([trial.job for trial in alone], grade, 1)


def _line(done: Done, off: Sequence[Off]) -> str:
    mark = "✗" if off else "✓" if done.points != "-" else "!"
    return f"{mark} {done.job.where:66} {done.points:>7} {done.seconds:6.1f} s"


def table(verdicts: Verdicts) -> Iterator[str]:
    """The confusion matrix: a row a check; what is not on the diagonal is written out."""
    checks = sorted({check for check, *_ in verdicts.pairs})
    yield f"{'check':28}" + "".join(f"{f'{o}→{o}':>12}" for o in ("pass", "fail", "skip")) + "  off"
    for check in checks:
        rows = {(e, g): n for (c, e, g), n in verdicts.pairs.items() if c == check}
        right = "".join(f"{rows.get((o, o), 0):>12}" for o in ("pass", "fail", "skip"))
        off = "  ".join(f"{e}→{g} {n}" for (e, g), n in sorted(rows.items()) if e != g)
        yield f"{check:28}{right}  {off or '–'}"


def selftest_command(*, quick: bool = False, jobs: int = 2, only: str = "") -> int:
    """``grader selftest [--quick] [--jobs N] [--only good|wrong|cheat|hostile]``.

    Exit status: 0 every verdict is right · 1 one is off · 3 the machine failed.
    """
    course, start, cancel = Course.find(), time.monotonic(), threading.Event()
    grade = live(course, cancel)
    if not corpus.there(course):
        print("No tests/ here: no cheats and no hostile submissions, only right and wrong answers.")
    todo = [t for t in trials(course, only) if t.quick or not quick]
    try:
        jobs = max(1, min(jobs, os.cpu_count() or 1))
        verdicts = selftest(todo, grade, jobs=jobs, tell=lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        cancel.set()
        raise
    for line in _summary(verdicts, todo, time.monotonic() - start):
        print(line)
    return verdicts.exit_status


def _summary(verdicts: Verdicts, todo: Iterable[Trial], seconds: float) -> Iterator[str]:
    yield ""
    yield from table(verdicts)
    yield ""
    if verdicts.open:
        yield "Known not to be found out yet:"
        yield from verdicts.open
    yield from map(str, (*verdicts.off, *verdicts.closed, *verdicts.machine))
    counts = Counter(trial.kind for trial in todo)
    what = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]) or "nothing"
    total = sum(verdicts.pairs.values())
    yield f"{what}: {total} verdicts, {len(verdicts.off)} off ({seconds:.0f} s)"
