"""The work folder: made once, brought back without loss, hints and solution earned."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from grader import work
from grader.course import Course
from grader.errors import SpecError, UsageError
from grader.fingerprint import fingerprint
from grader.progress import Progress
from grader.results import Outcome, Report
from tests.sample_course import ANSWER, ID, LAB, STARTER, exercise, make_course, report, write

FAIL = {"image.size": Outcome.FAIL, "service.ready": Outcome.SKIP}


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path)


@pytest.fixture
def folder(course: Course) -> Path:
    return work.start(course, exercise(course)).folder


def kept(course: Course) -> list[Path]:
    return sorted((course.work / ".kept" / LAB).glob("*"))


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_start_lays_the_given_files_and_the_starter(course: Course) -> None:
    started = work.start(course, exercise(course))
    assert started.made
    assert started.folder == course.root / "work" / LAB / "slim"
    assert names(started.folder) == ["Dockerfile", "app/main.py", "requirements.txt"]
    assert (started.folder / "Dockerfile").read_text() == STARTER
    assert [p.name for p in started.folder.parent.iterdir()] == ["slim"]


def test_the_starter_lies_on_top_of_the_given_files(course: Course) -> None:
    write(course.root, {f"labs/{LAB}/slim/app/main.py": "mine = 1\n"})
    folder = work.start(course, exercise(course)).folder
    assert (folder / "app/main.py").read_text() == "mine = 1\n"


def test_start_leaves_a_folder_that_is_there_alone(course: Course, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM mine\n")
    again = work.start(course, exercise(course))
    assert not again.made
    assert "already" in str(again)
    assert (folder / "Dockerfile").read_text() == "FROM mine\n"


def test_start_fills_an_empty_folder(course: Course) -> None:
    course.workplace(exercise(course)).mkdir(parents=True)
    assert work.start(course, exercise(course)).made


def test_start_carries_no_junk_over(course: Course) -> None:
    write(course.root, {"labs/app/app/__pycache__/main.pyc": "x", "labs/app/app/.DS_Store": "x"})
    folder = work.start(course, exercise(course)).folder
    assert names(folder) == ["Dockerfile", "app/main.py", "requirements.txt"]


def test_a_given_file_that_is_not_there_is_the_authors_fault(course: Course) -> None:
    one = exercise(course)
    (course.app / "requirements.txt").unlink()
    with pytest.raises(SpecError, match=r"requirements\.txt"):
        work.start(course, one)
    assert not course.workplace(one).exists()


def test_a_file_in_the_way_is_one_clear_sentence(course: Course) -> None:
    write(course.root, {f"work/{LAB}": "a file"})
    with pytest.raises(UsageError, match="cannot be made"):
        work.start(course, exercise(course))


def test_reset_keeps_a_copy_of_what_it_replaces(course: Course, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM mine\n")
    write(folder, {"notes/deep.txt": "keep me"})
    restored = work.reset(course, exercise(course))
    assert (folder / "Dockerfile").read_text() == STARTER
    assert not (folder / "notes").exists()
    assert restored.kept is not None
    assert (restored.kept / "Dockerfile").read_text() == "FROM mine\n"
    assert (restored.kept / "notes/deep.txt").read_text() == "keep me"
    assert restored.kept.name in str(restored)


def test_reset_of_an_untouched_folder_keeps_nothing(course: Course, folder: Path) -> None:
    assert work.reset(course, exercise(course)).kept is None
    assert kept(course) == []
    assert folder.is_dir()


def test_reset_makes_a_folder_that_is_gone(course: Course) -> None:
    restored = work.reset(course, exercise(course))
    assert restored.kept is None
    assert (restored.folder / "Dockerfile").is_file()


@pytest.mark.parametrize(
    "change",
    [
        lambda f: (f / "Dockerfile").write_text("x"),
        lambda f: (f / "app/main.py").write_text("x"),
        lambda f: (f / "Dockerfile").unlink(),
        lambda f: (f / "more").write_text("x"),
        lambda f: (f / "Dockerfile").chmod(0o755),
        lambda f: (f / "link").symlink_to("Dockerfile"),
        lambda f: (f / "folder").symlink_to("app"),
    ],
)
def test_whatever_changed_is_kept(course: Course, folder: Path, change: object) -> None:
    change(folder)  # type: ignore[operator]
    assert work.reset(course, exercise(course)).kept is not None
    assert work.reset(course, exercise(course)).kept is None


def test_two_resets_in_one_second_keep_both(course: Course, folder: Path) -> None:
    for text in ("one", "two", "three"):
        (folder / "Dockerfile").write_text(text)
        work.reset(course, exercise(course))
    assert sorted((p / "Dockerfile").read_text() for p in kept(course)) == ["one", "three", "two"]


def test_a_terminal_in_the_folder_stays_in_it(course: Course, folder: Path) -> None:
    before = folder.stat().st_ino
    (folder / "Dockerfile").write_text("mine")
    work.reset(course, exercise(course))
    assert folder.stat().st_ino == before


def test_when_no_copy_can_be_made_nothing_is_changed(course: Course, folder: Path) -> None:
    (folder / "Dockerfile").write_text("mine")
    os.mkfifo(folder / "pipe")
    with pytest.raises(UsageError, match="nothing was changed"):
        work.reset(course, exercise(course))
    assert (folder / "Dockerfile").read_text() == "mine"
    assert kept(course) == []


@pytest.mark.parametrize(
    ("change", "untouched"),
    [
        (lambda f: None, True),
        (lambda f: (f / "app/main.py").write_text("given files are not theirs"), True),
        (lambda f: (f / "app/new.py").write_text("x"), True),
        (lambda f: (f / "Dockerfile").write_text(STARTER + "\n"), False),
        (lambda f: (f / ".dockerignore").write_text("x"), False),
        (lambda f: (f / "Dockerfile").unlink(), False),
    ],
)
def test_untouched_looks_at_what_the_learner_writes(
    course: Course, folder: Path, change: object, untouched: bool
) -> None:
    change(folder)  # type: ignore[operator]
    assert work.is_untouched(course, exercise(course)) is untouched


def test_an_exercise_that_was_never_started_is_untouched(course: Course) -> None:
    assert work.is_untouched(course, exercise(course))


def test_hints_come_step_by_step_for_the_first_failure(course: Course) -> None:
    progress = Progress.of(course)
    steps = [work.hint(exercise(course), report(FAIL), progress) for _ in range(4)]
    assert [s.step for s in steps] == [1, 2, 3, 3]
    assert [s.left for s in steps] == [2, 1, 0, 0]
    assert {s.check for s in steps} == {"image.size"}
    assert steps[0].text == "Which layer is biggest?"
    assert "Hint 1 of 3" in str(steps[0])
    assert progress.summary(ID).hints == 3


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"message": "It takes 900 MB."}, "Which layer is biggest?"),
        ({"message": "GCC: x is in there"}, "Who needs gcc?"),
        ({"message": "Look.", "evidence": {"output": "found gcc"}}, "Who needs gcc?"),
    ],
)
def test_a_hint_fits_what_was_observed(course: Course, row: dict[str, Any], text: str) -> None:
    path = course.root / "labs" / LAB / "lab.toml"
    seen = 'seen = [{ words = "gcc", hints = ["Who needs gcc?", "b", "c"] }]'
    lines = path.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "Which layer" in line)
    path.write_text("\n".join([*lines[: at + 1], seen, *lines[at + 1 :]]))
    found = work.hint(exercise(course), report(FAIL, **row), Progress.of(course))
    assert (found.text, found.step) == (text, 1)


def test_of_two_failures_the_first_is_hinted_at(course: Course) -> None:
    found = report({"service.ready": Outcome.FAIL, "image.size": Outcome.FAIL})
    assert work.hint(exercise(course), found, Progress.of(course)).check == "image.size"


def test_a_hint_works_from_the_last_check_on_file(course: Course) -> None:
    progress = Progress.of(course)
    progress.record(report(FAIL))
    assert work.hint(exercise(course), None, progress).check == "image.size"


def test_a_hint_for_an_untouched_starter_is_given(course: Course) -> None:
    progress = Progress.of(course)
    progress.record(report(FAIL), untouched=True)
    assert work.hint(exercise(course), None, progress).step == 1


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (None, "Check your work first"),
        ({}, "Nothing failed"),
        ({"image.size": Outcome.ERROR}, "machine"),
    ],
)
def test_without_a_failure_the_hint_says_why(
    course: Course, outcomes: dict[str, Outcome] | None, words: str
) -> None:
    progress = Progress.of(course)
    if outcomes is not None:
        progress.record(report(outcomes))
    found = work.hint(exercise(course), None, progress)
    assert words in str(found)
    assert progress.summary(ID).hints == 0


def test_a_failure_without_hints_says_so(tmp_path: Path) -> None:
    course = make_course(tmp_path)
    path = course.root / "labs" / LAB / "lab.toml"
    keep = [line for line in path.read_text().splitlines() if not line.startswith("hints")]
    path.write_text("\n".join(keep))
    assert "no hint" in str(work.hint(exercise(course), report(FAIL), Progress.of(course)))


@pytest.mark.parametrize(("fails", "left"), [(0, 5), (4, 1), (5, 0), (6, 0)])
def test_the_solution_shows_after_five_failed_checks(course: Course, fails: int, left: int) -> None:
    progress = Progress.of(course)
    for _ in range(fails):
        progress.record(report(FAIL))
    found = work.solution(course, exercise(course), progress)
    assert (found.allowed, found.left) == (left == 0, left)
    assert (ANSWER.rstrip() in str(found)) is (left == 0)
    assert progress.summary(ID).solution_seen is (left == 0)


def test_the_solution_shows_after_a_pass(course: Course) -> None:
    progress = Progress.of(course)
    progress.record(report())
    assert work.solution(course, exercise(course), progress).allowed


def test_the_machines_faults_do_not_earn_the_solution(course: Course) -> None:
    progress = Progress.of(course)
    for _ in range(9):
        progress.record(report({"image.size": Outcome.ERROR}))
        progress.record(report(FAIL), untouched=True)
    assert work.solution(course, exercise(course), progress).left == 5


def test_a_check_is_noted_with_what_lay_there_when_it_began(
    course: Course, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grade(*_: object, **__: object) -> Report:
        (folder / "Dockerfile").write_text("FROM saved-meanwhile\n")
        return report()

    monkeypatch.setenv("LAB_COURSE", str(course.root))
    monkeypatch.setattr("grader.grade.grade", grade)
    (folder / "Dockerfile").write_text("FROM mine\n")
    before = fingerprint(course, exercise(course))
    assert work.check_command(ID) == 0
    (noted,) = Progress.of(course).tries(ID)
    assert noted.fingerprint == before != fingerprint(course, exercise(course))


def test_the_commands_answer_with_an_exit_status(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_COURSE", str(course.root))
    assert work.start_command(ID) == 0
    assert work.reset_command(ID) == 0
    assert work.hint_command(ID) == 0
    assert work.solution_command(ID) == 1
    assert "5 checks to go" in capsys.readouterr().out


def test_a_static_check_says_where_the_rest_can_be_graded(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_COURSE", str(course.root))
    monkeypatch.setenv("LAB_STATIC", "1")
    assert work.check_command(ID) in (1, 3)
    assert "were graded here" in capsys.readouterr().out.splitlines()[-1]
