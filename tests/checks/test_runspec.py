"""That a run specification is taken: what is not taken never gets as far as these checks."""

from __future__ import annotations

from pathlib import Path

from grader.checks import runspec
from grader.locked import Confined
from grader.results import Outcome
from grader.runspec import RunSpec
from grader.yamls import Doc


def test_accepted_names_the_file_and_its_keys() -> None:
    spec = RunSpec(Doc("compose.yaml", ()), Path(), {"user": 1, "cap_drop": ["ALL"]}, "digits")
    result = runspec.accepted(spec)
    assert result.outcome is Outcome.PASS
    assert result.message == "compose.yaml, service digits: cap_drop, user"
    assert result.evidence["keys"] == ["cap_drop", "user"]


def test_accepted_of_an_empty_run_toml() -> None:
    assert runspec.accepted(RunSpec(Doc("run.toml", ()), Path(), {})).message == "run.toml, nothing"


def test_creates_names_the_file() -> None:
    spec = RunSpec(Doc("run.toml", ()), Path(), {})
    result = runspec.creates(Confined("id", spec, {}))
    assert (result.outcome, result.message) == (Outcome.PASS, "from run.toml")
