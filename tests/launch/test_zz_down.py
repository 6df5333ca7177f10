"""Runs last: `docker compose down --volumes` leaves nothing on the machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.launch.conftest import Project

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_down_without_volumes_keeps_the_learners_work(project: Project) -> None:
    project.lab("touch", "work/mine")
    project.compose("down", timeout=120)
    assert set(project.left()) == {"volume"}
    look = ("--volume", f"{project.name}_work:/work", "python:3.11-slim", "ls", "/work")
    assert "mine" in project.docker("run", "--rm", *look).stdout.split()
    start = time.monotonic()
    project.compose("up", "--no-build", "--wait", "--wait-timeout", "120", timeout=180)
    project.seconds["up again"] = time.monotonic() - start
    assert project.lab("ls", "work/mine").stdout.split() == ["work/mine"]


def test_down_leaves_nothing(project: Project) -> None:
    assert set(project.left()) == {"container", "volume"}  # it would be seen
    containers = [project.inspect(name)["Id"] for name in ("engine", "lab", "net", "registry")]
    project.compose("stop", "--timeout", "40", timeout=120)
    for name in ("engine", "lab"):  # told to stop, and not killed
        state = project.inspect(name)["State"]
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False), name
    project.compose("down", "--volumes", "--rmi", "local", timeout=120)
    assert project.left() == {}
    assert project.docker("images", "-q", f"{project.name}-*").stdout == ""
    mounts = Path("/proc/self/mounts").read_text()
    groups = [path.name for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir()]
    for one in containers:
        assert one not in mounts
        assert one not in groups
