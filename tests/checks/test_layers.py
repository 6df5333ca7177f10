"""Bytes and rights that an image's own layers add for nothing."""

from __future__ import annotations

import pytest

from grader.archive import Entry
from grader.checks import layers
from grader.layers import Base, LayerFiles, Layers
from grader.look import File
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
BASE = Base("python:3.11-slim", ("sha256:b",), 1, 100)


def entry(path: str, size: int) -> Entry:
    return Entry(path, size, 0o644, 0, 0, "0")


def image(*own: LayerFiles) -> Layers:
    return Layers(BASE, own)


def wasting(size: int, *, more: int = 0) -> Layers:
    return image(
        LayerFiles(
            "1", "RUN /bin/sh -c install # buildkit", 4, (entry("/usr/cc", size), entry("/b", more))
        ),
        LayerFiles("2", "COPY b / # buildkit", 6, (entry("/b", 1),)),
        LayerFiles("3", "RUN /bin/sh -c purge # buildkit", 8, (), ("/usr/cc",)),
    )


RECLAIMABLE = [
    ("nothing", image(), P, 0),
    ("nothing hidden", image(LayerFiles("1", "RUN", 4, (entry("/a", 9_000_000),))), P, 0),
    ("a little", wasting(1_000), P, 1_000),
    ("exactly what is allowed", wasting(2_000_000), P, 2_000_000),
    ("one byte more", wasting(2_000_001), F, 2_000_001),
    ("the sum counts", wasting(1_500_000, more=500_001), F, 2_000_001),
    ("the sum counts, and is allowed", wasting(1_500_000, more=500_000), P, 2_000_000),
]


@pytest.mark.parametrize(
    ("own", "outcome", "size"), [r[1:] for r in RECLAIMABLE], ids=[r[0] for r in RECLAIMABLE]
)
def test_reclaimable(own: Layers, outcome: Outcome, size: int) -> None:
    result = layers.reclaimable(own, max_mb=2)
    assert result.outcome is outcome
    assert result.evidence["bytes"] == size


def test_reclaimable_tells_the_file_and_both_lines() -> None:
    result = layers.reclaimable(wasting(36_700_000, more=10), max_mb=2)
    assert "36.7 MB" in result.message
    assert "/usr/cc" in result.message
    assert "line 4 (RUN install)" in result.message
    assert "deleted by line 8 (RUN purge)" in result.message
    assert result.line == 8
    files = result.evidence["files"]
    assert isinstance(files, list)
    assert files[0] == {
        "path": "/usr/cc",
        "bytes": 36_700_000,
        "how": "deleted",
        "line": 4,
        "by_line": 8,
        "created_by": "RUN install",
    }


def test_reclaimable_blames_the_pair_that_wastes_most() -> None:
    """Many small files of one line against a bigger one of another."""
    small = tuple(entry(f"/s/{n}", 1_000_000) for n in range(9))
    own = image(
        LayerFiles("1", "RUN many", 2, small),
        LayerFiles("2", "RUN one", 3, (entry("/big", 5_000_000),)),
        LayerFiles("3", "RUN rm big", 4, (), ("/big",)),
        LayerFiles("4", "RUN rm small", 5, (), ("/s",)),
    )
    result = layers.reclaimable(own, max_mb=1)
    assert result.line == 5
    assert "9.0 MB" in result.message


def test_reclaimable_without_lines_names_the_steps() -> None:
    own = image(
        LayerFiles("1", "COPY a", None, (entry("/a", 5_000_000),)),
        LayerFiles("2", "", None, (), ("/a",)),
    )
    result = layers.reclaimable(own, max_mb=1)
    assert "COPY a" in result.message
    assert "a layer without a history" in result.message
    assert result.line is None


# -- no_setuid ------------------------------------------------------------------------------------


def file(path: str, mode: int, *, uid: int = 0, kind: str = "0") -> File:
    return File(path, 10, mode, uid, 0, kind)


SU = file("/usr/bin/su", 0o4755)
SETUID = [
    ("only the base's", (SU,), P),
    ("none at all", (file("/bin/sh", 0o755),), P),
    ("the base's was taken away", (file("/usr/bin/su", 0o755),), P),
    ("sudo", (SU, file("/usr/bin/sudo", 0o4755)), F),
    ("of another user", (SU, file("/app/x", 0o4755, uid=7)), F),
    ("setgid", (SU, file("/app/x", 0o2755)), F),
    ("both", (SU, file("/app/x", 0o6755)), F),
    ("setuid without the right to run it", (SU, file("/app/x", 0o4644)), F),
    ("setgid without it means locking", (SU, file("/app/x", 0o2644)), P),
    ("another name of it", (SU, file("/app/x", 0o4755, kind="1")), F),
    ("the base's, now another user's", (file("/usr/bin/su", 0o4755, uid=7),), F),
    ("the base's, now setgid as well", (file("/usr/bin/su", 0o6755),), F),
    ("a folder that hands its group down", (SU, file("/app", 0o2755, kind="5")), P),
    ("a link", (SU, file("/app/x", 0o4777, kind="2")), P),
    ("sticky", (SU, file("/app/x", 0o1755)), P),
]


@pytest.mark.parametrize(("files", "outcome"), [s[1:] for s in SETUID], ids=[s[0] for s in SETUID])
def test_no_setuid(files: tuple[File, ...], outcome: Outcome) -> None:
    result = layers.no_setuid(files, (SU, file("/usr/bin/x", 0o755)), BASE)
    assert result.outcome is outcome
    if outcome is F:
        assert files[-1].path in result.message
        assert result.evidence["found"] == [files[-1].path]


def test_no_setuid_of_a_base_that_was_not_promised() -> None:
    assert layers.no_setuid((SU,), (), Base("")).outcome is F


def test_no_setuid_tells_three_of_many() -> None:
    many = tuple(file(f"/{n}", 0o4755) for n in range(9))
    assert "and 6 more" in layers.no_setuid(many, (), BASE).message
    assert "more" not in layers.no_setuid(many[:3], (), BASE).message


WORLD = [
    ("nobody's business", file("/app/x", 0o644), P),
    ("everybody's file", file("/app/x", 0o666), F),
    ("everybody's folder", file("/app/x", 0o777, kind="5"), F),
    ("sticky does not help the code", file("/app/x", 0o1777, kind="5"), F),
    ("the folder itself", file("/app", 0o777, kind="5"), F),
    ("a link is always so", file("/app/x", 0o777, kind="2"), P),
    ("its group's", file("/app/x", 0o664), P),
    ("elsewhere", file("/tmp", 0o1777, kind="5"), P),
    ("a folder that begins so", file("/apple/x", 0o666), P),
]


@pytest.mark.parametrize(("one", "outcome"), [w[1:] for w in WORLD], ids=[w[0] for w in WORLD])
def test_no_world_writable(one: File, outcome: Outcome) -> None:
    result = layers.no_world_writable((file("/app/y", 0o644), one), paths=["/app"])
    assert result.outcome is outcome
    if outcome is F:
        assert one.path in result.message


def test_no_world_writable_of_nothing_is_no_pass() -> None:
    assert layers.no_world_writable((file("/x", 0o644),), paths=["/app"]).outcome is F
