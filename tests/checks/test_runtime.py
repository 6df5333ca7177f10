"""Who runs in the container, as the host sees it."""

from __future__ import annotations

import pytest

from grader.checks import runtime
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
NOT_ROOT = [
    ("one, not root", [(7, 10001, "uvicorn")], P),
    ("two, neither root", [(7, 10001, "uvicorn"), (8, 65532, "worker")], P),
    ("UID 1 is not root", [(7, 1, "uvicorn")], P),
    ("root", [(7, 0, "uvicorn")], F),
    ("only the child is root", [(7, 10001, "uvicorn"), (8, 0, "cron")], F),
    ("only PID 1 is root", [(7, 0, "sh -c uvicorn"), (8, 10001, "uvicorn")], F),
]


@pytest.mark.parametrize(
    ("processes", "outcome"), [n[1:] for n in NOT_ROOT], ids=[n[0] for n in NOT_ROOT]
)
def test_not_root(processes: list[tuple[int, int, str]], outcome: Outcome) -> None:
    result = runtime.not_root(processes)
    assert result.outcome is outcome
    assert result.evidence["uids"] == sorted({uid for _, uid, _ in processes})


def test_not_root_tells_the_command_and_what_to_do() -> None:
    said = runtime.not_root([(7, 10001, "uvicorn"), (8, 0, "cron " + "x" * 500)]).message
    assert "UID 0" in said
    assert "cron" in said
    assert "USER" in said
    assert len(said) < 250


def test_no_process_at_all_is_no_pass_and_no_advice_on_users() -> None:
    result = runtime.not_root([])
    assert result.outcome is not P
    assert "USER" not in result.message
