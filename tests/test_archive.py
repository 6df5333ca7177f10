"""What is read from ``docker save``: both layouts, packed or not, once and in one pass."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import IO, Any

import pytest

from grader.archive import Archive, Entry, Reader
from grader.errors import EngineError, NotMeasurable
from tests import saved_image as saved

BASE = saved.layer(("usr/", b""), ("usr/lib", b"base"))
OWN = saved.layer(
    ("app/", b""),
    ("app/main.py", b"print()"),
    ("usr/.wh.lib", b""),
    ("opt/.wh..wh..opq", b""),
    (".wh..wh.plnk", b""),
    saved.link("app/link", "/etc/x"),
    saved.link("app/again", "app/main.py", hard=True),
)
LAYOUTS: dict[str, Callable[..., io.BytesIO]] = {
    "oci": saved.oci,
    "oci, packed": lambda *a: saved.oci(*a, packed=True),
    "classic": saved.classic,
}


@pytest.fixture(params=LAYOUTS)
def save(request: pytest.FixtureRequest) -> Callable[..., io.BytesIO]:
    return LAYOUTS[request.param]


def read(stream: IO[bytes], **more: Any) -> Archive:
    return Reader(**more).read(stream)


def test_each_layer_is_found_by_its_diff_id(save: Callable[..., io.BytesIO]) -> None:
    archive = read(save([BASE, OWN]))
    assert list(archive.layers) == [saved.diff_id(BASE), saved.diff_id(OWN)]
    assert archive.config["rootfs"]["diff_ids"] == list(archive.layers)


def test_what_a_layer_adds_deletes_and_hides(save: Callable[..., io.BytesIO]) -> None:
    blob = read(save([BASE, OWN])).layers[saved.diff_id(OWN)]
    assert [e.path for e in blob.entries] == ["/app", "/app/main.py", "/app/link", "/app/again"]
    assert blob.entries[1] == Entry("/app/main.py", 7, 0o644, 0, 0, "0")
    assert [(e.kind, e.link, e.size) for e in blob.entries[2:]] == [
        ("2", "/etc/x", 0),
        ("1", "/app/main.py", 0),
    ]
    assert blob.whiteouts == ["/usr/lib"]
    assert blob.opaque == ["/opt"]


def test_at_the_top_of_the_file_system(save: Callable[..., io.BytesIO]) -> None:
    top = saved.layer((".wh.srv", b""), ("./etc/", b""), (".wh..wh..opq", b""))
    blob = read(save([top])).layers[saved.diff_id(top)]
    assert blob.whiteouts == ["/srv"]
    assert blob.opaque == ["/"]
    assert [e.path for e in blob.entries] == ["/etc"]


def test_a_visitor_sees_every_byte_and_every_name(save: Callable[..., io.BytesIO]) -> None:
    seen: list[tuple[str, str, bytes]] = []

    def visit(layer: str, member: tarfile.TarInfo, data: IO[bytes] | None) -> None:
        seen.append((layer, member.name, data.read() if data else b""))

    archive = read(save([BASE, OWN]), visit=visit)
    assert (archive.names[1], "app/main.py", b"print()") in seen
    assert (archive.names[0], "usr/lib", b"base") in seen


def test_the_base_is_not_read_where_its_name_tells() -> None:
    seen = []
    archive = read(
        saved.oci([BASE, OWN]),
        skip={saved.diff_id(BASE)},
        visit=lambda layer, member, data: seen.append(member.name),
    )
    assert "usr/lib" not in seen
    assert list(archive.layers) == [saved.diff_id(OWN)]


def test_a_layer_that_comes_twice(save: Callable[..., io.BytesIO]) -> None:
    archive = read(save([BASE, OWN, OWN]))
    assert list(archive.layers) == [saved.diff_id(BASE), saved.diff_id(OWN)]
    assert len(archive.names) == 3
    assert archive.names[1] == archive.names[2]  # the visitor knows it by the first one's name


def test_an_empty_layer(save: Callable[..., io.BytesIO]) -> None:
    empty = saved.layer()
    assert read(save([BASE, empty])).layers[saved.diff_id(empty)].entries == []


def test_a_large_layer_that_is_packed() -> None:
    """More than one buffer full, so that the unpacking has to stop and go on."""
    large = saved.layer(("a", bytes(5_000_000)), ("b", b"end" * 1_000_000))
    blob = read(saved.oci([large], packed=True)).layers[saved.diff_id(large)]
    assert [e.size for e in blob.entries] == [5_000_000, 3_000_000]


def test_the_descriptions_are_kept() -> None:
    note = json.dumps({"annotations": {"a": "b"}}).encode()
    archive = read(saved.oci([BASE], more={"blobs/sha256/0": note}))
    assert {"annotations": {"a": "b"}} in archive.texts
    assert archive.config in archive.texts


@pytest.mark.parametrize("skipped", [False, True])
def test_a_packing_that_cannot_be_read_is_no_pass(skipped: bool) -> None:
    """Unless it is the base's: that one needs no reading."""
    about = saved.config([BASE])
    manifest = [{"Config": "about.json", "Layers": ["odd"]}]
    files = {
        "odd": b"\x28\xb5\x2f\xfd" + bytes(2000),
        "about.json": json.dumps(about).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    stream = io.BytesIO(saved.layer(*files.items()))
    skip = {saved.diff_id(BASE)} if skipped else set()
    if skipped:
        assert read(stream, skip=skip).layers == {}
        return
    with pytest.raises(NotMeasurable, match="zstd"):
        read(stream, skip=skip)


def test_a_broken_packing_is_the_machines() -> None:
    broken = (
        saved.oci([BASE], packed=True).getvalue().replace(b"\x1f\x8b\x08\x00", b"\x1f\x8b\x09\x00")
    )
    with pytest.raises((EngineError, tarfile.TarError)):
        read(io.BytesIO(broken))


@pytest.mark.parametrize("without", ["manifest.json", "about.json"])
def test_an_archive_without_a_description(without: str) -> None:
    manifest = [{"Config": "about.json", "Layers": []}]
    files = {"about.json": b"{}", "manifest.json": json.dumps(manifest).encode()}
    del files[without]
    with pytest.raises(EngineError, match=r"without"):
        read(io.BytesIO(saved.layer(*files.items())))
