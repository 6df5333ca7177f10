"""The gate of lab 00: this machine's own trouble is an error, and never the learner's failure."""

from __future__ import annotations

import pytest

from grader.checks import machine
from grader.errors import EngineError
from grader.host.doctor import Row
from grader.results import Outcome


def row(state: str, *, seen: str = "Engine 26.1.5", do: str = "") -> Row:
    return Row("engine", "Docker Engine", state, seen, do)


@pytest.mark.parametrize("state", ["ok", "note"])
def test_ok(state: str) -> None:
    result = machine.ok({"engine": row(state)}, probe="engine")
    assert result.outcome is Outcome.PASS
    assert result.message == "Docker Engine: Engine 26.1.5"
    assert result.evidence == {"state": state}


def test_what_does_not_work_is_an_error_that_says_what_to_do() -> None:
    rows = {"engine": row("bad", seen="no answer", do="Run `make up`."), "disk": row("ok")}
    with pytest.raises(EngineError) as caught:
        machine.ok(rows, probe="engine")
    assert str(caught.value) == "Docker Engine: no answer. Run `make up`."


def test_each_probe_is_judged_alone() -> None:
    rows = {"engine": row("bad"), "disk": row("ok")}
    assert machine.ok(rows, probe="disk").outcome is Outcome.PASS


def test_a_probe_that_there_is_not_names_those_there_are() -> None:
    with pytest.raises(EngineError, match=r"'gpus'.*disk, engine"):
        machine.ok({"engine": row("ok"), "disk": row("ok")}, probe="gpus")
