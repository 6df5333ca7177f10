"""What is made of a look into a container: whose process counts, and which moment does not."""

from __future__ import annotations

from typing import Any

import pytest

from grader import peek
from grader.errors import EngineError
from grader.peek import Peek

ENGINE: Any = None


def row(
    pid: int, *, ppid: int = 1, uid: int = 10001, command: str = "python", threads: Any = None
) -> list[Any]:
    ids = [str(uid)] * 4
    status = {
        "PPid": [str(ppid)],
        "Uid": ids,
        "Gid": ids,
        "Groups": [],
        "State": ["S"],
        "CapEff": ["0"],
        "NoNewPrivs": ["1"],
        "Threads": ["1"],
        "command": command,
    }
    return [pid, status, threads or [[ids, "0"]]]


def look(monkeypatch: pytest.MonkeyPatch, *looks: list[Any], mounts: Any = ()) -> Peek:
    """What is seen where each look finds these processes; the last one goes on."""
    rest = list(looks)

    def inject(*_: Any, **__: Any) -> dict[str, Any]:
        found = rest.pop(0) if len(rest) > 1 else rest[0]
        return {"processes": found, "mounts": mounts}

    monkeypatch.setattr(peek.probe, "inject", inject)
    return peek.peek(ENGINE, "c", ended=lambda _: None)


FIRST = row(1, ppid=0)
STARTING = row(44, ppid=0, uid=0, command="runc init")


def test_the_engines_own_first_moment_of_a_probe_is_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A health probe is root's until runc has given that up; a busy machine takes its time."""
    seen = look(monkeypatch, [FIRST, STARTING], [FIRST, STARTING], [FIRST])
    assert [p.pid for p in seen.processes] == [1]


@pytest.mark.parametrize(
    "process",
    [
        STARTING,  # still there at the last look: it only calls itself so
        row(44, ppid=1, uid=0, command="runc init"),  # a child of the submission's own
        row(44, ppid=0, uid=0, command="python"),
    ],
)
def test_a_root_that_stays_is_judged(monkeypatch: pytest.MonkeyPatch, process: list[Any]) -> None:
    seen = look(monkeypatch, [FIRST, process])
    assert [p.uids[0] for p in seen.processes] == [10001, 0]


def test_process_1_is_judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = look(monkeypatch, [row(1, ppid=0, uid=0, command="runc init")], [FIRST])
    assert seen.first is not None
    assert seen.first.uids == (0,) * 4


@pytest.mark.parametrize(
    ("threads", "uids", "caps"),
    [
        ([[["7"] * 4, "0"]], (7,) * 4, 0),
        ([[["7"] * 4, "0"], [["0"] * 4, "1"]], (0,) * 4, 1),
        ([[["7", "7", "0", "7"], "4"], [["7"] * 4, "2"]], (7, 7, 0, 7), 6),
    ],
)
def test_what_any_thread_has_counts(
    monkeypatch: pytest.MonkeyPatch, threads: Any, uids: tuple[int, ...], caps: int
) -> None:
    process = look(monkeypatch, [row(1, ppid=0, threads=threads)]).processes[0]
    assert (process.uids, process.cap_eff) == (uids, caps)


@pytest.mark.parametrize(("options", "read_only"), [("ro,relatime", True), ("rw,relatime", False)])
def test_the_root_is_read_only_or_not(
    monkeypatch: pytest.MonkeyPatch, options: str, *, read_only: bool
) -> None:
    line = f"1 0 0:1 / / {options} shared:1 - overlay overlay rw".split()
    assert look(monkeypatch, [FIRST], mounts=[line]).root_read_only is read_only


def test_a_mount_table_that_may_not_be_read_is_the_graders_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(EngineError, match="mount table"):
        look(monkeypatch, [FIRST], mounts=None)
