"""Lists every path of an image, and streams its layers, without running anything of it.

The listing of the same layers is the same for ever, so it is kept in LAB_HOME. Reading one file's
bytes is ``engine``'s; what is in the layers is ``layers``'.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from grader.errors import EngineError
from grader.host.home import home

REGULAR, HARD_LINK, SYMLINK, FOLDER = "0", "1", "2", "5"  # tar's type flags
KEPT = 60  # listings; one has about 2 MB
BUFFER = 1 << 20


@dataclass(frozen=True)
class File:
    """One path of a file system. ``size`` in bytes; ``kind`` is a type flag of tar."""

    path: str
    size: int
    mode: int
    uid: int
    gid: int
    kind: str
    link: str = ""


@contextlib.contextmanager
def _streamed(words: list[str], environment: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """What a command of Docker's client writes, to be read to its end.

    The client and not its API: copying 500 MB through a Python HTTP stack takes twice as long.
    """
    said = ""
    try:
        with subprocess.Popen(
            words,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            yield process.stdout
            while process.stdout.read(BUFFER):  # padding: else the client is cut off
                pass
            said = process.stderr.read().decode("utf-8", "replace")
    except (tarfile.TarError, OSError) as err:
        raise EngineError(f"The image's files cannot be read: {err}") from err
    if process.returncode:  # a listing that was cut off reads like a short one
        raise EngineError(f"The image's files cannot be read: {said.strip()}")


def saved(
    docker: str, environment: Mapping[str, str], image: str
) -> contextlib.AbstractContextManager[IO[bytes]]:
    """The stream of ``docker save``; a mistake in reading it is raised as an EngineError."""
    return _streamed([docker, "save", image], environment)


def exported(docker: str, environment: Mapping[str, str], container: str) -> tuple[File, ...]:
    """Every path of a container's file system, from the client's ``docker export``."""
    with (
        _streamed([docker, "export", container], environment) as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=BUFFER) as tar,
    ):
        return tuple(_file(member) for member in tar)


def _file(member: tarfile.TarInfo) -> File:
    kind = member.type.decode("latin-1")
    return File(
        "/" + member.name, member.size, member.mode, member.uid, member.gid, kind, member.linkname
    )


def kept(layers: tuple[str, ...]) -> tuple[File, ...] | None:
    """The listing of these layers, if it was made before."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        path = _path(layers)
        rows = json.loads(path.read_text())
        path.touch()
        return tuple(File(*row) for row in rows)
    return None


def keep(layers: tuple[str, ...], listing: tuple[File, ...]) -> None:
    """Write it down for the next time; a LAB_HOME that cannot be written is no failure."""
    with contextlib.suppress(OSError):
        path = _path(layers)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{uuid.uuid4().hex}")
        fresh.write_text(json.dumps([list(vars(file).values()) for file in listing]))
        fresh.replace(path)
        old = sorted(path.parent.glob("*.json"), key=lambda p: p.stat().st_mtime)
        for one in old[:-KEPT]:
            one.unlink(missing_ok=True)


def _path(layers: tuple[str, ...]) -> Path:
    chain = hashlib.sha256("\n".join(layers).encode()).hexdigest()
    return home().root / "listings" / f"{chain[:32]}.json"
