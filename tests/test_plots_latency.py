"""The picture of latencies: the right numbers, in words too, whatever was measured."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")

import grader.plots.latency as module
from grader import plots
from grader.plots.latency import at

FAST = [float(n) for n in range(1, 101)]


def drawn(picture: object) -> str:
    assert isinstance(picture, plots.Picture), picture
    assert picture.png.startswith(b"\x89PNG")
    return picture.alt


def test_it_is_told_in_words() -> None:
    alt = drawn(plots.latencies({1: FAST, 8: [50.0, 150.0]}, held={1: 0.04, 8: 0.97}))
    assert alt == (
        "How long answers take. 1: 100 answers, half of them in 51 ms, 95% in 96 ms, on hold in 4%"
        " of the periods; 8: 2 answers, half of them in 150 ms, 95% in 150 ms, on hold in 97% of"
        " the periods."
    )


def test_nothing_is_said_of_holding_where_it_is_not_known() -> None:
    assert "hold" not in drawn(plots.latencies({"$a_b$\x1b[2J": FAST}))


@pytest.mark.parametrize("rows", [{}, {"none": []}, {"zero": [0.0]}, {"a": [3.0], "b": []}])
def test_it_can_always_be_drawn(rows: dict[object, list[float]]) -> None:
    assert drawn(plots.latencies(rows, held={"a": 1.0}))


@pytest.mark.parametrize(
    ("times", "share", "value"),
    [([], 0.5, 0.0), ([7.0], 0.95, 7.0), ([3.0, 1.0, 2.0], 0.5, 2.0), (FAST, 1.0, 100.0)],
)
def test_a_share_of_the_answers(times: list[float], share: float, value: float) -> None:
    assert at(times, share) == value


def test_who_was_on_hold_has_another_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    colors: list[str] = []
    monkeypatch.setattr(module, "_row", lambda axes, row, times, color: colors.append(color))
    plots.latencies({1: FAST, 2: FAST, 3: FAST}, held={1: 0.49, 2: 0.5})
    assert colors == [module.BLUE, module.ORANGE, module.BLUE]
