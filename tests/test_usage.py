"""The engine's counters as values: cgroup v1 and v2, containers that end, limits of each kind."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from grader.usage import Limits, Reading, limits, reading, samples

# One answer of GET /containers/ID/stats each, cut to what is there on that version.
V1: dict[str, Any] = {
    "read": "2024-03-02T10:00:00.5Z",
    "pids_stats": {"current": 3},
    "cpu_stats": {
        "cpu_usage": {
            "total_usage": 2_500_000_000,
            "percpu_usage": [1_500_000_000, 1_000_000_000],
            "usage_in_kernelmode": 300_000_000,
            "usage_in_usermode": 2_200_000_000,
        },
        "system_cpu_usage": 99_000_000_000,
        "online_cpus": 2,
        "throttling_data": {"periods": 50, "throttled_periods": 45, "throttled_time": 2_000_000},
    },
    "memory_stats": {
        "usage": 50_000_000,
        "max_usage": 60_000_000,
        "stats": {
            "cache": 30_000_000,
            "inactive_file": 5_000_000,
            "rss": 20_000_000,
            "total_cache": 30_000_000,
            "total_inactive_file": 20_000_000,
        },
        "limit": 67_108_864,
    },
}
V2: dict[str, Any] = {
    "read": "2024-03-02T10:00:00.500000001Z",
    "pids_stats": {"current": 3, "limit": 18446744073709551615},
    "cpu_stats": {
        "cpu_usage": {
            "total_usage": 2_500_000_000,
            "usage_in_kernelmode": 300_000_000,
            "usage_in_usermode": 2_200_000_000,
        },
        "system_cpu_usage": 99_000_000_000,
        "online_cpus": 2,
        "throttling_data": {"periods": 50, "throttled_periods": 45, "throttled_time": 2_000_000},
    },
    "memory_stats": {
        "usage": 50_000_000,
        "stats": {"anon": 20_000_000, "file": 30_000_000, "inactive_file": 20_000_000},
        "limit": 67_108_864,
    },
}
ENDED: dict[str, Any] = {
    "read": "0001-01-01T00:00:00Z",
    "pids_stats": {},
    "cpu_stats": {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    },
    "memory_stats": {},
}


def changed(raw: dict[str, Any], **memory: Any) -> dict[str, Any]:
    made = copy.deepcopy(raw)
    made["memory_stats"].update(memory)
    return made


@pytest.mark.parametrize("raw", [V1, V2])
def test_both_versions_are_read_alike(raw: dict[str, Any]) -> None:
    found = reading(raw)
    assert found is not None
    assert (found.cpu, found.periods, found.throttled) == (2.5, 50, 45)
    assert (found.memory, found.pids) == (30_000_000, 3)
    assert found.at % 1 == pytest.approx(0.5)


@pytest.mark.parametrize("raw", [ENDED, {}, {"read": None, "cpu_stats": None}])
def test_one_that_has_ended_gives_nothing(raw: dict[str, Any]) -> None:
    assert reading(raw) is None


@pytest.mark.parametrize(
    ("stats", "used"),
    [
        ({"inactive_file": 0}, 50_000_000),
        ({"inactive_file": 49_999_999}, 1),
        ({"inactive_file": 50_000_000}, 50_000_000),  # as docker stats: then it is not taken off
        ({"total_inactive_file": 10_000_000, "inactive_file": 1}, 40_000_000),
        ({}, 50_000_000),
        (None, 50_000_000),
    ],
)
def test_the_cache_is_left_out_of_the_memory(stats: object, used: int) -> None:
    found = reading(changed(V2, stats=stats))
    assert found is not None
    assert found.memory == used


def test_an_engine_without_some_counters_is_read_all_the_same() -> None:
    bare = {"read": V2["read"], "cpu_stats": {"cpu_usage": {"total_usage": 1_000_000_000}}}
    found = reading(bare)
    assert found is not None
    assert (found.cpu, found.periods, found.memory, found.pids) == (1, 0, 0, 0)


def counters(at: float, cpu: float, periods: int = 0, throttled: int = 0) -> Reading:
    return Reading(at, cpu, periods, throttled, memory=7, pids=2)


def test_what_was_used_between_two_readings() -> None:
    one, two = samples([counters(100, 5), counters(102, 6, 20, 15), counters(102.5, 6, 25, 15)])
    assert (one.at, one.seconds, one.cpus, one.periods, one.throttled) == (2, 2, 0.5, 20, 15)
    assert (two.at, two.seconds, two.cpus, two.periods, two.throttled) == (2.5, 0.5, 0, 5, 0)
    assert (one.memory, one.pids) == (7, 2)


@pytest.mark.parametrize(
    "readings",
    [
        [],
        [counters(1, 1)],
        [counters(1, 1), counters(1, 2)],  # the same reading twice
        [counters(2, 1), counters(1, 2)],
        [counters(1, 5), counters(2, 1)],  # it was started anew
        [counters(1, 5, 50), counters(2, 6, 1)],
    ],
)
def test_what_can_be_no_difference_is_none(readings: list[Reading]) -> None:
    assert samples(readings) == ()


@pytest.mark.parametrize(
    ("host", "cpus", "own"),
    [
        ({}, 4, False),
        ({"NanoCpus": 500_000_000}, 0.5, True),
        ({"CpuQuota": 150_000, "CpuPeriod": 100_000}, 1.5, True),
        ({"CpuQuota": 20_000}, 0.2, True),
        ({"CpuQuota": -1, "CpuPeriod": 100_000}, 4, False),
        ({"CpusetCpus": "0-2,5"}, 4, True),
        ({"CpusetCpus": "1", "NanoCpus": 2_000_000_000}, 1, True),
    ],
)
def test_the_limit_of_the_processor(host: dict[str, Any], cpus: float, own: bool) -> None:
    found = limits({"HostConfig": host}, V2, 4)
    assert (found.cpus, found.own_cpus) == (cpus, own)


def test_the_other_limits_and_the_machines_where_there_is_none() -> None:
    host = {"Memory": 64 * 2**20, "PidsLimit": 32}
    assert limits({"HostConfig": host}, V1, 2) == Limits(2, 64 * 2**20, 32, own_cpus=False)
    bare = Limits(2, 67_108_864, 0, own_cpus=False, own_memory=False)
    assert limits({"HostConfig": {"Memory": 0, "PidsLimit": None}}, V2, 2) == bare
    assert limits({"HostConfig": {"PidsLimit": -1}}, {}, 0).cpus == 1
