"""What is in an image, from the list of its files; and the edits a test stage is tried with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from grader import targets
from grader.engine import Image
from grader.errors import SubmissionError
from grader.flavours import Flavour, flavour
from grader.look import REGULAR, SYMLINK, File
from grader.onbuild import Project, drawn, of_ours
from grader.rebuilds import ADDABLE
from grader.targets import PROGRAM, TESTS, edits

SITE = "/opt/venv/lib/python3.11/site-packages"
IMAGE = Image("sha256:1", (), (), {})


def file(path: str, *, mode: int = 0o644, size: int = 1, kind: str = REGULAR) -> File:
    return File(path, size, mode, 0, 0, kind)


def seen(*files: File) -> Flavour:
    return flavour("", IMAGE, files)


METADATA = file(f"{SITE}/pytest-9.2.0.dist-info/METADATA")


@pytest.mark.parametrize(
    ("code", "has"),
    [
        (file(f"{SITE}/pytest/__init__.py"), True),
        (file(f"{SITE}/pytest/a/b.py"), True),
        (file(f"{SITE}/pytest.py"), True),
        (file(f"{SITE}/pytest/__init__.py", size=0), False),
        (file(f"{SITE}/pytest/data.txt"), False),
        (file(f"{SITE}/_pytest/__init__.py"), False),
        (file(f"{SITE}/pytest/__init__.py", kind=SYMLINK), False),
        (file("/tmp/pytest/__init__.py"), False),
    ],
)
def test_a_package_is_there_with_its_module(code: File, has: bool) -> None:
    assert seen(METADATA, code).has("pytest") is has
    assert seen(METADATA, code).shows("pytest")
    assert not seen(code).has("pytest")
    assert seen(code).shows("pytest") is has


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (file("/usr/bin/less", mode=0o755), ["less"]),
        (file("/usr/bin/vim.tiny", mode=0o755), ["vim.tiny"]),
        (file("/usr/bin/less"), []),
        (file("/usr/bin/less", mode=0o755, size=0), []),
        (file("/usr/bin/less", mode=0o777, kind=SYMLINK), []),
        (file("/usr/bin/lesspipe", mode=0o755), []),
        (file("/opt/venv/bin/less", mode=0o755), ["less"]),
        (file("/usr/sbin/less", mode=0o755), ["less"]),
        (file("/var/lib/dpkg/info/less", mode=0o755), []),
    ],
)
def test_a_program_is_a_file_that_can_be_run(program: File, found: list[str]) -> None:
    assert seen(program).tools(["less", "vim"]) == found


def test_a_project_asks_for_what_is_not_there_yet() -> None:
    there = Flavour("", IMAGE, dict.fromkeys(set(ADDABLE) - {"six"}, "1"))
    assert drawn(there).package == "six"
    with pytest.raises(SubmissionError, match="many packages"):
        drawn(Flavour("", IMAGE, dict.fromkeys(ADDABLE, "1")))


def test_no_two_projects_are_the_same() -> None:
    one, other = (drawn(Flavour("", IMAGE)) for _ in range(2))
    assert one.token != other.token
    assert one.token in one.files["app/main.py"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Line 1 (RUN pip) fails.", "A child: the trigger (RUN pip) fails."),
        ("Line 1: no app/ there.", "A child: no app/ there."),
        ("The build fails: no reason.", "A child: The build fails: no reason."),
    ],
)
def test_a_line_of_a_file_of_ours_is_nobodys_line(said: str, told: str) -> None:
    with pytest.raises(SubmissionError) as caught, of_ours("A child"):
        raise SubmissionError(said, line=1)
    assert (str(caught.value), caught.value.line) == (told, None)


def test_a_projects_program_is_python() -> None:
    compile(Project("lab1", "six", "1.17.0").files["app/main.py"], "main.py", "exec")


GIVEN_PROGRAM = "def live():\n    return {}\n\n\ndef ready():\n    return {'status': 'ready'}\n"
GIVEN_TESTS = (
    "from app.main import live, ready\n\n\n"
    "def test_live():\n    assert live() == {}\n\n\n"
    "def test_ready():\n    assert ready() == {'status': 'ready'}\n"
)


def passes(folder: Path, files: dict[str, str]) -> bool:
    """Whether the tests pass where these files lie."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    run = "import test_app as t; [f() for n, f in vars(t).items() if n.startswith('test_')]"
    environment = {"PYTHONPATH": f"{folder}:{folder / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-c", run]
    return subprocess.run(command, env=environment, capture_output=True).returncode == 0


@pytest.mark.parametrize("fault", targets.FAULTS)
@pytest.mark.parametrize("failing", targets.FAILING[:1])
def test_each_fault_makes_the_tests_fail_and_no_comment_does(
    fault: str, failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "FAULTS", (fault,))
    monkeypatch.setattr(targets, "FAILING", (failing,))
    given = {PROGRAM: GIVEN_PROGRAM, TESTS: GIVEN_TESTS}
    kinds = edits(GIVEN_PROGRAM, GIVEN_TESTS)
    assert passes(tmp_path, {**given, **kinds["comment"]})
    assert not passes(tmp_path, {**given, **kinds["program"]})
    assert not passes(tmp_path, {**given, **kinds["test"]})


@pytest.mark.parametrize("failing", targets.FAILING)
def test_each_added_test_fails(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "FAILING", (failing,))
    kinds = edits(GIVEN_PROGRAM, GIVEN_TESTS)
    assert not passes(tmp_path, {PROGRAM: GIVEN_PROGRAM, **kinds["test"]})


def test_what_is_code_in_one_edit_is_a_comment_in_the_first() -> None:
    kinds = edits("", "")
    for name, kind in ((PROGRAM, "program"), (TESTS, "test")):
        added = kinds[kind][name].strip().split("\n")
        assert all(f"# {line}".rstrip() in kinds["comment"][name] for line in added)
