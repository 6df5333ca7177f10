"""Makes in a folder what a repository can't hold: pipes, sockets, huge and oddly named files.

Each maker is small and knows nothing of grading; ``corpus`` says which are wanted.
"""

from __future__ import annotations

import io
import os
import socket
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from grader.errors import SpecError


def make(place: Path, wanted: Mapping[str, Any]) -> None:
    """Make all of ``wanted``, which maps the name of a maker to what it is told."""
    for name, what in wanted.items():
        if name not in MAKERS:
            raise SpecError(f"{place.name}: make.{name}: there is no such maker")
        MAKERS[name](place, what)


def _files(place: Path, what: Mapping[str, str]) -> None:
    """Name → text. ``\\xNN`` in either is that byte, so that both may be no UTF-8."""
    for name, text in what.items():
        goal = os.path.join(os.fsencode(place), _raw(name))  # noqa: PTH118  bytes are no Path
        os.makedirs(os.path.dirname(goal), exist_ok=True)  # noqa: PTH103, PTH120
        with open(goal, "wb") as file:  # noqa: PTH123
            file.write(_raw(text))


def _raw(text: str) -> bytes:
    """``\\xNN`` as a byte, everything else as UTF-8."""
    first, *parts = text.split("\\x")
    rest = (bytes.fromhex(part[:2]) + part[2:].encode() for part in parts)
    return first.encode() + b"".join(rest)


def _folders(place: Path, what: list[str]) -> None:
    for name in what:
        (place / name).mkdir(parents=True)


def _links(place: Path, what: Mapping[str, str]) -> None:
    for name, goal in what.items():
        (place / name).symlink_to(goal)


def _pipes(place: Path, what: list[str]) -> None:
    for name in what:
        os.mkfifo(place / name)


def _sockets(place: Path, what: list[str]) -> None:
    for name in what:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(place / name))


def _devices(place: Path, what: list[str]) -> None:
    """Each is another /dev/zero; a pipe where this user may make no device."""
    for name in what:
        try:
            os.mknod(place / name, 0o644 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            os.mkfifo(place / name)


def _sparse(place: Path, what: Mapping[str, int]) -> None:
    """Name → bytes. It has that size and takes no room."""
    for name, size in what.items():
        with (place / name).open("wb") as file:
            file.truncate(size)


def _many(place: Path, what: Mapping[str, int]) -> None:
    """Folder → number of empty files in it."""
    for name, count in what.items():
        (place / name).mkdir()
        for number in range(count):
            (place / name / str(number)).touch()


def _lines(place: Path, what: Mapping[str, list[Any]]) -> None:
    """Name → [line, times]: a file of that line over and over, ``{n}`` being its number."""
    for name, (line, times) in what.items():
        text = "\n".join(str(line).replace("{n}", str(n)) for n in range(times))
        (place / name).write_text(text + "\n")


def _archives(place: Path, what: Mapping[str, Mapping[str, str]]) -> None:
    """Archive → member → its text, or ``-> GOAL`` for a link."""
    for name, members in what.items():
        with tarfile.open(place / name, "w") as tar:
            for path, text in members.items():
                member = tarfile.TarInfo(path)
                if text.startswith("-> "):
                    member.type, member.linkname = tarfile.SYMTYPE, text[3:]
                member.size = 0 if member.issym() else len(text)
                tar.addfile(member, io.BytesIO(text.encode()))


def _bombs(place: Path, what: Mapping[str, int]) -> None:
    """Archive → bytes: one file of so many zeros, packed."""
    for name, size in what.items():
        with tarfile.open(place / name, "w:gz", compresslevel=1) as tar:
            member = tarfile.TarInfo("zeros")
            member.size = size
            with Path("/dev/zero").open("rb") as zeros:
                tar.addfile(member, zeros)


def _deep(place: Path, what: int) -> None:
    """So many folders inside one another."""
    (place / "/".join("d" * what)).mkdir(parents=True)


MAKERS: Mapping[str, Callable[[Path, Any], None]] = {
    "archives": _archives,
    "bombs": _bombs,
    "deep": _deep,
    "devices": _devices,
    "files": _files,
    "folders": _folders,
    "lines": _lines,
    "links": _links,
    "many": _many,
    "pipes": _pipes,
    "sockets": _sockets,
    "sparse": _sparse,
}
