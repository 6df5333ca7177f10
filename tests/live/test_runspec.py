"""Run specifications on a real engine: what is made, what is refused, and that nothing is left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import compose, locked, runspec
from grader.engine import PROBE_IMAGE, Engine, Image
from grader.errors import SubmissionError
from grader.host.connection import Connection
from grader.locked import Confined

pytestmark = pytest.mark.live
Make = Callable[..., Path]


@pytest.fixture
def engine(connection: Connection) -> Iterator[Engine]:
    with Engine.open(connection) as one:
        yield one


@pytest.fixture
def image(engine: Engine) -> Image:
    return engine.image(PROBE_IMAGE)


def count(engine: Engine, kind: str) -> int:
    words = [engine.connection.docker, kind, "ls", "-q", "--filter", f"label=lab.run={engine.run}"]
    words += ["-a"] if kind == "container" else []
    environment = dict(engine.connection.environment)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return len(done.stdout.split())


def made(engine: Engine, image: Image, folder: Path, scratch: Path) -> dict[str, Any]:
    spec = runspec.read(folder)
    if spec.service:
        return dict(engine.inspect(compose.create(engine, spec, image, scratch)))
    return dict(engine.inspect(runspec.create(engine, spec, image)))


TOML = """
read-only = true
cap-drop = ["ALL"]
security-opt = ["no-new-privileges"]
pids-limit = 64
memory = "64m"
memory-swap = "64m"
tmpfs = ["/tmp:size=1m"]
user = "10001"
volume = ["data:/data", "./here:/here:ro"]
publish = ["127.0.0.1:1:1"]
"""
YAML = """
services:
  app:
    image: not-there
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 64
    mem_limit: 64m
    memswap_limit: 64m
    tmpfs: ["/tmp:size=1m"]
    user: "10001"
    volumes: ["data:/data", "./here:/here:ro"]
    ports: ["127.0.0.1:1:1"]
    restart: always
    networks: [inner]
volumes:
  data:
networks:
  inner:
"""


@pytest.mark.parametrize(
    ("name", "text"), [("run.toml", TOML), ("compose.yaml", YAML)], ids=["run.toml", "compose"]
)
def test_both_ways_make_the_same_container(
    engine: Engine, image: Image, folder: Make, tmp_path: Path, *, name: str, text: str
) -> None:
    place = folder(**{name: text})
    (place / "here").mkdir()
    seen = made(engine, image, place, tmp_path)
    host = seen["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["PidsLimit"] == 64
    assert host["Memory"] == host["MemorySwap"] == 64 * 2**20
    assert host["NetworkMode"] == "none"
    assert not host["PortBindings"]
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert seen["Config"]["User"] == "10001"
    assert seen["Config"]["Labels"]["lab.run"] == engine.run
    assert seen["State"]["Status"] == "created"
    assert {m["Destination"]: m["RW"] for m in seen["Mounts"]} == {"/data": True, "/here": False}
    assert count(engine, "container") == 1
    assert count(engine, "volume") == 1
    assert count(engine, "network") == 0
    engine.close()
    assert [count(engine, kind) for kind in ("container", "volume", "network")] == [0, 0, 0]


BAD = [
    ("run.toml", "memory = 'plenty'\n", "invalid size"),
    ("run.toml", "tmpfs = ['tmp']\n", "tmp"),
    ("run.toml", "cpus = 100000\n", "CPUs"),
    ("run.toml", "ulimit = ['x']\n", "ulimit"),
    ("compose.yaml", "services: {a: {image: x, mem_limit: plenty}}\n", "mem_limit"),
    ("compose.yaml", "services: {a: {image: x, cpus: '100000'}}\n", "CPUs"),
    ("compose.yaml", "services: {a: {image: x, read_only: [1]}}\n", "read_only"),
    ("compose.yaml", "services: {a: {image: x, privileged: '${P:-true}'}}\n", "privileged"),
    ("compose.yaml", "services: {a: {image: x, cap_add: ['${C:-ALL}']}}\n", "capability"),
]


@pytest.mark.parametrize(("name", "text", "words"), BAD, ids=[b[1][:60] for b in BAD])
def test_what_is_not_taken_is_the_submissions(
    engine: Engine, image: Image, folder: Make, tmp_path: Path, *, name: str, text: str, words: str
) -> None:
    with pytest.raises(SubmissionError) as caught:
        made(engine, image, folder(**{name: text}), tmp_path)
    assert words in str(caught.value)
    assert count(engine, "container") == 0


def test_variables_of_the_submission_change_nothing_else(
    engine: Engine, image: Image, folder: Make, tmp_path: Path
) -> None:
    variables = (
        "U=7\nCOMPOSE_FILE=/x.yaml\nCOMPOSE_ENV_FILES=/etc/passwd\nDOCKER_HOST=tcp://127.0.0.1:1\n"
    )
    text = "services: {a: {image: x, user: '${U}', environment: {H: '${HOSTNAME:-none}'}}}\n"
    place = folder(**{"compose.yaml": text, ".env": variables + "DOCKER_CONTEXT=no-such\n"})
    seen = made(engine, image, place, tmp_path)
    assert seen["Config"]["User"] == "7"
    assert "H=none" in seen["Config"]["Env"]


def test_a_start_that_cannot_succeed_is_told_apart(
    engine: Engine, image: Image, folder: Make
) -> None:
    """A bind of a folder over a file: Docker makes the container and can't start it."""
    place = folder(**{"run.toml": 'volume = ["./here:/etc/passwd"]\n'})
    (place / "here").mkdir()
    spec = runspec.read(place)
    container = runspec.create(engine, spec, image)
    with pytest.raises(SubmissionError):
        locked._start(engine, Confined(container, spec, {}))
