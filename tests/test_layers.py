"""Bytes that are shipped for nothing, each once; and which line made which layer."""

from __future__ import annotations

from typing import Any

import pytest

from grader.archive import Archive, Blob, Entry
from grader.dockerfile import Dockerfile
from grader.engine import Image, Layer
from grader.layers import Base, LayerFiles, base, base_files, joined, own_steps, reclaimable

FOLDER, FILE, HARD, SYMLINK = "5", "0", "1", "2"


def entry(path: str, size: int = 0, kind: str = FILE, link: str = "") -> Entry:
    return Entry(path, size, 0o644, 0, 0, kind, link)


def layer(*files: Entry, gone: tuple[str, ...] = (), hides: tuple[str, ...] = ()) -> LayerFiles:
    return LayerFiles("sha256:x", "RUN x", None, files, gone, hides)


A = entry("/app/a", 10)
WASTE: list[tuple[str, list[LayerFiles], list[tuple[str, int, int, int, str]]]] = [
    ("nothing at all", [], []),
    ("nothing twice", [layer(A), layer(entry("/app/b", 5))], []),
    ("deleted", [layer(A), layer(gone=("/app/a",))], [("/app/a", 10, 0, 1, "deleted")]),
    ("overwritten", [layer(A), layer(entry("/app/a", 3))], [("/app/a", 10, 0, 1, "overwritten")]),
    (
        "overwritten twice",
        [layer(A), layer(entry("/app/a", 7)), layer(entry("/app/a", 3))],
        [("/app/a", 10, 0, 1, "overwritten"), ("/app/a", 7, 1, 2, "overwritten")],
    ),
    (
        "overwritten, then deleted: each once",
        [layer(A), layer(entry("/app/a", 7)), layer(gone=("/app/a",))],
        [("/app/a", 10, 0, 1, "overwritten"), ("/app/a", 7, 1, 2, "deleted")],
    ),
    (
        "deleted twice is gone once",
        [layer(A), layer(gone=("/app/a",)), layer(gone=("/app/a", "/app"))],
        [("/app/a", 10, 0, 1, "deleted")],
    ),
    (
        "a folder with all that is in it",
        [layer(A, entry("/app/sub/b", 5), entry("/apple", 7)), layer(gone=("/app",))],
        [("/app/a", 10, 0, 1, "deleted"), ("/app/sub/b", 5, 0, 1, "deleted")],
    ),
    (
        "hidden by a new folder",
        [layer(A), layer(entry("/app", kind=FOLDER), entry("/app/c", 1), hides=("/app",))],
        [("/app/a", 10, 0, 1, "hidden")],
    ),
    (
        "written again where it was hidden",
        [layer(A), layer(entry("/app/a", 4), hides=("/app",))],
        [("/app/a", 10, 0, 1, "hidden")],
    ),
    ("everything is hidden", [layer(A), layer(hides=("/",))], [("/app/a", 10, 0, 1, "hidden")]),
    (
        "a folder again",
        [layer(entry("/app", kind=FOLDER), A), layer(entry("/app", kind=FOLDER))],
        [],
    ),
    (
        "a file where a folder was",
        [layer(A), layer(entry("/app", 3))],
        [("/app/a", 10, 0, 1, "overwritten")],
    ),
    (
        "a folder where a file was",
        [layer(entry("/app", 3)), layer(entry("/app", kind=FOLDER), A)],
        [("/app", 3, 0, 1, "overwritten")],
    ),
    (
        "a link where a file was",
        [layer(A), layer(entry("/app/a", kind=SYMLINK, link="/b"))],
        [("/app/a", 10, 0, 1, "overwritten")],
    ),
    ("an empty file", [layer(entry("/e")), layer(gone=("/e",))], []),
    ("what is not there", [layer(A), layer(gone=("/app/b", "/nowhere/x"))], []),
    ("the base's own", [layer(), layer(gone=("/usr/lib/x",))], []),
    (
        "one of two names of the same bytes",
        [layer(A, entry("/app/b", kind=HARD, link="/app/a")), layer(gone=("/app/a",))],
        [],
    ),
    (
        "both names of the same bytes",
        [layer(A, entry("/app/b", kind=HARD, link="/app/a")), layer(gone=("/app/a", "/app/b"))],
        [("/app/a", 10, 0, 1, "deleted")],
    ),
    (
        "both names, one after the other",
        [
            layer(A, entry("/app/b", kind=HARD, link="/app/a")),
            layer(gone=("/app/a",)),
            layer(entry("/app/b", 1)),
        ],
        [("/app/a", 10, 0, 2, "overwritten")],
    ),
    (
        "deleted, and back again",
        [layer(A), layer(gone=("/app/a",)), layer(A)],
        [("/app/a", 10, 0, 1, "deleted")],
    ),
]


@pytest.mark.parametrize(("layers", "waste"), [w[1:] for w in WASTE], ids=[w[0] for w in WASTE])
def test_reclaimable(layers: list[LayerFiles], waste: list[tuple[str, int, int, int, str]]) -> None:
    found = [(w.path, w.size, w.layer, w.by, w.how) for w in reclaimable(layers)]
    assert sorted(found) == sorted(waste)


def test_a_great_many_files_take_no_time() -> None:
    many = layer(*(entry(f"/usr/lib/{n % 100}/{n}", 1) for n in range(30_000)))
    every = layer(gone=tuple(f"/usr/lib/{n % 100}/{n}" for n in range(30_000)))
    assert sum(w.size for w in reclaimable([many, every])) == 30_000


# -- lines ----------------------------------------------------------------------------------------

TEXT = """ARG BASE=python:3.11-slim
FROM ${BASE} AS builder
RUN make
FROM ${BASE}
WORKDIR /app
COPY a \\
     b ./
# a comment
ENV A=1
RUN echo
"""
CREATED = ["WORKDIR /app", "COPY a b ./ # buildkit", "ENV A=1", "RUN /bin/sh -c echo # buildkit"]


def history(*created: str, empty: tuple[int, ...] = ()) -> dict[str, Any]:
    rows = [{"created_by": text, "empty_layer": n in empty} for n, text in enumerate(created)]
    return {"history": [{"created_by": "the base"}, {"created_by": "CMD"}, *rows]}


BASED = Base("python:3.11-slim", ("sha256:b",), steps=2)


def steps(text: str, *created: str, empty: tuple[int, ...] = ()) -> list[tuple[Any, Any]]:
    parsed = Dockerfile.parse(text.encode()) if text else None
    found = own_steps(history(*created, empty=empty), BASED, parsed)
    return [(s.line, s.layer) for s in found]


def test_each_step_has_its_line_and_its_layer() -> None:
    assert steps(TEXT, *CREATED, empty=(2,)) == [(5, 0), (6, 1), (9, None), (10, 2)]


def test_a_stage_on_a_stage_brings_its_lines() -> None:
    text = "FROM x:1 AS one\nRUN a\nFROM one AS two\nENV B=1\nFROM two\nRUN c\n"
    created = ["RUN a", "ENV B=1", "RUN c"]
    assert steps(text, *created, empty=(1,)) == [(2, 0), (4, None), (6, 1)]


@pytest.mark.parametrize(
    ("text", "created"),
    [
        (TEXT, CREATED[:3]),
        (TEXT, [*CREATED, "LABEL a=b"]),
        (TEXT, [CREATED[1], CREATED[0], *CREATED[2:]]),
        ("", CREATED),
    ],
    ids=["one too few", "one too many", "in another order", "no Dockerfile"],
)
def test_where_it_does_not_fit_nobody_is_blamed(text: str, created: list[str]) -> None:
    assert {line for line, _ in steps(text, *created)} == {None}


def test_joined_leaves_the_base_out() -> None:
    ids = ["sha256:b", "sha256:1", "sha256:2", "sha256:3"]
    config = {"rootfs": {"diff_ids": ids}, **history(*CREATED, empty=(2,))}
    archive = Archive(config, {"sha256:2": Blob([entry("/app/a", 10)], ["/x"], ["/y"])})
    own = joined(archive, BASED, Dockerfile.parse(TEXT.encode()))
    assert [x.diff_id for x in own.layers] == ids[1:]
    assert [x.line for x in own.layers] == [5, 6, 10]
    assert [x.size for x in own.layers] == [0, 10, 0]
    assert own.layers[1].whiteouts == ("/x",)
    assert own.layers[1].opaque == ("/y",)
    assert own.layers[1].created_by == CREATED[1]


# -- the base -------------------------------------------------------------------------------------


BASES = {
    "slim": Image("1", ("a",), (Layer("", 100),), {}),
    "fat": Image("2", ("a", "b"), (Layer("", 100), Layer("", 7)), {}),
    "empty": Image("3", (), (), {}),
}


class FakeEngine:
    """An engine with two bases, the one standing on the other."""

    def has_image(self, name: str) -> bool:
        return name in BASES

    def image(self, name: str) -> Image:
        return BASES[name]

    def files(self, name: str) -> tuple[str, ...]:
        return (f"files of {name}",)


class FakeExercise:
    images = ("gone", "empty", "fat", "slim")


@pytest.mark.parametrize(
    ("layers", "name", "size"),
    [
        (("a", "x"), "slim", 100),
        (("a", "b", "x"), "fat", 107),
        (("a",), "slim", 100),
        (("x", "a"), "", 0),
        ((), "", 0),
    ],
)
def test_the_base_is_the_one_whose_layers_come_first(
    layers: tuple[str, ...], name: str, size: int
) -> None:
    made = Image("sha256:1", layers, (), {})
    found = base(made, FakeEngine(), FakeExercise())  # type: ignore[arg-type]
    assert (found.name, found.size) == (name, size)
    files = base_files(found, FakeEngine())  # type: ignore[arg-type]
    assert files == ((f"files of {name}",) if name else ())
