"""Whether a container asks for GPUs as it should, gets them, and does without them.

The request is judged by what the engine made of it, so without a GPU as well. What is visible and
what the service says of it needs one, real or simulated; each message says which it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from grader.gpus import NUMBERS, SIMULATED, Asked, Node, OnCpu, OnGpu, asked, devices_said
from grader.indexed import Installed
from grader.locked import Confined
from grader.look import File
from grader.registry import check
from grader.results import Result, failed, passed
from grader.running import Health, Reply

VARIABLE = "NVIDIA_VISIBLE_DEVICES"
KEYS = ("deploy", "gpus", "device", "devices", "environment", "env")
# Of what the driver can do; who names none of these gets what computing needs.
PARTS = frozenset({"compat32", "compute", "display", "graphics", "ngx", "utility", "video"})
_DRIVER = re.compile(r"^(lib(cuda|nvidia-[\w-]+|nvcuvid)\.so(\.[\d.]+)?|nvidia-smi)$")
_TOOLKIT = re.compile(r"^(nvcc|ptxas|cicc|cuda(_runtime(_api)?)?\.h|lib(cud|cub|nv)\w+_static\.a)$")
SHOWN = 4


@check
def requested(confined: Confined, *, ids: list[str]) -> Result:
    """It asks for exactly the GPUs {ids}"""
    requests = asked(confined.host)
    what = _wrong_request(requests, ids, _by_variable(confined))
    if not what:
        return passed(f"GPU {' and '.join(ids)}", ids=list(ids))
    return failed(
        what,
        file=confined.spec.name,
        line=confined.spec.line(*KEYS),
        requests=[f"ids {list(r.ids)}, count {r.count}" for r in requests],
    )


def _by_variable(confined: Confined) -> bool:
    wanted = confined.spec.wanted
    return any(VARIABLE in str(wanted.get(key, "")) for key in ("environment", "env"))


def _wrong_request(requests: Sequence[Asked], ids: Sequence[str], by_variable: bool) -> str:
    """What is wrong with it and what to do; "" when it is right."""
    if not requests:
        return _NOTHING + (_VARIABLE if by_variable else "")
    if what := next(filter(None, map(_odd, requests)), ""):
        return what
    found = [id_ for one in requests for id_ in one.ids]
    if sorted(found) == sorted(ids):
        return ""
    return f"It asks for GPU {' and '.join(found)}. Yours are {' and '.join(ids)}."


def _odd(one: Asked) -> str:
    """What is wrong with one request by itself."""
    if "gpu" not in one.capabilities:
        return (
            "A device is asked for that need not be a GPU: the capability gpu is missing"
            " (compose: capabilities: [gpu])."
        )
    if one.ids and one.count:
        return (
            f"Docker understood GPU {', '.join(one.ids)} and, beside it, a count of"
            f" {one.count}: the comma parts two options there, and the other GPU is lost. Put"
            " the list in quotes of its own: docker run --gpus '\"device=0,1\"'."
        )
    if one.capabilities & PARTS and "compute" not in one.capabilities:
        parts = ", ".join(sorted(one.capabilities & PARTS))
        return f"Only {parts} of the driver is asked for, and computing needs compute."
    if one.count:
        return _COUNTED.format("all GPUs" if one.count < 0 else f"{one.count} GPU(s)")
    return ""


_NOTHING = (
    "It asks for no GPU: HostConfig.DeviceRequests is empty (compose:"
    " deploy.resources.reservations.devices, docker run: --gpus)."
)
_VARIABLE = (
    f" The variable {VARIABLE} is what Docker sets for a request. By itself it gives nothing,"
    " unless the engine runs every container by NVIDIA's runtime."
)
_COUNTED = (
    "It asks for {}, whichever they are. On a machine that is shared that takes somebody else's."
    " Name yours by their numbers."
)


@check
def visible(gpu_nodes: tuple[Node, ...], on_gpu: OnGpu) -> Result:
    """Exactly those GPUs are in the container"""
    wanted = {one.minor for one in on_gpu.gpus}
    there = {one.minor for one in gpu_nodes if one.real}
    label = _labelled(on_gpu)
    if odd := [one.minor for one in gpu_nodes if not one.real]:
        return failed(f"/dev/nvidia{odd[0]} is there and is no device but an ordinary file.")
    if there == wanted:
        names = ", ".join(one.name for one in on_gpu.gpus)
        return passed(f"{names}{label}", kind=on_gpu.kind)
    seen = ", ".join(f"/dev/nvidia{minor}" for minor in sorted(there)) or "none"
    return failed(
        f"In the container are: {seen}{label}. Wanted are"
        f" {', '.join(f'/dev/nvidia{minor}' for minor in sorted(wanted))}, and no others.",
        kind=on_gpu.kind,
    )


@check
def used(said_on_gpu: Reply, on_gpu: OnGpu) -> Result:
    """With the GPUs the service says that it computes on them"""
    names = sorted(one.name for one in on_gpu.gpus)
    label = _labelled(on_gpu)
    if wrong := _no_answer(said_on_gpu):
        return failed(f"{wrong}{label}")
    said = devices_said(said_on_gpu) or ()
    if sorted(said) == names:
        return passed(f"{', '.join(said)}{label}", kind=on_gpu.kind)
    return failed(
        f"It says {', '.join(said) or 'nothing'}{label}, and its container has"
        f" {', '.join(names)}. Let `choose` ask how many there are, and name each.",
        kind=on_gpu.kind,
    )


@check
def falls_back(on_cpu: OnCpu) -> Result:
    """Without a GPU the service gets ready all the same, and says cpu"""
    if wrong := _no_answer(on_cpu.reply):
        return failed(wrong)
    said = devices_said(on_cpu.reply) or ()
    if said != ("cpu",):
        return failed(
            f"Without a GPU it says {', '.join(said) or 'nothing'} instead of cpu: what it says is"
            " not what it computes on. Let `choose` ask whether there is one."
        )
    return passed("cpu")


@check
def healthy(health_on_cpu: Health) -> Result:
    """Without a GPU its HEALTHCHECK calls it healthy"""
    if health_on_cpu.status == "healthy":
        return passed("healthy")
    if health_on_cpu.status is None:
        return failed("The image has no HEALTHCHECK. Leave the starter's in.")
    return failed(
        f"It answers on the CPU, yet its HEALTHCHECK says {health_on_cpu.status}. The probe said:"
        f" {health_on_cpu.log.strip()[-300:] or 'nothing'}"
    )


def _no_answer(reply: Reply) -> str:
    """Why an answer tells nothing; "" when it is one."""
    if reply.status != 200:
        return f"POST /predict answered {reply.status}: {reply.text[:200]}."
    right = f'"sum": {sum(NUMBERS)}'
    if right not in reply.text or devices_said(reply) is None:
        return f"POST /predict answered {reply.text[:200]!r}, without a sum or without its devices."
    return ""


@check
def index(reindexed: tuple[Installed, ...], *, package: str, vendor: str) -> Result:
    """Whatever else lies in other indexes, {package} is the build of {vendor}"""
    if not reindexed:
        return failed(f"{package} is nowhere in the image. Install it with pip.")
    for one in reindexed:
        if not one.fresh:
            return failed(
                f"{one.path} was not installed from the indexes: with other packages in them it"
                " stayed the same. Let the build fetch it.",
                path=one.path,
            )
        if one.index != vendor:
            return failed(
                f"It installed {package} {one.version} of the index {one.index}. pip takes the"
                " highest version of all indexes that it is given, and an extra one comes without"
                f" any rank. Give it {vendor} alone.",
                version=one.version,
                index=one.index,
            )
    return passed(f"{reindexed[0].version} of {vendor}", version=reindexed[0].version)


@check
def no_toolkit(files: tuple[File, ...]) -> Result:
    """No compiler, header or static library of CUDA is in the final image"""
    found = [f.path for f in files if _TOOLKIT.match(_name(f)) or "/stubs/libcuda.so" in f.path]
    if not found:
        return passed(f"none of {len(files)} paths")
    return failed(
        f"The final image has {_some(found)}. That is what a -devel base is for: to compile with."
        " To run, the package's own CUDA libraries will do, or a -runtime base.",
        found=sorted(found)[:50],
    )


@check
def no_driver(files: tuple[File, ...]) -> Result:
    """No part of the GPU's driver is in the final image"""
    found = [f.path for f in files if _DRIVER.match(_name(f)) and "/stubs/" not in f.path]
    if not found:
        return passed(f"none of {len(files)} paths")
    return failed(
        f"The final image has {_some(found)}. A driver fits the kernel of one machine. The toolkit"
        " puts that machine's own into each container that asks for a GPU: leave it out.",
        found=sorted(found)[:50],
    )


def _name(file: File) -> str:
    return file.path.rpartition("/")[2]


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(sorted(paths)[:SHOWN]) + more


def _labelled(one: OnGpu) -> str:
    """A simulated device is never told without saying so."""
    return " (simulated)" if one.kind == SIMULATED else ""
