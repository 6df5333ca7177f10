"""The course on Binder: built by its own builder, run without rights, a network or an engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import cells, labels, runs
from grader.course import Course
from grader.host.client import Done, docker
from grader.host.connection import Connection
from grader.host.jupyter import FIRST_PAGE, PAGE
from grader.kernel import marked
from tests.conftest import ROOT, wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow]

NAMES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("labs/**/[0-9R]*.ipynb"))
STATIC = "03-build-optimization/context"  # each of its checks reads only
TOKEN = "a-token-of-the-test"
BUILD_S, NOTEBOOK_S = 900, 300
RIGHTS = (
    *("--user", "1000", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--network", "none", "--memory", "2g", "--pids-limit", "512"),
)
EXECUTE = """
import json, sys, nbformat
from pathlib import Path
from grader.execution import execute
path = Path(sys.argv[1]).resolve()
book = nbformat.read(path, 4)
execute(book, path)
code = (cell for cell in book.cells if cell.cell_type == "code")
texts = (lambda o: o.get("text") or o.get("data", {}).get("text/plain", ""))
print(json.dumps([[cell.source, "".join(map(texts, cell.outputs))] for cell in code]))
"""
ASK = """
import sys, urllib.request
ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
answer = ask.open(f"http://127.0.0.1:8888{sys.argv[1]}?token=a-token-of-the-test", timeout=20)
print(answer.url, answer.read().decode())
"""


class Box:
    """The one container that all the tests here share, as its user."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection, self.name = connection, name

    def run(self, *words: str, timeout: float = 120) -> Done:
        return docker(self.connection, "exec", self.name, *words, timeout=timeout)

    def python(self, program: str, *words: str, timeout: float = 120) -> Done:
        return self.run("python", "-c", program, *words, timeout=timeout)

    def ask(self, route: str) -> str:
        done = self.python(ASK, route)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


@pytest.fixture(scope="module")
def run() -> str:
    """A name for what is made here: were the tests killed, the next ones would sweep it."""
    return runs.fresh()


@pytest.fixture(scope="module")
def image(connection: Connection, run: str) -> Iterator[str]:
    """Built as mybinder.org builds it, of the same folder and for the same user."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    builder = shutil.which("jupyter-repo2docker", path=beside)
    assert builder, "jupyter-repo2docker is not installed: make venv-dev"
    tag = f"lab-binder-test:{os.getpid()}"
    user = ["--user-id", "1000", "--user-name", "jovyan"]
    label = f"{labels.RUN}={run}"
    command = [builder, "--no-run", "--image-name", tag, *user, "--label", label, str(ROOT)]
    env = {**os.environ, **connection.environment}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=BUILD_S)
    try:
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        yield tag
    finally:
        docker(connection, "rmi", "--force", tag)


@pytest.fixture(scope="module")
def box(connection: Connection, image: str, run: str) -> Iterator[Box]:
    """JupyterLab in it, with what Binder allows and less."""
    name = f"lab-binder-test-{os.getpid()}"
    words = ("--name", name, "--label", f"{labels.RUN}={run}", "--env", f"JUPYTER_TOKEN={TOKEN}")
    done = docker(connection, "run", "--detach", *RIGHTS, *words, image)
    try:
        assert done.returncode == 0, done.stderr
        yield Box(connection, name)
    finally:
        docker(connection, "rm", "--force", "--volumes", name)


def test_jupyterlab_answers_with_the_courses_settings(box: Box) -> None:
    wait_until(lambda: box.python(ASK, "/api").returncode == 0, timeout=90, every=1)
    page = box.ask("/")
    assert FIRST_PAGE in page.partition(" ")[0]
    for name in PAGE["disabledExtensions"]:
        assert f'"disabledExtensions": ["{name}"]' in page


def test_its_user_is_nobody_special_and_there_is_no_engine(box: Box) -> None:
    assert box.run("id", "-u").stdout.strip() == "1000"
    assert box.run("sh", "-c", "command -v docker || ls /var/run/docker.sock").returncode
    assert box.run("sh", "-c", "echo >> grader/grade.py").returncode, "the grader is read-only"
    assert box.run("sh", "-c", "echo >> solutions/README.md").returncode
    assert box.run("python3", "-c", "import jupyterlab.labapp").returncode == 0
    assert box.run("sh", "-c", "command -v jupyter-lab jupyter-notebook").returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_to_its_end_and_replays_what_needs_an_engine(box: Box, name: str) -> None:
    done = box.python(EXECUTE, name, timeout=NOTEBOOK_S)
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    replayed = [said for source, said in found if marked(source)]
    assert all(said.startswith("Replay: recorded on ") for said in replayed), replayed
    assert all(said.endswith(cells.REPLAYED) for said in replayed)
    assert replayed or name.endswith("README.ipynb")
    others = [said for source, said in found if not marked(source)]
    assert not any("Replay: recorded" in said for said in others)


def test_no_replay_is_anybodys_result(box: Box) -> None:
    """Behind the notebooks: what they noted says of no exercise that it was passed."""
    noted = box.run("cat", "work/progress.txt").stdout
    assert " predict " not in noted
    assert " pass" not in noted


def test_a_static_check_fails_a_starter_and_passes_a_reference(box: Box) -> None:
    assert Course(ROOT).exercise(STATIC)
    first = box.run("grader", "check", STATIC)
    assert first.returncode == 1, first.stdout + first.stderr
    answer = f"rm -r work/{STATIC}/.dockerignore; cp solutions/{STATIC}/.dockerignore work/{STATIC}"
    assert box.run("sh", "-c", answer).returncode == 0
    second = box.run("grader", "check", STATIC)
    assert second.returncode == 0, second.stdout + second.stderr
    assert f"{STATIC} check" in box.run("cat", "work/progress.txt").stdout


def test_a_check_that_needs_an_engine_says_so_and_costs_nothing(box: Box) -> None:
    done = box.run("grader", "check", "01-multi-stage/two-stages")
    assert done.returncode in (1, 3)
    assert "there is no Docker engine here" in done.stdout
