"""The root's conftest: a cell that takes longer than its lab allows is red."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.conftest import ROOT
from tests.sample_course import LAB_TOML

SWALLOWS = "import time\ntry:\n    time.sleep(20)\nexcept KeyboardInterrupt:\n    pass"


def run(root: Path, source: str, seconds: str) -> subprocess.CompletedProcess[str]:
    lab = root / "labs" / "01-sample"
    lab.mkdir(parents=True)
    for name in ("app", "requirements.txt"):
        (root / "labs" / "app" / name).mkdir(parents=True)
    (lab / "lab.toml").write_text(f"cell_seconds = {seconds}\n{LAB_TOML}")
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), lab / "01-sample.ipynb")
    shutil.copy(ROOT / "conftest.py", root)
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "labs"]
    env = {"PYTHONPATH": str(ROOT), "PATH": str(Path(sys.executable).parent)}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("source", ["import time; time.sleep(20)", SWALLOWS])
def test_a_cell_over_its_time_is_red_also_when_it_raises_nothing(
    tmp_path: Path, source: str
) -> None:
    done = run(tmp_path, source, "1.5")
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout


def test_a_cell_within_its_time_is_green(tmp_path: Path) -> None:
    done = run(tmp_path, "import time; time.sleep(1.6)", "30")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_message_names_the_key(tmp_path: Path) -> None:
    assert "cell_seconds in lab.toml is 1.5" in run(tmp_path, SWALLOWS, "1.5").stdout
