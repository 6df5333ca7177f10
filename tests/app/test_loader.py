"""The program of the exercise ``shm``: with workers and without, and when one of them dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOADER = Path(__file__).resolve().parents[2] / "labs" / "app" / "loader" / "loader.py"


def run(workers: str, source: str = "") -> subprocess.CompletedProcess[str]:
    text = LOADER.read_text().replace("STEP_S = 0.1", "STEP_S = 0.0")
    text = text.replace("BATCH = 32 * 512 * 512 * 3", "BATCH = 2 * 2**20") + source
    return subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "WORKERS": workers},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("workers", ["0", "1", "3"])
def test_every_batch_arrives(workers: str) -> None:
    done = run(workers)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{workers} workers, 2 batches ahead, 2 MiB each",
        "12 batches",
    ]


def test_nothing_is_left_in_shared_memory() -> None:
    before = set(os.listdir("/dev/shm"))  # noqa: PTH208
    run("2")
    assert set(os.listdir("/dev/shm")) <= before  # noqa: PTH208


def test_a_worker_that_is_killed_ends_it_with_its_signal() -> None:
    text = LOADER.read_text().replace("block = ", "os.kill(os.getpid(), 7); block = ")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "is killed by signal: Bus error (exitcode -7)" in done.stderr
