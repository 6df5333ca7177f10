"""`up`, `down` and JupyterLab for real; the engine is this machine's, given by DOCKER_HOST."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.host import client, images, jupyter, processes, up
from grader.host.bridge import bridge_works
from grader.host.connection import Connection
from grader.host.home import Home
from tests.conftest import wait_until

pytestmark = pytest.mark.live


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, connection: Connection) -> Iterator[Home]:
    """An empty LAB_HOME, and DOCKER_HOST set to the machine's engine."""
    with tempfile.TemporaryDirectory(prefix="lab", dir="/tmp") as folder:
        found = Home(Path(folder))
        monkeypatch.setenv("LAB_HOME", folder)
        for name, value in connection.environment.items():
            monkeypatch.setenv(name, value)
        # Our own client serves a given engine, too.
        found.client.symlink_to(Path(connection.docker).parents[2])
        yield found
        jupyter.stop(found)
        assert processes.marked(jupyter.MARK, jupyter.key(jupyter.CHECKOUT)) == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(*, port: int) -> int:
    return up.up(port=port, prepare=lambda *_: None)


@pytest.fixture
def stranger(connection: Connection) -> Iterator[str]:
    """A name that a container, a network and an image of somebody else have in the engine."""
    name = f"stranger-{os.getpid()}"
    client.docker(connection, "network", "create", name)
    client.docker(connection, "tag", images.PYTHON, name)
    client.docker(connection, "run", "--detach", "--rm", "--name", name, name, "sleep", "60")
    yield name
    for words in (("rm", "--force"), ("network", "rm"), ("rmi",)):
        client.docker(connection, *words, name)


def inventory(connection: Connection, name: str) -> list[str]:
    listings = (
        ("ps", "--format", "{{.ID}} {{.State}}", "--filter", f"name={name}"),
        ("network", "ls", "--format", "{{.ID}}", "--filter", f"name={name}"),
        ("images", "--format", "{{.ID}} {{.Tag}}", name),
    )
    return [client.docker(connection, *words).stdout for words in listings]


@pytest.mark.usefixtures("place")
def test_an_engine_that_is_given_is_used_and_keeps_what_it_has(
    connection: Connection, stranger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = inventory(connection, stranger)
    assert all(before)
    assert up.up(jupyter=False, prepare=lambda *_: None) == 0
    assert up.down() == 0
    assert inventory(connection, stranger) == before
    assert f"using the Docker Engine at {connection.host}" in capsys.readouterr().out
    assert bridge_works(connection).works


def test_up_gives_a_jupyterlab_whose_kernels_reach_the_engine_and_down_takes_it(
    place: Home, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(port=free_port()) == 0
    server = jupyter.running(place)
    assert server is not None
    assert server.url in capsys.readouterr().out
    assert jupyter.note(place, jupyter.CHECKOUT).stat().st_mode & 0o077 == 0
    kernel = ask(server, "POST", "/api/kernels")
    assert isinstance(kernel, dict)
    env = wait_until(lambda: kernel_environment(kernel["id"]), timeout=30)
    assert isinstance(env, dict)
    assert env["DOCKER_HOST"] == connection.host
    assert "LAB_STATIC" not in env
    assert up.down() == 0
    assert jupyter.running(place) is None
    assert processes.marked(jupyter.MARK, jupyter.key(jupyter.CHECKOUT)) == []


def ask(server: jupyter.Server, method: str, route: str) -> object:
    request = urllib.request.Request(
        f"http://{jupyter.ADDRESS}:{server.port}{route}",
        method=method,
        headers={"Authorization": f"token {server.token}"},
        data=b"{}" if method == "POST" else None,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def kernel_environment(name: str) -> dict[str, str]:
    """The environment of the process that runs a kernel."""
    for pid in processes.marked(jupyter.MARK, jupyter.key(jupyter.CHECKOUT)):
        if any(name in word for word in processes.command_line(pid)):
            pairs = (part.decode().partition("=") for part in processes._environment(pid) if part)
            return {key: value for key, _, value in pairs}
    return {}


def test_its_address_leads_to_the_first_page_and_nothing_pops_up(place: Home) -> None:
    assert up.up(static=True, port=free_port()) == 0
    server = jupyter.running(place)
    assert server is not None
    with urllib.request.urlopen(server.url, timeout=30) as answer:
        page = answer.read().decode()
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.S)
    assert found is not None
    config = json.loads(found[1])
    assert config["treePath"] == "labs/README.ipynb"
    assert "@jupyterlab/apputils-extension:announcements" in config["disabledExtensions"]
    assert ask(server, "GET", "/api/contents/labs/README.ipynb?content=0")


def test_a_second_up_prints_the_first_ones_address(
    place: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    assert start(port=port) == 0
    first = jupyter.running(place)
    assert start(port=port) == 0
    assert first is not None
    assert jupyter.running(place) == first
    assert capsys.readouterr().out.count(first.url) == 2


def test_a_taken_port_is_passed_over_and_that_is_said(
    place: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert start(port=port) == 0
    server = jupyter.running(place)
    assert server is not None
    assert server.port != port
    assert f"port {port} is taken" in capsys.readouterr().out


def test_static_mode_has_a_jupyterlab_whose_kernels_know_it(place: Home) -> None:
    assert up.up(static=True, port=free_port()) == 0
    server = jupyter.running(place)
    assert server is not None
    assert server.engine == ""
    pids = processes.marked("LAB_STATIC", "1")
    assert server.pid in pids


def test_a_killed_jupyterlab_leaves_no_kernel_after_down(place: Home) -> None:
    assert start(port=free_port()) == 0
    server = jupyter.running(place)
    assert server is not None
    kernel = ask(server, "POST", "/api/kernels")
    assert isinstance(kernel, dict)
    wait_until(lambda: kernel_environment(kernel["id"]), timeout=30)
    os.kill(server.pid, 9)
    assert up.down() == 0
    assert processes.marked(jupyter.MARK, jupyter.key(jupyter.CHECKOUT)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_without_root_gets_static_mode_and_exit_0(tmp_path: Path) -> None:
    # Imported as root, since this Python may stand where nobody else may read.
    code = (
        "import os, sys; from grader.host.up import up;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(up(jupyter=False))"
    )
    env = {"HOME": "/nowhere", "PATH": "/usr/bin:/bin", "LAB_HOME": str(tmp_path / "h")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=jupyter.CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Static mode: no Docker Engine answers")
    assert "Traceback" not in done.stderr


def test_the_stand_in_behaves_like_the_real_python_image(connection: Connection) -> None:
    code = (
        "import sys, sysconfig, ssl, sqlite3, json, shutil;"
        "print(json.dumps([sys.prefix, sysconfig.get_path('purelib'), shutil.which('pip'),"
        " shutil.which('curl'), len(ssl.create_default_context().get_ca_certs()) > 50]))"
    )
    run = ("run", "--rm", "--network", "none", "--label", "lab.run=test-standin")
    done = client.docker(connection, *run, images.PYTHON, "python", "-c", code)
    packages = "/usr/local/lib/python3.11/site-packages"
    assert json.loads(done.stdout) == ["/usr/local", packages, "/usr/local/bin/pip", None, True]


def test_the_distroless_image_has_a_python_and_no_shell(connection: Connection) -> None:
    image = "distroless-python:3.11"
    run = ("run", "--rm", "--network", "none", "--label", "lab.run=test-distroless")
    code = "import os, ssl, sqlite3, ctypes; print(os.getuid(), os.access('/tmp', os.W_OK))"
    assert client.docker(connection, *run, image, "-c", code).stdout == "65532 True\n"
    shell = client.docker(connection, *run, "--entrypoint", "sh", image)
    assert "executable file not found" in shell.stderr
    state = images.inspect(connection, image)
    assert state is not None
    assert state["Size"] < 55_000_000
    assert state["Config"]["User"] == "65532:65532"
