"""How much room the archives of a context take once an ADD has unpacked them, told beforehand.

BuildKit unpacks an archive to its very end, though the build was cancelled long ago, so that the
watch on the disk comes too late. Nothing is unpacked to the disk here.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from grader.dockerfile import Dockerfile
from grader.errors import SubmissionError
from grader.spec import Limits

BLOCK = 4096  # bytes that any file takes on the disk at least
UNIT = 512  # bytes of a header in a tar archive
CHUNK = 2048 * UNIT
XZ_MEMORY = 200_000_000  # bytes; `xz -9` asks for 65 MB of them
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)
ZSTD = b"\x28\xb5\x2f\xfd"
USTAR, AT = b"ustar", 257  # what each header has, and where
# A file that is mostly a hole takes all of its size: holes are written as zeros.
_HOLES = re.compile(rb"GNU\.sparse\.(?:real)?size=(\d{1,20})\n")


class Source(Protocol):
    """Where bytes come from, as many as asked for at most; none at the end."""

    def read(self, size: int, /) -> bytes: ...


def refuse(folder: Path, dockerfile: Dockerfile, limits: Limits) -> None:
    """Raise SubmissionError where the archives in a folder could take more than a build may.

    Which one an ADD means may be the work of variables and stars, so each of them could be all.
    """
    if not (lines := list(_unpacking(dockerfile))):
        return
    most, end = limits.build_disk_mb * 1e6 / len(lines), time.monotonic() + limits.build_seconds
    taken = 0.0
    for path in _files(folder):
        name, found = path.relative_to(folder), room(path, most - taken, end)
        taken += found.size
        if found.why or taken > most:
            why = found.why or f"takes more than {most / 1e6:.0f} MB once it is unpacked"
            times = f", and {len(lines)} lines with ADD could" if len(lines) > 1 else ""
            raise SubmissionError(
                f"{name} {why}{times}. A build may write {limits.build_disk_mb:g} MB, and no ADD"
                " can be stopped before its end: nothing was built. Take a smaller archive.",
                line=lines[0],
            )


def _unpacking(dockerfile: Dockerfile) -> Iterator[int]:
    """The line of each ADD; of one that other stages inherit, once for each stage."""
    for one in dockerfile.instructions:
        if one.name == "ADD":
            yield one.line
        elif one.name == "ONBUILD" and one.text.lstrip()[:3].upper() == "ADD":
            yield from [one.line] * len(dockerfile.stages)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for path in sorted(Path(place, name) for name in names):
            if path.is_file() and not path.is_symlink():
                yield path


@dataclass(frozen=True)
class Room:
    """Bytes that one archive takes; ``why`` is "" or why nobody can tell, as in "it takes …"."""

    size: int
    why: str = ""


def room(path: Path, most: float, end: float) -> Room:
    """Of one file: 0 for one that is no archive. It looks no further than ``most``."""
    with path.open("rb") as file:
        head = file.read(UNIT)
        file.seek(0)
        if head.startswith(ZSTD):
            return Room(0, "is packed with zstd, and nobody here can tell how large it gets")
        source = _opened(head, file)
        return _measured(source, most, end) if source else Room(0)


def _opened(head: bytes, file: IO[bytes]) -> Source | None:
    """What is in it, by its first bytes, as ADD tells archives; None for no archive."""
    kinds: dict[bytes, Callable[[IO[bytes]], Source]] = {
        b"\x1f\x8b\x08": lambda f: gzip.GzipFile(fileobj=f),
        b"BZh": bz2.BZ2File,
        b"\xfd7zXZ\x00": _Xz,
    }
    for magic, kind in kinds.items():
        if head.startswith(magic):
            return kind(file)
    return file if head[AT:].startswith(USTAR) else None


def _measured(source: Source, most: float, end: float) -> Room:
    size, before = 0, b""
    try:
        while size <= most and (chunk := _filled(source)):
            size += len(chunk) + sum(_headers(chunk))
            size += sum(int(hole[1]) for hole in _HOLES.finditer(before + chunk))
            before = chunk[-UNIT:]
            if time.monotonic() > end:
                return Room(size, "takes too long to unpack")
    except MemoryError:
        return Room(size, "takes too much memory to unpack")
    except BROKEN:
        pass  # ADD comes no further, either
    return Room(size)


def _filled(source: Source) -> bytes:
    """A chunk that begins where a unit of the archive does; a shorter one is the last."""
    parts, lacking = list[bytes](), CHUNK
    while lacking and (part := source.read(lacking)):
        parts.append(part)
        lacking -= len(part)
    return b"".join(parts)


def _headers(chunk: bytes) -> Iterator[int]:
    """What each header in it adds: a block, and all of a file with holes of the old kind."""
    at = chunk.find(USTAR)
    while at >= 0:
        start = at - AT
        if start >= 0 and start % UNIT == 0:
            holes = chunk[start + 156 : start + 157] == b"S"
            yield BLOCK + (_number(chunk[start + 483 : start + 495]) if holes else 0)
        at = chunk.find(USTAR, at + 1)


def _number(text: bytes) -> int:
    """A number as a header has it: in octal digits, or as bytes where the first bit is set."""
    if text[:1] >= b"\x80":
        return int.from_bytes(bytes([text[0] & 0x7F]) + text[1:], "big")
    digits = text.strip(b" \0")
    return int(digits, 8) if digits and not digits.strip(b"01234567") else 0


@dataclass
class _Xz:
    """One xz stream after the other, in memory that is bounded; lzma.LZMAFile knows no bound."""

    file: IO[bytes]
    rest: bytes = b""
    now: lzma.LZMADecompressor | None = field(default=None)

    def read(self, size: int, /) -> bytes:
        while True:
            if self.now is None or self.now.eof:
                self.rest = (self.now.unused_data if self.now else self.rest).lstrip(b"\0")
                self.rest = self.rest or self.file.read(CHUNK).lstrip(b"\0")
                if not self.rest:
                    return b""
                self.now = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
            elif self.now.needs_input:
                self.rest = self.file.read(CHUNK)
                if not self.rest:
                    raise EOFError
            data, self.rest = self._next(self.now, size), b""
            if data:
                return data

    def _next(self, now: lzma.LZMADecompressor, size: int) -> bytes:
        try:
            return now.decompress(self.rest, size)
        except lzma.LZMAError as err:
            if "memory" in str(err).lower():
                raise MemoryError from err
            raise
