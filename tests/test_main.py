"""The command's exit statuses and what it says on wrong use; no traceback reaches a user."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader import __main__ as command
from grader import grade as grading
from grader.course import Course
from grader.errors import EngineError, SpecError, UsageError
from grader.results import Outcome, Report, Result
from tests.conftest import ROOT

TEXT = """\
title = "Small"
summary = "For tests."
minutes = 5

[[exercise]]
name = "one"
title = "One"
task = "Do it."

[[exercise.check]]
use = "dockerfile.parses"
points = 1

[[exercise.check]]
use = "dockerfile.pinned"
points = 2
needs = ["dockerfile.parses"]
"""
NAMES = (
    *("list", "grade", "start", "check", "hint", "reset", "solution", "progress", "doctor"),
    *("sync", "lint-course", "selftest", "up", "down"),
)


@pytest.fixture
def small(small_course: Callable[..., Course], monkeypatch: pytest.MonkeyPatch) -> Course:
    course = small_course(TEXT)
    monkeypatch.setenv("LAB_COURSE", str(course.root))
    monkeypatch.delenv("LAB_STATIC", raising=False)
    return course


def call(*words: str | Path) -> int:
    try:
        return command.main([str(word) for word in words])
    except SystemExit as err:  # argparse
        return err.code if isinstance(err.code, int) else 1


def grader(
    *words: str, env: dict[str, str] | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "grader", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        **more,
    )


# -- wrong use ------------------------------------------------------------------------------------

WRONG = [
    ("no command", [], "COMMAND"),
    ("an unknown command", ["grad"], "invalid choice: 'grad'"),
    ("an unknown option", ["list", "--colour"], "--colour"),
    ("an unknown format", ["list", "--format", "yaml"], "invalid choice: 'yaml'"),
    ("an unknown format of a report", ["grade", "90-small/one", ".", "--format", "yaml"], "'yaml'"),
    ("no exercise", ["grade"], "exercise"),
    ("no folder", ["grade", "90-small/one"], "folder"),
    ("one word too many", ["grade", "90-small/one", ".", "more"], "more"),
    ("no lab of that name", ["grade", "89-none/one", "."], "No lab '89-none'"),
    ("no exercise of that name", ["grade", "90-small/two", "."], "90-small/one"),
    ("only the lab", ["grade", "90-small", "."], "90-small/one"),
    (
        "a folder that is not there",
        ["grade", "90-small/one", "/no/where"],
        "/no/where is not a folder",
    ),
    ("a file instead of the folder", ["grade", "90-small/one", __file__], "is not a folder"),
    ("a name too long for Linux", ["grade", "x" * 5000 + "/one", "."], "90-small"),
    ("a folder too long for Linux", ["grade", "90-small/one", "x" * 5000], "folder"),
    ("a port that is no number", ["up", "--port", "http"], "--port"),
    ("jobs that are no number", ["lint-course", "--jobs", "many"], "--jobs"),
    ("check of what is not there", ["check", "90-small/two"], "90-small/one"),
    ("check of nothing", ["check"], "--all"),
    ("check of one and of all", ["check", "90-small/one", "--all"], "not allowed"),
    ("start of what is not there", ["start", "90-small/two"], "90-small/one"),
    ("hint of what is not there", ["hint", "90-small/two"], "90-small/one"),
    ("reset of what is not there", ["reset", "90-small/two"], "90-small/one"),
    ("solution of what is not there", ["solution", "90-small/two"], "90-small/one"),
]


@pytest.mark.parametrize(("words", "said"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_use_is_exit_status_2_and_said(
    small: Course, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert call(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_broken_spec_is_exit_status_2_with_file_and_key(
    small: Course, folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = small.root / "labs/90-small/lab.toml"
    path.write_text(TEXT.replace("points = 2", "piont = 2"))
    assert call("grade", "90-small/one", folder()) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert "points" in said


ERRORS = [
    (EngineError("no engine"), 3, "grader: no engine\n"),
    (SpecError("a typo"), 2, "grader: a typo\n"),
    (UsageError("no such thing"), 2, "grader: no such thing\n"),
    (KeyboardInterrupt(), 130, "Stopped.\n"),
]


@pytest.mark.parametrize(("error", "status", "said"), ERRORS)
def test_each_kind_of_error_has_its_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    def raising(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("grader.listing.listing", raising)
    assert call("list") == status
    assert capsys.readouterr() == ("", said)


WIRES = [
    ("start 90-small/one", "grader.work.start_command", (("90-small/one",), {})),
    ("check 90-small/one", "grader.work.check_command", (("90-small/one",), {})),
    ("check --all", "grader.recheck.recheck_command", ((), {"stale": False})),
    ("check --stale", "grader.recheck.recheck_command", ((), {"stale": True})),
    ("hint 90-small/one", "grader.work.hint_command", (("90-small/one",), {})),
    ("reset 90-small/one", "grader.work.reset_command", (("90-small/one",), {})),
    ("solution 90-small/one", "grader.work.solution_command", (("90-small/one",), {})),
    ("progress", "grader.standing.progress_command", ((None,), {"as_json": False})),
    (
        "progress --merge x.txt --format json",
        "grader.standing.progress_command",
        ((Path("x.txt"),), {"as_json": True}),
    ),
    ("doctor", "grader.host.doctor.doctor", ((), {"as_json": False})),
    ("doctor --format json", "grader.host.doctor.doctor", ((), {"as_json": True})),
    ("sync", "grader.sync.sync_command", (([],), {"check": False, "execute": False})),
    (
        "sync 01-a 02-b --check --execute",
        "grader.sync.sync_command",
        ((["01-a", "02-b"],), {"check": True, "execute": True}),
    ),
    ("record", "grader.record.record_command", (([],), {"check": False})),
    ("record 01-a --check", "grader.record.record_command", ((["01-a"],), {"check": True})),
    ("lint-course", "grader.lint.lint_command", (([],), {"static": False, "jobs": 2})),
    (
        "lint-course 01-a --static --jobs 5",
        "grader.lint.lint_command",
        ((["01-a"],), {"static": True, "jobs": 5}),
    ),
    ("up", "grader.host.up.up", ((), {"static": False, "port": 8888, "jupyter": True})),
    (
        "up --static --port 9999 --no-jupyter",
        "grader.host.up.up",
        ((), {"static": True, "port": 9999, "jupyter": False}),
    ),
    ("down", "grader.host.up.down", ((), {})),
    ("down --clean", "grader.host.up.clean", ((), {"yes": False})),
    ("down --clean --yes", "grader.host.up.clean", ((), {"yes": True})),
]


@pytest.mark.parametrize(("words", "function", "called"), WIRES, ids=[w[0] for w in WIRES])
@pytest.mark.parametrize("status", [0, 1])
def test_each_command_is_one_line_into_its_function(
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    function: str,
    called: tuple[Any, Any],
    status: int,
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(function, lambda *a, **k: calls.append((a, k)) or status)
    assert call(*words.split()) == status
    assert calls == [called]


# -- grade ----------------------------------------------------------------------------------------

SUBMISSIONS = [
    ("full marks", "FROM python:3.11-slim\n", 0, "3 of 3 points"),
    ("something to fix", "FROM python\n", 1, "1 of 3 points"),
    ("nothing right", "RUNN\n", 1, "0 of 3 points"),
]


@pytest.mark.parametrize("words", [["--static"], []], ids=["static", "as it comes"])
@pytest.mark.parametrize(
    ("text", "status", "said"), [s[1:] for s in SUBMISSIONS], ids=[s[0] for s in SUBMISSIONS]
)
def test_the_exit_status_of_a_grade(
    *,
    small: Course,
    folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    status: int,
    said: str,
    words: list[str],
) -> None:
    monkeypatch.setenv("LAB_STATIC", "1")
    assert call("grade", "90-small/one", folder(Dockerfile=text), *words) == status
    out, err = capsys.readouterr()
    assert said in out
    assert err == ""


def test_a_machines_failure_is_exit_status_3_and_no_grade(
    small: Course,
    folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = Result(Outcome.ERROR, "the daemon was lost", id="a", title="A", max_points=3)
    monkeypatch.setattr(grading, "grade", lambda *_, **__: Report("90-small", "one", (row,)))
    assert call("grade", "90-small/one", folder()) == 3
    assert "no grade" in capsys.readouterr().out


def test_json_goes_to_the_output_and_nothing_else(
    small: Course, folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder(Dockerfile="FROM a:1\n")
    assert call("grade", "90-small/one", place, "--static", "--format", "json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["points"] == 3
    assert err == ""


def test_output_names_a_file(
    small: Course, folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "grade",
        "90-small/one",
        folder(Dockerfile="FROM a:1\n"),
        "--static",
        "--format",
        "json",
    )
    assert call(*words, "--output", tmp_path / "report.json") == 0
    assert json.loads((tmp_path / "report.json").read_text())["version"] == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [".", "no/such/folder/report.json", "x" * 300])
def test_an_output_that_cannot_be_written_is_wrong_use(
    small: Course,
    folder: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    words = ("grade", "90-small/one", folder(Dockerfile="FROM a:1\n"), "--static")
    assert call(*words, "--output", tmp_path / name) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_told_before_minutes_of_grading(
    small: Course, folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    graded: list[int] = []
    monkeypatch.setattr(grading, "grade", lambda *_, **__: graded.append(1))
    assert call("grade", "90-small/one", folder(), "--output", "/no/such/folder/x") == 2
    assert graded == []


# -- in a process of its own ----------------------------------------------------------------------

HEAVY = ("docker", "rich", "matplotlib", "ipywidgets", "numpy", "requests", "jupytext")


@pytest.mark.parametrize("words", [["--help"], ["grade", "--help"], ["up", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys, grader.__main__ as m\n"
        "try: m.main(sys.argv[1:])\n"
        "except SystemExit as err: assert err.code == 0, err.code\n"
        f"print([n for n in {HEAVY!r} if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith("usage: grader")


def test_the_list_imports_no_pictures_and_no_widgets(small: Course) -> None:
    script = (
        "import sys, grader.__main__ as m\nm.main(['list'])\n"
        "print([n for n in ('matplotlib', 'ipywidgets', 'rich', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stdout.endswith("[]\n"), done.stderr


def test_help_is_there_at_once() -> None:
    """The aim is 0.2 s; the limit leaves room for a busy machine."""
    best = min(_seconds("--help") for _ in range(3))
    assert best < 1


def _seconds(*words: str) -> float:
    start = time.monotonic()
    assert grader(*words).returncode == 0
    return time.monotonic() - start


@pytest.mark.parametrize("name", NAMES)
def test_help_knows_every_command(name: str) -> None:
    assert re.search(rf"\n    {name}\s", grader("--help").stdout)


def test_the_real_course_is_listed() -> None:
    done = grader("list", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "01-multi-stage/two-stages" in done.stdout
    data = json.loads(grader("list", "--format", "json", cwd=ROOT).stdout)
    assert "01-multi-stage" in [lab["name"] for lab in data["labs"]]


@pytest.mark.parametrize("words", [["list"], ["list", "--format", "json"]])
def test_a_reader_that_went_away_is_no_traceback(words: list[str]) -> None:
    """As in `grader list | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as end:
        done = subprocess.run(
            [sys.executable, "-m", "grader", *words],
            stdout=end,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            cwd=ROOT,
        )
    assert done.stderr == ""
    assert done.returncode in (0, 141)


def test_a_terminal_that_knows_only_ascii_is_no_traceback(
    small: Course, folder: Callable[..., Path]
) -> None:
    place = folder(Dockerfile="FROM python\n")
    done = grader(
        "grade", "90-small/one", str(place), "--static", env={"PYTHONIOENCODING": "ascii"}
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert "1 of 3 points" in done.stdout


def test_a_current_folder_that_is_gone_is_no_traceback(tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    script = f"cd {place} && rmdir {place} && exec {sys.executable} -m grader list"
    env = {k: v for k, v in os.environ.items() if k != "LAB_COURSE"}
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**env, "PYTHONPATH": str(ROOT)},
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)


def test_the_script_and_the_module_are_the_same_command() -> None:
    script = Path(sys.executable).parent / "grader"
    if not script.exists():
        pytest.skip("the package is not installed here")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=60)
    assert done.stdout == grader("--help").stdout
