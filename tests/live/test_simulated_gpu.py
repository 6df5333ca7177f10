"""The simulated GPUs on a real engine: what each way of asking for them puts into a container."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grader import labels
from grader.engine import PROBE_IMAGE, Engine
from grader.host import client, engine, gpu, gpus, processes
from grader.host.connection import Connection, private
from grader.host.connection import connection as describe
from grader.host.home import Home, home
from tests.live.conftest import copy_image

pytestmark = pytest.mark.live
LOOK = """
import ctypes, json, os, pathlib, subprocess
def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None
seen = {"nodes": sorted(n for n in os.listdir("/dev") if n.startswith("nvidia"))}
seen["variable"] = os.environ.get("NVIDIA_VISIBLE_DEVICES")
cuda, nvml, count = library("libcuda.so.1"), library("libnvidia-ml.so.1"), ctypes.c_uint()
seen["cuda"] = seen["nvml"] = None
if cuda and cuda.cuInit(0) == 0:
    cuda.cuDeviceGetCount(ctypes.byref(count))
    seen["cuda"] = count.value
if nvml and nvml.nvmlInit_v2() == 0:
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    seen["nvml"] = count.value
try:
    seen["tool"] = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
except FileNotFoundError:
    seen["tool"] = None
print(json.dumps(seen))
"""
BOTH = ["nvidia-uvm", "nvidia0", "nvidia1", "nvidiactl"]


@pytest.fixture(scope="module")
def place(
    connection: Connection, spare_home: Callable[[Path], Connection]
) -> Iterator[tuple[Connection, Home]]:
    """The machine's own engine, or another one where that one is from before there were GPUs."""
    with Engine(connection) as asked:
        simulated = asked.facts()["gpu"] == "simulated"
    if simulated and connection.kind == "private":
        yield connection, home()
        return
    other = Home(Path("/tmp") / f"labgpu{os.getpid()}")
    with removed(other):
        spare = spare_home(other.root)
        copy_image(connection, spare, PROBE_IMAGE)
        yield spare, other


@contextmanager
def removed(place: Home) -> Iterator[None]:
    """Sockets need a short path, so it lies in /tmp itself."""
    try:
        yield
    finally:
        engine.stop(place)
        shutil.rmtree(place.root, ignore_errors=True)


def run(
    found: Connection, *words: str, image: str = PROBE_IMAGE
) -> subprocess.CompletedProcess[str]:
    marks = ("--label", f"{labels.RUN}=test-gpu", "--network", "none", "--pull", "never")
    return client.docker(found, "run", "--rm", *marks, *words, image, "python3", "-c", LOOK)


@pytest.mark.parametrize(
    ("asked", "variable", "nodes"),
    [
        ("all", "all", BOTH),
        ("1", "0", ["nvidia-uvm", "nvidia0", "nvidiactl"]),
        ("2", "0,1", BOTH),
        ('"device=0,1"', "0,1", BOTH),
        ("device=1", "1", ["nvidia-uvm", "nvidia1", "nvidiactl"]),
    ],
)
def test_exactly_what_is_asked_for_is_there(
    place: tuple[Connection, Home], asked: str, variable: str, nodes: list[str]
) -> None:
    done = run(place[0], "--gpus", asked)
    seen = json.loads(done.stdout)
    count = sum(node[-1].isdigit() for node in nodes)
    assert (seen["variable"], seen["nodes"]) == (variable, nodes)
    assert (seen["cuda"], seen["nvml"], seen["tool"].count("Simulated GPU")) == (count,) * 3


def test_a_uuid_names_a_device_too(place: tuple[Connection, Home]) -> None:
    second = gpu.devices(place[1])[1]
    seen = json.loads(run(place[0], "--gpus", f"device={second.uuid}").stdout)
    assert second.name in seen["tool"]
    assert "nvidia1" in seen["nodes"]


NVML = """
import ctypes
nvml = ctypes.CDLL("libnvidia-ml.so.1")
assert nvml.nvmlInitWithFlags(0) == 0
one, text, memory = ctypes.c_void_p(), ctypes.create_string_buffer(96), (ctypes.c_uint64 * 3)()
assert nvml.nvmlDeviceGetHandleByIndex_v2(1, ctypes.byref(one)) == 2
assert nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(one)) == 0
for ask in (nvml.nvmlDeviceGetName, nvml.nvmlDeviceGetUUID):
    assert ask(one, text, 5) == 7
    assert ask(one, text, 96) == 0
    print(text.value.decode())
assert nvml.nvmlDeviceGetMemoryInfo(one, memory) == 0
print(memory[0] // 2**20)
"""


def test_nvidias_library_knows_name_uuid_and_memory(place: tuple[Connection, Home]) -> None:
    second = gpu.devices(place[1])[1]
    words = ("run", "--rm", "--network", "none", "--gpus", "device=1", PROBE_IMAGE)
    done = client.docker(place[0], *words, "python3", "-c", NVML)
    assert done.stdout.splitlines() == [second.name, second.uuid, str(second.mib)], done.stderr


def test_who_asks_for_none_gets_none(place: tuple[Connection, Home]) -> None:
    for words in ((), ("--env", "NVIDIA_VISIBLE_DEVICES=all")):
        seen = json.loads(run(place[0], *words).stdout)
        assert (seen["nodes"], seen["tool"], seen["cuda"], seen["nvml"]) == ([], None, None, None)


@pytest.mark.parametrize("asked", ["device=9", "3", "device=GPU-0000"])
def test_an_unknown_device_is_the_real_kind_of_error(
    place: tuple[Connection, Home], asked: str
) -> None:
    done = run(place[0], "--gpus", asked)
    assert done.returncode
    assert "unknown device" in done.stderr
    assert "simulated" in done.stderr


@pytest.mark.parametrize(
    ("capability", "cuda", "tool"),
    [("compute", 1, False), ("utility", None, True)],
)
def test_each_capability_brings_its_own_part(
    place: tuple[Connection, Home], capability: str, cuda: int | None, tool: bool
) -> None:
    done = run(place[0], "--gpus", f'"device=0","capabilities={capability}"')
    seen = json.loads(done.stdout)
    assert (seen["cuda"], seen["tool"] is not None) == (cuda, tool)
    assert ("nvidia-uvm" in seen["nodes"]) is (capability == "compute")


@pytest.mark.parametrize(("name", "nodes"), [("0", 1), ("1", 1), ("all", 2)])
def test_cdi_gives_the_same(place: tuple[Connection, Home], name: str, nodes: int) -> None:
    seen = json.loads(run(place[0], "--device", f"nvidia.com/gpu={name}").stdout)
    assert (seen["cuda"], seen["nvml"], seen["tool"].count("Simulated GPU")) == (nodes,) * 3
    assert run(place[0], "--device", "nvidia.com/gpu=9").returncode


def test_a_container_without_rights_sees_them_and_cannot_change_them(
    place: tuple[Connection, Home],
) -> None:
    words = ("--gpus", "all", "--user", "12345", "--read-only", "--cap-drop", "ALL")
    seen = json.loads(run(place[0], *words).stdout)
    assert (seen["cuda"], seen["nvml"]) == (2, 2)
    root = client.docker(
        place[0], "run", "--rm", "--network", "none", "--gpus", "all", PROBE_IMAGE,
        "sh", "-c", "echo mine > /usr/bin/nvidia-smi",
    )  # fmt: skip
    assert "Read-only" in root.stderr


LED_ASTRAY = [
    "ln -sf /lab-led-astray /usr/bin/nvidia-smi",
    "rm -rf /usr/lib/x86_64-linux-gnu/libcuda.so.1 && mkdir /usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "ln -sf ../../../../lab-led-astray /usr/bin/nvidia-smi",
]


@pytest.mark.parametrize("line", LED_ASTRAY)
def test_an_image_cannot_lead_the_hook_out_of_its_own_files(
    place: tuple[Connection, Home], tmp_path: Path, line: str
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {PROBE_IMAGE}\nRUN {line}\n")
    tag = f"lab-led-astray:{os.getpid()}"
    words = ("build", "--quiet", "--label", f"{labels.RUN}=test-gpu", "--tag", tag, str(tmp_path))
    assert client.docker(place[0], *words).returncode == 0
    try:
        run(place[0], "--gpus", "all", image=tag)
        assert not Path("/lab-led-astray").exists()
    finally:
        client.docker(place[0], "image", "rm", tag)


def test_a_container_that_is_started_again_has_them_again(place: tuple[Connection, Home]) -> None:
    words = ("--network", "none", "--gpus", "all", PROBE_IMAGE, "python3", "-c", LOOK)
    made = client.docker(place[0], "create", *words).stdout.strip()
    try:
        for _ in range(2):
            done = client.docker(place[0], "start", "--attach", made)
            assert json.loads(done.stdout)["cuda"] == 2
    finally:
        client.docker(place[0], "rm", "--force", made)


def test_reports_and_the_doctor_call_them_simulated(place: tuple[Connection, Home]) -> None:
    with Engine(place[0]) as asked:
        kind = str(asked.facts()["gpu"])
    assert kind == "simulated"
    said = gpus.seen(place[0], kind)
    assert said.startswith("simulated, nothing computes")
    assert all(one.name in said for one in gpu.devices(place[1]))


def test_an_engine_from_before_is_renewed_once_it_has_no_work(
    connection: Connection,
    spare_home: Callable[[Path], Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Home(Path("/tmp") / f"labold{os.getpid()}")
    monkeypatch.setenv("LAB_GPU", "none")
    with removed(place):
        renewed(connection, place, spare_home, monkeypatch)


def renewed(
    connection: Connection,
    place: Home,
    spare_home: Callable[[Path], Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = list[str]()
    old = spare_home(place.root)
    copy_image(connection, old, PROBE_IMAGE)
    assert gpus.seen(old, "none").startswith("none")
    assert "could not select device driver" in run(old, "--gpus", "all").stderr
    monkeypatch.delenv("LAB_GPU")
    (first,) = processes.mine(place, "dockerd")
    sleep = ("run", "--rm", "--detach", "--network", "none", PROBE_IMAGE, "sleep", "600")
    works = client.docker(old, *sleep).stdout.strip()
    engine.start(place, said.append)
    assert processes.mine(place, "dockerd") == [first]
    assert "must wait" in said[-1]
    client.docker(old, "kill", works)
    client.docker(old, "wait", works)
    engine.start(place, said.append)
    assert processes.mine(place, "dockerd") != [first]
    new = connection_of(place)
    assert json.loads(run(new, "--gpus", "all").stdout)["cuda"] == 2


def connection_of(place: Home) -> Connection:
    return describe(place, "private", private(place))
