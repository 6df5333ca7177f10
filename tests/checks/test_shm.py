"""Shared memory for workers: both sides of each edge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grader.boxed import Program
from grader.checks import shm
from grader.engine import State
from grader.loaders import Fed
from grader.locked import Confined
from grader.results import Outcome
from grader.runspec import RunSpec
from grader.yamls import Doc

P, F = Outcome.PASS, Outcome.FAIL
MIB = 2**20
KEYS = ("shm_size", "mem_limit", "ipc")
LINES = {(0, ("services", "a", key)): 10 + at for at, key in enumerate(KEYS)}
LINES[0, ("services", "a")] = 9
SPEC = RunSpec(Doc("compose.yaml", (), LINES), Path(), dict.fromkeys(KEYS, "x"), "a")


def confined(**host: Any) -> Confined:
    return Confined("id", SPEC, host)


def ended(code: int, *, oom: bool = False, log: str = "", alike: int = 3) -> Fed:
    return Fed(State(False, code, oom, "", ""), alike, log)


BUS = "RuntimeError: loader worker (pid 9) is killed by signal: Bus error (exitcode -7)"
LOADS = [
    ("to its end", ended(0), P, "exit code 0", ""),
    ("a worker's SIGBUS", ended(1, log=BUS), F, "SIGBUS", ":10"),
    ("the first one's SIGBUS", ended(135), F, "SIGBUS", ":10"),
    ("out of memory", ended(137, oom=True), F, "counts against the memory limit (96 MiB)", ":11"),
    ("a worker out of memory", ended(1, oom=True), F, "killed a process", ":11"),
    ("out of memory, to its end", ended(0, oom=True), F, "counts against", ":11"),
    ("something else", ended(1, log="batch 3 is not what was made"), F, "batch 3 is not", ":11"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words", "line"), [c[1:] for c in LOADS], ids=[c[0] for c in LOADS]
)
def test_loads(seen: Fed, outcome: Outcome, words: str, line: str) -> None:
    result = shm.loads(seen, confined(Memory=96 * MIB, ShmSize=64 * MIB))
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == (f"compose.yaml{line}" if line else "")


def test_what_is_too_small_is_told_with_its_size() -> None:
    assert "/dev/shm (64 MiB)" in shm.loads(ended(135), confined(ShmSize=64 * MIB)).message


@pytest.mark.parametrize(("alike", "outcome"), [(0, F), (1, F), (2, F), (3, P), (9, P)])
def test_workers(alike: int, outcome: Outcome) -> None:
    """One of the processes of that command line is the first one."""
    result = shm.workers(ended(0, alike=alike))
    assert result.outcome is outcome
    assert result.evidence["workers"] == max(0, alike - 1)


SIZE = [
    ("just enough", "2", 120, P),
    ("a MiB less", "2", 119, F),
    ("the most", "2", 1024, P),
    ("more than that", "2", 1025, F),
    ("Docker's own", "2", 64, F),
    ("more workers", "3", 120, F),
    ("and enough for them", "3", 168, P),
    ("none", "0", 24, P),
    ("workers that never fit", "40", 1024, F),
    ("no limit", "2", 0, F),
    ("no number", "two", 128, F),
    ("not said", "", 128, F),
]


@pytest.mark.parametrize(
    ("workers", "mib", "outcome"), [s[1:] for s in SIZE], ids=[s[0] for s in SIZE]
)
def test_size(workers: str, mib: int, outcome: Outcome) -> None:
    made = Program(confined(ShmSize=mib * MIB), (), (), {"WORKERS": workers})
    result = shm.size(made, batch_mib=24, ahead=2)
    assert result.outcome is outcome
    assert ("MiB" in result.message) == workers.isdecimal()
    # Where WORKERS is to blame and its key is not in the file, the service is.
    expected = "compose.yaml:10" if workers.isdecimal() else "compose.yaml:9"
    assert result.place == (expected if outcome is F else "")


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [("private", P), ("shareable", F), ("host", F), ("container:x", F), ("none", F), ("", F)],
)
def test_private(mode: str, outcome: Outcome) -> None:
    result = shm.private(confined(IpcMode=mode))
    assert result.outcome is outcome
    assert result.place == ("compose.yaml:12" if outcome is F else "")


INSIDE = [
    ("just enough", 128, 192, P),
    ("a MiB less", 128, 191, F),
    ("no limit of memory", 128, 0, F),
    ("more shared than memory", 1024, 96, F),
    ("shared memory without an end", 0, 1024, F),
]


@pytest.mark.parametrize(
    ("size", "memory", "outcome"), [i[1:] for i in INSIDE], ids=[i[0] for i in INSIDE]
)
def test_inside_memory(size: int, memory: int, outcome: Outcome) -> None:
    result = shm.inside_memory(confined(ShmSize=size * MIB, Memory=memory * MIB))
    assert result.outcome is outcome
    assert result.place == ("compose.yaml:11" if outcome is F else "")
