"""The picture of what waits for an image: its numbers, its words, and what it does without them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("matplotlib")

from grader import packages
from grader.cells import Cell
from grader.debian import Debian, Security
from grader.errors import NotMeasurable
from grader.plots import updates as module
from grader.plots.figure import Picture
from grader.plots.updates import Waiting, updates


def test_it_says_in_words_what_is_to_be_seen() -> None:
    drawn = updates({"old": Waiting(11, 15), "new": Waiting(0, 0)})
    assert isinstance(drawn, Picture)
    assert drawn.png.startswith(b"\x89PNG")
    assert "old: 11 of Debian, 15 of Python" in drawn.alt
    assert "new: 0 of Debian, 0 of Python" in drawn.alt


@pytest.mark.parametrize("images", [{}, {"a": Waiting(0, 0)}, {"$a_b$": Waiting(1, 10_000)}])
def test_it_can_always_be_drawn(images: dict[str, Waiting]) -> None:
    assert isinstance(updates(images), Picture)


class Fake:
    def __enter__(self) -> Fake:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def files(self, image: str) -> tuple[Any, ...]:
        return ()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Engine, "open", Fake)
    monkeypatch.setattr(packages, "security", lambda _: Security("s", 1.0, {"a": "2"}))
    known = {"old": Debian({"a": "1"}), "new": Debian({"a": "2"})}
    monkeypatch.setattr(packages, "dpkg_of", lambda _, image: known.get(image))


def test_images_are_looked_up(engine: None) -> None:
    drawn = updates({"x": "old", "y": "new", "z": Waiting(3, 4)})
    assert isinstance(drawn, Picture)
    assert "x: 1 of Debian, 0 of Python; y: 0 of Debian, 0 of Python; z: 3" in drawn.alt


def test_an_image_without_dpkg_is_no_zero(engine: None) -> None:
    drawn = updates({"x": "distroless"})
    assert isinstance(drawn, Cell)
    assert "no dpkg database" in repr(drawn) + str(vars(drawn))


def test_without_the_lists_it_says_so(engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: object) -> None:
        raise NotMeasurable("Not measured: no network")

    monkeypatch.setattr(packages, "security", lost)
    drawn = updates({"x": "old"})
    assert isinstance(drawn, Cell)
    assert "Not measured" in repr(drawn) + str(vars(drawn))
