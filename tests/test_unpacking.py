"""Archives that an ADD would unpack: how large they get, in each packing. Nothing is built."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import unpacking
from grader.dockerfile import Dockerfile
from grader.errors import SubmissionError
from grader.spec import Limits

MB = 1_000_000
ADD = Dockerfile.parse(b"FROM a:1\nADD x /\n")
FILES = 3 * MB  # what is in the archives here


def tar(*sizes: int, kind: int = tarfile.GNU_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=kind) as archive:
        for number, size in enumerate(sizes):
            member = tarfile.TarInfo(f"f{number}")
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    return packed.getvalue()


def hole(size: int) -> bytes:
    """An archive of GNU's old kind, with one file that is nothing but a hole."""
    block = bytearray(tarfile.TarInfo("f").tobuf(format=tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    block[483:495] = size.to_bytes(12, "big") if size >= 8**11 else b"%011o\0" % size
    if size >= 8**11:
        block[483] |= 0x80
    return bytes(block) + bytes(1024)


def pax(size: int) -> bytes:
    """The same of the newer kind."""
    member = tarfile.TarInfo("f")
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(size)}
    return member.tobuf(format=tarfile.PAX_FORMAT) + bytes(1024)


def halves(pack: Callable[[bytes], bytes]) -> bytes:
    """In two streams, one after the other."""
    data = tar(FILES)
    return pack(data[: FILES // 2]) + pack(data[FILES // 2 :])


ZEROS = tar(FILES)
LARGE = [
    ("gzip", gzip.compress(ZEROS)),
    ("bzip2", bz2.compress(ZEROS)),
    ("xz", lzma.compress(ZEROS)),
    ("gzip twice", halves(gzip.compress)),
    ("bzip2 twice", halves(bz2.compress)),
    ("xz twice", halves(lzma.compress)),
    ("xz, padded between", lzma.compress(ZEROS[:MB]) + bytes(8) + lzma.compress(ZEROS[MB:])),
    ("a plain one", ZEROS),
    ("no tar inside", gzip.compress(bytes(FILES))),
    ("cut off", gzip.compress(ZEROS + b"more" * 1000)[:-900]),
    ("an old hole", hole(FILES)),
    ("an old hole, packed", gzip.compress(hole(FILES))),
    ("a hole of terabytes", gzip.compress(hole(10**13))),
    ("a newer hole", gzip.compress(pax(FILES))),
    ("many empty files", gzip.compress(tar(*[0] * (FILES // unpacking.BLOCK + 1)))),
]
SMALL = [
    ("nothing", b""),
    ("text", b"hello\n" * 100),
    ("zeros that are no archive", bytes(FILES)),
    ("a small one", gzip.compress(tar(10, 20))),
    ("broken at once", b"\x1f\x8b\x08 and no more"),
    ("broken xz", b"\xfd7zXZ\x00 and no more"),
    ("the word ustar in a file", gzip.compress(b"ustar" * 1000)),
]


@pytest.mark.parametrize("data", [d for _, d in LARGE], ids=[n for n, _ in LARGE])
def test_what_unpacks_to_more_than_a_build_may_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/x").write_bytes(data)
    with pytest.raises(SubmissionError, match="deep/x takes more than 2 MB") as caught:
        unpacking.refuse(tmp_path, ADD, Limits(build_disk_mb=2))
    assert caught.value.line == 2
    unpacking.refuse(tmp_path, Dockerfile.parse(b"FROM a:1\nCOPY x /\n"), Limits(build_disk_mb=2))


@pytest.mark.parametrize("data", [d for _, d in SMALL], ids=[n for n, _ in SMALL])
def test_what_does_not_is_built(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    unpacking.refuse(tmp_path, ADD, Limits(build_disk_mb=2))


@pytest.mark.parametrize(("most", "refused"), [(3.0, True), (3.2, False)])
def test_the_edge(most: float, refused: bool, tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(ZEROS))
    try:
        unpacking.refuse(tmp_path, ADD, Limits(build_disk_mb=most))
    except SubmissionError:
        assert refused
    else:
        assert not refused


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("FROM a:1\nADD x /\n", False),
        ("FROM a:1\nADD x /\nADD x /y/\n", True),
        ("FROM a:1 AS b\nONBUILD ADD x /\nFROM b\n", True),
        ("FROM a:1 AS b\nONBUILD COPY x /\nFROM b\nFROM b\n", False),
        ("FROM a:1\nA\\\nDD x /\nADD x /y/\n", True),
    ],
)
def test_each_add_may_be_the_one(text: str, refused: bool, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(ZEROS))
    parsed = Dockerfile.parse(text.encode())
    try:
        unpacking.refuse(tmp_path, parsed, Limits(build_disk_mb=5))
    except SubmissionError:
        assert refused
    else:
        assert not refused


def test_several_archives_count_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(gzip.compress(ZEROS))
    with pytest.raises(SubmissionError, match="b takes more than 5 MB"):
        unpacking.refuse(tmp_path, ADD, Limits(build_disk_mb=5))


def test_what_nobody_can_look_into_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.zst").write_bytes(unpacking.ZSTD + b"...")
    with pytest.raises(SubmissionError, match="zstd"):
        unpacking.refuse(tmp_path, ADD, Limits())


def test_memory_and_time_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(lzma.compress(ZEROS))
    assert "too long" in unpacking.room(path, 10 * MB, time.monotonic() - 1).why
    monkeypatch.setattr(unpacking, "XZ_MEMORY", 1000)
    assert "memory" in unpacking.room(path, 10 * MB, time.monotonic() + 60).why


def test_it_looks_no_further_than_it_must(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(bytes(50 * MB)))
    assert unpacking.room(path, MB, time.monotonic() + 60).size < 5 * MB


def test_links_and_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("/dev/zero")
    (tmp_path / "y").mkdir()
    unpacking.refuse(tmp_path, ADD, Limits(build_disk_mb=2))
