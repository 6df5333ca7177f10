"""What is here of the things that a lab needs: the same words everywhere, and never a wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import here
from grader.errors import EngineError
from grader.here import Here
from grader.host.connection import wanted
from grader.spec import NEEDS, Lab
from tests.host.fake_engine import fake_engine
from tests.sample_course import LAB, make_course


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_course(tmp_path).lab(LAB)


def looks(monkeypatch: pytest.MonkeyPatch, found: Mapping[str, str | EngineError]) -> list[str]:
    """Replaces each look by what it says; gives the list of those that were asked."""
    asked: list[str] = []

    def look(need: str) -> str:
        asked.append(need)
        said = found.get(need, "")
        if isinstance(said, EngineError):
            raise said
        return said

    ways = {need: lambda need=need: look(need) for need in NEEDS}
    monkeypatch.setattr(here, "LOOKS", ways)
    return asked


def test_every_need_has_a_name_and_a_look() -> None:
    assert set(here.NAMES) == set(here.LOOKS) == set(NEEDS)


@pytest.mark.parametrize(
    ("needs", "missing", "verdict"),
    [
        ((), {"engine": "x"}, "all of it"),
        (("engine",), {}, "all of it"),
        (("engine",), {"gpu": "x"}, "all of it"),
        (("engine",), {"engine": "x"}, "only in part: no Docker engine"),
        (("engine", "gpu"), {"engine": "x", "gpu": "x"}, "only in part: no Docker engine, no GPU"),
    ],
)
def test_how_much_of_a_lab_runs_here(
    lab: Lab, needs: tuple[str, ...], missing: dict[str, str], verdict: str
) -> None:
    assert Here(missing).verdict(replace(lab, needs=needs)) == verdict


def test_what_is_missing_is_told_with_its_reason(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch, {"engine": EngineError("no answer\n at x"), "gpu": "none there."})
    found = here.look([replace(lab, needs=("engine", "gpu", "network"))])
    assert found.reasons() == ["No Docker engine: no answer at x", "No GPU: none there."]


def test_only_what_some_lab_needs_is_looked_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = looks(monkeypatch, {"network": "gone"})
    assert here.look([lab, lab]) == Here()
    assert asked == ["engine"]


def test_an_engine_that_does_not_answer_is_not_here(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LAB_STATIC", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (reason,) = here.look([lab]).reasons()
    assert reason.startswith(f"No Docker engine: DOCKER_HOST is unix://{tmp_path}/none.sock")


def test_static_mode_is_a_reason_even_where_an_engine_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_STATIC", "1")
    with fake_engine() as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(EngineError, match="static mode was chosen"):
            wanted()


@pytest.mark.parametrize(("kind", "missing"), [("none", True), ("simulated", False)])
def test_a_gpu_is_one_whatever_its_kind(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: str, missing: bool
) -> None:
    def opened(_: Any) -> Any:
        engine = type("Fake", (), {"facts": lambda _: {"gpu": kind}, "close": lambda _: None})
        return engine()

    monkeypatch.setattr(here, "wanted", lambda: None)
    monkeypatch.setattr("grader.engine.Engine", opened)
    assert ("gpu" in here.look([replace(lab, needs=("gpu",))]).missing) is missing
