"""The stand-in for NVIDIA's container hook: gives a container the simulated GPUs that it asks for.

runc runs it as root, outside of the container, once the container's mounts are there and before its
command starts; its state comes on standard input. Nothing of ours is imported, and nothing of the
image is trusted: every path in it is looked up with the image's own root as ours.
"""

import contextlib
import ctypes
import json
import os
import platform
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

DEFAULT = ("compute", "utility")
KNOWN = (*DEFAULT, "compat32", "display", "graphics", "ngx", "video")
# What each capability brings, and where; the folder of a library depends on the image.
LIBRARIES = {"compute": "libcuda.so.1", "utility": "libnvidia-ml.so.1"}
TOOL = "nvidia-smi"
NULL = os.makedev(1, 3)  # any container may open it: nothing is behind a simulated device

# Of linux/sched.h, linux/mount.h and the system call table, which is one for all machines here.
CLONE_NEWNS = 0x20000
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
OPEN_TREE_CLONE, EMPTY_PATH, CLOEXEC = 1, 0x1000, os.O_CLOEXEC
FROM_EMPTY_PATH, TO_SYMLINKS = 4, 0x10
RDONLY_NOSUID_NODEV = 1 | 2 | 4
AT_FDCWD = -100

libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """What was asked for can't be given; the message is what the user reads."""


def main(arguments: Sequence[str]) -> int:
    """``hook.py FOLDER prestart``, with the container's state on standard input."""
    folder, stage = Path(arguments[0]), arguments[1] if len(arguments) > 1 else ""
    if stage != "prestart":  # the real one is called at other moments, too
        return 0
    try:
        serve(folder, json.load(sys.stdin))
    except (Refused, OSError, KeyError, ValueError) as err:
        print(f"nvidia-container-cli (simulated): {err}", file=sys.stderr)
        return 1
    return 0


def serve(folder: Path, state: Mapping[str, object]) -> None:
    bundle = Path(str(state["bundle"]))
    config = json.loads((bundle / "config.json").read_bytes())
    asked = variables(config["process"].get("env") or ())
    table = json.loads((folder / "devices.json").read_bytes())
    minors = chosen(asked.get("NVIDIA_VISIBLE_DEVICES", ""), table)
    if minors is None:
        return
    able = capabilities(asked.get("NVIDIA_DRIVER_CAPABILITIES", ""))
    names = [TOOL] * ("utility" in able) + [LIBRARIES[one] for one in DEFAULT if one in able]
    enter(int(str(state["pid"])))
    trees = {name: tree(folder / name) for name in names if (folder / name).exists()}
    os.chroot(bundle / config["root"]["path"])
    os.chdir("/")
    os.umask(0)
    make_nodes([f"nvidia{minor}" for minor in minors], compute="compute" in able)
    for name, mounted in trees.items():
        attach(mounted, f"{home(name)}/{name}")


def variables(rows: Sequence[str]) -> dict[str, str]:
    """An environment; of two entries of one name the later one counts, which is Docker's."""
    return dict(row.split("=", 1) for row in rows if "=" in row)


def chosen(wanted: str, table: Sequence[Mapping[str, object]]) -> list[int] | None:
    """The devices of ``NVIDIA_VISIBLE_DEVICES``; None where not even the driver is asked for."""
    if wanted in ("", "void"):
        return None
    if wanted in ("all", "none"):
        return [int(str(one["minor"])) for one in table if wanted == "all"]
    found = [_device(word.strip(), table) for word in wanted.split(",")]
    return list(dict.fromkeys(found))


def _device(word: str, table: Sequence[Mapping[str, object]]) -> int:
    """A device by its number, or by its UUID or the beginning of that."""
    for one in table:
        whole = str(one["uuid"])
        if word == str(one["minor"]) or (word.startswith("GPU-") and whole.startswith(word)):
            return int(str(one["minor"]))
    raise Refused(f"device error: {word}: unknown device")


def capabilities(wanted: str) -> tuple[str, ...]:
    """What of the driver is asked for."""
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    if "all" in words:
        return KNOWN
    if odd := [word for word in words if word not in KNOWN]:
        raise Refused(f"unsupported capabilities found in '{wanted}' (known are {KNOWN}): {odd[0]}")
    return tuple(words) or DEFAULT


# -- inside ----------------------------------------------------------------------------------------


def enter(pid: int) -> None:
    """The container's mounts; its root is not this process's yet."""
    space = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | CLOEXEC)
    _checked(libc.setns(space, CLONE_NEWNS), "enter the container's mounts")
    os.close(space)


def tree(source: Path) -> int:
    """A mount of one file that is nowhere yet, read-only; it outlives the change of the root."""
    flags = OPEN_TREE_CLONE | CLOEXEC
    made = _call(OPEN_TREE, AT_FDCWD, os.fsencode(source), flags, doing=f"mount {source}")
    attributes = (ctypes.c_uint64 * 4)(RDONLY_NOSUID_NODEV, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    _call(MOUNT_SETATTR, made, b"", EMPTY_PATH, attributes, size, doing="make it read-only")
    return made


def attach(mounted: int, target: str) -> None:
    """Over a file of the image, or over a new empty one, as the real hook does it."""
    Path(target).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | CLOEXEC
        os.close(os.open(target, flags, 0o644))
    flags = FROM_EMPTY_PATH | TO_SYMLINKS
    place = os.fsencode(target)
    _call(MOVE_MOUNT, mounted, b"", AT_FDCWD, place, flags, doing=f"mount {target}")
    os.close(mounted)


def make_nodes(names: Sequence[str], *, compute: bool) -> None:
    every = [*names, "nvidiactl", *(["nvidia-uvm"] if compute else [])]
    for name in every:
        with contextlib.suppress(FileExistsError):
            os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, NULL)


def home(name: str) -> str:
    """The folder in this image in which a program, or a library, is found."""
    if name == TOOL:
        return "/usr/bin"
    own = f"/usr/lib/{platform.machine()}-linux-gnu"
    return next((one for one in (own, "/usr/lib64") if Path(one).is_dir()), "/usr/lib")


def _call(number: int, *arguments: object, doing: str) -> int:
    return _checked(libc.syscall(ctypes.c_long(number), *arguments), doing)


def _checked(answer: int, doing: str) -> int:
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"can't {doing}: {os.strerror(code)}")
    return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
