"""What the engine says of the image's own HEALTHCHECK, and what it says when things are broken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from grader.checks import health
from grader.engine import HealthProbe
from grader.faults import Broken, Cost, Frozen, Healthcheck, Replaced, Slow
from grader.results import Outcome
from grader.running import Health
from grader.watched import Watched

P, F = Outcome.PASS, Outcome.FAIL
TABLE = [
    ("healthy", Health("healthy"), P, ""),
    ("healthy after complaints", Health("healthy", "curl: not found"), P, ""),
    ("unhealthy", Health("unhealthy", "/bin/sh: 1: curl: not found\n"), F, "curl: not found"),
    ("unhealthy and silent", Health("unhealthy"), F, "says unhealthy"),
    ("never decided", Health("starting"), F, "says starting"),
    ("no HEALTHCHECK", Health(None), F, "no HEALTHCHECK"),
    ("HEALTHCHECK NONE", Health("none"), F, "no HEALTHCHECK"),
    ("a status of another engine", Health("Healthy?"), F, "Healthy?"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [t[1:] for t in TABLE], ids=[t[0] for t in TABLE]
)
def test_healthy(seen: Health, outcome: Outcome, words: str) -> None:
    result = health.healthy(seen)
    assert result.outcome is outcome
    assert words in result.message


def test_without_words_none_are_quoted() -> None:
    assert "said" not in health.healthy(Health("unhealthy", " \n")).message


# -- broken on purpose ----------------------------------------------------------------------------

HEALTHCHECK = Healthcheck({"Test": ["CMD", "x"]}, line=9)
T0 = 1_800_000_000.0


def stamp(seconds: float) -> str:
    when = datetime.fromtimestamp(T0 + seconds, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond:06d}000Z"


def probe(began: float, code: int, *, took: float = 0.2, said: str = "") -> HealthProbe:
    return HealthProbe(stamp(began), stamp(began + took), code, said)


def watched(*probes: HealthProbe, last: str = "unhealthy") -> Watched:
    return Watched(("starting", last), probes)


REPLACED = [
    ("unhealthy", watched(probe(1, 1), probe(2, 1)), P, ""),
    ("yes once", watched(probe(1, 1), probe(2, 0)), F, "status 0"),
    ("yes, and no since", watched(probe(1, 0), probe(2, 1)), F, "sleep 600"),
    ("yes, and it says something", watched(probe(1, 0, said="fine\n")), F, "fine"),
    ("time-outs", watched(probe(1, -1)), P, "too long"),
    ("never decided", watched(last="starting"), F, "still called starting"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in REPLACED], ids=[r[0] for r in REPLACED]
)
def test_fails_replaced(seen: Watched, outcome: Outcome, words: str) -> None:
    result = health.fails_replaced(Replaced(seen, "sleep 600"), HEALTHCHECK)
    assert result.outcome is outcome
    assert words in result.message
    assert result.line == (None if outcome is P else 9)


NO, YES = watched(probe(1, -1)), watched(probe(3, 0), last="healthy")
FROZEN = [
    ("noticed, and well again", Frozen(NO, YES, T0), P, "unhealthy 1.2 s after"),
    ("not noticed", Frozen(watched(probe(1, 0), last="healthy"), YES, T0), F, "SIGSTOP"),
    ("never well again", Frozen(NO, watched(probe(3, 1)), T0), F, "SIGCONT"),
    ("nothing decided", Frozen(watched(last="starting"), YES, T0), F, "still said starting"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in FROZEN], ids=[r[0] for r in FROZEN]
)
def test_fails_frozen(seen: Frozen, outcome: Outcome, words: str) -> None:
    result = health.fails_frozen(seen, HEALTHCHECK)
    assert result.outcome is outcome
    assert words in result.message


def test_a_probe_that_began_before_the_stop_tells_nothing_of_it() -> None:
    assert Frozen(watched(probe(-1, 1), probe(0.5, 1)), YES, T0).seconds == pytest.approx(0.7)


SETTLED = T0 + 2
BROKEN = [
    ("no", Broken(watched(probe(1, 1), probe(3, 1, said="500")), SETTLED), P, "500"),
    ("yes", Broken(watched(probe(3, 0), last="healthy"), SETTLED), F, "yes"),
    ("yes, then no", Broken(watched(probe(3, 0), probe(4, 1)), SETTLED), F, "yes"),
    ("a yes from before it was up", Broken(watched(probe(1, 0), probe(3, 1)), SETTLED), P, ""),
    ("a yes at the very moment", Broken(watched(probe(2, 0), probe(3, 1)), SETTLED), F, "yes"),
    ("still starting", Broken(watched(probe(3, 1), last="starting"), SETTLED), F, "starting"),
    ("nothing answered 500", Broken(watched(probe(3, 1)), None), F, "in time"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in BROKEN], ids=[r[0] for r in BROKEN]
)
def test_fails_broken(seen: Broken, outcome: Outcome, words: str) -> None:
    result = health.fails_broken(seen, HEALTHCHECK)
    assert result.outcome is outcome
    assert words in result.message


def slow(*probes: HealthProbe, ready: float | None = T0 + 5, last: str = "healthy") -> Slow:
    return Slow(watched(*probes, last=last), T0 + 4.9, ready, 2.0)


WAITS = [
    ("no, then yes", slow(probe(3, 1), probe(5.5, 0)), P, "2.0 s"),
    ("a yes that began before", slow(probe(4.8, 0)), P, ""),
    ("a yes that ended just before", slow(probe(4.6, 0, took=0.2)), F, "said yes"),
    ("a yes that ended at that moment", slow(probe(4.7, 0, took=0.2)), P, ""),
    ("early, and late", slow(probe(3, 0), probe(5.5, 0)), F, "503"),
    ("never healthy", slow(probe(5.5, 1), last="starting"), F, "MODEL_PATH"),
    ("never ready", slow(probe(5.5, 0), ready=None), F, "never answered 200"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in WAITS], ids=[r[0] for r in WAITS]
)
def test_waits(seen: Slow, outcome: Outcome, words: str) -> None:
    result = health.waits(seen, HEALTHCHECK)
    assert result.outcome is outcome
    assert words in result.message


STATUS = [
    ("1", (1, 1), P, "1"),
    ("1, and some that took too long", (-1, 1), P, ""),
    ("2", (2,), F, "status 2"),
    ("curl's own", (1, 22), F, "status 22"),
    ("a signal", (137,), F, "status 137"),
    ("only time-outs", (-1, -1), F, "--timeout"),
    ("only yes", (0,), F, "--timeout"),
]


@pytest.mark.parametrize(
    ("codes", "outcome", "words"), [r[1:] for r in STATUS], ids=[r[0] for r in STATUS]
)
def test_exit_status(codes: tuple[int, ...], outcome: Outcome, words: str) -> None:
    probes = [probe(at, code) for at, code in enumerate(codes)]
    result = health.exit_status(Broken(watched(*probes), SETTLED), HEALTHCHECK)
    assert result.outcome is outcome
    assert words in result.message


def numbers(interval: float, timeout: float, start: float, retries: int) -> Healthcheck:
    seconds = {"Interval": interval, "Timeout": timeout, "StartPeriod": start}
    config: dict[str, Any] = {k: round(s * 1e9) for k, s in seconds.items() if s}
    return Healthcheck({"Test": ["CMD", "x"], **config, "Retries": retries}, line=3)


TIMING = [
    ("the course's own", numbers(10, 3, 30, 3), P, "60 to 69 s"),
    ("the lecture's", numbers(30, 3, 40, 3), P, ""),
    ("none: Docker's", numbers(0, 0, 0, 0), F, "time between"),
    ("Docker's with a time-out", numbers(0, 5, 0, 0), P, "90 to 105 s"),
    ("an hour to start", numbers(10, 3, 3600, 3), F, "3639 s"),
    ("as late as allowed", numbers(10, 5, 135, 3), P, ""),
    ("a second later", numbers(10, 5, 136, 3), F, "181 s"),
    ("time-out as long as the interval", numbers(10, 10, 30, 3), F, "time between"),
    ("a little shorter", numbers(10, 9.9, 30, 3), P, ""),
    ("as patient as wanted", numbers(10, 3, 0, 2), P, ""),
    ("a little less", numbers(9.9, 3, 0, 2), F, "19.8 s without"),
    ("many retries make up for no start period", numbers(5, 2, 0, 4), P, ""),
    ("far too many", numbers(30, 3, 0, 100), F, "called unhealthy only"),
]


@pytest.mark.parametrize(
    ("own", "outcome", "words"), [r[1:] for r in TIMING], ids=[r[0] for r in TIMING]
)
def test_own_timing(own: Healthcheck, outcome: Outcome, words: str) -> None:
    result = health.own_timing(own, load_seconds=20, max_seconds=180)
    assert result.outcome is outcome
    assert words in result.message
    assert result.line == (None if outcome is P else 3)


@pytest.mark.parametrize(("seconds", "outcome"), [(0.2, P), (1.0, P), (1.01, F), (9.0, F)])
def test_cheap(seconds: float, outcome: Outcome) -> None:
    result = health.cheap(Cost(seconds, 0, 2), HEALTHCHECK, max_cpu_seconds=1.0)
    assert result.outcome is outcome
    assert f"{seconds:.2f} s" in result.message


@pytest.mark.parametrize(("left", "outcome"), [(0, P), (1, F), (5, F)])
def test_leaves_nothing(left: int, outcome: Outcome) -> None:
    result = health.leaves_nothing(Cost(0.1, left, 2), HEALTHCHECK)
    assert result.outcome is outcome
    assert "2 probes" in result.message


def test_what_a_probe_prints_is_shown_in_short() -> None:
    loud = watched(probe(3, 0, said="x" * 5000))
    assert len(health.fails_replaced(Replaced(loud, "sleep"), HEALTHCHECK).message) < 700
