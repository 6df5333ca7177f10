"""Reads what a service answers at /metrics, as Prometheus would; the only import of its parser.

It fetches nothing and judges nothing: a text that Prometheus can't read is a ``ValueError``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

OPENMETRICS = "application/openmetrics-text"
TYPES = ("text/plain", OPENMETRICS)  # what Prometheus takes (its docs: Content type)
_NAME = re.compile(r"[a-zA-Z_:][\w:]*", re.A)


@dataclass(frozen=True)
class Metrics:
    """The samples of one scrape: the sum over all labels by name, and the names of counters."""

    sums: Mapping[str, float]
    counters: frozenset[str]

    def counter(self, name: str) -> float | None:
        """The sum of a counter, named with or without its ``_total``; None when there is none."""
        for one in (name, f"{name}_total"):
            if one in self.counters:
                return self.sums[one]
        return None


def media_type(content_type: str) -> str:
    """``text/plain`` of ``text/plain; version=0.0.4``."""
    return content_type.partition(";")[0].strip().lower()


def read(text: str, content_type: str) -> Metrics:
    """Parse it in the format that its content type names. Raises ValueError with what is wrong."""
    parse: Callable[[str], Iterable[Metric]] = plain
    if media_type(content_type) == OPENMETRICS:
        parse = openmetrics.text_string_to_metric_families
    elif line := _odd_line(text):
        raise ValueError(f"this line is no sample: {line[:100]!r}")
    sums: dict[str, float] = {}
    counters: set[str] = set()
    try:
        for family in parse(text):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
                if family.type == "counter" and not sample.name.endswith("_created"):
                    counters.add(sample.name)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, RecursionError) as err:
        raise ValueError(str(err) or type(err).__name__) from err  # whatever its parser trips over
    if not sums:
        raise ValueError("it holds no sample")
    return Metrics(sums, frozenset(counters))


def _odd_line(text: str) -> str:
    """The first line that is neither empty, nor a comment, nor a sample.

    The library's parser overlooks words behind a sample, at which Prometheus gives up.
    """
    lines = map(str.strip, text.split("\n"))
    return next((li for li in lines if li and not li.startswith("#") and not _is_sample(li)), "")


def _is_sample(line: str) -> bool:
    """A name, labels in braces or none, a number, and a time in milliseconds or none."""
    name, brace, rest = line.partition("{")
    if brace:
        rest = rest.rpartition("}")[2]
    else:
        name, rest = [*line.split(None, 1), ""][:2]
    words = rest.split()
    timed = len(words) == 2 and words[1].removeprefix("-").isdigit()
    return bool(_NAME.fullmatch(name.strip())) and (len(words) == 1 or timed)
