"""Seconds, and what is said of many of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def seconds(work: Callable[[], object]) -> float:
    """What it takes once."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def p50(times: Sequence[float]) -> float:
    return statistics.median(times)


def p95(times: Sequence[float]) -> float:
    """The nearest rank: of fewer than twenty it is the worst."""
    ranked = sorted(times)
    return ranked[max(0, -(-len(ranked) * 95 // 100) - 1)]
