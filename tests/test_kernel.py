"""A kernel that finds the engine, or says in each cell that there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader import kernel
from grader.errors import EngineError
from grader.recording import key

PROGRAMS = str(Path(sys.executable).parent)


def shell(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    class ZMQInteractiveShell(SimpleNamespace):
        pass

    one = ZMQInteractiveShell(input_transformers_cleanup=[str.strip], user_ns={})
    monkeypatch.setattr(kernel, "_shell", lambda: one)
    return one


def engine(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str] | None) -> None:
    def connect() -> SimpleNamespace:
        if environment is None:
            raise EngineError("gone")
        return SimpleNamespace(environment=environment)

    monkeypatch.setattr(kernel, "connect", connect)


def test_the_engine_in_use_is_what_a_cell_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    engine(monkeypatch, {"DOCKER_HOST": "unix:///x", "PATH": "/engine/bin:/usr/bin"})
    environ = {"PATH": "/usr/bin"}
    assert kernel.reach_engine(environ)
    assert environ["DOCKER_HOST"] == "unix:///x"
    assert environ["PATH"] == f"{PROGRAMS}:/engine/bin:/usr/bin"
    assert environ["BUILDKIT_PROGRESS"] == "plain"


def test_doing_it_twice_changes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    one = shell(monkeypatch)
    engine(monkeypatch, None)
    environ: dict[str, str] = {"PATH": "/usr/bin"}
    kernel.reach_engine(environ)
    before = dict(environ)
    kernel.reach_engine(environ)
    assert environ == before
    assert one.input_transformers_cleanup == [str.strip, kernel.pass_over]


def test_an_engine_that_came_later_takes_the_mark_away(monkeypatch: pytest.MonkeyPatch) -> None:
    one = shell(monkeypatch)
    engine(monkeypatch, None)
    assert not kernel.reach_engine({})
    engine(monkeypatch, {"DOCKER_HOST": "unix:///x"})
    assert kernel.reach_engine({})
    assert one.input_transformers_cleanup == [str.strip]


def test_static_mode_asks_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    one = shell(monkeypatch)
    engine(monkeypatch, {"DOCKER_HOST": "unix:///x"})
    environ = {"LAB_STATIC": "1"}
    assert not kernel.reach_engine(environ)
    assert "DOCKER_HOST" not in environ
    assert kernel.pass_over in one.input_transformers_cleanup


def test_a_learners_own_progress_style_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    engine(monkeypatch, None)
    environ = {"BUILDKIT_PROGRESS": "tty"}
    kernel.reach_engine(environ)
    assert environ["BUILDKIT_PROGRESS"] == "tty"


@pytest.mark.parametrize(
    ("cell", "runs"),
    [
        (["# needs docker\n", "!docker ps\n"], False),
        (["# needs docker"], False),
        (["  # needs docker  \n", "x = 1\n"], False),
        (["x = 1\n", "# needs docker\n"], True),
        (["# needs docker, sometimes\n"], True),
        ([], True),
    ],
)
def test_only_marked_cells_are_passed_over(cell: list[str], runs: bool) -> None:
    assert (kernel.pass_over(cell) == cell) is runs
    if not runs:
        (call,) = kernel.pass_over(cell)
        assert call == f"{kernel.AGAIN}({key(''.join(cell))!r})\n"


def test_without_a_lab_a_passed_over_cell_says_that_it_was_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = shell(monkeypatch)
    engine(monkeypatch, None)
    kernel.reach_engine({})
    exec(kernel.pass_over(["# needs docker\n", "1 / 0\n"])[0], one.user_ns)
    assert capsys.readouterr().out == f"{kernel.NOT_RUN}\n"


def test_a_lab_says_what_a_passed_over_cell_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    one, asked = shell(monkeypatch), list[str]()
    engine(monkeypatch, None)
    kernel.reach_engine({})
    kernel.replay_with(asked.append)
    kernel.reach_engine({})  # of the first cell, run once more
    exec(kernel.pass_over(["# needs docker\n", "!docker ps\n"])[0], one.user_ns)
    assert asked == [key("# needs docker\n!docker ps")]


def test_this_is_no_jupyter() -> None:
    assert not kernel.in_jupyter()


def test_a_marked_cell_says_so_in_a_real_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("LAB_STATIC", "1")
    root = str(Path(kernel.__file__).parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((root, os.environ.get("PYTHONPATH", ""))))
    book = nbformat.v4.new_notebook()
    lines = ["from grader.kernel import reach_engine; reach_engine()"]
    lines += ["# needs docker\n1 / 0", "1 + 1"]
    book.cells = [nbformat.v4.new_code_cell(line) for line in lines]
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    assert book.cells[1].outputs[0]["text"] == f"{kernel.NOT_RUN}\n"
    assert book.cells[2].outputs[0]["data"]["text/plain"] == "2"
