"""What a container uses: the engine's counters as values, the same on cgroup v1 and v2.

Nothing is asked and nothing is drawn here: ``plots.stats`` does both. Nothing is judged either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from grader.clock import moment

PERIOD = 100_000  # microseconds; the kernel's, where a quota comes without one


@dataclass(frozen=True)
class Reading:
    """Counters at one moment. ``cpu`` is in seconds since the start, ``memory`` in bytes."""

    at: float
    cpu: float
    periods: int
    throttled: int
    memory: int
    pids: int


@dataclass(frozen=True)
class Limits:
    """What it may use. Without a limit of its own that is the machine's; no limit of pids is 0."""

    cpus: float
    memory: int
    pids: int = 0
    own_cpus: bool = True
    own_memory: bool = True


@dataclass(frozen=True)
class Sample:
    """What happened between two readings: ``cpus`` is how many it kept busy, on average.

    ``at`` is the end, in seconds since the first reading; of ``periods`` of the scheduler it was
    put on hold in ``throttled``.
    """

    at: float
    seconds: float
    cpus: float
    periods: int
    throttled: int
    memory: int
    pids: int


def reading(raw: Mapping[str, Any]) -> Reading | None:
    """From one answer of the engine's stats; None once the container has ended."""
    cpu, memory = raw.get("cpu_stats") or {}, raw.get("memory_stats") or {}
    at, throttling = moment(raw.get("read")), cpu.get("throttling_data") or {}
    if at <= 0:  # of one that has ended all is empty, and read in the year 1
        return None
    return Reading(
        at=at,
        cpu=int((cpu.get("cpu_usage") or {}).get("total_usage") or 0) / 1e9,
        periods=int(throttling.get("periods") or 0),
        throttled=int(throttling.get("throttled_periods") or 0),
        memory=_memory(memory),
        pids=int((raw.get("pids_stats") or {}).get("current") or 0),
    )


def samples(readings: Sequence[Reading]) -> tuple[Sample, ...]:
    """What was used between each two; a counter that went back belongs to another start."""
    if not readings:
        return ()
    first = readings[0].at
    return tuple(_between(one, two, first) for one, two in pairwise(readings) if _follows(one, two))


def limits(about: Mapping[str, Any], raw: Mapping[str, Any], machine: int) -> Limits:
    """From ``docker inspect``, one answer of the stats, and the number of the machine's CPUs."""
    host = about.get("HostConfig") or {}
    cpus, memory = _cpus(host), int(host.get("Memory") or 0)
    known = int((raw.get("memory_stats") or {}).get("limit") or 0)
    return Limits(
        cpus=cpus or machine or 1,
        memory=memory or known,
        pids=max(0, int(host.get("PidsLimit") or 0)),
        own_cpus=bool(cpus),
        own_memory=bool(memory),
    )


def _memory(found: Mapping[str, Any]) -> int:
    """As ``docker stats`` counts: without the file cache that the kernel gives back first.

    ``total_inactive_file`` is v1's, where ``inactive_file`` leaves out the groups below.
    """
    usage, details = int(found.get("usage") or 0), found.get("stats") or {}
    for name in ("total_inactive_file", "inactive_file"):
        cache = int(details.get(name, usage))
        if cache < usage:
            return usage - cache
    return usage


def _follows(one: Reading, two: Reading) -> bool:
    return two.at > one.at and two.cpu >= one.cpu and two.periods >= one.periods


def _between(one: Reading, two: Reading, first: float) -> Sample:
    seconds = two.at - one.at
    return Sample(
        at=two.at - first,
        seconds=seconds,
        cpus=(two.cpu - one.cpu) / seconds,
        periods=two.periods - one.periods,
        throttled=two.throttled - one.throttled,
        memory=two.memory,
        pids=two.pids,
    )


def _cpus(host: Mapping[str, Any]) -> float:
    """What ``--cpus``, ``--cpu-quota`` and ``--cpuset-cpus`` leave together; 0 for no limit."""
    quota = int(host.get("CpuQuota") or 0) / int(host.get("CpuPeriod") or PERIOD)
    found = [int(host.get("NanoCpus") or 0) / 1e9, quota, float(_count(host.get("CpusetCpus")))]
    return min((n for n in found if n > 0), default=0.0)


def _count(cpuset: object) -> int:
    """How many CPUs a list like 0-2,5 names."""
    spans = [part.partition("-") for part in str(cpuset or "").split(",") if part]
    return sum(int(last or first) - int(first) + 1 for first, _, last in spans)
