"""Whether a service lives within limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.behaviour import Asked, Cramped, Ran
from grader.boxed import Held, Loaded
from grader.checks import limits
from grader.course import Course
from grader.errors import SubmissionError
from grader.locked import Confined
from grader.results import Outcome
from grader.running import Reply
from grader.runspec import RunSpec
from grader.yamls import Doc
from tests.conftest import ROOT

P, F = Outcome.PASS, Outcome.FAIL
RAN = Ran(1.0, Asked(({"pixels": [0]},), (None,)), (Reply(200, "{}"),), memory=42_000_000)
FITS: list[tuple[str, Ran | SubmissionError, Outcome, str]] = [
    ("it answers", RAN, P, "42 MB"),
    ("it answers wrongly", replace(RAN, replies=(Reply(500, "no memory"),)), F, "no memory"),
    ("a child was killed", replace(RAN, oom_killed=True), F, "OOMKilled"),
    ("it ends", SubmissionError("It used more than 64 MB of memory.", line=3), F, "more than 64"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [f[1:] for f in FITS], ids=[f[0] for f in FITS]
)
def test_fits(seen: Ran | SubmissionError, outcome: Outcome, words: str) -> None:
    result = limits.fits(Cramped({64: seen}), memory_mb=64)
    assert result.outcome is outcome
    assert words in result.message
    assert result.line == getattr(seen, "line", None)


def test_each_limit_has_a_run_of_its_own() -> None:
    runs = Cramped({64: replace(RAN, oom_killed=True), 128: RAN})
    assert limits.fits(runs, memory_mb=64).outcome is F
    assert limits.fits(runs, memory_mb=128).outcome is P


# -- in a box --------------------------------------------------------------------------------------

KEYS = ("cpus", "mem_limit", "environment")
LINES = {(0, ("services", "a", key)): 10 + at for at, key in enumerate(KEYS)}
SPEC = RunSpec(Doc("compose.yaml", (), LINES), Path(), dict.fromkeys(KEYS, "x"), "a")
CPUS = [
    ("half", {"NanoCpus": 500_000_000}, P),
    ("less", {"NanoCpus": 100_000_000}, P),
    ("a little more", {"NanoCpus": 510_000_000}, F),
    ("a quota", {"CpuQuota": 50_000, "CpuPeriod": 100_000}, P),
    ("a quota without a period", {"CpuQuota": 50_001}, F),
    ("one whole processor by name", {"CpusetCpus": "0"}, F),
    ("half of it", {"CpusetCpus": "0", "NanoCpus": 500_000_000}, P),
    ("weight is no limit", {"CpuShares": 2}, F),
    ("none", {"NanoCpus": 0}, F),
    ("not said", {}, F),
]


def boxed(**host: Any) -> Confined:
    return Confined("id", SPEC, host)


@pytest.mark.parametrize(("host", "outcome"), [c[1:] for c in CPUS], ids=[c[0] for c in CPUS])
def test_cpus(host: dict[str, Any], outcome: Outcome) -> None:
    result = limits.cpus(boxed(**host), most=0.5)
    assert result.outcome is outcome
    assert result.place == ("compose.yaml:10" if outcome is F else "")


GOOD = Loaded((4.0,) * 20, 2, (), 40, 1, 0.1, False)
SURVIVES = [
    ("all right", GOOD, P, "20 pictures and 2 batches"),
    ("one of them killed", replace(GOOD, oom_killed=True), F, "not the first one"),
    ("and an answer wrong", replace(GOOD, oom_killed=True, wrong=("status 500: -9",)), F, "500"),
    ("only an answer wrong", replace(GOOD, wrong=("3 where 4 is right",)), F, "3 where 4"),
    ("nothing asked", replace(GOOD, milliseconds=()), F, "0 pictures"),
    ("no batch", replace(GOOD, batches=0), F, "0 batches"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [s[1:] for s in SURVIVES], ids=[s[0] for s in SURVIVES]
)
def test_survives(seen: Loaded, outcome: Outcome, words: str) -> None:
    result = limits.survives(seen, boxed())
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == ("compose.yaml:11" if seen.oom_killed else "")


STEADY = [
    ("never", Held(40, 0, 0.1, (4.0,) * 20), P),
    ("less than half", Held(100, 49, 0.1, (4.0,) * 20), P),
    ("half", Held(100, 50, 0.1, (4.0,) * 20), F),
    ("always", Held(40, 40, 0.1, (100.0,) * 20), F),
    ("no answer at all", Held(40, 40, 0.1, ()), F),
    ("four times what they are worth", Held(40, 0, 0.24, (50.0,) * 20), F),
    ("a little less", Held(40, 0, 0.239, (50.0,) * 20), P),
]


@pytest.mark.parametrize(("seen", "outcome"), [s[1:] for s in STEADY], ids=[s[0] for s in STEADY])
def test_steady(seen: Held, outcome: Outcome) -> None:
    result = limits.steady(seen, boxed(), cost_ms=3)
    assert result.outcome is outcome
    assert f"{seen.held} of {seen.periods} periods" in result.message
    assert result.place == ("compose.yaml:12" if outcome is F else "")


def test_steady_takes_another_share_and_another_cost() -> None:
    seen = Held(10, 2, 0.1, (4.0,) * 20)
    assert limits.steady(seen, boxed(), cost_ms=3, most=0.2).outcome is F
    assert limits.steady(seen, boxed(), cost_ms=1).outcome is F
    assert limits.steady(seen, boxed(), cost_ms=1, waste=6).outcome is P


def test_the_cost_is_the_given_programs() -> None:
    items = Course(ROOT).exercise("06-performance/limits").items
    cost = next(i.settings["cost_ms"] for i in items if i.check.name == "limits.steady")
    text = (ROOT / "labs" / "app" / "boxed" / "serve.py").read_text()
    assert f"COST_S = {float(str(cost)) / 1000:g} " in text


def test_a_kernel_without_periods_measures_nothing() -> None:
    result = limits.steady(Held(0, 0, 0.1, (4.0,)), boxed(), cost_ms=3)
    assert result.outcome is Outcome.SKIP
    assert not result.measurable


@pytest.mark.parametrize(
    ("values", "share", "value"),
    [((), 0.95, 0.0), ((7.0,), 0.95, 7.0), ((3.0, 1.0, 2.0), 0.5, 2.0), ((1.0, 2.0), 1.0, 2.0)],
)
def test_percentile(values: tuple[float, ...], share: float, value: float) -> None:
    assert limits.percentile(values, share) == value
