"""How far the learner is: points, what runs here, what comes next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader import standing as module
from grader import work
from grader.course import Course
from grader.fingerprint import fingerprint
from grader.here import Here
from grader.progress import Progress
from grader.results import Outcome
from grader.standing import exercises, labs_table, progress_command, standing, table
from tests.sample_course import ID, LAB, LAB_TOML, STARTER, exercise, make_course, report, write

FAIL = {"image.size": Outcome.FAIL, "service.ready": Outcome.SKIP}
ONE, TWO, MORE = ID, f"{LAB}/second", "02-more/slim"
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
TRIES = {"pass": "7/7 pass", "fail": "1/7 fail:image.size", "incomplete": "1/7 incomplete"}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """Two labs, of which the first has two exercises."""
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    course = make_course(tmp_path)
    second = LAB_TOML.partition("[[exercise]]")[2].replace('"slim"', '"second"')
    write(
        course.root,
        {
            f"labs/{LAB}/lab.toml": f"{LAB_TOML}\n[[exercise]]{second}",
            f"labs/{LAB}/second/Dockerfile": STARTER,
            "labs/02-more/lab.toml": LAB_TOML.replace('needs = ["engine"]', ""),
            "labs/02-more/slim/Dockerfile": STARTER,
        },
    )
    lacking(monkeypatch, {})
    return course


def lacking(monkeypatch: pytest.MonkeyPatch, missing: Mapping[str, str]) -> None:
    monkeypatch.setattr(module, "look", lambda _: Here(missing))


def tried(course: Course, *tries: tuple[str, str]) -> None:
    for minute, (id_, verdict) in enumerate(tries):
        moment = NOON.replace(minute=minute)
        Progress.of(course).add(id_, "check", TRIES[verdict], now=moment)


def test_a_lab_is_the_sum_of_its_exercises(course: Course) -> None:
    tried(course, (ONE, "fail"), (ONE, "pass"), (TWO, "fail"))
    first, second = standing(course).labs
    assert (first.points, first.max_points, first.passed) == (8, 14, 1)
    assert (second.points, second.max_points, second.passed) == (0, 7, 0)


def test_there_are_never_more_points_than_there_are_now(course: Course) -> None:
    Progress.of(course).add(MORE, "check", "99/99 pass")
    assert standing(course).labs[1].points == 7


ALL = [(ONE, "pass"), (TWO, "pass"), (MORE, "pass")]


@pytest.mark.parametrize(
    ("tries", "missing", "next_"),
    [
        ([], {}, ONE),
        ([(ONE, "fail")], {}, ONE),
        ([(ONE, "pass")], {}, TWO),
        ([(ONE, "fail"), (TWO, "pass")], {}, MORE),
        ([(ONE, "fail"), (MORE, "fail")], {}, MORE),
        ([(ONE, "fail"), (MORE, "pass")], {}, ONE),
        ([(ONE, "incomplete")], {}, ONE),
        ([("99-gone/x", "fail")], {}, ONE),
        ([], {"engine": "gone"}, MORE),
        ([(ONE, "fail")], {"engine": "gone"}, MORE),
        ([(MORE, "pass")], {"engine": "gone"}, ONE),
        ([(MORE, "pass"), (ONE, "incomplete")], {"engine": "gone"}, TWO),
        (ALL, {}, None),
    ],
)
def test_what_comes_next(
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
    tries: list[tuple[str, str]],
    missing: dict[str, str],
    next_: str | None,
) -> None:
    lacking(monkeypatch, missing)
    tried(course, *tries)
    found = standing(course).next()
    assert (found.exercise.id if found else None) == next_


@pytest.mark.parametrize(
    ("tries", "missing", "said"),
    [
        ([], {}, f"Begin with {ONE}: Make it slim (about 10 minutes)."),
        ([(ONE, "fail")], {}, f"Go on with {ONE}: Make it slim (about 10 minutes)."),
        (ALL, {}, "All is passed."),
        (
            [(MORE, "pass"), (ONE, "incomplete"), (TWO, "incomplete")],
            {"engine": "gone"},
            "All that this machine can measure is done.",
        ),
    ],
)
def test_the_advice_is_one_sentence(
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
    tries: list[tuple[str, str]],
    missing: dict[str, str],
    said: str,
) -> None:
    lacking(monkeypatch, missing)
    tried(course, *tries)
    assert standing(course).advice() == said


def passed_then_changed(course: Course) -> None:
    folder = work.start(course, exercise(course)).folder
    (folder / "Dockerfile").write_text("FROM right\n")
    found = fingerprint(course, exercise(course))
    Progress.of(course).record(report(), fingerprint=found)
    assert not standing(course).again()
    (folder / "Dockerfile").write_text("FROM changed\n")


def test_a_pass_before_a_change_counts_and_is_told(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    passed_then_changed(course)
    found = standing(course)
    assert found.again() == [module.AGAIN]
    assert (found.labs[0].points, found.labs[0].passed) == (7, 1)
    assert progress_command() == 0
    out = capsys.readouterr().out
    assert f"{ID}    passed, then you changed it  7/7" in out
    assert out.endswith(f"{module.AGAIN}\n")


def test_the_labs_are_a_table_with_what_is_missing_below(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking(monkeypatch, {"engine": "it is gone."})
    tried(course, (ONE, "pass"))
    assert labs_table(standing(course)).splitlines() == [
        "lab        title   points   passed  minutes  runs here",
        "01-sample  Sample  7 of 14  1 of 2  5        only in part: no Docker engine",
        "02-more    Sample  0 of 7   0 of 1  5        all of it",
        "",
        "No Docker engine: it is gone.",
    ]


def test_the_table_names_every_exercise_and_the_broken_lines(course: Course) -> None:
    progress = Progress.of(course)
    progress.record(report(FAIL))
    text = progress.path.read_text()
    progress.path.write_text(f"{text}?? \x1b[31mred\n", encoding="utf-8")
    lines = table(course, exercises(course, [exercise(course)])).splitlines()
    assert lines[1].split() == [ID, "in", "progress", "1/7", "1", "0"]
    assert "1 line" in lines[3]
    assert "\x1b" not in "".join(lines)


def test_the_command_prints_labs_then_exercises_then_what_is_next(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    assert progress_command() == 0
    out = capsys.readouterr().out
    assert out.index("runs here") < out.index("not attempted") < out.index("Begin with")


def test_as_json_it_is_for_programs_even_with_a_merge(
    course: Course, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    passed_then_changed(course)
    other = tmp_path / "other.txt"
    other.write_text(f"2026-11-24T12:00:00Z {TWO} check 1/7 fail:image.size\n")
    assert progress_command(other, as_json=True) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err.startswith("1 new lines from")
    assert (found["version"], found["next"], found["missing"]) == (1, TWO, {})
    first = found["labs"][0]
    assert (first["name"], first["points"], first["max_points"]) == (LAB, 8, 14)
    states = [(one["state"], one["changed_by"]) for one in first["exercises"]]
    assert states == [("passed", "you"), ("in progress", None)]
