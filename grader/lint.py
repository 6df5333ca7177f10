"""Proves the course: starters fail what they teach, references pass twice, wrong answers fail.

It finds fault with the course, never with a learner. What the files alone tell is in
``lint_files``; grading is handed in, so that this can be tested without an engine.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from grader.course import Course
from grader.errors import EngineError, GraderError, SpecError
from grader.lint_files import (
    Fault,
    lab_faults,
    other_answers,
    stray_faults,
    wrong_answers,
)
from grader.results import Outcome, Report, Result
from grader.spec import Exercise, Lab

Grade = Callable[[Exercise, Path], Report]
Judge = Callable[[Report], list[str]]

IN_A_ROW = 2  # a reference that passes only sometimes is no reference


@dataclass(frozen=True)
class Job:
    """One folder to grade, ``times`` in a row, and what its report must look like.

    ``fails`` are the checks that fail, no more and no fewer; None where that is left open.
    """

    exercise: Exercise
    name: str
    folder: Path
    judge: Judge
    times: int = 1
    fails: frozenset[str] | None = frozenset()

    @property
    def where(self) -> str:
        return f"{self.exercise.id} {self.name}"


@dataclass(frozen=True)
class Done:
    """A job that ended. ``late``: all that is odd depends on time; ``again``: tried once more."""

    job: Job
    faults: tuple[Fault, ...]
    seconds: float
    points: str
    late: bool = False
    again: bool = False
    met: frozenset[tuple[str, str]] = frozenset()  # check and words of the hints that fitted

    def __str__(self) -> str:
        mark = "✗" if any(not f.machine for f in self.faults) else "!" if self.faults else "✓"
        alone = "  alone, after it was off beside another" if self.again else ""
        lines = [f"{mark} {self.job.where:58} {self.points:>9} {self.seconds:6.1f} s{alone}"]
        return "\n".join([*lines, *(f"    {fault.what}" for fault in self.faults)])


def lint(
    course: Course,
    *,
    grade: Grade | None,
    labs: Sequence[str] = (),
    static: bool = False,
    jobs: int = 2,
    tell: Callable[[object], None] = lambda _: None,
) -> list[Fault]:
    """Every fault of the course, or of the named labs; ``static`` leaves out what is built.

    ``tell`` gets each fault and each ``Done`` as it comes. Raises UsageError for an unknown lab.
    """
    found, faults = _load(course, labs)
    faults += [fault for lab in found for fault in lab_faults(course, lab)]
    faults += [f for f in stray_faults(course) if not labs or Path(f.where).parts[1] in labs]
    for fault in faults:
        tell(fault)
    if grade is None or static:
        return faults
    todo = [job for lab in found for job in plan(course, lab)]
    met = set[tuple[str, str, str]]()
    for done in run(todo, grade, jobs):
        tell(done)
        faults += done.faults
        met |= {(done.job.exercise.id, *hint) for hint in done.met}
    for lab in found:
        for fault in _unmet(lab, met):
            tell(fault)
            faults.append(fault)
    return faults


def _unmet(lab: Lab, met: AbstractSet[tuple[str, str, str]]) -> Iterator[Fault]:
    """Hints for something that no wrong answer shows: nobody has seen them fit."""
    for one in lab.exercises:
        for item in one.items:
            for seen in item.seen:
                if (one.id, item.id, seen.words) not in met:
                    what = f"no wrong answer shows {seen.words!r}, for which {item.id} has hints"
                    yield Fault(one.id, what)


def plan(course: Course, lab: Lab) -> Iterator[Job]:
    """What has to be graded for one lab; the long ones, which others wait for, come first."""
    try:
        table = wrong_answers(course, lab)
    except SpecError:
        table = {}  # already a fault
    for exercise in lab.exercises:
        starter, solution = course.starter(exercise), course.solution(exercise)
        if solution.is_dir():
            yield Job(exercise, "reference", solution, _full_marks, IN_A_ROW)
        judge = _full_marks if exercise.is_gate else partial(_loses, exercise.teaches)
        yield Job(exercise, "starter", starter, judge, fails=None)
        for folder in other_answers(solution):
            yield Job(exercise, f"right/{folder.name}", folder, _full_marks)
        for name, check in table.get(exercise.name, {}).items():
            folder = solution.with_name(f"{solution.name}.wrong") / name
            if folder.is_dir():
                judge = partial(_fails_only, check)
                yield Job(exercise, f"wrong/{name}", folder, judge, fails=frozenset([check]))


def lint_command(labs: Sequence[str] = (), *, static: bool = False, jobs: int = 2) -> int:
    """``grader lint-course [LAB…] [--static] [--jobs N]``.

    Exit status: 0 no fault · 1 the course is at fault · 3 only the machine is.
    """
    course, start, cancel = Course.find(), time.monotonic(), threading.Event()
    grade = None if static else live(course, cancel)
    jobs, twice = max(1, min(jobs, os.cpu_count() or 1)), list[Done]()

    def tell(what: object) -> None:
        print(what if isinstance(what, Done) else f"✗ {what}", flush=True)
        twice.extend([what] if isinstance(what, Done) and what.again else [])

    try:
        faults = lint(course, grade=grade, labs=labs, static=static, jobs=jobs, tell=tell)
    except KeyboardInterrupt:
        cancel.set()
        raise
    ours = [f for f in faults if not f.machine]
    machines = len(faults) - len(ours)
    took = time.monotonic() - start
    for fault in faults if grade else ():
        print(f"✗ {fault}")  # again: hundreds of lines lie between some of them and the end
    again = f", {len(twice)} tried twice" if twice else ""
    print(f"{len(ours)} faults of the course, {machines} of the machine{again} ({took:.0f} s)")
    return 1 if ours else 3 if machines else 0


def live(course: Course, cancel: threading.Event) -> Grade:
    """The real grader. Raises EngineError at once when there is nothing to grade on."""
    from grader.grade import grade
    from grader.host.connection import connect
    from grader.solver import solved

    connection = connect()

    def graded(exercise: Exercise, folder: Path) -> Report:
        with solved(folder, connection, course) as laid:
            return grade(exercise, laid, connection, course=course, cancel=cancel, static=False)

    return graded


def _load(course: Course, names: Sequence[str]) -> tuple[list[Lab], list[Fault]]:
    """The labs that can be read, and a fault for each that can't."""
    paths = sorted(course.root.glob("labs/[0-9]*/lab.toml"))
    labs, faults = [], []
    for name in names or [p.parent.name for p in paths]:
        try:
            labs.append(course.lab(name))
        except SpecError as err:
            faults.append(Fault(name, str(err)))
    return labs, faults


def run(todo: Sequence[Job], grade: Grade, jobs: int) -> Iterator[Done]:
    """Side by side, in the order in which they end; what time may have spoilt is tried once more.

    Alone, at the end: where several run side by side, one may be late because of the others.
    """
    failed = []
    for done in _side_by_side(todo, grade, jobs):
        if done.faults and (done.late or all(fault.machine for fault in done.faults)):
            failed.append(done.job)
        else:
            yield done
    for done in _side_by_side(failed, grade, 1):
        yield replace(done, again=True)


def _side_by_side(todo: Sequence[Job], grade: Grade, jobs: int) -> Iterator[Done]:
    pool = ThreadPoolExecutor(jobs)
    running: list[Future[Done]] = [pool.submit(_grade, job, grade) for job in todo]
    try:
        for future in as_completed(running):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _grade(job: Job, grade: Grade) -> Done:
    start, faults, points = time.monotonic(), list[Fault](), "-"
    met, late = set[tuple[str, str]](), False
    for turn in range(1, job.times + 1):
        where = job.where if turn == 1 else f"{job.where} (time {turn})"
        try:
            report = grade(job.exercise, job.folder)
        except GraderError as err:
            faults.append(Fault(where, str(err), machine=isinstance(err, EngineError)))
        except Exception as err:  # noqa: BLE001 (one broken job must not hide the others)
            faults.append(Fault(where, f"the grader crashed: {type(err).__name__}: {err}"))
        else:
            points = f"{report.points:g}/{report.max_points:g}"
            faults += _judged(job, report, where)
            met |= _met(job.exercise, report)
            late = _late(job, report)
        if faults:
            break
    seconds = time.monotonic() - start
    return Done(job, tuple(faults), seconds, points, late=late, met=frozenset(met))


def _late(job: Job, report: Report) -> bool:
    """Whether all that failed, and should not, or should have and did not, depends on time."""
    timed = {item.id for item in job.exercise.items if item.check.timed}
    failed = {r.id for r in _failed(report)}
    odd = failed ^ job.fails if job.fails is not None else set()
    return bool(odd) and odd <= timed


def _met(exercise: Exercise, report: Report) -> set[tuple[str, str]]:
    """The hints for something observed, by check and words, that a learner would get here."""
    said = {r.id: r.observed for r in _failed(report)}
    rows = ((item, seen) for item in exercise.items for seen in item.seen if item.id in said)
    return {(item.id, seen.words) for item, seen in rows if seen.fits(said[item.id])}


def _judged(job: Job, report: Report, where: str) -> list[Fault]:
    """What is wrong with a report. What was not measured proves nothing either way."""
    left_out = {r.id for r in report.results if r.lacks}
    rest = tuple(r for r in report.results if r.id not in left_out)
    machine = [r for r in rest if r.outcome is Outcome.ERROR or not r.measurable]
    if machine:
        return [
            Fault(where, f"{r.id} was not measured: {r.message}", machine=True) for r in machine
        ]
    seen = replace(report, results=rest)
    if job.fails and job.fails <= left_out:
        return [Fault(where, f"also fails {_told(r)}") for r in _failed(seen)]
    return [Fault(where, what) for what in job.judge(seen)]


def _full_marks(report: Report) -> list[str]:
    if report.full_marks:
        return []
    return [f"does not pass {_told(r)}" for r in report.results if r.outcome is not Outcome.PASS]


def _loses(taught: Sequence[str], report: Report) -> list[str]:
    passed = {r.id for r in report.results if r.outcome is Outcome.PASS}
    return [f"passes {id_}, which it is to teach" for id_ in taught if id_ in passed]


def _fails_only(check: str, report: Report) -> list[str]:
    wrong = [f"also fails {_told(r)}" for r in _failed(report) if r.id != check]
    if check in {r.id for r in _failed(report)}:
        return wrong
    what = next((f"it is a {r.outcome.value}" for r in report.results if r.id == check), "no such")
    return [f"does not fail {check} ({what})", *wrong]


def _failed(report: Report) -> list[Result]:
    return [r for r in report.results if r.outcome is Outcome.FAIL]


def _told(result: Result) -> str:
    return f"{result.id} ({result.outcome.value}: {result.message.strip()[:300]})"
