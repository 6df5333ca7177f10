"""GPUs asked for, seen, used and done without: both sides of each edge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grader.checks import gpu
from grader.gpus import Gpu, Node, OnCpu, OnGpu, asked
from grader.indexed import Installed
from grader.locked import Confined
from grader.look import REGULAR, File
from grader.results import Outcome, Result
from grader.running import Health, Reply
from grader.runspec import RunSpec
from grader.yamls import Doc

P, F = Outcome.PASS, Outcome.FAIL
BOTH = ["0", "1"]
GPU = {"Driver": "", "Count": 0, "Capabilities": [["gpu"]]}
TWO = OnGpu("id", "simulated", (Gpu(0, "Simulated GPU 0"), Gpu(1, "Simulated GPU 1")))
REAL = OnGpu("id", "nvidia", (Gpu(2, "A"), Gpu(3, "A")))


def confined(*requests: dict[str, Any] | None, **wanted: Any) -> Confined:
    lines = {(0, ("services", "a", key)): 7 for key in wanted}
    spec = RunSpec(
        Doc("compose.yaml", (), {(0, ("services", "a")): 2, **lines}), Path(), wanted, "a"
    )
    return Confined("id", spec, {"DeviceRequests": list(requests) if requests != (None,) else None})


def cdi(*names: str) -> dict[str, Any]:
    return {"Driver": "cdi", "Count": 0, "DeviceIDs": list(names), "Capabilities": None}


REQUESTS = [
    ("both", [{**GPU, "DeviceIDs": BOTH}], P, "GPU 0 and 1"),
    ("in another order", [{**GPU, "DeviceIDs": ["1", "0"]}], P, ""),
    ("with the driver's name", [{**GPU, "Driver": "nvidia", "DeviceIDs": BOTH}], P, ""),
    ("in two requests", [{**GPU, "DeviceIDs": ["0"]}, {**GPU, "DeviceIDs": ["1"]}], P, ""),
    ("by CDI", [cdi("nvidia.com/gpu=0", "nvidia.com/gpu=1")], P, ""),
    ("by CDI, one", [cdi("nvidia.com/gpu=0")], F, "Yours are 0 and 1"),
    ("by CDI, another kind", [cdi("vendor.org/gpu=0", "vendor.org/gpu=1")], F, "capability gpu"),
    ("none", [], F, "no GPU"),
    ("null", [None], F, "no GPU"),
    ("all", [{**GPU, "Count": -1}], F, "all GPUs, whichever"),
    ("two of them", [{**GPU, "Count": 2}], F, "2 GPU(s), whichever"),
    ("ids unquoted", [{**GPU, "Count": 1, "DeviceIDs": ["0"]}], F, "a count of 1"),
    ("one too few", [{**GPU, "DeviceIDs": ["0"]}], F, "asks for GPU 0. Yours"),
    ("one too many", [{**GPU, "DeviceIDs": ["0", "1", "2"]}], F, "0 and 1 and 2"),
    ("one twice", [{**GPU, "DeviceIDs": ["0", "1", "1"]}], F, ""),
    ("by uuid", [{**GPU, "DeviceIDs": ["GPU-1", "GPU-2"]}], F, "Yours are"),
    ("no capability", [{"DeviceIDs": BOTH, "Capabilities": None}], F, "capability gpu"),
    ("another one", [{"DeviceIDs": BOTH, "Capabilities": [["tpu"]]}], F, "capability gpu"),
    (
        "part of the driver",
        [{"DeviceIDs": BOTH, "Capabilities": [["gpu", "utility"]]}],
        F,
        "Only utility",
    ),
    (
        "all that is needed of it",
        [{"DeviceIDs": BOTH, "Capabilities": [["gpu", "utility", "compute"]]}],
        P,
        "",
    ),
]


@pytest.mark.parametrize(
    ("requests", "outcome", "says"), [r[1:] for r in REQUESTS], ids=[r[0] for r in REQUESTS]
)
def test_requests(requests: list[Any], outcome: Outcome, says: str) -> None:
    result = gpu.requested(confined(*requests), ids=BOTH)
    assert result.outcome is outcome
    assert says in result.message


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"environment": {"NVIDIA_VISIBLE_DEVICES": "0,1"}}, True),
        ({"env": ["NVIDIA_VISIBLE_DEVICES=all"]}, True),
        ({"environment": {"OTHER": "1"}}, False),
    ],
)
def test_a_variable_is_named_as_what_it_is(wanted: dict[str, Any], told: bool) -> None:
    result = gpu.requested(confined(**wanted), ids=BOTH)
    assert ("By itself it gives nothing" in result.message) is told
    assert (result.file, result.line) == ("compose.yaml", 7)


NODES = [
    ("both", [(0, True), (1, True)], P),
    ("one", [(0, True)], F),
    ("none", [], F),
    ("one too many", [(0, True), (1, True), (2, True)], F),
    ("another one", [(0, True), (2, True)], F),
    ("a file", [(0, True), (1, False)], F),
]


@pytest.mark.parametrize(("nodes", "outcome"), [r[1:] for r in NODES], ids=[r[0] for r in NODES])
def test_device_files(nodes: list[tuple[int, bool]], outcome: Outcome) -> None:
    result = gpu.visible(tuple(Node(*one) for one in nodes), TWO)
    assert result.outcome is outcome
    assert "simulated" in result.message or "ordinary file" in result.message


def test_files_are_numbered_by_the_machine_and_real_ones_are_not_called_simulated() -> None:
    result = gpu.visible((Node(2, True), Node(3, True)), REAL)
    assert result.outcome is P
    assert "simulated" not in result.message
    assert gpu.visible((Node(0, True), Node(1, True)), REAL).outcome is F


def reply(*devices: object, status: int = 200, total: object = 12) -> Reply:
    return Reply(status, json.dumps({"sum": total, "devices": list(devices)}))


SAID = [
    ("both", reply("Simulated GPU 0", "Simulated GPU 1"), P),
    ("in another order", reply("Simulated GPU 1", "Simulated GPU 0"), P),
    ("one", reply("Simulated GPU 0"), F),
    ("one twice", reply("Simulated GPU 0", "Simulated GPU 0"), F),
    ("cpu", reply("cpu"), F),
    ("nothing", reply(), F),
    ("made up", reply("cuda:0", "cuda:1"), F),
    ("no text", reply(0, 1), F),
    ("a wrong sum", reply("Simulated GPU 0", "Simulated GPU 1", total=13), F),
    ("an error", reply("Simulated GPU 0", "Simulated GPU 1", status=500), F),
    ("no JSON", Reply(200, "ok"), F),
    ("no object", Reply(200, "[]"), F),
    ("no answer", Reply(0, "ConnectionResetError"), F),
]


@pytest.mark.parametrize(("said", "outcome"), [r[1:] for r in SAID], ids=[r[0] for r in SAID])
def test_what_it_says_with_gpus(said: Reply, outcome: Outcome) -> None:
    result = gpu.used(said, TWO)
    assert result.outcome is outcome
    assert "(simulated)" in result.message


ON_CPU = [
    ("cpu", reply("cpu"), P),
    ("a GPU that is not there", reply("Simulated GPU 0"), F),
    ("both", reply("cpu", "cuda:0"), F),
    ("in capitals", reply("CPU"), F),
    ("nothing", reply(), F),
    ("an error", Reply(500, "RuntimeError"), F),
    ("no devices", Reply(200, '{"sum": 12}'), F),
]


@pytest.mark.parametrize(("said", "outcome"), [r[1:] for r in ON_CPU], ids=[r[0] for r in ON_CPU])
def test_what_it_says_without_one(said: Reply, outcome: Outcome) -> None:
    assert gpu.falls_back(OnCpu("id", said)).outcome is outcome


@pytest.mark.parametrize(
    ("status", "outcome"), [("healthy", P), ("unhealthy", F), ("starting", F), (None, F)]
)
def test_health_without_one(status: str | None, outcome: Outcome) -> None:
    assert gpu.healthy(Health(status, "curl: not found")).outcome is outcome


def copy(index: str = "cu126", version: str = "2.7.1+cu126", *, fresh: bool = True) -> Installed:
    return Installed("/x/torchlet/_build.py", index, version, fresh)


def indexed(*found: Installed) -> Result:
    return gpu.index(found, package="torchlet", vendor="cu126")


INDEXED = [
    ("the vendor's", (copy(),), P, "2.7.1+cu126"),
    ("twice the vendor's", (copy(), copy()), P, ""),
    ("the other one's", (copy("general", "2.15.0"),), F, "2.15.0 of the index general"),
    ("one of each", (copy(), copy("general", "2.15.0")), F, "general"),
    ("brought along", (copy(fresh=False),), F, "not installed from the indexes"),
    ("none", (), F, "nowhere"),
    ("of no index", (copy("", ""),), F, ""),
]


@pytest.mark.parametrize(
    ("found", "outcome", "says"), [r[1:] for r in INDEXED], ids=[r[0] for r in INDEXED]
)
def test_where_a_package_came_from(
    found: tuple[Installed, ...], outcome: Outcome, says: str
) -> None:
    result = indexed(*found)
    assert result.outcome is outcome
    assert says in result.message


def files(*paths: str) -> tuple[File, ...]:
    return tuple(File(path, 1, 0o644, 0, 0, REGULAR) for path in paths)


@pytest.mark.parametrize(
    ("path", "toolkit", "driver"),
    [
        ("/usr/local/cuda/bin/nvcc", F, P),
        ("/usr/local/cuda/include/cuda.h", F, P),
        ("/usr/local/cuda/include/cuda_runtime.h", F, P),
        ("/usr/local/cuda/lib64/libcudart_static.a", F, P),
        ("/usr/local/cuda/lib64/stubs/libcuda.so", F, P),
        ("/usr/lib/x86_64-linux-gnu/libcuda.so.1", P, F),
        ("/usr/lib/libcuda.so.560.35", P, F),
        ("/usr/local/lib/libnvidia-ml.so.560", P, F),
        ("/usr/lib/libnvidia-ptxjitcompiler.so.1", P, F),
        ("/usr/bin/nvidia-smi", P, F),
        ("/usr/local/cuda/lib64/libcudart.so.12", P, P),
        ("/usr/lib/libcudnn.so.9", P, P),
        ("/usr/lib/libnvrtc.so.12", P, P),
        ("/usr/lib/python3/cuda.py", P, P),
        ("/usr/include/barracuda.h", P, P),
        ("/usr/share/nvidia-smi.txt", P, P),
    ],
)
def test_files_of_the_kit_and_of_the_driver(path: str, toolkit: Outcome, driver: Outcome) -> None:
    assert gpu.no_toolkit(files("/a", path)).outcome is toolkit
    assert gpu.no_driver(files("/a", path)).outcome is driver


def test_a_request_is_read_whatever_the_engine_leaves_out() -> None:
    assert asked({}) == ()
    (one,) = asked({"DeviceRequests": [{}]})
    assert (one.driver, one.count, one.ids, one.capabilities) == ("", 0, (), frozenset())
