"""What the engine says of the image's own HEALTHCHECK."""

from __future__ import annotations

import pytest

from grader.checks import health
from grader.results import Outcome
from grader.running import Health

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
