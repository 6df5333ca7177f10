"""A run's name tells whether the run is over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from grader import runs

HOST = socket.gethostname()


def test_two_runs_of_one_process_have_two_names() -> None:
    assert runs.fresh() != runs.fresh()


def test_the_run_of_this_process_is_not_over() -> None:
    assert not runs.is_over(runs.fresh())


def test_the_run_of_a_process_that_ended_is_over() -> None:
    code = "from grader import runs; print(runs.fresh())"
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert runs.is_over(done.stdout.strip())


def test_a_pid_that_was_given_to_another_process_is_over() -> None:
    host, pid, start, end = runs.fresh().split("/")
    assert runs.is_over(f"{host}/{pid}/{int(start) + 1}/{end}")


def test_without_a_start_the_pid_alone_decides() -> None:
    assert not runs.is_over(f"{HOST}/{os.getpid()}/0/00000000")
    assert runs.is_over(f"{HOST}/4194303/0/00000000")


@pytest.mark.parametrize(
    "name",
    ["", "notebook-1234abcd", f"another-{HOST}/1/1/00000000", f"{HOST}/1/1/00000000/x", "a/b/c/d"],
)
def test_what_is_not_ours_to_judge_is_never_over(name: str) -> None:
    assert not runs.is_over(name)


# -- who else is at work ---------------------------------------------------------------------------


def test_one_alone_sees_nobody(tmp_path: Path) -> None:
    with runs.announced(tmp_path / "builds") as others:
        assert not others()
    assert list((tmp_path / "builds").iterdir()) == []


def test_two_see_each_other_until_one_is_done(tmp_path: Path) -> None:
    with runs.announced(tmp_path) as first:
        with runs.announced(tmp_path) as second:
            assert first()
            assert second()
        assert not first()


def test_one_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    dead = tmp_path / f"{HOST}+4194304+1+00000000"
    dead.touch()
    with runs.announced(tmp_path) as others:
        assert not others()
    assert not dead.exists()


def test_a_folder_that_cannot_be_made_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with runs.announced(tmp_path / "file" / "builds") as others:
        assert not others()
