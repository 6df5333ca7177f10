"""Reads the stream of ``docker save`` once: each layer's entries, and the image's configuration.

Both layouts, packed layers too; nothing is written to disk and nothing is judged. What the layers
add up to is ``layers``'; what is looked for in their bytes is the visitor's.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import IO, Any, cast

from grader.errors import EngineError, NotMeasurable

BUFFER = 1 << 20
MOST_JSON = 20_000_000  # bytes of one description; a layer that begins like one is larger
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_OPAQUE, _WHITEOUT, _INTERNAL = ".wh..wh..opq", ".wh.", ".wh..wh."

Visit = Callable[[str, tarfile.TarInfo, IO[bytes] | None], None]  # which layer, what, its bytes


@dataclass(frozen=True)
class Entry:
    """One path of one layer. ``size`` in bytes; ``kind`` is a type flag of tar."""

    path: str
    size: int
    mode: int
    uid: int
    gid: int
    kind: str
    link: str = ""


@dataclass
class Blob:
    """One layer as it lies in the archive: what it adds, deletes and hides."""

    entries: list[Entry] = field(default_factory=list)
    whiteouts: list[str] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Archive:
    """A saved image: its configuration, and the layers that were read, by their diff id."""

    config: dict[str, Any]
    layers: dict[str, Blob]
    names: tuple[str, ...] = ()  # what the visitor knows each layer by, from the bottom up
    texts: tuple[dict[str, Any], ...] = ()  # every description in it, the configuration too


class Reader:
    """Reads one archive. Layers whose digest is in ``skip`` are passed over unread."""

    def __init__(self, skip: Container[str] = (), visit: Visit | None = None) -> None:
        self.skip, self.visit = skip, visit
        self.blobs: dict[str, Blob] = {}  # by their name in the archive
        self.documents: dict[str, Any] = {}
        self.links: dict[str, str] = {}
        self.zstd: list[str] = []

    def read(self, stream: IO[bytes]) -> Archive:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=BUFFER) as tar:
            for member in tar:
                name = _plain(member.name)
                if member.issym() or member.islnk():
                    self.links[name] = _target(name, member)
                elif member.isreg() and not self._skipped(name):
                    self._member(name, member, tar.extractfile(member))
        return self._archive()

    def _skipped(self, name: str) -> bool:
        """In the OCI layout a blob is called by its digest; not packed, that is the diff id."""
        return f"sha256:{name.rpartition('/')[2]}" in self.skip

    def _member(self, name: str, member: tarfile.TarInfo, data: IO[bytes] | None) -> None:
        if data is None:
            return
        head = _Peeked(data)
        if head.start.startswith(_ZSTD):
            self.zstd.append(name)
        elif head.start.startswith(_GZIP) or _is_tar(head.start):
            self._layer(name, head)
        elif member.size <= MOST_JSON:
            self._document(name, head.read())

    def _document(self, name: str, data: bytes) -> None:
        try:
            self.documents[name] = json.loads(data)
        except ValueError:
            return  # VERSION, and whatever comes next year

    def _layer(self, name: str, data: _Peeked) -> None:
        blob = self.blobs[name] = Blob()
        plain = _Unpacked(data) if data.start.startswith(_GZIP) else data
        with tarfile.open(fileobj=cast("IO[bytes]", plain), mode="r|", bufsize=BUFFER) as tar:
            for member in tar:
                _note(blob, member)
                if self.visit:
                    self.visit(name, member, tar.extractfile(member) if member.isreg() else None)

    def _archive(self) -> Archive:
        manifest = self.documents.get("manifest.json")
        if not manifest:
            raise EngineError("`docker save` gave an archive without a manifest.json.")
        config = self.documents.get(_plain(manifest[0]["Config"]))
        if not isinstance(config, dict):
            raise EngineError("`docker save` gave an archive without the image's configuration.")
        names = [self._followed(_plain(n)) for n in manifest[0]["Layers"]]
        diffs = config["rootfs"]["diff_ids"]
        layers = {}
        for name, diff in zip(names, diffs, strict=True):
            if name in self.blobs:
                layers[diff] = self.blobs[name]
            elif name in self.zstd and diff not in self.skip:
                raise NotMeasurable("A layer is packed with zstd, which this Python can't unpack.")
        texts = tuple(x for x in self.documents.values() if isinstance(x, dict))
        return Archive(config, layers, tuple(names), texts)

    def _followed(self, name: str) -> str:
        """The classic layout has a layer that comes twice as a link to the first."""
        return self.links.get(name, name)


class _Peeked:
    """A stream whose first bytes were looked at."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.start = self._rest = stream.read(1024)

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            return self.stream.read(size)
        if size < 0:
            data, self._rest = self._rest + self.stream.read(), b""
            return data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data if len(data) == size else data + self.stream.read(size - len(data))


class _Unpacked:
    """A gzip stream, unpacked as it is read; all its members, and no more than is asked for."""

    def __init__(self, stream: _Peeked) -> None:
        self.stream, self._unpack = stream, zlib.decompressobj(31)
        self._ahead = b""

    def read(self, size: int = -1) -> bytes:
        wanted, parts = size if size >= 0 else 1 << 62, []
        while wanted > 0:
            data = self._more(min(wanted, BUFFER))
            if not data:
                break
            parts.append(data)
            wanted -= len(data)
        return b"".join(parts)

    def _more(self, size: int) -> bytes:
        try:
            while True:
                source = self._ahead or self.stream.read(BUFFER)
                if not source:
                    return b""
                if self._unpack.eof:
                    self._unpack = zlib.decompressobj(31)
                data = self._unpack.decompress(source, size)
                self._ahead = self._unpack.unconsumed_tail or self._unpack.unused_data
                if data:
                    return data
        except zlib.error as err:
            raise EngineError(f"A layer of the saved image can't be unpacked: {err}") from err


def _note(blob: Blob, member: tarfile.TarInfo) -> None:
    folder, _, name = _plain(member.name).rpartition("/")
    path = f"{folder}/{name}" if folder else name
    if name == _OPAQUE:
        blob.opaque.append(f"/{folder}")
    elif name.startswith(_INTERNAL):
        return  # AUFS's own
    elif name.startswith(_WHITEOUT):
        blob.whiteouts.append(f"/{folder}/{name[4:]}" if folder else f"/{name[4:]}")
    elif path:
        size = member.size if member.isreg() else 0
        kind = member.type.decode("latin-1")
        kind = "0" if member.isreg() else kind
        link = f"/{_plain(member.linkname)}" if member.islnk() else member.linkname
        blob.entries.append(
            Entry(f"/{path}", size, member.mode, member.uid, member.gid, kind, link)
        )


def _is_tar(start: bytes) -> bool:
    empty = len(start) == len(bytes(1024)) and not any(start)  # a layer that changes nothing
    return start[257:262] == b"ustar" or empty


def _plain(name: str) -> str:
    """Without what means nothing: ``./``, a slash in front, a slash behind."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _target(name: str, member: tarfile.TarInfo) -> str:
    if member.islnk():
        return _plain(member.linkname)
    parts = name.split("/")[:-1]
    for part in member.linkname.split("/"):
        parts = parts[:-1] if part == ".." else [*parts, part]
    return _plain("/".join(parts))
