"""What Prometheus would read."""

from __future__ import annotations

import json

import pytest

from grader.checks import metrics
from grader.observed import MOST, Metered, Scrape
from grader.results import Outcome, Result

P, F = Outcome.PASS, Outcome.FAIL
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0"


def counter(*values: float, kind: str = "counter") -> str:
    rows = "".join(f'asked_total{{digit="{n}"}} {value}\n' for n, value in enumerate(values))
    return f"# HELP asked_total Digits.\n# TYPE asked_total {kind}\n{rows}"


VALID = [
    ("the client library's", Scrape(200, TEXT, counter(1, 2)), P, ""),
    ("without a version", Scrape(200, "text/plain", counter(1)), P, ""),
    ("a sample without a type", Scrape(200, TEXT, "up 1\n"), P, ""),
    ("capitals", Scrape(200, "Text/Plain;version=0.0.4", counter(1)), P, ""),
    ("OpenMetrics", Scrape(200, OPEN, "# TYPE asked counter\nasked_total 1\n# EOF\n"), P, ""),
    ("OpenMetrics without an end", Scrape(200, OPEN, "asked_total 1\n"), F, "format"),
    ("a JSON string", Scrape(200, "application/json", json.dumps(counter(1))), F, "JSON"),
    ("JSON that says it is text", Scrape(200, TEXT, json.dumps(counter(1))), F, "format"),
    ("a web page", Scrape(200, "text/html", "<html>"), F, "text/html"),
    ("no type", Scrape(200, "", counter(1)), F, "nothing"),
    ("not there", Scrape(404, TEXT, counter(1)), F, "404"),
    ("no answer", Scrape(0, "", "ConnectionResetError: reset"), F, "reset"),
    ("empty", Scrape(200, TEXT, ""), F, "no sample"),
    ("only comments", Scrape(200, TEXT, "# nothing\n"), F, "no sample"),
    ("no number", Scrape(200, TEXT, "asked_total many\n"), F, "format"),
    ("braces left open", Scrape(200, TEXT, 'asked_total{digit="7" 1\n'), F, "format"),
    ("as long as is read", Scrape(200, TEXT, counter(1).ljust(MOST)), P, ""),
    ("longer than is read", Scrape(200, TEXT, counter(1).ljust(MOST + 1)), F, "kB"),
]


@pytest.mark.parametrize(
    ("scrape", "outcome", "words"), [v[1:] for v in VALID], ids=[v[0] for v in VALID]
)
def test_valid(scrape: Scrape, outcome: Outcome, words: str) -> None:
    result = metrics.valid(Metered(Scrape(200, TEXT, counter(0)), scrape, 5, 5))
    assert result.outcome is outcome
    assert words in result.message
    assert len(result.message) < 700


def counted(before: str, after: str, answered: int = 5, name: str = "asked") -> Result:
    seen = Metered(Scrape(200, TEXT, before), Scrape(200, TEXT, after), answered, 7)
    return metrics.counts(seen, counter=name)


COUNTS = [
    ("by as many as were answered", counter(3), counter(8), P, ""),
    ("over all labels", counter(3, 1), counter(5, 2, 2), P, ""),
    ("from nothing", "up 1\n", counter(5), P, ""),
    ("one too few", counter(3), counter(7), F, "several processes"),
    ("one too many", counter(3), counter(9), F, "grew by 6"),
    ("not at all", counter(3), counter(3), F, "grew by 0"),
    ("backwards", counter(9), counter(4), F, "grew by -5"),
    ("NaN", counter(3), counter(float("nan")), F, "grew by nan"),
    ("no counter", counter(0, kind="gauge"), counter(5, kind="gauge"), F, "no counter"),
    ("another counter", "up 1\n", "# TYPE b_total counter\nb_total 5\n", F, "no counter"),
    ("unreadable", "", "[1, 2]", F, "can't be read"),
]


@pytest.mark.parametrize(
    ("before", "after", "outcome", "words"), [c[1:] for c in COUNTS], ids=[c[0] for c in COUNTS]
)
def test_counts(before: str, after: str, outcome: Outcome, words: str) -> None:
    result = counted(before, after)
    assert result.outcome is outcome
    assert words in result.message


def test_a_counter_is_named_with_its_ending_or_without() -> None:
    assert counted(counter(0), counter(5), name="asked_total").outcome is P
    assert counted(counter(0), counter(5), name="asked").outcome is P


def test_a_service_that_answers_nothing_counts_nothing() -> None:
    result = counted(counter(0), counter(0), answered=0)
    assert result.outcome is F
    assert "None of 7" in result.message
