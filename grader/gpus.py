"""Facts about GPUs: those that this engine has to give, those that a container asked for and got.

Real and simulated ones alike: what is asked for, what is there, and what the service says of it.
Which build of a package was installed for them is ``indexed``'s. No verdicts here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader import locked, probe, running
from grader.engine import PROBE_IMAGE, Engine, Image, State
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.locked import Confined
from grader.registry import fact, timed
from grader.running import Health, Reply
from grader.spec import Exercise

ALL = {"count": -1, "capabilities": [["gpu"]]}
CDI, CDI_KIND = "cdi", "nvidia.com/gpu="
LOOK_SECONDS = 10
NUMBERS = (3, 4, 5)  # what the service is asked to add up
SIMULATED, REAL, NONE = "simulated", "nvidia", "none"

# Runs in a container of ours that has every GPU there is: what NVIDIA's own library calls them.
_LIST = """
import ctypes, json
nvml, count, found = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.c_uint(), []
if nvml.nvmlInit_v2() == 0 and nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0:
    for at in range(count.value):
        one, minor, name = ctypes.c_void_p(), ctypes.c_uint(), ctypes.create_string_buffer(96)
        nvml.nvmlDeviceGetHandleByIndex_v2(at, ctypes.byref(one))
        nvml.nvmlDeviceGetMinorNumber(one, ctypes.byref(minor))
        nvml.nvmlDeviceGetName(one, name, 96)
        found.append([minor.value, name.value.decode()])
print(json.dumps(found))
"""

# Runs beside the submission's container: the devices in it, seen from outside of its programs.
_NODES = r"""
import re, stat
there = []
for name in sorted(os.listdir("/proc/1/root/dev")):
    if re.fullmatch(r"nvidia\d+", name):
        mode = os.lstat(f"/proc/1/root/dev/{name}").st_mode
        there.append([int(name[6:]), stat.S_ISCHR(mode)])
print(json.dumps({"nodes": there}))
"""


@dataclass(frozen=True)
class Gpu:
    """One that the engine can give: the number of its node in /dev, and its name."""

    minor: int
    name: str


@dataclass(frozen=True)
class Gpus:
    """All of them, in the order in which Docker numbers them; ``why`` there are none."""

    kind: str
    all: tuple[Gpu, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Asked:
    """One request for devices, as the engine understood it."""

    driver: str = ""
    count: int = 0
    ids: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OnGpu:
    """The submission's container, running with what it asked for; ``kind`` of GPUs it asked."""

    container: str
    kind: str
    gpus: tuple[Gpu, ...]  # those that the exercise wants, in the engine's own words


@dataclass(frozen=True)
class Node:
    """A device file /dev/nvidiaN in a container; ``real`` when it is one and no ordinary file."""

    minor: int
    real: bool


@dataclass(frozen=True)
class OnCpu:
    """The service in a container without any GPU, ready, and what it answers there."""

    container: str
    reply: Reply


def asked(host: Mapping[str, Any]) -> tuple[Asked, ...]:
    """The requests in a HostConfig; a CDI device's name loses its kind."""
    return tuple(map(_asked, host.get("DeviceRequests") or ()))


def _asked(row: Mapping[str, Any]) -> Asked:
    driver = str(row.get("Driver") or "")
    ids = tuple(str(one) for one in row.get("DeviceIDs") or ())
    words = {str(word) for group in row.get("Capabilities") or () for word in group}
    if driver == CDI and all(one.startswith(CDI_KIND) for one in ids):
        ids, words = tuple(one.removeprefix(CDI_KIND) for one in ids), {"gpu"}
    return Asked(driver, int(row.get("Count") or 0), ids, frozenset(words))


def devices_said(reply: Reply) -> tuple[str, ...] | None:
    """The devices that the service says it computes on; None for an answer without any."""
    try:
        value = json.loads(reply.text)["devices"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return tuple(value) if fits else None


@fact
def gpus(engine: Engine) -> Gpus:
    """Found by one container of ours that asks for all of them."""
    words = ["/usr/local/bin/python3", "-I", "-c", _LIST]
    made = engine.create(
        PROBE_IMAGE, kind="probe", entrypoint=words, command=[], device_requests=[ALL]
    )
    try:
        why = engine.start(made)
    except EngineError as err:
        engine.ping()
        why = str(err)
    if why:
        return Gpus(NONE, why=why)
    engine.wait(made, LOOK_SECONDS)
    return _listed(engine.output(made), str(engine.facts()["gpu"]))


def _listed(text: str, kind: str) -> Gpus:
    try:
        found = tuple(Gpu(int(minor), str(name)) for minor, name in json.loads(text))
    except (ValueError, TypeError):
        return Gpus(NONE, why="its driver's library is not there, or can't be loaded")
    if not found:
        return Gpus(NONE, why="the driver has none to give")
    simulated = kind == SIMULATED or found[0].name.lower().startswith(SIMULATED)
    return Gpus(SIMULATED if simulated else REAL, found)


@fact
def on_gpu(confined: Confined, gpus: Gpus, engine: Engine, exercise: Exercise) -> OnGpu:
    """The container of the run specification, started. NotMeasurable where there is no such GPU."""
    wanted = _wanted(gpus, _ids(exercise))
    locked.begin(engine, confined, exercise)
    return OnGpu(confined.container, gpus.kind, wanted)


def _ids(exercise: Exercise) -> Sequence[str]:
    rows = (i.settings["ids"] for i in exercise.items if i.check.name == "gpu.requested")
    found = next(rows, ())
    return [str(one) for one in found] if isinstance(found, list) else ()


def _wanted(gpus: Gpus, ids: Sequence[str]) -> tuple[Gpu, ...]:
    if gpus.kind == NONE:
        raise NotMeasurable(
            "Not measured here: this engine has no GPU to give, real or simulated. What is asked"
            " for was judged all the same.",
            lacks="gpu",
        )
    if missing := [one for one in ids if int(one) >= len(gpus.all)]:
        raise NotMeasurable(
            f"Not measured here: this machine has {len(gpus.all)} GPU(s), and no GPU {missing[0]}.",
            lacks="gpu",
        )
    return tuple(gpus.all[int(one)] for one in ids)


@fact
def gpu_nodes(on_gpu: OnGpu, engine: Engine) -> tuple[Node, ...]:
    """The device files in the container, seen by a probe of ours."""

    def ended(state: State) -> None:
        engine.ping()
        log = engine.logs(on_gpu.container, tail=3)
        raise SubmissionError(
            f"The container ended with exit code {state.exit_code}. {log}".strip()
        )

    said = probe.inject(
        engine, on_gpu.container, _NODES, {}, seconds=LOOK_SECONDS, ended=ended, share="pid"
    )
    return tuple(Node(int(minor), bool(real)) for minor, real in said["nodes"])


@fact
def said_on_gpu(on_gpu: OnGpu, engine: Engine, exercise: Exercise) -> Reply:
    """What the service answers while it has its GPUs."""
    return _ask(engine, on_gpu.container, exercise)


@fact
def on_cpu(image: Image, engine: Engine, exercise: Exercise) -> OnCpu:
    """The same image without a GPU. Raises SubmissionError when it does not get ready."""
    numbers = {"interval": running.HEALTH_INTERVAL} if image.healthcheck else None
    # An engine whose default runtime is NVIDIA's goes by the image's own variable.
    nothing = {"NVIDIA_VISIBLE_DEVICES": "void"}
    made = running.start(image, engine, exercise, healthcheck=numbers, environment=nothing)
    return OnCpu(made, _ask(engine, made, exercise))


@timed
@fact
def health_on_cpu(on_cpu: OnCpu, engine: Engine) -> Health:
    """What its HEALTHCHECK says there, once it has answered."""
    return running.health_of(engine, on_cpu.container, running.HEALTH_SECONDS)


def _ask(engine: Engine, container: str, exercise: Exercise) -> Reply:
    _, replies = running.readied(engine, container, exercise, [{"numbers": NUMBERS}])
    return replies[0] if replies else Reply(0, "no answer")
