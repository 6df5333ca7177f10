"""A given program that runs to its end: how it ended, who was seen, and how big /dev/shm is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grader import loaders, locked
from grader.course import Course
from grader.engine import State
from grader.errors import EngineError, SubmissionError
from grader.loaders import Fed, fed, shm_bytes
from grader.locked import Confined
from grader.runspec import RunSpec
from grader.yamls import Doc
from tests.conftest import ROOT

MIB = 2**20
CONFINED = Confined("id", RunSpec(Doc("compose.yaml", ()), Path(), {}, "train"), {})
UP, DONE = State(True, 0, False, "", ""), State(False, 1, False, "", "")
MAIN = [(1, 10001, "python loader.py")]
WORKERS = [(n, 10001, "python loader.py") for n in (7, 8)]
OTHERS = [(2, 10001, "python -c tracker"), (3, 0, "docker-init -- python loader.py")]


class Fake:
    """An engine whose one container goes through these looks, then has ended."""

    def __init__(self, *looks: list[tuple[int, int, str]]) -> None:
        self.looks, self.signals = list(looks), list[str]()

    def state(self, _: str) -> State:
        return UP if self.looks else DONE

    def processes(self, _: str) -> list[tuple[int, int, str]]:
        return self.looks.pop(0)

    def signal(self, _: str, name: str) -> None:
        self.signals.append(name)

    def logs(self, _: str, *, tail: int) -> str:
        return "last words"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "begin", lambda *_: None)
    monkeypatch.setattr(loaders, "LOOK", 0.0)


def run(engine: Any) -> Fed:
    return fed(CONFINED, engine, None)  # type: ignore[arg-type]


def test_most_processes_of_one_command_line_are_counted() -> None:
    found = run(Fake(MAIN, [*MAIN, *WORKERS, *OTHERS], [*MAIN, *OTHERS], []))
    assert (found.alike, found.state, found.log) == (3, DONE, "last words")
    assert run(Fake(MAIN, [*MAIN, *OTHERS])).alike == 1
    assert run(Fake()).alike == 0


@pytest.mark.parametrize("busy", [True, False])
def test_one_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch, busy: bool) -> None:
    monkeypatch.setattr(loaders, "SECONDS", -1.0)
    monkeypatch.setattr(
        loaders, "unless_busy", lambda _, late: EngineError("busy") if busy else late
    )
    engine = Fake(*[MAIN] * 9)
    with pytest.raises(EngineError if busy else SubmissionError):
        run(engine)
    assert engine.signals == ["SIGKILL"]


SIZES = [
    ("Docker's", {"ShmSize": 64 * MIB}, 64 * MIB),
    ("nothing", {}, 0),
    (
        "a tmpfs in its place",
        {"ShmSize": 9, "Tmpfs": {"/dev/shm": "size=176m,mode=1777"}},
        176 * MIB,
    ),
    ("in bytes", {"Tmpfs": {"/dev/shm": "size=4096"}}, 4096),
    ("in capitals", {"Tmpfs": {"/dev/shm": "SIZE=2G"}}, 2048 * MIB),
    ("without a size", {"ShmSize": 9, "Tmpfs": {"/dev/shm": "mode=1777"}}, 0),
    ("of a kind that is not known", {"Tmpfs": {"/dev/shm": "size=50%"}}, 0),
    ("a tmpfs elsewhere", {"ShmSize": 9, "Tmpfs": {"/tmp": "size=1m"}}, 9),
    (
        "a mount in its place",
        {"ShmSize": 9, "Mounts": [{"Target": "/dev/shm", "TmpfsOptions": {"SizeBytes": 7}}]},
        7,
    ),
    ("a mount without a size", {"ShmSize": 9, "Mounts": [{"Target": "/dev/shm"}]}, 0),
    ("a mount elsewhere", {"ShmSize": 9, "Mounts": [{"Target": "/tmp"}]}, 9),
]


@pytest.mark.parametrize(("host", "size"), [s[1:] for s in SIZES], ids=[s[0] for s in SIZES])
def test_how_big_shared_memory_will_be(host: dict[str, Any], size: int) -> None:
    assert shm_bytes(host) == size


def test_the_formulas_numbers_are_those_of_the_given_program() -> None:
    """They stand in lab.toml, because a check can't trust what a container says."""
    exercise = Course(ROOT).exercise("06-performance/shm")
    settings = next(i.settings for i in exercise.items if i.check.name == "shm.size")
    text = (ROOT / "labs" / "app" / "loader" / "loader.py").read_text()
    assert f"PREFETCH = {settings['ahead']}\n" in text
    batch = next(line for line in text.splitlines() if line.startswith("BATCH = "))
    assert batch == "BATCH = 32 * 512 * 512 * 3"
    assert settings["batch_mib"] == 32 * 512 * 512 * 3 / MIB
