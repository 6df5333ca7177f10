"""Whose process counts in what Docker's ``top`` tells, and which moment does not."""

from __future__ import annotations

from typing import Any

import pytest

from grader import engine as engines
from grader.engine import Engine

SERVER = ["11", "10001", "10001", "10001", "python server.py"]
STARTING = ["44", "0", "0", "0", "runc init"]


def processes(monkeypatch: pytest.MonkeyPatch, *looks: list[list[str]]) -> list[Any]:
    """What is told where each look finds these rows; the last one goes on."""
    rest = list(looks)
    monkeypatch.setattr(engines, "LOOK", 0)
    monkeypatch.setattr(Engine, "_top", lambda *_: rest.pop(0) if len(rest) > 1 else rest[0])
    return Engine.processes(Engine.__new__(Engine), "c")


def test_a_health_probe_that_is_still_roots_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = processes(monkeypatch, [SERVER, STARTING], [SERVER, STARTING], [SERVER])
    assert found == [(11, 10001, "python server.py")]


def test_a_process_that_only_calls_itself_so_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [uid for _, uid, _ in processes(monkeypatch, [SERVER, STARTING])] == [10001, 0]


def test_another_root_is_told_at_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    root = ["44", "0", "0", "0", "sleep 9"]
    assert [uid for _, uid, _ in processes(monkeypatch, [SERVER, root], [SERVER])] == [10001, 0]


@pytest.mark.parametrize("ids", [["7", "0", "7"], ["7", "7", "0"], ["0", "7", "7"]])
def test_a_thread_that_can_become_root_is_root(
    monkeypatch: pytest.MonkeyPatch, ids: list[str]
) -> None:
    rows = [["9", "7", "7", "7", "a"], ["9", *ids, "a"], ["9", "7", "7", "7", "a"]]
    assert processes(monkeypatch, rows) == [(9, 0, "a")]


def test_no_process_where_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes(monkeypatch, []) == []
