"""Pictures of what a container uses: the right numbers, in words too, whatever happens to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from grader import plots
from grader.cells import Cell
from grader.engine import State
from grader.errors import EngineError, UsageError
from grader.plots import shm, stats
from grader.plots.shm import Shm
from grader.plots.stats import Watched, draw
from grader.usage import Limits, Sample

MIB = 2**20
LIMITS = Limits(cpus=0.5, memory=64 * MIB, pids=20)
SAMPLES = tuple(
    Sample(at=at, seconds=2, cpus=cpus, periods=20, throttled=held, memory=used * MIB, pids=pids)
    for at, cpus, held, used, pids in [(2, 0.1, 0, 8, 1), (4, 0.5, 18, 40, 5), (6, 0.51, 20, 60, 5)]
)
FREE = Limits(cpus=4, memory=2**34, own_cpus=False, own_memory=False)


def drawn(picture: plots.Picture | Cell | None) -> str:
    assert isinstance(picture, plots.Picture), picture
    assert picture.png.startswith(b"\x89PNG")
    return picture.alt


def test_what_was_used_is_told_in_words() -> None:
    assert drawn(draw(Watched("box", LIMITS, SAMPLES, "It ended with exit status 0."))) == (
        "What box used in 6 s. Processor: 74% of 0.5 CPU on average, at most 102%, throttled in 38"
        " of 60 periods. Memory: 8 to 60 MiB, of 64 MiB allowed."
        " Processes and threads: at most 5 of 20. It ended with exit status 0."
    )


def test_without_limits_that_is_told() -> None:
    free = tuple(Sample(s.at, 2, 1.0, 0, 0, s.memory, 3) for s in SAMPLES)
    alt = drawn(draw(Watched("$a_b$\x1b[2J", FREE, free), 20))
    assert "What $a_b$ used" in alt
    assert "25% of the machine's 4 CPUs" in alt
    assert "throttled" not in alt
    assert "8 to 60 MiB, without a limit" in alt
    assert alt.endswith("at most 3, without a limit.")


def test_how_it_ended_stands_in_the_picture_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(stats, "below", lambda _, said: lines.extend(said))
    draw(Watched("x", LIMITS, SAMPLES))
    draw(Watched("x", LIMITS, SAMPLES, "It was killed."))
    assert lines == ["It was killed."]


def test_an_id_is_cut_as_people_write_it() -> None:
    long, short = "0123456789ab" + "f" * 52, "0123456789ab"
    assert f"What {short} used" in drawn(draw(Watched(long, LIMITS, SAMPLES)))
    assert f"of {short}: " in drawn(plots.shm_gauge(Shm(64 * MIB, 0), name=long))


@pytest.mark.parametrize("found", [(), SAMPLES[:1], SAMPLES[2:]])
@pytest.mark.parametrize("limits", [LIMITS, FREE, Limits(1, 0)])
def test_it_can_always_be_drawn(found: tuple[Sample, ...], limits: Limits) -> None:
    assert drawn(draw(Watched("x", limits, found)))


def test_throttling_is_told_by_more_than_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip of its own above the limit, with its name; nothing where there was none."""
    bars: list[tuple[float, float]] = []
    names: list[Mapping[str, str]] = []
    monkeypatch.setattr(
        stats.Axes, "barh", lambda self, y, width, left, **_: bars.append((left, width))
    )
    monkeypatch.setattr(stats, "legend", lambda _, colors: names.append(colors))
    draw(Watched("x", LIMITS, SAMPLES))
    draw(Watched("x", LIMITS, SAMPLES[:1]))
    assert bars == [(2, 2), (4, 2)]
    assert [list(shown) for shown in names] == [["limit", "throttled"], ["limit"]]


# -- looking at one that runs ----------------------------------------------------------------------


def raw(second: float, cpu: float) -> dict[str, Any]:
    return {
        "read": f"2024-03-02T10:00:{second:09.6f}Z",
        "cpu_stats": {"cpu_usage": {"total_usage": round(cpu * 1e9)}},
        "memory_stats": {"usage": 10 * MIB},
        "pids_stats": {"current": 1},
    }


class Fake:
    """An engine on which one container gives these readings, and is in this state then."""

    info: Mapping[str, Any] = {"NCPU": 2}

    def __init__(self, readings: list[Any], state: Any = None) -> None:
        self.readings, self.last = readings, state

    def __enter__(self) -> Fake:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def inspect(self, name: str) -> Mapping[str, Any]:
        if name == "none":
            raise EngineError("No such container: none")
        return {"HostConfig": {"NanoCpus": 500_000_000}}

    def stats(self, _: str) -> Mapping[str, Any]:
        found = self.readings.pop(0) if self.readings else {}
        if isinstance(found, BaseException):
            raise found
        return dict(found)

    def state(self, _: str) -> State:
        if self.last is None:
            raise EngineError("No such container")
        return self.last  # type: ignore[no-any-return]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the engine say these readings, without waiting between them."""

    def say(*readings: Any, state: Any = None) -> None:
        fake = Fake(list(readings), state)
        monkeypatch.setattr(stats, "Engine", lambda _: fake)
        monkeypatch.setattr(stats, "connect", lambda: None)

    monkeypatch.setattr(stats, "EVERY", 0)
    return say


def over(**how: Any) -> Any:
    how = {"running": False, "oom_killed": False, "exit_code": 0, **how}
    return SimpleNamespace(**how)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (over(exit_code=3), "It ended with exit status 3."),
        (over(oom_killed=True, exit_code=137), "killed: out of memory (exit status 137)."),
        (None, "It has ended, and is removed."),
    ],
)
def test_one_that_ends_meanwhile_is_drawn_to_its_end(running: Any, state: Any, words: str) -> None:
    running(raw(1, 1), raw(3, 2), state=state)
    alt = drawn(plots.live_stats("box", seconds=60))
    assert "What box used in 2 s. Processor: 100% of 0.5 CPU" in alt
    assert alt.endswith(words)


def test_one_that_is_removed_meanwhile_is_drawn_and_a_lost_engine_is_told(running: Any) -> None:
    running(raw(1, 1), raw(3, 2), EngineError("No such container: box"))
    assert "used in 2 s" in drawn(plots.live_stats("box", seconds=60))
    running(raw(1, 1), raw(3, 2), EngineError("The Docker daemon was lost"))
    assert "daemon was lost" in str(plots.live_stats("box", seconds=60))


def test_interrupting_shows_what_was_seen_so_far(running: Any) -> None:
    running(raw(1, 1), raw(3, 2), KeyboardInterrupt(), state=over(running=True))
    assert drawn(plots.live_stats("box", seconds=60)).endswith("without a limit.")


def test_interrupting_while_it_is_drawn_does_so_too(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    running(*(raw(n, n) for n in range(9)), state=over(running=True))
    monkeypatch.setattr(stats, "REDRAW", 0)
    assert "nothing was measured" in stats._drawn("box", 60, interrupted).alt


def test_it_stops_in_time_and_has_something_to_show_even_then(running: Any) -> None:
    running(*(raw(n, n) for n in range(9)), state=over(running=True))
    assert "used in 1 s" in drawn(plots.live_stats("box", seconds=0))


@pytest.mark.parametrize(("name", "words"), [("none", "No such container"), ("x", "not running")])
def test_one_that_does_not_run_is_a_line(running: Any, name: str, words: str) -> None:
    running()
    shown = plots.live_stats(name)
    assert isinstance(shown, Cell)
    assert words in shown.text


def test_in_jupyter_one_output_is_drawn_anew(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    handle = SimpleNamespace(update=shown.append)
    monkeypatch.setattr(stats, "display", lambda what, **_: shown.append(what) or handle)
    monkeypatch.setattr(stats, "in_jupyter", lambda: True)
    monkeypatch.setattr(stats, "REDRAW", 0)
    running(raw(1, 1), raw(2, 1.5), raw(3, 2), state=over())
    assert plots.live_stats("box", seconds=60) is None, "it would be shown twice"
    assert "Looking at box" in shown[0].text
    assert [type(one) for one in shown[1:]] == [plots.Picture] * (len(shown) - 1)
    assert len(shown) > 4
    assert "used in 2 s" in shown[-1].alt
    shown.clear()
    monkeypatch.setenv("LAB_PROGRESS", "off")
    running(raw(1, 1), raw(2, 1.5), state=over())
    assert "used in 1 s" in drawn(plots.live_stats("box", seconds=60))
    assert shown == []


# -- shared memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Shm(64 * MIB, 16 * MIB), "16.0 of 64 MiB used (25%)."),
        (Shm(64 * MIB, 0), "0.0 of 64 MiB used (0%)."),
        (Shm(64 * MIB, 58 * MIB), "58.0 of 64 MiB used (91%), nearly full."),
        (Shm(0, 3 * MIB), "3.0 MiB used, without a limit."),
        (Shm(0, 0), "0.0 MiB used, without a limit."),
    ],
)
def test_the_gauge_is_told_in_words(found: Shm, words: str) -> None:
    assert drawn(plots.shm_gauge(found, name="box")) == f"Shared memory of box: {words}"


@pytest.mark.parametrize(
    ("said", "runs", "words"),
    [
        ({"size": 64 * MIB, "used": 16 * MIB}, True, "box: 16.0 of 64 MiB"),
        ({}, True, "box has no /dev/shm of its own"),
        ({}, False, "not running (exit status 3)"),
    ],
)
def test_it_is_asked_from_outside(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, int], runs: bool, words: str
) -> None:
    state = over(running=runs, exit_code=3)
    monkeypatch.setattr(shm.Engine, "open", lambda: Fake([], state))
    monkeypatch.setattr(shm.probe, "inject", lambda *_, **__: said)
    assert words in str(plots.shm_gauge("box"))


def test_one_that_ends_while_it_is_asked_is_told() -> None:
    with pytest.raises(UsageError, match="exit status 5"):
        shm._ended(over(exit_code=5))
