"""A submission's folder in, a Report out: asks for the facts and runs the checks, side by side.

It never raises for a student's or the machine's mistake, and it knows no check by name.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.builder import Watcher
from grader.buildlog import BuildEvent
from grader.byhand import commands
from grader.course import Course
from grader.diskguard import guarded
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.facts import Facts
from grader.given import is_given
from grader.host.home import static_chosen
from grader.opinion import opinions
from grader.results import (
    BY_HAND,
    Opinion,
    Outcome,
    Report,
    Result,
    errored,
    failed,
    skipped,
    unmeasurable,
)
from grader.spec import Exercise, Item

if TYPE_CHECKING:
    from grader.engine import Engine
    from grader.host.connection import Connection

MOST_WORKERS = 20  # a row mostly waits: for a build, a container, another row
HEARD_SECONDS = 0.3  # after which somebody who cancels is heard
STATIC = "Not measured: there is no Docker engine here (static mode). `grader doctor` says why."


@dataclass(frozen=True)
class _Row:
    """One item's raw end: a result, or the error that its facts or its check raised."""

    result: Result | None
    error: BaseException | None
    seconds: float


def grade(
    exercise: Exercise,
    folder: Path,
    connection: Connection | None = None,
    *,
    course: Course | None = None,
    on_event: Callable[[BuildEvent], None] | None = None,
    cancel: threading.Event | None = None,
    static: bool | None = None,
) -> Report:
    """Grade ``folder`` as a submission of ``exercise``; the report has a row for every check.

    Without ``connection`` the engine is found as every command finds it. ``static`` grades what
    needs no engine (default: whether LAB_STATIC is set). Once ``cancel`` is set, builds and
    containers are ended, and the report says nothing about the submission. Raises SpecError and
    UsageError only.
    """
    start = time.monotonic()
    cancel = cancel or threading.Event()
    if static is None:
        static = static_chosen()
    with ExitStack() as stack:
        engine, problem = _engine(stack, connection, static)
        scratch = Path(stack.enter_context(_scratch()))
        course = course or Course.find()
        given = {
            "course": course,
            "exercise": exercise,
            "submission": folder.resolve(),
            "engine": engine,
            "scratch": scratch,
            "watcher": Watcher(on_event, cancel),
        }
        facts = Facts(given, no_engine=problem)
        with guarded(engine, exercise.limits.disk_mb):
            rows = _run_all(exercise.items, facts, cancel, engine)
        about = _about(engine, facts, problem)
        results = _in_fairness(exercise, _told_once(exercise, rows), engine)
        said = _opinions(course, exercise, facts, results)
    seconds = time.monotonic() - start
    return Report(exercise.lab, exercise.name, results, about, seconds, said)


def _opinions(
    course: Course, exercise: Exercise, facts: Facts, results: tuple[Result, ...]
) -> tuple[Opinion, ...]:
    """A linter's, where the submission has a Dockerfile of its own that some check has read."""
    parsed = facts.known("dockerfile")
    if not parsed or is_given("Dockerfile", course.app, exercise.given):
        return ()
    return opinions(parsed.text.encode(), results)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="lab-grade-", ignore_cleanup_errors=True)


def _engine(
    stack: ExitStack, connection: Connection | None, static: bool
) -> tuple[Engine | None, Exception | None]:
    if static:
        return None, NotMeasurable(STATIC)
    from grader.engine import Engine

    try:
        return stack.enter_context(Engine.open(connection)), None
    except EngineError as err:
        return None, err


def _run_all(
    items: tuple[Item, ...], facts: Facts, cancel: threading.Event, engine: Engine | None
) -> list[_Row]:
    ends: dict[str, Future[_Row]] = {}
    with ThreadPoolExecutor(min(len(items), MOST_WORKERS)) as pool:
        for item in items:
            ends[item.id] = pool.submit(_run, item, facts, dict(ends))
        try:
            while not _ended(ends.values()):
                if cancel.is_set() and engine:
                    with suppress(EngineError):  # a lost daemon is told by the rows
                        engine.close()  # what waits for a container waits no longer
            return [ends[item.id].result() for item in items]
        except KeyboardInterrupt:
            # What still runs ends by itself once its build and its containers are gone.
            cancel.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if engine:
                engine.close()
            raise


def _ended(rows: Collection[Future[_Row]]) -> bool:
    """Whether all are there, or one broke; waits a little otherwise."""
    done, left = wait(rows, HEARD_SECONDS, return_when=FIRST_EXCEPTION)
    return not left or any(row.exception() for row in done)


def _run(item: Item, facts: Facts, ends: dict[str, Future[_Row]]) -> _Row:
    start = time.monotonic()
    result, error, args = None, None, []
    try:  # before waiting for what it needs: facts may take long, and run side by side
        args = [facts.get(name) for name in item.check.facts]
    except Exception as err:  # noqa: BLE001  whose mistake it was is decided in _explained
        error = err
    if not isinstance(error, NotMeasurable):
        for need in item.needs:
            if (row := ends[need].result()) and not _passed(row):
                seen = time.monotonic() - start
                return row if isinstance(row.error, NotMeasurable) else _held_back(need, seen)
    if error is None:
        try:
            result = _result(item.check.run(*args, **item.settings))
        except Exception as err:  # noqa: BLE001  a check that crashes is an error with its name
            error = err
    return _Row(result, error, time.monotonic() - start)


def _result(value: object) -> Result:
    if not isinstance(value, Result):
        raise TypeError(f"it gave no Result but {value!r}")
    return value


def _held_back(need: str, seconds: float) -> _Row:
    return _Row(skipped(f"Not judged until {need} passes."), None, seconds)


def _passed(row: _Row) -> bool:
    return row.result is not None and row.result.outcome is Outcome.PASS


def _told_once(exercise: Exercise, rows: list[_Row]) -> tuple[Result, ...]:
    """One cause, one red line: an error that two checks met is told at the first."""
    told: dict[int, str] = {}
    results = []
    for item, row in zip(exercise.items, rows, strict=True):
        result = row.result or _explained(item, row.error, told)
        results.append(
            replace(
                result,
                evidence={**result.evidence, **_by_hand(exercise, item, result)},
                id=item.id,
                title=item.title,
                max_points=item.points,
                seconds=round(row.seconds, 3),
            )
        )
    return tuple(results)


def _in_fairness(
    exercise: Exercise, results: tuple[Result, ...], engine: Engine | None
) -> tuple[Result, ...]:
    """Who was late on a busy machine is not judged. It is looked at once nothing of ours runs."""
    rows = zip(exercise.items, results, strict=True)
    late = {r.id for item, r in rows if r.outcome is Outcome.FAIL and item.check.timed}
    if not late or engine is None:
        return results
    if not (why := _why_busy(engine)):
        return results
    return tuple(_unjudged(r, why) if r.id in late else r for r in results)


def _why_busy(engine: Engine) -> str:
    from grader.busy import why_busy

    try:
        engine.close()
        return why_busy(engine)
    except EngineError as err:
        return str(err)


def _unjudged(result: Result, why: str) -> Result:
    return replace(result, outcome=Outcome.ERROR, message=why, line=None, evidence={})


def _by_hand(exercise: Exercise, item: Item, result: Result) -> dict[str, list[str]]:
    """What to type to see it, for what is to be repaired."""
    failed_so = result.outcome is Outcome.FAIL
    words = list(commands(exercise, item, result.line)) if failed_so else []
    return {BY_HAND: words} if words else {}


def _explained(item: Item, error: BaseException | None, told: dict[int, str]) -> Result:
    first = told.setdefault(id(error), item.id)
    if isinstance(error, NotMeasurable):
        return unmeasurable(str(error), **({"lacks": error.lacks} if error.lacks else {}))
    if isinstance(error, SubmissionError):
        if first != item.id:
            return skipped(f"Needs what failed in {first}.")
        return failed(str(error), line=error.line, file=error.file, **error.evidence)
    if isinstance(error, EngineError):
        return errored(str(error))
    return errored(f"The check {item.check.name} crashed: {type(error).__name__}: {error}")


def _about(engine: Engine | None, facts: Facts, problem: Exception | None) -> dict[str, Any]:
    if engine is None:
        mode = "static" if isinstance(problem, NotMeasurable) else "none"
        return {"mode": mode, "version": "", "gpu": "none", "cgroup": 0, "why": str(problem)}
    try:
        about: dict[str, Any] = {"mode": "live", **engine.facts()}
    except EngineError as err:
        return {"mode": "lost", "version": "", "gpu": "none", "cgroup": 0, "why": str(err)}
    made = facts.known("build")
    return {**about, "build_limits": made.limited if made else "not built"}
