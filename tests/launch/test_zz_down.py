"""Runs last: `docker compose down --volumes` leaves nothing on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launch.conftest import Project

pytestmark = [pytest.mark.live, pytest.mark.slow]


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
