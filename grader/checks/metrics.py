"""Whether Prometheus can read a service's metrics, and whether they count what happens."""

from __future__ import annotations

from typing import Any

from grader import scrape
from grader.observed import MOST, Metered, Scrape
from grader.registry import check
from grader.results import Result, failed, passed


@check
def valid(metered: Metered) -> Result:
    """GET /metrics answers what Prometheus can read"""
    one = metered.after
    evidence: dict[str, Any] = {"status": one.status, "content_type": one.content_type[:100]}
    if why := _unreadable(one):
        return failed(why, **evidence)
    try:
        found = scrape.read(one.text, one.content_type)
    except ValueError as err:
        return failed(
            f"It is not Prometheus' text format: {str(err)[:200]}. It begins with"
            f" {one.text[:60]!r}. Let the client library write it, and hand out its bytes as they"
            " are.",
            **evidence,
        )
    return passed(f"{len(found.sums)} metrics, {len(found.counters)} counters", **evidence)


def _unreadable(one: Scrape) -> str:
    """Why it can't be what is asked for, seen before it is read; "" when it can."""
    if one.status == 0:
        return f"GET /metrics got no answer ({one.text[:200]})."
    if one.status != 200:
        return f"GET /metrics answered {one.status}. Add that address."
    if one.cut:
        return f"GET /metrics answers more than {MOST // 1000} kB: a label must not hold free text."
    if scrape.media_type(one.content_type) not in scrape.TYPES:
        return (
            f"GET /metrics says that it is {one.content_type or 'nothing'!r}. Prometheus takes"
            f" {' or '.join(scrape.TYPES)}: set the content type (prometheus_client:"
            " CONTENT_TYPE_LATEST). A web framework makes JSON of what is returned otherwise."
        )
    return ""


@check
def counts(metered: Metered, *, counter: str) -> Result:
    """The counter {counter} grows by one with each answer"""
    if not metered.answered:
        return failed(f"None of {metered.sent} requests to POST /predict was answered with 200.")
    try:
        scrapes = (metered.before, metered.after)
        before, after = (scrape.read(s.text, s.content_type).counter(counter) for s in scrapes)
    except ValueError as err:
        return failed(f"GET /metrics can't be read: {str(err)[:200]}.")
    if after is None:
        return failed(
            f"GET /metrics has no counter {counter!r}, not even after {metered.answered} requests."
        )
    grown = after - (before or 0.0)  # a counter with labels shows up with its first count
    evidence: dict[str, Any] = {"answered": metered.answered, "grown": grown}
    if grown == metered.answered:
        return passed(f"{metered.answered} answers, {grown:g} more", **evidence)
    several = (
        " When several processes serve, each has a counter of its own, and a scrape reaches one of"
        " them." * (0 < grown < metered.answered)
    )
    return failed(
        f"{metered.answered} requests were answered, and the sum over {counter} grew by {grown:g}."
        f"{several}",
        **evidence,
    )
