"""The pictures of lab 02: where a key leaked, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("matplotlib")

from grader.cells import Cell
from grader.errors import EngineError
from grader.look import File
from grader.plots import rights
from grader.plots.figure import Picture
from grader.plots.leaks import leak_matrix
from grader.plots.rights import CAPABILITIES, capability_bits, lenders

FOUND = {
    "ENV": {"history": True, "the layers": False},
    "secret mount": {"history": False, "the layers": False},
}


def test_the_matrix_says_in_words_what_is_to_be_seen() -> None:
    drawn = leak_matrix(FOUND)
    assert isinstance(drawn, Picture)
    assert drawn.png.startswith(b"\x89PNG")
    assert "ENV: history." in drawn.alt
    assert "secret mount: nowhere." in drawn.alt


def test_the_matrix_tells_by_more_than_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    words = drawn_words(monkeypatch, lambda: leak_matrix(FOUND))
    assert words.count("leaks") == 1
    assert words.count("–") == 3


@pytest.mark.parametrize(
    "found", [{}, {"a": {}}, {r"$\a$": {r"$x_y$": True}}, {"a": {"b": True}, "c": {"d": False}}]
)
def test_the_matrix_can_always_be_drawn(found: dict[str, dict[str, bool]]) -> None:
    assert isinstance(leak_matrix(found), Picture)


def test_the_bits_have_the_kernels_names() -> None:
    """As in linux/capability.h: a few whose numbers are well known."""
    known = {0: "CHOWN", 7: "SETUID", 10: "NET_BIND_SERVICE", 21: "SYS_ADMIN", 31: "SETFCAP"}
    assert {n: CAPABILITIES[n] for n in known} == known
    assert CAPABILITIES[39] == "BPF"
    assert len(CAPABILITIES) == 41


def test_the_bits_in_words() -> None:
    drawn = capability_bits({"root": 0xA80425FB, "all": (1 << 41) - 1, "none": 0})
    assert isinstance(drawn, Picture)
    assert "root: 14 of 41 (CHOWN, DAC_OVERRIDE, FOWNER" in drawn.alt
    assert "all: 41 of 41." in drawn.alt
    assert "none: 0 of 41." in drawn.alt


def test_a_kernel_may_know_more_bits_than_we_do() -> None:
    drawn = capability_bits({"new": 1 << 44})
    assert isinstance(drawn, Picture)
    assert "new: 1 of 45 (44)" in drawn.alt


def file(path: str, mode: int, kind: str = "0") -> File:
    return File(path, 1, mode, 0, 0, kind)


FILES = [
    file("/bin/su", 0o4755),
    file("/bin/chage", 0o2755),
    file("/bin/both", 0o6755),
    file("/bin/sh", 0o755),
    file("/bin/not-to-run", 0o4644),
    file("/srv", 0o2755, "5"),
    file("/bin/link", 0o4777, "2"),
]


def test_who_lends_rights() -> None:
    drawn = lenders({"x": FILES, "y": []})
    assert isinstance(drawn, Picture)
    assert drawn.alt.endswith("x: /bin/chage, /bin/both, /bin/su. y: none.")


def test_who_lends_whose_rights_is_written_in_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    words = drawn_words(monkeypatch, lambda: lenders({"x": FILES}))
    assert words.count("setuid") == 2
    assert words.count("setgid") == 1


class Fake:
    def __enter__(self) -> Fake:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def files(self, image: str) -> list[File]:
        if image != "known":
            raise EngineError(f"No such image: {image}")
        return FILES


def test_who_lends_rights_by_an_images_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights.Engine, "open", Fake)
    assert "/bin/su" in str(lenders({"x": "known", "y": FILES}))
    assert isinstance(lenders({"x": "unknown"}), Cell)


@pytest.mark.parametrize("sets", [{}, {"$a_b$": 0}])
def test_the_bits_can_always_be_drawn(sets: dict[str, int]) -> None:
    assert isinstance(capability_bits(sets), Picture)
    assert isinstance(lenders({name: [] for name in sets}), Picture)


def drawn_words(monkeypatch: pytest.MonkeyPatch, draw: Any) -> list[str]:
    """Every text that is put into the picture itself."""
    from matplotlib.axes import Axes

    words: list[str] = []
    real = Axes.text
    monkeypatch.setattr(
        Axes, "text", lambda self, x, y, s, **how: (words.append(s), real(self, x, y, s, **how))[1]
    )
    draw()
    return words
