"""The whole of docker-compose.yml on this machine's engine, brought up once for all tests here."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from grader.host import client
from grader.host.connection import Connection
from tests.browser.conftest import browser, chromium
from tests.conftest import ROOT

__all__ = ["browser", "chromium"]
UP_S, PREPARED_S = 900, 600
KINDS = {
    "container": ("ps", "-aq"),
    "network": ("network", "ls", "-q"),
    "volume": ("volume", "ls", "-q"),
}


@dataclass
class Project:
    """One run of the course's Compose file under its own name; ``seconds`` by what was done."""

    connection: Connection
    name: str
    port: int
    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    def compose(
        self, *words: str, check: bool = True, timeout: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """`docker compose …` in the checkout."""
        command = [self.connection.docker, "compose", "--project-name", self.name, *words]
        settings = {"LAB_PORT": str(self.port), **environment}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **self.connection.environment, **settings},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done

    def lab(self, *words: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """A command of the learner's, in the lab."""
        return self.compose("exec", "--no-TTY", "lab", *words, **how)

    def docker(self, *words: str, timeout: float = 120) -> client.Done:
        """`docker …` on the machine's own engine."""
        return client.docker(self.connection, *words, timeout=timeout)

    def image(self, service: str) -> str:
        return f"{self.name}-{service}"

    def log(self, service: str) -> str:
        return self.compose("logs", "--no-color", "--no-log-prefix", service).stdout

    def inspect(self, service: str) -> dict[str, Any]:
        import json

        (found,) = json.loads(self.docker("inspect", f"{self.name}-{service}-1").stdout)
        return dict(found)

    def health(self, service: str) -> str:
        return str(self.inspect(service)["State"]["Health"]["Status"])

    def prepared(self) -> None:
        """Wait until the lab has graded its example, which needs the first reference image."""
        end = time.monotonic() + PREPARED_S
        while "10 of 10 points" not in self.log("lab"):
            assert time.monotonic() < end, self.log("lab")
            time.sleep(2)
        self.seconds.setdefault("prepared", time.monotonic() - self.begun)

    def address(self) -> str:
        """What the lab's log shows at its end."""
        return re.findall(r"JupyterLab: (http\S+)", self.log("lab"))[-1]

    def left(self) -> dict[str, list[str]]:
        """What there is of it on the machine's engine, by kind."""
        mine = f"label=com.docker.compose.project={self.name}"
        found = {
            kind: self.docker(*w, "--filter", mine).stdout.split() for kind, w in KINDS.items()
        }
        return {kind: ids for kind, ids in found.items() if ids}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def project(connection: Connection) -> Iterator[Project]:
    """Up, with what its images are built from in the machine's build cache or not."""
    one = Project(connection, f"launch-{uuid.uuid4().hex[:8]}", free_port())
    try:
        one.compose("build", timeout=UP_S)
        one.seconds["build"] = time.monotonic() - one.begun
        one.compose("up", "--wait", "--wait-timeout", str(UP_S), timeout=UP_S)
        one.seconds["up"] = time.monotonic() - one.begun
        yield one
    finally:
        one.compose("down", "--volumes", "--rmi", "local", "--timeout", "20", check=False)
        print(f"\n{one.name}: " + ", ".join(f"{k} {v:.0f} s" for k, v in one.seconds.items()))
