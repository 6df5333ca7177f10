"""The simulated GPUs of the private engine: their hook, tool, libraries and CDI file in LAB_HOME.

Everything in it calls itself simulated; nothing is computed. What asks for GPUs, and what is judged
of that, is not here. Where the machine has NVIDIA's own hook, that one is left to do its work.
"""

import hashlib
import json
import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from grader import labels
from grader.errors import EngineError
from grader.host import packages
from grader.host.apt import unpack
from grader.host.home import Home

HOOK = "nvidia-container-runtime-hook"  # dockerd has GPUs to give where it finds this one
RUNTIME = "nvidia-container-runtime"  # NVIDIA's own, which comes with the real hook
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
KIND = "nvidia.com/gpu"
COUNT, MIB = 2, 16384
DRIVER, CUDA = "560.0-simulated", "12.6"
SOURCES = Path(__file__).parent / "simulated"
LIBRARIES = {"libcuda.so.1": "CUDA", "libnvidia-ml.so.1": "NVML"}
COMPILERS = ("cc", "gcc", "clang")
# Without the C library, which differs between images: whoever loads it brings one.
FLAGS = ("-shared", "-fPIC", "-nostdlib")
SECONDS = 60
# An entry of an ELF file's table of segments: the stack is for reading and writing (man 5 elf).
GNU_STACK = struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)


@dataclass(frozen=True)
class Device:
    """One simulated GPU. Its name differs between machines and LAB_HOMEs: no answer can know it."""

    minor: int
    uuid: str
    mib: int
    name: str


def devices(place: Home) -> tuple[Device, ...]:
    """The same ones at each start of the same engine."""
    return tuple(_device(place, minor) for minor in range(COUNT))


def _device(place: Home, minor: int) -> Device:
    # Engines in containers all have the same LAB_HOME.
    one = uuid5(NAMESPACE_URL, f"{platform.node()}{place.root}#{minor}")
    return Device(minor, f"GPU-{one}", MIB, f"Simulated GPU {minor} ({one.hex[-4:]})")


def wanted(environ: Mapping[str, str] | None = None, *, system: str = "") -> bool:
    """Not where the machine has the real hook, nor where LAB_GPU=none says so."""
    env = os.environ if environ is None else environ
    real = shutil.which(HOOK, path=system or SYSTEM)
    return real is None and env.get("LAB_GPU", "") != "none"


def runtimes(*, system: str = "") -> dict[str, dict[str, str]]:
    """NVIDIA's runtime for daemon.json; by it an engine tells that its GPUs are real ones."""
    real = shutil.which(RUNTIME, path=system or SYSTEM)
    return {"nvidia": {"path": real}} if real else {}


def started_with(place: Home) -> bool:
    """Whether the engine's last start found the hook; it looks for it only then."""
    try:
        settings = json.loads((place.root / "daemon.json").read_bytes())
    except (OSError, ValueError):
        return False
    return labels.SIMULATED_GPU in settings.get("labels", ())


def install(place: Home) -> bool:
    """Put it all in its place, or take it away; gives whether it is there now."""
    hook, cdi = place.bin / HOOK, place.root / "cdi" / "nvidia-simulated.json"
    if not wanted():
        for file in (hook, cdi):
            file.unlink(missing_ok=True)
        return False
    place.gpu.mkdir(parents=True, exist_ok=True)
    every = devices(place)
    _write(place.gpu / "hook.py", (SOURCES / "hook.py").read_text("utf-8"))
    _write(place.gpu / "devices.json", json.dumps([asdict(one) for one in every], indent=1))
    _write(place.gpu / "nvidia-smi", tool(every), mode=0o755)
    _libraries(place, every)
    _write(cdi, json.dumps(specification(place, every), indent=1))
    _write(hook, wrapper(place), mode=0o755)
    return True


def wrapper(place: Home) -> str:
    """The hook under the name that dockerd looks for; its Python is none of a checkout's."""
    python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    words = [python, "-I", "-S", str(place.gpu / "hook.py"), str(place.gpu)]
    about = "# SIMULATED: gives containers devices that do not exist."
    return f'#!/bin/sh\n{about}\nexec {shlex.join(words)} "$@"\n'


def tool(every: Sequence[Device]) -> str:
    """nvidia-smi, for these devices."""
    rows = [f"    device {one.minor} {one.uuid} {one.mib} {shlex.quote(one.name)}" for one in every]
    return _filled("nvidia-smi.sh", rows, cuda=CUDA)


def driver(every: Sequence[Device]) -> str:
    """Both libraries' one source, for these devices."""
    rows = [
        f'    {{{one.minor}, "/dev/nvidia{one.minor}", "{one.uuid}", {one.mib}, "{one.name}"}},'
        for one in every
    ]
    major, minor = map(int, CUDA.split("."))
    return _filled("driver.c", rows, cuda=str(1000 * major + 10 * minor))


def _filled(name: str, rows: Sequence[str], *, cuda: str) -> str:
    text = (SOURCES / name).read_text("utf-8")
    text = text.replace("@DEVICES@", "\n".join(rows))
    return text.replace("@DRIVER@", DRIVER).replace("@CUDA@", cuda)


def specification(place: Home, every: Sequence[Device]) -> dict[str, object]:
    """What CDI wants to know (docker run --device nvidia.com/gpu=0)."""
    folder = f"/usr/lib/{platform.machine()}-linux-gnu"
    mounts = [_mount(place.gpu / "nvidia-smi", "/usr/bin/nvidia-smi")]
    mounts += [
        _mount(place.gpu / name, f"{folder}/{name}")
        for name in LIBRARIES
        if (place.gpu / name).exists()
    ]
    common = {
        # An engine's own hook must not add its devices to these.
        "env": ["NVIDIA_VISIBLE_DEVICES=void"],
        "deviceNodes": [_node("nvidiactl"), _node("nvidia-uvm")],
        "mounts": mounts,
    }
    single = [_entry(str(one.minor), [one]) for one in every]
    single += [_entry(one.uuid, [one]) for one in every]
    found = [*single, _entry("all", every)]
    return {"cdiVersion": "0.5.0", "kind": KIND, "devices": found, "containerEdits": common}


def _entry(name: str, every: Sequence[Device]) -> dict[str, object]:
    nodes = [_node(f"nvidia{one.minor}") for one in every]
    return {"name": name, "containerEdits": {"deviceNodes": nodes}}


def _node(name: str) -> dict[str, object]:
    """As /dev/null: any container may open it, and nothing is behind it."""
    return {"path": f"/dev/{name}", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}


def _mount(source: Path, target: str) -> dict[str, object]:
    options = ["ro", "nosuid", "nodev", "bind"]
    return {"hostPath": str(source), "containerPath": target, "options": options}


# -- the libraries ---------------------------------------------------------------------------------


def why_no_libraries(place: Home) -> str:
    """Why programs in a container see no GPU through a library; empty when they do."""
    note = place.gpu / "libraries.txt"
    if all((place.gpu / name).exists() for name in LIBRARIES):
        return ""
    return note.read_text("utf-8") if note.exists() else "the libraries were not built"


def _libraries(place: Home, every: Sequence[Device]) -> None:
    """Built anew only when their source has changed; where they can't be, a note says why."""
    source, text, note = place.gpu / "driver.c", driver(every), place.gpu / "libraries.txt"
    key = hashlib.sha256(text.encode()).hexdigest()
    there = all((place.gpu / name).exists() for name in LIBRARIES)
    if there and note.exists() and note.read_text("utf-8") == key:
        return
    _write(source, text)
    try:
        for name, part in LIBRARIES.items():
            _build(compiler(place), source, place.gpu / name, part)
    except EngineError as err:
        _write(note, str(err))
        return
    _write(note, key)


def _build(program: str, source: Path, target: Path, part: str) -> None:
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    name = f"-Wl,-soname,{target.name}"
    command = [program, *FLAGS, f"-D{part}", name, "-o", str(fresh), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode or not fresh.exists():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EngineError(f"{program} can't build {target.name}: {last[-300:]}")
    fresh.write_bytes(without_executable_stack(fresh.read_bytes()))
    fresh.chmod(0o644)
    fresh.replace(target)


def without_executable_stack(library: bytes) -> bytes:
    """A 64-bit ELF file that says so. tcc says nothing, and glibc 2.41 loads no such library."""
    start, size, count = (
        *struct.unpack_from("<Q", library, 32),
        *struct.unpack_from("<HH", library, 54),
    )
    table = library[start : start + size * count]
    if any(table[at : at + 4] == GNU_STACK[:4] for at in range(0, len(table), size)):
        return library
    padding = b"\0" * (-len(library) % 8)
    moved = bytearray(library + padding + table + GNU_STACK)
    struct.pack_into("<Q", moved, 32, len(library + padding))
    struct.pack_into("<H", moved, 56, count + 1)
    return bytes(moved)


def compiler(place: Home) -> str:
    """The machine's C compiler, else a small one of Debian's, unpacked into LAB_HOME."""
    for name in COMPILERS:
        if found := shutil.which(name):
            return found
    folder = place.root / "tcc"
    if not folder.is_dir():
        debs = packages.fresh_folder(place.apt / "debs" / "tcc")
        unpack(packages.native_apt(place).download(["tcc"], debs), folder)
        shutil.rmtree(debs, ignore_errors=True)
    return str(folder / "usr/bin/tcc")


def _write(target: Path, text: str, *, mode: int = 0o644) -> None:
    """Complete or not at all, under a new inode: the old one may be mounted into a container."""
    if target.exists() and target.read_text("utf-8") == text:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.write_text(text, "utf-8")
    fresh.chmod(mode)
    fresh.replace(target)
