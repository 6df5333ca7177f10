"""Lists an image's paths from what the client exports; the client is a small script here."""

from __future__ import annotations

import io
import os
import stat
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import look
from grader.errors import EngineError
from grader.look import File

LAYERS = ("sha256:1", "sha256:2")


def archive(*names: str | bytes, link: str = "") -> bytes:
    """A tar as `docker export` gives it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            member = tarfile.TarInfo(os.fsdecode(name))
            member.size, member.mode, member.uid = 3, 0o755, 7
            tar.addfile(member, io.BytesIO(b"abc"))
        if link:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    return data.getvalue()


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., str]:
    """A `docker` that exports these bytes."""

    def make(data: bytes, *, status: int = 0, said: str = "") -> str:
        (tmp_path / "export.tar").write_bytes(data)
        path = tmp_path / "docker"
        path.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"sys.stdout.buffer.write(open({str(tmp_path / 'export.tar')!r}, 'rb').read())\n"
            f"sys.stderr.write({said!r})\nsys.exit({status})\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def test_every_path_is_listed_with_what_it_is(client: Callable[..., str]) -> None:
    docker = client(archive("usr/bin/gcc", "app/main.py", link="/usr/bin/gcc"))
    assert look.exported(docker, {}, "c1") == (
        File("/usr/bin/gcc", 3, 0o755, 7, 0, "0", ""),
        File("/app/main.py", 3, 0o755, 7, 0, "0", ""),
        File("/link", 0, 0o644, 0, 0, "2", "/usr/bin/gcc"),
    )


def test_a_name_that_is_no_text_is_listed_too(client: Callable[..., str]) -> None:
    (file,) = look.exported(client(archive(b"opt/\xff/gcc")), {}, "c1")
    assert file.path.endswith("/gcc")


BROKEN = [
    ("the client fails", b"", 1),
    ("nothing comes", b"", 0),
    ("no tar at all", b"x" * 2000, 1),
    ("it breaks off between two files", archive("a", "usr/bin/gcc")[:1024], 1),
    ("it breaks off inside a header", archive("a", "usr/bin/gcc")[:1100], 1),
    ("it breaks off inside a file", archive("a", "usr/bin/gcc")[:1537], 1),
]


@pytest.mark.parametrize(("data", "status"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_an_export_that_breaks_off_is_no_short_listing(
    client: Callable[..., str], data: bytes, status: int
) -> None:
    """A short listing has no compiler in it, and it would be kept."""
    with pytest.raises(EngineError):
        look.exported(client(data, status=status, said="the daemon was lost"), {}, "c1")


def test_a_client_that_is_not_there_is_the_machines_fault() -> None:
    with pytest.raises(EngineError):
        look.exported("/nowhere/docker", {}, "c1")


# -- kept listings --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))


LISTING = (File("/a", 1, 0o644, 0, 0, "0"), File("/b/\udcff", 2, 0o777, 1, 1, "2", "/a"))


def test_a_listing_is_kept_for_the_same_layers_only() -> None:
    assert look.kept(LAYERS) is None
    look.keep(LAYERS, LISTING)
    assert look.kept(LAYERS) == LISTING
    assert look.kept(LAYERS[:1]) is None
    assert look.kept(LAYERS[::-1]) is None


@pytest.mark.parametrize(
    "text", ["", "{}x", "[[1]]", "null", "[[1, 2, 3, 4, 5, 6, 7, 8, 9]]", "\x00"]
)
def test_a_broken_one_is_made_anew(text: str) -> None:
    look.keep(LAYERS, LISTING)
    (path,) = look._path(LAYERS).parent.glob("*.json")
    path.write_text(text)
    assert look.kept(LAYERS) is None


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "KEPT", 3)
    for number in range(6):
        look.keep((f"sha256:{number}",), LISTING)
        os.utime(look._path((f"sha256:{number}",)), (number, number))
    assert [look.kept((f"sha256:{n}",)) is not None for n in range(6)] == [False] * 3 + [True] * 3


def test_a_home_that_cannot_be_written_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "file"))
    look.keep(LAYERS, LISTING)
    assert look.kept(LAYERS) is None
