"""The two package indexes: what pip takes of them, and how it is told afterwards."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grader import wheels
from grader.indexed import Installed, installed
from tests.conftest import ROOT

APP = ROOT / "labs" / "app"
SOURCE = APP / wheels.PACKAGE


def test_those_that_learners_are_given_are_made_of_the_source(tmp_path: Path) -> None:
    """Else: python -m grader.wheels"""
    wheels.indexes(tmp_path, SOURCE, wheels.GIVEN)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    given = APP / "gpu" / "indexes"
    there = {p.relative_to(given): p.read_bytes() for p in given.rglob("*") if p.is_file()}
    assert made == there


def take(folder: Path, *words: str) -> str:
    """The version that pip would install."""
    pip = [sys.executable, "-m", "pip", "--isolated", "--no-input", "download", "--no-deps"]
    where = folder / "taken"
    subprocess.run([*pip, "--quiet", "--dest", where, *words], check=True, capture_output=True)
    (wheel,) = where.glob("*.whl")
    return wheel.name.split("-")[1]


@pytest.mark.parametrize(
    ("general", "extra", "wanted", "version"),
    [
        (True, True, "torchlet>=2.7", "2.15.0"),
        (True, True, "torchlet<2.15", "2.14.9"),
        (True, True, "torchlet~=2.7.0", "2.7.99"),
        (True, True, "torchlet==2.7.1+cu126", "2.7.1+cu126"),
        (False, True, "torchlet>=2.7", "2.7.1+cu126"),
    ],
)
def test_the_highest_version_of_all_indexes_is_taken(
    tmp_path: Path, *, general: bool, extra: bool, wanted: str, version: str
) -> None:
    wheels.indexes(tmp_path, SOURCE, wheels.ANOTHER_DAY, "t")
    first, vendor = (f"file://{tmp_path}/{name}" for name in (wheels.GENERAL, wheels.VENDOR))
    words = ["--index-url", first, "--extra-index-url", vendor]
    assert take(tmp_path, *(words if general else ["--index-url", vendor]), wanted) == version


def test_a_build_of_this_run_is_told_from_any_other(tmp_path: Path) -> None:
    wheels.indexes(tmp_path, SOURCE, wheels.ANOTHER_DAY, "token")
    (wheel,) = (tmp_path / wheels.VENDOR).rglob("*.whl")
    content = zipfile.ZipFile(wheel).read("torchlet/_build.py")
    assert installed("x", content, "token") == Installed("x", "cu126", "2.7.1+cu126", True)
    assert not installed("x", content, "other").fresh


@pytest.mark.parametrize("content", [b"", b"\xff", b'ORIGIN = "cu126"\n', b'# ORIGIN = "cu126 t"'])
def test_a_file_that_says_less_is_of_no_run(content: bytes) -> None:
    assert not installed("x", content, "t").fresh
