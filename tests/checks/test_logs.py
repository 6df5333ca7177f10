"""What reaches `docker logs`, and when."""

from __future__ import annotations

import pytest

from grader.checks import logs
from grader.observed import Spoken
from grader.results import Outcome
from grader.stopping import Interrupted

P, F = Outcome.PASS, Outcome.FAIL
TIMES = [
    ("at once", 0.0, P),
    ("just in time", 1.0, P),
    ("just too late", 1.01, F),
    ("never", None, F),
]


@pytest.mark.parametrize(("seconds", "outcome"), [t[1:] for t in TIMES], ids=[t[0] for t in TIMES])
def test_on_stdout(seconds: float | None, outcome: Outcome) -> None:
    other = 9.0 if outcome is P else 0.0  # which is none of this check's business
    result = logs.on_stdout(Spoken(seconds, other, 1), max_seconds=1)
    assert result.outcome is outcome
    assert ("PYTHONUNBUFFERED=1" in result.message) is (outcome is F)


@pytest.mark.parametrize(("seconds", "outcome"), [t[1:] for t in TIMES], ids=[t[0] for t in TIMES])
def test_requests(seconds: float | None, outcome: Outcome) -> None:
    other = None if outcome is P else 0.0
    result = logs.requests(Spoken(other, seconds, 1), max_seconds=1)
    assert result.outcome is outcome
    assert ("PYTHONUNBUFFERED=1" in result.message) is (outcome is F)


@pytest.mark.parametrize(("logged", "outcome"), [(True, P), (False, F)])
def test_last(logged: bool, outcome: Outcome) -> None:
    seen = Interrupted(200, whole=True, error="", exit_code=0, ended=True, logged=logged)
    assert logs.last(seen).outcome is outcome


def test_what_it_printed_is_shown_in_short_and_decides_nothing() -> None:
    result = logs.requests(Spoken(0.1, None, 1, last_line="passed " * 500), max_seconds=1)
    assert result.outcome is F
    assert len(str(result.evidence["last_line"])) <= 200
