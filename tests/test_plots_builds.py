"""Pictures of builds: drawn from the right numbers, with words for those who can't see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from grader import plots
from grader.buildlog import Step
from grader.cells import Cell
from grader.engine import Image, Layer
from grader.plots import builds


def step(name: str, line: int, start: float, seconds: float, *, cached: bool = False) -> Step:
    return Step(name, "", line, cached, seconds, start, "", ())


STEPS = (
    step("[builder 2/3] RUN pip install", 3, 101.0, 4.5),
    step("[stage-1 2/3] COPY app /app", 7, 100.0, 0.5),
    step("[builder 1/3] FROM a:1", 1, 100.0, 0.1),
    step("[internal] load metadata", 0, 99.0, 9.0),
    step("[stage-1 3/3] RUN x", 8, 105.5, 0.0, cached=True),
)
ONE = Image(
    "a", ("base", "deps", "app"), (Layer("", 9), Layer("RUN pip", 5), Layer("COPY app", 1)), {}
)
TWO = Image(
    "b",
    ("base", "deps", "app 2"),
    (Layer("", 9), Layer("RUN pip", 5), Layer("ENV A=1", 0), Layer("COPY app", 1)),
    {},
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, size in {"app/main.py": 2000, "data/x.csv": 6000, ".dockerignore": 0}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / ".dockerignore").write_text("data\n")
    return tmp_path


def texts(monkeypatch: pytest.MonkeyPatch, plot: Callable[[], object]) -> list[str]:
    """Every text in the figure that ``plot`` draws."""
    figures: list[Figure] = []
    real = builds.picture

    def keep(drawn: Figure, alt: str) -> plots.Picture:
        figures.append(drawn)
        return real(drawn, alt)

    monkeypatch.setattr(builds, "picture", keep)
    plot()
    found = figures[0].findobj(lambda x: hasattr(x, "get_text"))
    return [t.get_text() for t in found]  # type: ignore[attr-defined]


def words(drawn: plots.Picture | Cell) -> str:
    return str(drawn)


def test_a_timeline_tells_steps_seconds_and_what_was_cached() -> None:
    said = words(plots.timeline(STEPS))
    assert "3 steps in 5.5 s, 1 of them from the cache." in said
    assert "3: RUN pip install 4.5 s" in said


def test_a_timeline_has_its_steps_in_the_order_in_which_they_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = texts(monkeypatch, lambda: plots.timeline(STEPS))
    rows = dict.fromkeys(t for t in drawn if t[:2] in ("3:", "7:", "8:"))
    assert list(rows) == ["7: COPY app /app", "3: RUN pip install", "8: RUN x"]
    assert "  cached" in drawn
    assert {"stage builder", "stage number 1", "from the cache"} <= set(drawn)


def test_a_build_from_the_cache_alone_is_not_shown_in_microseconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = [step("[2/3] COPY a b", 2, 9.0, 0.00004, cached=True)]
    assert "1 steps in 0.0 s" in words(plots.timeline(steps))
    drawn = texts(monkeypatch, lambda: plots.timeline(steps))
    assert "0.10" in drawn
    assert not [text for text in drawn if "e−" in text or "e-" in text]


def test_a_timeline_reads_what_the_builder_wrote(tmp_path: Path) -> None:
    times = {"started": "2026-11-25T10:00:00Z", "completed": "2026-11-25T10:00:02Z"}
    row = {"vertexes": [{"digest": "a", "name": "[2/2] RUN b", **times}]}
    (tmp_path / "log").write_text(json.dumps(row) + "\n")
    (tmp_path / "Dockerfile").write_text("FROM a:1\nRUN b\n")
    assert "2: RUN b 2.0 s" in words(plots.timeline(tmp_path / "log", tmp_path / "Dockerfile"))


@pytest.mark.parametrize(
    "plot",
    [
        lambda: plots.timeline([]),
        lambda: plots.timeline("/nowhere/log", "/nowhere/Dockerfile"),
        lambda: plots.layer_diff({"one": ONE}),
        lambda: plots.context_map("/nowhere"),
    ],
)
def test_what_cannot_be_drawn_is_a_line_that_says_why(plot: Callable[[], object]) -> None:
    assert isinstance(plot(), Cell)


def test_a_layer_diff_tells_which_layers_are_others() -> None:
    said = words(plots.layer_diff({"before": ONE, "after": TWO}))
    assert "2 of 3 layers are the same in both. Other layers: COPY app." in said
    assert "All are the same." in words(plots.layer_diff({"a": ONE, "b": ONE}))


def test_a_layer_diff_shows_both_names_and_the_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = texts(monkeypatch, lambda: plots.layer_diff({"before": ONE, "after": TWO}))
    assert {"before", "after", "app", "app 2", "≠"} <= set(drawn)
    assert drawn.count("=") == 2
    assert drawn.count("deps") == 2


def test_layers_are_numbered_where_the_history_does_not_fit() -> None:
    longer = Image("c", ("base", "deps", "app", "x"), TWO.history, {})
    assert "layer 4" in words(plots.layer_diff({"a": TWO, "b": longer}))


def test_a_context_map_tells_what_is_sent(tree: Path) -> None:
    said = words(plots.context_map(tree))
    assert "2 of 3 files are sent, 2 of 8 kB" in said
    assert "data/ ✗ 6 kB, app/ 2 kB" in said


def test_a_context_map_takes_another_ignore_file(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("*\n")
    assert "0 of 4 files are sent" in words(plots.context_map(tree, other))
