"""A token is found however it is written down, and nothing else is."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import pytest

from grader import needles
from grader.needles import Needle

TOKEN = "lab0123456789abcdef0123456789abcdef"
RAW = TOKEN.encode()
NOISE = random.Random(7).randbytes(5000)


def tarred(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("inside")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("first", b"something else " * 50)
        file.writestr("second", b"x" * 500 + data)
    return buffer.getvalue()


FORMS: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("raw", bytes, "as it is"),
    ("backwards", lambda b: b[::-1], "backwards"),
    ("hex", lambda b: b.hex().encode(), "in hex"),
    ("HEX", lambda b: b.hex().upper().encode(), "in hex"),
    ("base64", base64.b64encode, "in base64"),
    ("base64 for URLs", base64.urlsafe_b64encode, "in base64"),
    ("base32", base64.b32encode, "in base32"),
    ("UTF-16", lambda b: b.decode("latin-1").encode("utf-16-le"), "in UTF-16"),
    ("gzip", gzip.compress, "as it is, packed with gzip"),
    ("zlib", zlib.compress, "as it is, packed with zlib"),
    ("zlib, best", lambda b: zlib.compress(b, 9), "as it is, packed with zlib"),
    ("zlib, fast", lambda b: zlib.compress(b, 1), "as it is, packed with zlib"),
    ("bzip2", bz2.compress, "as it is, packed with bzip2"),
    ("xz", lzma.compress, "as it is, packed with xz"),
    ("zip", zipped, "as it is, packed with zip"),
    ("zip, stored", lambda b: zipped(b, zipfile.ZIP_STORED), "as it is"),
    ("tar.gz", tarred, "as it is, packed with gzip"),
    ("base64 in gzip", lambda b: gzip.compress(base64.b64encode(b)), "in base64, packed with gzip"),
    (
        "gzip in bzip2",
        lambda b: bz2.compress(gzip.compress(b)),
        "as it is, packed with gzip, packed with bzip2",
    ),
]


@pytest.mark.parametrize(("write", "form"), [f[1:] for f in FORMS], ids=[f[0] for f in FORMS])
@pytest.mark.parametrize("before", range(6))
def test_found(write: Callable[[bytes], bytes], form: str, before: int) -> None:
    """Wherever it begins: base64 has three ways to write the same bytes, base32 has five."""
    data = write(b"k=" + b"." * before + RAW + b"\n")
    assert Needle(TOKEN).inside(NOISE[:100] + data + NOISE[100:200]) == form


@pytest.mark.parametrize("token", ["~~~???>>>~~~???>>>", "a" * 40])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.b32encode])
def test_found_with_other_letters(token: str, encode: Callable[[bytes], bytes]) -> None:
    for before in range(6):
        data = encode(b"\xff" * before + token.encode() + b"\xff")
        assert Needle(token).plain(data), before


NOT_FOUND = [
    ("nothing", b""),
    ("noise", NOISE),
    ("packed noise", gzip.compress(NOISE)),
    ("another token", b"lab" + b"f" * 32),
    ("all but its end", RAW[:-1]),
    ("all but its beginning", RAW[1:]),
    ("base64 of another", base64.b64encode(b"lab" + b"f" * 32)),
    ("a packed stream that is cut off", gzip.compress(NOISE)[:60] + b"\x1f\x8b\x08"),
    ("marks of packers", b"\x1f\x8b\x08 PK\x03\x04 BZh \xfd7zXZ\x00 \x78\x9c"),
]


@pytest.mark.parametrize("data", [n[1] for n in NOT_FOUND], ids=[n[0] for n in NOT_FOUND])
def test_not_found(data: bytes) -> None:
    assert not Needle(TOKEN).inside(data)


def test_a_stream_that_is_cut_off_behind_the_token() -> None:
    assert Needle(TOKEN).inside(gzip.compress(RAW + NOISE)[:-500])


def test_an_archive_in_an_archive_has_an_end() -> None:
    data = RAW
    for _ in range(needles.DEEPEST + 1):
        data = bz2.compress(data)  # unlike gzip it keeps no short piece as it was
    needle = Needle(TOKEN)
    assert not needle.inside(data)
    assert needle.clipped


def test_a_bomb_is_not_unpacked_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needles, "MOST_OUT", 100_000)
    needle = Needle(TOKEN)
    assert not needle.inside(gzip.compress(bytes(5_000_000) + RAW))
    assert needle.clipped
    assert needle.unpacked <= 200_000


def test_many_small_bombs_are_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needles, "MOST_ALL", 1_000_000)
    needle = Needle(TOKEN)
    assert not needle.inside(gzip.compress(bytes(100_000)) * 100)
    assert needle.clipped
    assert needle.unpacked < 1_500_000


def test_marks_without_end_are_not_all_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needles, "MOST_STARTS", 10)
    needle = Needle(TOKEN)
    assert not needle.inside(b"\x78\x9c" * 1000)
    assert needle.clipped


def test_what_was_looked_at_whole_is_not_called_clipped() -> None:
    needle = Needle(TOKEN)
    needle.inside(gzip.compress(NOISE))
    assert not needle.clipped


@pytest.mark.parametrize("write", [bytes, base64.b64encode, lambda b: b.hex().encode()])
def test_redacted(write: Callable[[bytes], bytes]) -> None:
    text = Needle(TOKEN).redacted(f"RUN echo {write(RAW).decode()} > x")
    assert "***" in text
    assert TOKEN not in text
    assert write(RAW).decode()[2:-4] not in text
