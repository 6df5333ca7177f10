"""Pictures of health: drawn from what was measured, with words for those who can't see them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("matplotlib")

from grader import plots
from grader.cells import Cell
from grader.errors import SubmissionError
from grader.node import Event, Story
from grader.plots import health


def event(at: float, name: str, action: str) -> dict[str, Any]:
    return {
        "timeNano": int((100 + at) * 1e9),
        "Action": action,
        "Actor": {"Attributes": {"name": name}},
    }


EVENTS = [
    event(0, "a", "start"),
    event(1, "b", "start"),
    event(3, "a", "health_status: healthy"),
    event(5, "a", "health_status: unhealthy"),
    event(6, "b", "exec_create: x"),
    event(7, "b", "die"),
]


def drawn(picture: plots.Picture | Cell) -> str:
    assert isinstance(picture, plots.Picture), picture
    assert picture.png.startswith(b"\x89PNG")
    return picture.alt


def test_health_over_time_is_told_in_words() -> None:
    alt = drawn(plots.health_timeline(EVENTS, seconds=1))
    assert "a: starting from 0.0 s, healthy from 3.0 s, unhealthy from 5.0 s" in alt
    assert "b: starting from 1.0 s." in alt


def test_each_state_lasts_until_the_next_and_the_last_until_the_end() -> None:
    pieces = health._states(EVENTS, 100, 108)
    assert pieces["a"] == [(0, 3, "starting"), (3, 5, "healthy"), (5, 8, "unhealthy")]
    assert pieces["b"] == [(1, 7, "starting")], "nothing after its end"


def test_events_in_any_order_and_older_ones() -> None:
    older = {"time": 100, "status": "start", "Actor": {"Attributes": {"name": "c"}}}
    assert "c: starting from 0.0 s" in drawn(plots.health_timeline([*EVENTS[::-1], older]))
    drawn(plots.health_timeline([]))


TRUTH = {"well": "yes", "frozen": "no"}


def test_the_table_tells_what_is_wrong_and_what_is_open() -> None:
    table = {
        "true": {"well": "yes", "frozen": "yes"},
        "ask": {"well": "yes", "frozen": "no"},
        "x": {},
    }
    alt = drawn(plots.truth_table(table, TRUTH))
    assert "true: wrong for frozen (yes) (2 of 2 known)" in alt
    assert "ask: right (2 of 2 known)" in alt
    assert "x: open" in alt
    drawn(plots.truth_table({}, TRUTH))


STORY = Story(
    tuple(
        Event(*row)
        for row in (
            (0, "start"),
            (2, "listening"),
            (3, "no", "liveness"),
            (9, "killed", "liveness"),
            (12, "end"),
            (12, "start"),
            (14, "listening"),
            (15, "yes", "readiness"),
            (15, "ready", "readiness"),
            (30, "yes", "liveness"),
        )
    )
)


def test_a_kubelets_work_is_told_in_words() -> None:
    alt = drawn(plots.kubelet_timeline({"slow": STORY, "none": Story(())}))
    assert "slow: killed at 9 s, start at 12 s, ready after 15 s, 1 restarts" in alt
    assert "none: never ready, 0 restarts" in alt


def test_a_life_is_drawn_in_its_pieces() -> None:
    assert health._lives(STORY) == [
        (0, 2, "starting"),
        (2, 9, "up, not ready"),
        (9, 12, "ending"),
        (12, 14, "starting"),
        (14, 15, "up, not ready"),
        (15, 30, "ready"),
    ]


def test_a_manifest_is_played_and_one_that_cannot_be_is_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "play", lambda path, image: {f"{path.name} {image}": STORY})
    assert "x.yaml lab: killed" in drawn(plots.kubelet_timeline("/a/x.yaml", image="lab"))

    def refuse(*_: Any) -> dict[str, Story]:
        raise SubmissionError("There is no file")

    monkeypatch.setattr(health, "play", refuse)
    assert "There is no file" in str(plots.kubelet_timeline("/a/x.yaml", image="lab"))
