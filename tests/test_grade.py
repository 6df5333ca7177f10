"""From a folder to a report: the whole vector of outcomes, with checks and facts made up here."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from grader import busy
from grader.course import Course
from grader.engine import Engine
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.exports import render
from grader.grade import grade
from grader.registry import FACTS, Check, Fact
from grader.results import Outcome, Report, Result, failed, passed, skipped
from grader.spec import Exercise, Item
from tests.conftest import ROOT, wait_until

P, F, S, E = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.ERROR


class FakeEngine:
    """Stands in for the engine: it is only opened, asked what it is, and closed."""

    data_root = None

    def __init__(self) -> None:
        self.closed = 0
        self.left = False
        self.lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True

    def close(self) -> None:
        self.closed += 1

    def facts(self) -> dict[str, object]:
        if self.lost:
            raise EngineError("the daemon was lost")
        return {"version": "26.1", "api": "1.45", "gpu": "none", "cgroup": 2}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(Engine, "open", lambda *_: fake)
    monkeypatch.delenv("LAB_STATIC", raising=False)
    return fake


@pytest.fixture
def fact(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers a fact for one test."""

    def make(name: str, work: Callable[..., Any], needs: tuple[str, ...] = ()) -> None:
        monkeypatch.setitem(FACTS, name, Fact(name, work, needs))

    return make


def item(
    id_: str,
    run: Callable[..., Any] = passed,
    *,
    facts: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    points: float = 1,
    **settings: Any,
) -> Item:
    one = Check(f"made.{id_}", run, facts, dict.fromkeys(settings))
    return Item(id_, one, settings, points, (), needs)


def exercise(*items: Item) -> Exercise:
    return Exercise("90-small", "one", "One", "Do it.", items, Path("/nowhere"))


def report_of(*items: Item, folder: Path = ROOT / "labs", **more: Any) -> Report:
    return grade(exercise(*items), folder, course=Course(ROOT), **more)


def outcomes(report: Report) -> dict[str, Outcome]:
    return {r.id: r.outcome for r in report.results}


def raising(error: BaseException) -> Callable[..., Any]:
    def work(*_: object, **__: object) -> Any:
        raise error

    return work


# -- rows -----------------------------------------------------------------------------------------


def test_there_is_a_row_for_every_check_in_the_order_of_the_spec(engine: FakeEngine) -> None:
    """Whichever of them ends first."""
    ends = [threading.Event() for _ in range(4)]

    def wait(at: int) -> Callable[[], Result]:
        def run() -> Result:
            assert at == 3 or ends[at + 1].wait(10)
            ends[at].set()
            return passed()

        return run

    report = report_of(*(item(f"c{at}", wait(at)) for at in range(4)))
    assert [r.id for r in report.results] == ["c0", "c1", "c2", "c3"]
    assert set(outcomes(report).values()) == {P}


def test_a_row_has_what_the_check_said_and_what_the_spec_says(engine: FakeEngine) -> None:
    def run(*, limit: int) -> Result:
        """At most {limit} of them"""
        return failed("too many", line=7, seen=9)

    report = report_of(item("c", run, points=2.5, limit=3))
    (row,) = report.results
    assert (row.id, row.title, row.outcome) == ("c", "At most 3 of them", F)
    assert (row.message, row.line, row.evidence) == ("too many", 7, {"seen": 9})
    assert (row.points, row.max_points) == (0, 2.5)
    assert row.seconds >= 0
    assert report.seconds >= 0
    assert (report.lab, report.exercise) == ("90-small", "one")


def test_a_check_gets_its_facts_by_name_and_its_settings(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    fact("made_a", lambda: 1)
    fact("made_b", lambda made_a: made_a + 1, ("made_a",))
    got: list[Any] = []

    def run(b: int, a: int, *, x: str) -> Result:
        got.extend((b, a, x))
        return passed()

    report_of(item("c", run, facts=("made_b", "made_a"), x="y"))
    assert got == [2, 1, "y"]


def test_the_submissions_folder_is_handed_over_whole(engine: FakeEngine, tmp_path: Path) -> None:
    seen: list[Path] = []

    def run(submission: Path, scratch: Path) -> Result:
        seen.extend((submission, scratch))
        assert scratch.is_dir()
        return passed()

    report_of(item("c", run, facts=("submission", "scratch")), folder=tmp_path)
    assert seen[0] == tmp_path
    assert not seen[1].exists(), "the scratch folder is gone after the run"
    assert list(tmp_path.iterdir()) == []


# -- facts: once, side by side, failures remembered -----------------------------------------------


def test_a_fact_is_worked_out_once_however_many_ask_at_once(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    count: list[int] = []
    everybody_asks = threading.Event()

    def slow() -> object:
        count.append(1)
        everybody_asks.wait(0.2)
        return object()

    fact("made_slow", slow)
    seen: list[object] = []

    def run(value: object) -> Result:
        seen.append(value)
        return passed()

    report = report_of(*(item(f"c{n}", run, facts=("made_slow",)) for n in range(20)))
    assert set(outcomes(report).values()) == {P}
    assert len(count) == 1
    assert len({id(value) for value in seen}) == 1


def test_a_failure_is_remembered_and_told_once(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    count: list[int] = []

    def broken() -> object:
        count.append(1)
        raise SubmissionError("it is broken", line=3, evidence={"step": "RUN x"})

    fact("made_broken", broken)
    fact("made_above", lambda made_broken: 1, ("made_broken",))
    report = report_of(
        item("a", facts=("made_broken",)),
        item("b", facts=("made_above",)),
        item("c", facts=("made_broken",)),
    )
    assert count == [1]
    assert outcomes(report) == {"a": F, "b": S, "c": S}
    first, second, _ = report.results
    assert (first.message, first.line, first.evidence) == ("it is broken", 3, {"step": "RUN x"})
    assert second.message == "Needs what failed in a."
    assert report.exit_status == 1


def test_the_red_line_is_the_first_that_is_not_held_back(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    fact("made_broken", raising(SubmissionError("it is broken")))
    report = report_of(
        item("other", lambda: failed("other")),
        item("a", facts=("made_broken",), needs=("other",)),
        item("b", facts=("made_broken",)),
    )
    assert outcomes(report) == {"other": F, "a": S, "b": F}


def test_two_causes_are_two_red_lines(engine: FakeEngine, fact: Callable[..., None]) -> None:
    fact("made_one", raising(SubmissionError("one")))
    fact("made_two", raising(SubmissionError("two")))
    report = report_of(item("a", facts=("made_one",)), item("b", facts=("made_two",)))
    assert outcomes(report) == {"a": F, "b": F}


def test_independent_facts_are_worked_out_side_by_side(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    both = threading.Barrier(2)
    fact("made_one", lambda: both.wait(10))
    fact("made_two", lambda: both.wait(10))
    report = report_of(
        item("a", lambda _: passed(), facts=("made_one",)),
        item("b", lambda _: passed(), facts=("made_two",)),
    )
    assert outcomes(report) == {"a": P, "b": P}


def test_facts_of_a_check_that_waits_are_worked_out_meanwhile(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    begun = threading.Event()
    fact("made_two", lambda: begun.set() or 1)
    report = report_of(
        item("a", lambda: passed() if begun.wait(10) else failed("too late")),
        item("b", lambda _: passed(), facts=("made_two",), needs=("a",)),
    )
    assert outcomes(report) == {"a": P, "b": P}


# -- needs ----------------------------------------------------------------------------------------

NEEDS = [
    ("passes", passed, P, 0),
    ("fails", lambda: failed("no"), S, 1),
    ("is skipped", lambda: skipped("no"), S, 3),
    ("crashes", raising(ValueError("x")), S, 3),
    ("meets a dead machine", raising(EngineError("x")), S, 3),
    ("fails by an error", raising(SubmissionError("x")), S, 1),
]


@pytest.mark.parametrize(
    ("run", "outcome", "status"), [n[1:] for n in NEEDS], ids=[n[0] for n in NEEDS]
)
def test_what_becomes_of_a_check_when_the_one_it_needs(
    engine: FakeEngine, run: Callable[[], Result], outcome: Outcome, status: int
) -> None:
    ran: list[int] = []

    def dependent() -> Result:
        ran.append(1)
        return passed()

    report = report_of(item("a", run), item("b", dependent, needs=("a",)))
    assert outcomes(report)["b"] is outcome
    assert report.exit_status == status
    assert len(ran) == (outcome is P)
    if outcome is S:
        assert report.results[1].message == "Not judged until a passes."
        assert report.max_points == 2


def test_one_cause_skips_the_whole_chain_behind_it(engine: FakeEngine) -> None:
    report = report_of(
        item("a", lambda: failed("the cause")),
        item("b", needs=("a",)),
        item("c", needs=("b",)),
        item("d", needs=("c", "a")),
        item("e"),
    )
    assert outcomes(report) == {"a": F, "b": S, "c": S, "d": S, "e": P}


def test_all_that_is_needed_must_pass(engine: FakeEngine) -> None:
    report = report_of(item("a"), item("b", lambda: failed("x")), item("c", needs=("a", "b")))
    assert report.results[2].message == "Not judged until b passes."


def test_a_long_chain_never_locks_up(engine: FakeEngine) -> None:
    items = [item("c0")]
    items += [item(f"c{n}", needs=(f"c{n - 1}",)) for n in range(1, 60)]
    assert report_of(*items).full_marks


# -- whose mistake --------------------------------------------------------------------------------


def test_a_check_that_crashes_is_an_error_with_its_name(engine: FakeEngine) -> None:
    report = report_of(item("a", raising(ZeroDivisionError("by zero"))), item("b"))
    assert outcomes(report) == {"a": E, "b": P}
    for word in ("made.a", "crashed", "ZeroDivisionError", "by zero"):
        assert word in report.results[0].message
    assert report.exit_status == 3
    assert not report.gradable


@pytest.mark.parametrize("answer", [None, True, "pass", 1])
def test_a_check_that_gives_no_result_is_an_error_with_its_name(
    engine: FakeEngine, answer: object
) -> None:
    report = report_of(item("a", lambda: answer), item("b", needs=("a",)))
    assert outcomes(report) == {"a": E, "b": S}
    assert "made.a" in report.results[0].message
    assert "Result" in report.results[0].message


def test_a_fact_that_crashes_is_an_error_and_no_lost_mark(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    fact("made_broken", raising(KeyError("x")))
    report = report_of(item("a", facts=("made_broken",)), item("b"))
    assert outcomes(report) == {"a": E, "b": P}
    assert report.exit_status == 3


def test_a_fact_that_nobody_knows_is_an_error_with_the_checks_name(engine: FakeEngine) -> None:
    report = report_of(item("a", facts=("made_nowhere",)))
    assert outcomes(report) == {"a": E}
    assert "made.a" in report.results[0].message


def test_a_dead_daemon_is_not_a_zero(engine: FakeEngine, fact: Callable[..., None]) -> None:
    fact("made_image", raising(EngineError("The Docker daemon was lost")))
    report = report_of(item("a"), item("b", facts=("made_image",)))
    assert outcomes(report) == {"a": P, "b": E}
    assert report.results[1].message == "The Docker daemon was lost"
    assert (report.gradable, report.exit_status) == (False, 3)


def test_without_an_engine_what_needs_none_is_graded_and_the_rest_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LAB_STATIC", raising=False)
    monkeypatch.setattr(Engine, "open", raising(EngineError("No Docker Engine answers here.")))
    report = report_of(item("a"), item("b", facts=("engine",)))
    assert outcomes(report) == {"a": P, "b": E}
    assert report.exit_status == 3
    assert report.engine["mode"] == "none"
    assert report.engine["why"] == "No Docker Engine answers here."


def test_an_engine_that_is_lost_at_the_end_is_said_to_be(engine: FakeEngine) -> None:
    engine.lost = True
    report = report_of(item("a", raising(EngineError("gone"))))
    assert report.engine["mode"] == "lost"
    assert report.exit_status == 3


STATUS = [
    ("full marks", [passed, passed], 0),
    ("something to fix", [passed, lambda: failed("x")], 1),
    ("something to fix that is worth nothing", [lambda: failed("x")], 1),
    ("the machine", [passed, raising(EngineError("x"))], 3),
    ("the machine, and something to fix", [lambda: failed("x"), raising(EngineError("x"))], 3),
    ("the grader", [raising(TypeError("x")), passed], 3),
]


@pytest.mark.parametrize(("runs", "status"), [s[1:] for s in STATUS], ids=[s[0] for s in STATUS])
def test_exit_statuses(engine: FakeEngine, runs: list[Callable[..., Any]], status: int) -> None:
    report = report_of(*(item(f"c{at}", run) for at, run in enumerate(runs)))
    assert report.exit_status == status


def test_the_engine_is_left_also_when_something_goes_wrong(engine: FakeEngine) -> None:
    report_of(item("a", raising(EngineError("x"))))
    assert engine.left


# -- static ---------------------------------------------------------------------------------------


def static_report(first: Callable[[], Result], **more: Any) -> Report:
    return report_of(
        item("parses", first),
        item("build", facts=("engine",), needs=("parses",), points=2),
        item("size", facts=("engine",), needs=("build",), points=4),
        item("hangs on it", needs=("size",), points=8),
        item("pinned", points=16),
        **more,
    )


@pytest.mark.parametrize(("first", "points"), [(passed, 17), (lambda: failed("x"), 16)])
def test_static_takes_out_the_points_of_everything_that_needs_the_engine(
    first: Callable[[], Result], points: float
) -> None:
    report = static_report(first, static=True)
    measured = {r.id: r.measurable for r in report.results}
    assert measured == {
        "parses": True,
        "build": False,
        "size": False,
        "hangs on it": False,
        "pinned": True,
    }
    assert {r.outcome for r in report.results if not r.measurable} == {S}
    assert (report.points, report.max_points) == (points, 17)
    assert report.engine["mode"] == "static"
    assert report.gradable
    assert not report.full_marks


def test_static_says_why_in_each_row() -> None:
    for row in static_report(passed, static=True).results:
        if not row.measurable:
            assert "no Docker engine" in row.message


def test_static_never_looks_for_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "open", raising(AssertionError("asked")))
    assert static_report(passed, static=True).exit_status == 3


@pytest.mark.parametrize(
    ("value", "static"), [("1", True), ("", False), ("0", False), (None, False)]
)
def test_lab_static_means_static(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, value: str | None, static: bool
) -> None:
    if value is not None:
        monkeypatch.setenv("LAB_STATIC", value)
    assert (static_report(passed).engine["mode"] == "static") is static


def test_a_fact_may_say_itself_that_it_cannot_be_measured_here(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    fact("made_gpu", raising(NotMeasurable("no GPU here")))
    report = report_of(item("a"), item("b", facts=("made_gpu",), points=5))
    assert outcomes(report) == {"a": P, "b": S}
    assert report.max_points == 1
    assert report.results[1].message == "no GPU here"
    assert report.results[1].lacks == ""


def test_what_this_machine_lacks_is_told_beside_it(
    engine: FakeEngine, fact: Callable[..., None]
) -> None:
    fact("made_gpu", raising(NotMeasurable("no GPU here", lacks="gpu")))
    (row,) = report_of(item("b", facts=("made_gpu",), points=5)).results
    assert (row.lacks, row.evidence) == ("gpu", {"lacks": "gpu"})


# -- stopping -------------------------------------------------------------------------------------


def test_an_interrupt_cancels_closes_the_engine_and_goes_on_up(engine: FakeEngine) -> None:
    cancel, begun = threading.Event(), threading.Event()
    ended: list[bool] = []

    def interrupted() -> Result:
        begun.wait(10)
        raise KeyboardInterrupt

    def waits() -> Result:
        begun.set()
        ended.append(cancel.wait(10))
        return passed()

    with pytest.raises(KeyboardInterrupt):
        report_of(item("a", interrupted), item("b", waits), cancel=cancel)
    assert cancel.is_set()
    assert engine.closed == 1
    assert ended == [True]
    assert engine.left


def test_an_interrupt_without_an_engine_is_one_too() -> None:
    with pytest.raises(KeyboardInterrupt):
        report_of(item("a", raising(KeyboardInterrupt())), static=True)


def test_whoever_cancels_ends_what_the_engine_runs(engine: FakeEngine) -> None:
    """A check may wait for a container, not for a build: that one is removed."""
    cancel = threading.Event()

    def run() -> Result:
        cancel.set()
        wait_until(lambda: engine.closed, timeout=5)
        return passed()

    report_of(item("a", run), cancel=cancel)
    assert engine.closed


def test_whoever_cancels_is_heard_by_the_facts(engine: FakeEngine) -> None:
    cancel = threading.Event()

    def run(watcher: Any) -> Result:
        cancel.set()
        wait_until(watcher.cancel.is_set, timeout=5)
        return passed()

    assert report_of(item("a", run, facts=("watcher",)), cancel=cancel).full_marks


def test_events_reach_who_asked_for_them(engine: FakeEngine) -> None:
    told: list[Any] = []

    def run(watcher: Any) -> Result:
        watcher.on_event("event")
        return passed()

    report_of(item("a", run, facts=("watcher",)), on_event=told.append)
    assert told == ["event"]


# -- whatever comes out, both formats can say it --------------------------------------------------


def test_every_outcome_can_be_written(engine: FakeEngine, fact: Callable[..., None]) -> None:
    fact("made_broken", raising(SubmissionError("x", evidence={"output": ["a"]})))
    report = report_of(
        item("a"),
        item("b", facts=("made_broken",)),
        item("c", facts=("made_broken",)),
        item("d", raising(EngineError("x"))),
        item("e", raising(NotMeasurable("x"))),
    )
    data = json.loads(render(report, "json"))
    assert [c["outcome"] for c in data["checks"]] == ["pass", "fail", "skip", "error", "skip"]
    assert render(report, "text").count("\n") > 5


# -- the real course, without an engine -----------------------------------------------------------


def real(course: Course, folder: str, id_: str = "01-multi-stage/two-stages") -> Report:
    return grade(course.exercise(id_), course.root / folder, course=course, static=True)


def test_the_reference_passes_all_that_is_static(course: Course) -> None:
    report = real(course, "solutions/01-multi-stage/two-stages")
    assert report.points == report.max_points
    assert F not in outcomes(report).values()
    assert outcomes(report)["dockerfile.parses"] is P
    assert report.exit_status == 3


def test_the_lectures_swallowed_stage_fails_statically_at_its_line(course: Course) -> None:
    folder = "solutions/01-multi-stage/train-serve.wrong/lecture-1.3"
    report = real(course, folder, "01-multi-stage/train-serve")
    (row,) = [r for r in report.results if r.outcome is F]
    assert row.id == "dockerfile.stages"
    lines = (course.root / folder / "Dockerfile").read_text().splitlines()
    assert row.line is not None
    assert lines[row.line - 1].upper().startswith("FROM")
    assert report.exit_status == 1


BAD = [
    ("no Dockerfile", {}, "no file called Dockerfile"),
    ("another name", {"dockerfile": "FROM a:1\n"}, "'dockerfile': rename it"),
    ("empty", {"Dockerfile": ""}, "empty"),
    ("not UTF-8", {"Dockerfile": b"FROM a:1\n\xff"}, "not UTF-8"),
    ("NUL", {"Dockerfile": "FROM a:1\x00"}, "NUL"),
    ("larger than 200 kB", {"Dockerfile": "#" * 200_001}, "larger than 200 kB"),
    ("unknown instruction", {"Dockerfile": "FROM a:1\nRUNN x\n"}, "'RUNN'"),
    ("only a backslash", {"Dockerfile": "\\\n"}, ""),
]


@pytest.mark.parametrize(("files", "words"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_input_is_one_red_line_and_exit_status_1(
    course: Course, folder: Callable[..., Path], files: dict[str, Any], words: str
) -> None:
    report = grade(
        course.exercise("01-multi-stage/two-stages"), folder(**files), course=course, static=True
    )
    (row,) = [r for r in report.results if r.outcome is F]
    assert row.id == "dockerfile.parses"
    assert words in row.message
    assert E not in outcomes(report).values()
    assert report.exit_status == 1


def test_windows_line_ends_are_fine(course: Course, folder: Callable[..., Path]) -> None:
    text = (course.root / "solutions/01-multi-stage/two-stages/Dockerfile").read_text()
    place = folder(Dockerfile=text.replace("\n", "\r\n"))
    report = grade(course.exercise("01-multi-stage/two-stages"), place, course=course, static=True)
    assert F not in outcomes(report).values()


@pytest.mark.parametrize("kind", ["a folder", "a circle", "a link out", "a named pipe"])
def test_an_odd_dockerfile_is_one_red_line(course: Course, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "handed-in"
    place.mkdir()
    path = place / "Dockerfile"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a circle":
        path.symlink_to("Dockerfile")
    elif kind == "a link out":
        path.symlink_to(ROOT / "images/baseline/Dockerfile")
    else:
        os.mkfifo(path)
    report = grade(course.exercise("01-multi-stage/two-stages"), place, course=course, static=True)
    assert next(r.id for r in report.results if r.outcome is F) == "dockerfile.parses"
    assert E not in outcomes(report).values()
    assert report.exit_status == 1


@pytest.mark.parametrize(
    ("timed", "times", "outcome"),
    [
        (True, busy.BUSY, F),
        (True, busy.BUSY + 0.1, E),
        (False, busy.BUSY + 0.1, F),  # late or not makes no difference to it
    ],
)
def test_who_was_late_on_a_busy_machine_is_not_judged(
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    timed: bool,
    times: float,
    outcome: Outcome,
) -> None:
    closed: list[int] = []

    def slowdown(_: object) -> float:
        closed.append(engine.closed)
        return times

    monkeypatch.setattr(busy, "slowdown", slowdown)
    monkeypatch.setitem(FACTS, "answer", Fact("answer", lambda: 1, (), timed=timed))
    report = report_of(
        item("late", lambda _: failed("too late", line=3, seen="no"), facts=("answer",)),
        item("other", lambda: failed("wrong")),
    )
    late, other = report.results
    assert (late.outcome, other.outcome) == (outcome, F)
    assert report.gradable == (outcome is F)
    assert ("busy" in late.message, late.line) == ((True, None) if outcome is E else (False, 3))
    assert closed == ([1] if timed else [])  # its own containers are gone by then


def test_a_machine_that_is_lost_before_it_is_asked_is_not_the_students_fault(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: object) -> float:
        raise EngineError("the daemon was lost")

    monkeypatch.setattr(busy, "slowdown", lost)
    monkeypatch.setitem(FACTS, "answer", Fact("answer", lambda: 1, (), timed=True))
    report = report_of(item("late", lambda _: failed("too late"), facts=("answer",)))
    assert report.results[0].outcome is E
    assert "lost" in report.results[0].message
