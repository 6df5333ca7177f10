"""That a run specification is taken: what is not taken never gets as far as these checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.boxed import Program
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


OWN = ("python", "serve.py")
GIVEN = [
    ("as it is", OWN, (), Outcome.PASS, "python serve.py"),
    ("another one", ("python", "-c", "x"), (), Outcome.FAIL, "`python -c x`"),
    ("more words", (*OWN, "--fast"), (), Outcome.FAIL, "--fast"),
    ("nothing", (), (), Outcome.FAIL, "take the command out"),
    ("a file laid over it", OWN, ("/srv/serve.py",), Outcome.FAIL, "/srv/serve.py"),
]


@pytest.mark.parametrize(
    ("command", "brought", "outcome", "words"), [g[1:] for g in GIVEN], ids=[g[0] for g in GIVEN]
)
def test_given_program(
    command: tuple[str, ...], brought: tuple[str, ...], outcome: Outcome, words: str
) -> None:
    doc = Doc("run.toml", (), {(0, ("entrypoint",)): 3, (0, ("volume",)): 4})
    spec = RunSpec(doc, Path(), {"entrypoint": "x", "volume": "y"})
    seen = Program(Confined("id", spec, {}), command, OWN, {}, brought)
    result = runspec.given_program(seen)
    assert result.outcome is outcome
    assert words in result.message
    expected = "" if outcome is Outcome.PASS else f"run.toml:{4 if brought else 3}"
    assert result.place == expected
