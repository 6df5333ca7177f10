"""Looks for one token in bytes: as it is, encoded, and inside whatever is packed in them.

It knows no image: where the bytes come from is ``leaks``'. What it unpacks is bounded, so that no
archive can make it work for ever.
"""

from __future__ import annotations

import base64
import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

WINDOW = 32 << 20  # bytes of a file that are looked at in one piece
MOST_OUT = 16 << 20  # unpacked bytes of one stream
MOST_ALL = 256 << 20  # unpacked bytes of one image
DEEPEST = 3  # an archive in an archive in an archive
MOST_STARTS = 4000  # places in one piece where a stream might begin
LZMA_MEMORY = 64 << 20

Unpack = Callable[[memoryview], bytes]


def forms(token: str) -> dict[str, tuple[bytes, ...]]:
    """Every way in which the token is recognised, by what a message calls it."""
    raw = token.encode()
    return {
        "as it is": (raw,),
        "backwards": (raw[::-1],),
        "in UTF-16": (token.encode("utf-16-le"), token.encode("utf-16-be")),
        "in hex": (raw.hex().encode(), raw.hex().upper().encode()),
        "in base64": tuple(dict.fromkeys(_base64(raw))),
        "in base32": tuple(dict.fromkeys(_base32(raw))),
    }


def _base64(raw: bytes) -> Iterator[bytes]:
    """At each of the three places in a group of 3 bytes; what its neighbours decide is cut off."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            text = encode(b"\0" * shift + raw).rstrip(b"=")
            first = -(-shift * 8 // 6)
            yield text[first : (shift + len(raw)) * 8 // 6]


def _base32(raw: bytes) -> Iterator[bytes]:
    for shift in range(5):
        text = base64.b32encode(b"\0" * shift + raw).rstrip(b"=")
        yield text[-(-shift * 8 // 5) : (shift + len(raw)) * 8 // 5]


@dataclass
class Needle:
    """The token in all its forms. One object for one image: it counts what it has unpacked."""

    token: str
    unpacked: int = 0
    clipped: bool = False
    forms: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.forms = forms(self.token)

    @property
    def overlap(self) -> int:
        """How many bytes two windows must share, so that nothing is cut in two."""
        return max(len(text) for texts in self.forms.values() for text in texts)

    def plain(self, data: bytes) -> str:
        """The first form that is in it, without unpacking; "" for none."""
        return next((n for n, texts in self.forms.items() if any(t in data for t in texts)), "")

    def inside(self, data: bytes, *, depth: int = 0) -> str:
        """The same, packed streams included: ``in base64, packed with gzip``."""
        if found := self.plain(data):
            return found
        if depth == DEEPEST:
            self.clipped = True
            return ""
        for how, content in self._streams(data):
            if found := self.inside(content, depth=depth + 1):
                return f"{found}, packed with {how}"
        return ""

    def redacted(self, text: str) -> str:
        """The text with the token taken out, in whatever form."""
        for texts in self.forms.values():
            for one in texts:
                text = text.replace(one.decode("utf-8", "replace"), "***")
        return text

    def _streams(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        view, starts = memoryview(data), 0
        for how, mark, unpack in _PACKERS:
            at = data.find(mark)
            while at >= 0:
                starts += 1
                if starts > MOST_STARTS or self.unpacked > MOST_ALL:
                    self.clipped = True
                    return
                content = _tried(unpack, view[at:])
                self.unpacked += len(content)
                if len(content) >= MOST_OUT:
                    self.clipped = True
                if content:
                    yield how, content
                at = data.find(mark, at + 1)


def _tried(unpack: Unpack, data: memoryview) -> bytes:
    try:
        return unpack(data)
    except (zlib.error, OSError, ValueError, EOFError, lzma.LZMAError):
        return b""


def _zlib(bits: int) -> Unpack:
    return lambda data: zlib.decompressobj(bits).decompress(data, MOST_OUT)


def _zip(data: memoryview) -> bytes:
    """One member of a zip file, by the header in front of it; 8 is deflate, 0 is found unpacked."""
    if len(data) < 30 or int.from_bytes(data[8:10], "little") != 8:
        return b""
    names = int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
    return zlib.decompressobj(-15).decompress(data[30 + names :], MOST_OUT)


def _bz2(data: memoryview) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, MOST_OUT)


def _xz(data: memoryview) -> bytes:
    return lzma.LZMADecompressor(memlimit=LZMA_MEMORY).decompress(bytes(data), MOST_OUT)


_PACKERS: tuple[tuple[str, bytes, Unpack], ...] = (
    ("gzip", b"\x1f\x8b\x08", _zlib(31)),
    ("zip", b"PK\x03\x04", _zip),
    ("bzip2", b"BZh", _bz2),
    ("xz", b"\xfd7zXZ\x00", _xz),
    ("zlib", b"\x78\x01", _zlib(15)),
    ("zlib", b"\x78\x5e", _zlib(15)),
    ("zlib", b"\x78\x9c", _zlib(15)),
    ("zlib", b"\x78\xda", _zlib(15)),
)
