"""Runs the commands that the docs show and that need no engine, in a workplace of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import docs
from tests.conftest import ROOT
from tests.docs import FAST, PAGES


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """The real course, with work/ and another machine's progress in a folder of this test."""
    for name in ("grader", "images", "labs", "solutions", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "other-progress.txt").write_text("")
    return tmp_path


def run(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", *command.split()]
    env = {**os.environ, "LAB_COURSE": str(place), "LAB_STATIC": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, capture_output=True, text=True, cwd=place, env=env, timeout=120)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_they_say(page: Path, workplace: Path) -> None:
    for shown in (one for one in docs.commands() if one.page == page.name):
        if shown.command in FAST:
            done = run(shown.command, workplace)
            assert (shown.command, done.returncode) == (shown.command, FAST[shown.command])
            assert done.stdout
            assert done.stderr == ""


def test_they_work_in_the_folder_that_they_were_given(workplace: Path) -> None:
    run("grader start 01-multi-stage/two-stages", workplace)
    assert (workplace / "work/01-multi-stage/two-stages/Dockerfile").is_file()
