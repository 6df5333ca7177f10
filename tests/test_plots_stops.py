"""Pictures of how containers end: in words too, and right about what a number means."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")

from grader import plots
from grader.cells import Cell
from grader.plots import stops


def drawn(picture: plots.Picture | Cell) -> str:
    assert isinstance(picture, plots.Picture), picture
    assert picture.png.startswith(b"\x89PNG")
    return picture.alt


CODES = [
    (0, "ended well", "all is well"),
    (1, "the program's own no", "its log"),
    (124, "the program's own no", "its log"),
    (125, "never begun", "docker run itself"),
    (126, "never begun", "can't be run"),
    (127, "never begun", "no such command"),
    (128, "the program's own no", "its log"),
    (129, "ended by a signal", "128 + 1, SIGHUP"),
    (135, "ended by a signal", "/dev/shm"),
    (137, "ended by a signal", "out of memory"),
    (139, "ended by a signal", "SIGSEGV"),
    (143, "ended by a signal", "SIGTERM"),
    (255, "the program's own no", "its log"),
]


@pytest.mark.parametrize(("code", "kind", "words"), CODES)
def test_an_exit_code_is_decoded(code: int, kind: str, words: str) -> None:
    found = stops.decoded(code)
    assert found[0] == kind
    assert words in found[1]
    assert kind in stops.KINDS


def test_exit_codes_are_told_in_words() -> None:
    assert "box: 137, 128 + 9, SIGKILL" in drawn(plots.exit_codes({"box": 137, "ok": 0}))
    assert drawn(plots.exit_codes({}))


def test_stops_are_told_in_words() -> None:
    alt = drawn(plots.stop_bars({"shell": (10.2, 137), "init": (0.1, 143), "odd": (25.0, 3)}))
    assert "shell: 10.2 s, exit code 137; init: 0.1 s, exit code 143" in alt
    assert drawn(plots.stop_bars({}))


@pytest.mark.parametrize(
    ("code", "color"),
    [(137, stops.RED), (0, stops.BLUE), (130, stops.BLUE), (143, stops.BLUE), (3, stops.ORANGE)],
)
def test_a_killed_one_looks_other_than_one_that_broke(code: int, color: str) -> None:
    assert stops._color(code) == color


def test_late_lines_and_lost_ones_are_told() -> None:
    alt = drawn(plots.log_lag({"python": [(0.0, 3.0), (1.0, None)], "-u": [(0.0, 0.1)], "x": []}))
    assert "python: 1 of 2 lines arrived, at most 3.0 s late" in alt
    assert "-u: 1 of 1 lines arrived, at most 0.1 s late" in alt
    assert "x: none of 0 lines arrived" in alt
