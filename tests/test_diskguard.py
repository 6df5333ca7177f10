"""A container that fills the engine's disk is ended; a disk that others fill ends nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader import diskguard
from grader.errors import EngineError
from tests.conftest import wait_until

MB = 10**6


class FakeEngine:
    """``sizes`` are what its containers have written; ``free`` is the room that is left."""

    def __init__(self, data_root: Path | None, sizes: dict[str, int]) -> None:
        self.data_root, self.sizes = data_root, sizes
        self.too_big: set[str] = set()
        self.killed: list[str] = []
        self.asked = 0

    def written(self) -> dict[str, int]:
        self.asked += 1
        return self.sizes

    def signal(self, container: str, name: str) -> None:
        assert name == "SIGKILL"
        self.killed.append(container)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The room on the engine's disk, which a test changes; and how often it was looked at."""
    state = SimpleNamespace(free=100 * MB, looks=0)

    def usage(_: Path) -> SimpleNamespace:
        state.looks += 1
        return SimpleNamespace(free=state.free)

    monkeypatch.setattr(diskguard, "TICK", 0.01)
    monkeypatch.setattr(diskguard.shutil, "disk_usage", usage)
    return state


def looked(disk: SimpleNamespace, times: int = 3) -> Callable[[], bool]:
    goal = disk.looks + times
    return lambda: disk.looks >= goal


@pytest.mark.parametrize(("size", "ended"), [(20 * MB, []), (20 * MB + 1, ["c1"])])
def test_who_wrote_more_than_it_may_is_ended_once(
    disk: SimpleNamespace, tmp_path: Path, size: int, ended: list[str]
) -> None:
    engine = FakeEngine(tmp_path, {"c1": size, "c2": 0})
    with diskguard.guarded(engine, 20):  # type: ignore[arg-type]
        wait_until(looked(disk))
        disk.free = 70 * MB
        wait_until(lambda: engine.asked >= 3)
    assert engine.killed == ended
    assert engine.too_big == set(ended)


@pytest.mark.parametrize(("free", "asks"), [(80 * MB, False), (80 * MB - 1, True)])
def test_docker_is_asked_only_when_the_disk_fills(
    disk: SimpleNamespace, tmp_path: Path, free: int, *, asks: bool
) -> None:
    engine = FakeEngine(tmp_path, {})
    with diskguard.guarded(engine, 20):  # type: ignore[arg-type]
        wait_until(looked(disk))
        disk.free = free
        wait_until(looked(disk))
    assert bool(engine.asked) is asks


def test_what_was_freed_meanwhile_may_be_written_again(
    disk: SimpleNamespace, tmp_path: Path
) -> None:
    """Else a clean-up in the middle would hide what is written after it."""
    engine = FakeEngine(tmp_path, {"c1": 30 * MB})
    with diskguard.guarded(engine, 20):  # type: ignore[arg-type]
        wait_until(looked(disk))
        disk.free = 200 * MB
        wait_until(looked(disk))
        disk.free = 170 * MB
        wait_until(lambda: engine.killed)
    assert engine.killed == ["c1"]


def test_a_daemon_that_does_not_answer_ends_no_watch(disk: SimpleNamespace, tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path, {"c1": 30 * MB})
    answers = [EngineError("lost"), engine.sizes]

    def written() -> dict[str, int]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, EngineError):
            raise answer
        return answer

    engine.written = written  # type: ignore[method-assign]
    with diskguard.guarded(engine, 20):  # type: ignore[arg-type]
        wait_until(looked(disk))
        disk.free = 0
        wait_until(lambda: engine.killed)


@pytest.mark.parametrize("engine", [None, FakeEngine(None, {"c1": 10**12})])
def test_where_the_disk_cannot_be_seen_nothing_is_watched(
    disk: SimpleNamespace, engine: FakeEngine | None
) -> None:
    with diskguard.guarded(engine, 20):  # type: ignore[arg-type]
        pass
    assert disk.looks == 0
