"""Whether a service lives within limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader.behaviour import Asked, Cramped, Ran
from grader.checks import limits
from grader.errors import SubmissionError
from grader.results import Outcome
from grader.running import Reply

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
