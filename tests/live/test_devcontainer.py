"""The dev container for real: the client that VS Code and Codespaces share, then a grade inside."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.host import client
from grader.host.connection import Connection
from tests.conftest import ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]
# The newest one that runs on Debian 12's own node.
CLIENT = "@devcontainers/cli@0.82.0"
UP_S, EXEC_S = 1500, 600  # three images are built, and the engine makes its base images
NOT_COPIED = (".git", ".venv", "work", "build", "__pycache__", ".*_cache", "*.egg-info")
EXERCISE = "09-debugging/graceful-stop"  # needs no reference image
Done = subprocess.CompletedProcess[str]


class DevContainer:
    """One project of Compose, in a copy of the checkout: whoever works in this one keeps theirs."""

    def __init__(self, folder: Path, connection: Connection) -> None:
        self.folder, self.connection = folder, connection
        self.project = f"lab-devcontainer-{os.getpid()}"
        self.environment = {
            **os.environ,
            **connection.environment,
            "COMPOSE_PROJECT_NAME": self.project,
            "LAB_PORT": str(free_port()),
        }

    def call(self, *words: str, seconds: float = EXEC_S) -> Done:
        command = ["npx", "--yes", CLIENT, words[0], "--workspace-folder", str(self.folder)]
        return subprocess.run(
            [*command, *words[1:]],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def log(self) -> str:
        """The services' last words, which the client keeps to itself."""
        words = ("compose", "-p", self.project, "logs", "--no-color", "--tail", "15")
        return client.docker(self.connection, *words).stdout

    def down(self) -> Done:
        words = ("compose", "-p", self.project, "down", "--volumes", "--rmi", "local")
        return client.docker(self.connection, *words, timeout=300)

    def left(self) -> list[str]:
        """What carries the project's label, of any kind."""
        label = ("--filter", f"label=com.docker.compose.project={self.project}")
        kinds = (("ps", "--all", "--quiet"), ("volume", "ls", "--quiet"), ("network", "ls", "-q"))
        found = [client.docker(self.connection, *words, *label).stdout for words in kinds]
        images = client.docker(self.connection, "images", "--quiet", f"{self.project}-*").stdout
        return "".join([*found, images]).split()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def inside(
    connection: Connection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DevContainer]:
    """It is up; everything of it is gone at the end."""
    if not shutil.which("npx"):
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail("REQUIRE_DOCKER=1, and there is no npm to get the client with")
        pytest.skip("there is no npm to get the dev container's client with")
    folder = tmp_path_factory.mktemp("devcontainer") / "course"
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    found = DevContainer(folder, connection)
    try:
        done = found.call("up", seconds=UP_S)
        assert done.returncode == 0, done.stderr[-3000:] + found.log()
        said = json.loads(done.stdout.strip().splitlines()[-1])
        assert (said["outcome"], said["composeProjectName"]) == ("success", found.project)
        assert "Ready: " in done.stderr  # the preflight
        yield found
    finally:
        gone = found.down()
        assert found.left() == [], gone.stderr


def test_one_is_the_learner_in_the_course_and_reaches_the_engine_beside(
    inside: DevContainer,
) -> None:
    script = "id -u; pwd; docker info --format '{{.Name}}'; test -w work && echo writable"
    done = inside.call("exec", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    user, folder, engine, writable = done.stdout.split()
    assert (user, folder, writable) == ("1000", "/home/lab/course", "writable")
    here = client.docker(inside.connection, "info", "--format", "{{.Name}}").stdout.strip()
    assert engine != here  # an engine of its own, and not the machine's


@pytest.mark.parametrize(("kind", "status"), [("solutions", 0), ("labs", 1)])
def test_a_reference_gets_full_marks_and_a_starter_does_not(
    kind: str, status: int, inside: DevContainer
) -> None:
    done = inside.call("exec", "grader", "grade", EXERCISE, f"{kind}/{EXERCISE}")
    assert done.returncode == status, done.stdout + done.stderr
    assert re.search(r"\d+ of \d+ points", done.stdout)


def test_whoever_attaches_is_told_jupyterlabs_address(inside: DevContainer) -> None:
    lines = (ROOT / ".devcontainer/devcontainer.json").read_text("utf-8").splitlines()
    line = next(line for line in lines if "postAttachCommand" in line)
    command = json.loads("{" + line.strip().rstrip(",") + "}")["postAttachCommand"]
    done = inside.call("exec", "sh", "-c", command)
    assert re.search(r"http://127\.0\.0\.1:8888/\?token=\w+", done.stdout), done.stdout
