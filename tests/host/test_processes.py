from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.host import processes
from grader.host.home import Home
from tests.conftest import wait_until

HOME = Home(Path("/srv/labs"))


@pytest.mark.parametrize(
    ("words", "program", "expected"),
    [
        (["/srv/labs/engine/usr/sbin/dockerd", "--data-root=/srv/labs/data"], "dockerd", True),
        (["dockerd", "--data-root=/srv/labs/data"], "dockerd", True),
        (["dockerd", "--data-root=/srv/labs2/data"], "dockerd", False),
        (["dockerd"], "dockerd", False),
        (["vi", "/srv/labs/dockerd.log"], "dockerd", False),
        (["containerd", "--config", "/srv/labs/run/c.toml"], "containerd", True),
        ([], "dockerd", False),
    ],
)
def test_a_process_is_ours_by_what_it_runs_and_on_what(
    words: list[str], program: str, expected: bool
) -> None:
    assert processes.belongs(words, HOME, program) is expected


def test_mounts_are_undone_from_the_deepest() -> None:
    table = "o /srv/labs/data/a o\no /srv/labs/data/a/b\\040c o\no /srv/labs2/x o\no / o\n"
    assert processes.mounts_below(HOME.root, table) == ["/srv/labs/data/a/b c", "/srv/labs/data/a"]


def test_a_stubborn_process_is_made_to_end() -> None:
    code = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('!', flush=True)"
    )
    program = [sys.executable, "-c", f"{code}; time.sleep(60)"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes.end(process.pid, grace_s=0.2)
        assert not processes.alive(process.pid)


def test_processes_are_found_by_the_environment_they_were_started_with() -> None:
    env = {**os.environ, "LAB_TEST_MARK": "one"}
    with subprocess.Popen([sys.executable, "-c", "input()"], env=env, stdin=subprocess.PIPE) as one:
        wait_until(lambda: one.pid in processes.marked("LAB_TEST_MARK", "one"))
        assert processes.marked("LAB_TEST_MARK", "two") == []
        one.terminate()


def test_a_process_knows_its_family() -> None:
    assert {os.getpid(), os.getppid()} <= processes.family()
