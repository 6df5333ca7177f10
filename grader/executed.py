"""Facts about which Python file each process of a running container runs, and who listens.

A probe of ours in the container's process space reads the kernel's word and the file itself. It
does not tell what else that interpreter was made to do. No verdicts here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from grader import probe
from grader.course import Course
from grader.engine import Engine
from grader.given import files as given_files
from grader.registry import fact
from grader.running import Service, when_ended
from grader.spec import Exercise

SECONDS = 10

# The script is the first word that is no option: what stands behind `-c` or `-m`, or behind another
# script, is not run. A file is opened without waiting: it may be a named pipe.
SCRIPTS = r"""
import ctypes, errno, hashlib, socket, stat
DESCRIPTORS, PIDFD_GETFD = 64, 438
libc = ctypes.CDLL(None, use_errno=True)
TAKES = ("-X", "-W")

def script(words):
    rest = iter(words[1:])
    for word in rest:
        if word in TAKES:
            next(rest, "")
        elif word in ("-c", "-m"):
            return ""
        elif not word.startswith("-"):
            return word
    return ""

def sha256(path):
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        plain = stat.S_ISREG(os.fstat(file).st_mode)
        return hashlib.sha256(os.read(file, 1_000_000) if plain else b"").hexdigest()
    finally:
        os.close(file)

def listens(pid):  # None where the kernel does not let us see
    process = os.pidfd_open(pid)
    for number in range(DESCRIPTORS):
        copy = libc.syscall(PIDFD_GETFD, process, number, 0)
        if copy < 0:
            if ctypes.get_errno() != errno.EBADF:
                return None
            continue
        try:
            with socket.socket(fileno=copy) as one:
                takes = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if takes and one.getsockname()[1:2] == (ask["port"],):
                    return True
        except OSError:  # no socket; the copy goes when the probe does
            continue
    return False

found = []
for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
    here = f"/proc/{pid}"
    try:
        with open(f"{here}/cmdline", "rb") as file:
            words = file.read(4000).decode("utf-8", "replace").split("\0")
        program = os.path.basename(os.readlink(f"{here}/exe"))
        name = script(words) if program.startswith("python") else ""
        if pid != os.getpid() and name:
            path = os.path.join(os.readlink(f"{here}/cwd"), name)
            found.append([path, sha256(f"{here}/root{path}"), listens(pid)])
    except OSError:
        continue
print(json.dumps({"found": found[:100]}))
"""


@dataclass(frozen=True)
class Script:
    """``listens``: that process holds the socket of the exercise's port; None: nobody can tell."""

    path: str
    sha256: str
    listens: bool | None


@dataclass(frozen=True)
class Executed:
    """Each script that runs, and the SHA-256 of the given files by name."""

    scripts: tuple[Script, ...]
    given: Mapping[str, str]


@fact
def executed(
    service: Service, container: str, engine: Engine, exercise: Exercise, course: Course
) -> Executed:
    """Of the container, once its service is ready."""
    del service
    ended = when_ended(engine, container, exercise)
    ask = {"port": exercise.port}
    said = probe.inject(engine, container, SCRIPTS, ask, seconds=SECONDS, ended=ended, share="pid")
    found = tuple(Script(*row) for row in said.get("found", ()))
    given = given_files(course.app, exercise.given)
    sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in given.items()}
    return Executed(found, sums)
