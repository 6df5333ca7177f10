"""Checking all again: what is checked, in which order, and that nothing is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grader import recheck, work
from grader.course import Course
from grader.progress import Progress, Try
from grader.recheck import exit_status, recheck_command, tasks
from grader.results import Outcome, Report
from grader.spec import Exercise
from tests.sample_course import LAB, LAB_TOML, STARTER, make_course, report, write

PASS: dict[str, Outcome] = {}
FAIL = {"image.size": Outcome.FAIL}
SKIP = {"image.size": Outcome.SKIP}
ERROR = {"image.size": Outcome.ERROR}
NAMES = ("one", "two", "three")


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """Three exercises: in ``one`` and ``two`` the learner has written something."""
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    course = make_course(tmp_path)
    head, _, rest = LAB_TOML.partition("[[exercise]]")
    more = [f"[[exercise]]{rest.replace('slim', name, 1)}" for name in NAMES]
    write(course.root, {f"labs/{LAB}/lab.toml": head + "\n".join(more)})
    write(course.root, {f"labs/{LAB}/{name}/Dockerfile": STARTER for name in NAMES})
    for name in NAMES:
        work.start(course, course.exercise(f"{LAB}/{name}"))
    edit(course, "one", "FROM mine\n")
    edit(course, "two", "FROM mine\n")
    return course


def edit(course: Course, name: str, text: str) -> None:
    (course.work / LAB / name / "Dockerfile").write_text(text)


def grading(monkeypatch: pytest.MonkeyPatch, **outcomes: Any) -> list[str]:
    """Grade as told, by the exercise's name; gives the list of what was graded."""
    graded: list[str] = []

    def grade(exercise: Exercise, folder: Path, *, course: Course) -> Report:
        assert folder == course.workplace(exercise)
        graded.append(exercise.name)
        found = outcomes.get(exercise.name, PASS)
        if isinstance(found, BaseException):
            raise found
        made = report(found)
        return Report(exercise.lab, exercise.name, made.results, seconds=1.25)

    monkeypatch.setattr("grader.grade.grade", grade)
    return graded


def checked(course: Course, name: str) -> tuple[Try, ...]:
    return Progress.of(course).tries(f"{LAB}/{name}")


def test_only_what_holds_work_of_ones_own_is_checked(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graded = grading(monkeypatch, two=FAIL)
    assert recheck_command() == 1
    assert graded == ["one", "two"]
    assert capsys.readouterr().out.splitlines() == [
        f"✓ {LAB}/one      7/7     1.2 s",
        f"✗ {LAB}/two      3/7     1.2 s",
        "1 of 2 with full marks.",
        f"`grader check {LAB}/two` says what was seen and what to do.",
    ]


def test_each_is_written_down_like_any_check(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    grading(monkeypatch, two=FAIL)
    recheck_command()
    (one,), (two,) = checked(course, "one"), checked(course, "two")
    assert (one.verdict, two.verdict, two.failed) == ("pass", "fail", ("image.size",))
    assert one.fingerprint is not None
    assert not tasks(course)[0].stale


def test_what_was_passed_before_a_change_comes_first_or_alone(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    graded = grading(monkeypatch)
    recheck_command()
    edit(course, "two", "FROM changed\n")
    graded.clear()
    assert recheck_command(stale=True) == 0
    assert graded == ["two"]
    edit(course, "two", "FROM changed-again\n")
    graded.clear()
    recheck_command()
    assert graded == ["two", "one"]


def test_stopping_in_the_middle_loses_nothing(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grading(monkeypatch, two=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        recheck_command()
    out, err = capsys.readouterr()
    assert out.startswith(f"✓ {LAB}/one")
    assert err == "1 checked and written down, 1 not checked.\n"
    assert [t.verdict for t in checked(course, "one")] == ["pass"]
    assert checked(course, "two") == ()


@pytest.mark.parametrize("stale", [True, False])
def test_nothing_to_check_is_said(
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stale: bool,
) -> None:
    graded = grading(monkeypatch)
    if not stale:
        edit(course, "one", STARTER)
        edit(course, "two", STARTER)
    assert recheck_command(stale=stale) == 0
    said = recheck.NOT_STALE if stale else recheck.NOTHING
    assert (graded, capsys.readouterr().out) == ([], f"{said}\n")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([PASS, PASS], 0),
        ([PASS, FAIL], 1),
        ([FAIL, SKIP], 1),
        ([PASS, SKIP], 3),
        ([FAIL, ERROR], 3),
    ],
)
def test_the_exit_status_is_as_for_one_exercise(
    outcomes: list[dict[str, Outcome]], status: int
) -> None:
    reports = [report(one) for one in outcomes]
    assert exit_status(reports) == status
    for one in reports:
        assert exit_status([one]) == one.exit_status


@pytest.mark.parametrize(("found", "mark"), [(PASS, "✓"), (FAIL, "✗"), (SKIP, "–"), (ERROR, "!")])
def test_a_line_begins_with_the_mark(found: dict[str, Outcome], mark: str) -> None:
    assert recheck.line(report(found), 20).startswith(f"{mark} {LAB}/slim")
