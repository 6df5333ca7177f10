"""A kubelet's rules, by tables of what the probes said; no clock, no container."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from grader import kubelet
from grader.kube import Handler, Probe, Role
from grader.kubelet import Container

HTTP = Handler("http", 8000, "/x")


def probe(role: Role, **numbers: float) -> Probe:
    return Probe(role, HTTP, **numbers)  # type: ignore[arg-type]


def container(*probes: Probe) -> Container:
    return Container({p.role: p for p in probes}, 0)


def ask(one: Container, says: Mapping[Role, str], seconds: int) -> list[tuple[int, str]]:
    """Each second, each probe that is due says the next letter of its text: y or n, then the last.

    Gives what changed, and when.
    """
    left = {role: list(text) for role, text in says.items()}
    changes = []
    for now in range(seconds + 1):
        for role in one.due(now):
            letters = left[role]
            letter = letters.pop(0) if len(letters) > 1 else letters[0]
            if change := one.told(role, letter == "y", now):
                changes.append((now, f"{role} {change}"))
    return changes


STARTUP = probe("startup", period=1, failure=3)
LIVE, READY = probe("liveness", period=1, failure=3), probe("readiness", period=1, failure=3)
TABLE: list[tuple[str, list[Probe], dict[Role, str], list[tuple[int, str]]]] = [
    ("alive", [LIVE], {"liveness": "y"}, []),
    ("dead at once", [LIVE], {"liveness": "n"}, [(2, "liveness killed")]),
    ("two failures are not three", [LIVE], {"liveness": "nny"}, []),
    ("not in a row", [LIVE], {"liveness": "nnynny"}, []),
    ("three in the middle", [LIVE], {"liveness": "yynnn"}, [(4, "liveness killed")]),
    ("ready", [READY], {"readiness": "y"}, [(0, "readiness ready")]),
    ("never ready", [READY], {"readiness": "n"}, []),
    (
        "ready, unready, ready",
        [READY],
        {"readiness": "ynnnny"},
        [(0, "readiness ready"), (3, "readiness unready"), (5, "readiness ready")],
    ),
    ("two failures leave it ready", [READY], {"readiness": "ynny"}, [(0, "readiness ready")]),
    (
        "ready after two in a row",
        [probe("readiness", period=1, success=2)],
        {"readiness": "ynyy"},
        [(3, "readiness ready")],
    ),
    ("unready does not kill", [LIVE, READY], {"liveness": "y", "readiness": "n"}, []),
    (
        "the startup probe kills, too",
        [STARTUP, LIVE],
        {"startup": "n", "liveness": "y"},
        [(2, "startup killed")],
    ),
    (
        "it holds the others back",
        [STARTUP, LIVE, READY],
        {"startup": "nny", "liveness": "n", "readiness": "y"},
        [(2, "startup started"), (3, "readiness ready"), (5, "liveness killed")],
    ),
    (
        "and is not asked again",
        [STARTUP, READY],
        {"startup": "ynnnn", "readiness": "y"},
        [(0, "startup started"), (1, "readiness ready")],
    ),
    (
        "a delay counts from the start",
        [probe("readiness", period=1, initial_delay=4)],
        {"readiness": "y"},
        [(4, "readiness ready")],
    ),
    (
        "or from the startup probe's success",
        [probe("startup", period=2), probe("readiness", period=1, initial_delay=4)],
        {"startup": "ny", "readiness": "y"},
        [(2, "startup started"), (6, "readiness ready")],
    ),
    (
        "the period is kept",
        [probe("liveness", period=10, failure=2, initial_delay=5)],
        {"liveness": "n"},
        [(15, "liveness killed")],
    ),
    (
        "the defaults",
        [Probe("liveness", HTTP)],
        {"liveness": "n"},
        [(20, "liveness killed")],
    ),
]


@pytest.mark.parametrize(
    ("probes", "says", "changes"), [t[1:] for t in TABLE], ids=[t[0] for t in TABLE]
)
def test_what_becomes_of_a_container(
    probes: list[Probe], says: dict[Role, str], changes: list[tuple[int, str]]
) -> None:
    assert ask(container(*probes), says, 30) == changes


def test_what_is_killed_is_not_probed_and_not_ready() -> None:
    one = container(READY, probe("liveness", period=1, failure=1, initial_delay=2))
    ask(one, {"readiness": "y", "liveness": "n"}, 5)
    assert (one.killed, one.ready, one.active) == ("liveness", False, [])
    assert one.due(100) == []
    assert one.next_due() is None


def test_a_probe_that_takes_long_is_not_started_twice_and_delays_no_other() -> None:
    one = container(LIVE, READY)
    assert one.due(0) == ["liveness", "readiness"]
    one.told("readiness", True, 0)
    assert one.due(1) == ["readiness"], "liveness still runs"
    one.told("liveness", False, 7.5)
    assert one.due(7) == []
    assert one.due(7.5) == ["liveness"]


@pytest.mark.parametrize(
    ("probes", "started", "ready"),
    [
        ([], True, True),
        ([LIVE], True, True),
        ([READY], True, False),
        ([STARTUP], False, False),
        ([STARTUP, READY], False, False),
    ],
)
def test_a_probe_that_is_not_there_says_yes(
    probes: list[Probe], started: bool, ready: bool
) -> None:
    one = container(*probes)
    assert (one.started, one.ready) == (started, ready)


def test_with_only_a_startup_probe_it_is_ready_when_it_has_started() -> None:
    one = container(STARTUP)
    assert ask(one, {"startup": "y"}, 2) == [(0, "startup started")]
    assert one.ready


@pytest.mark.parametrize(
    ("restarts", "seconds"), [(0, 0), (1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (50, 300)]
)
def test_restarts_wait_longer_and_longer(restarts: int, seconds: float) -> None:
    assert kubelet.backoff(restarts) == seconds


FORWARD: list[tuple[str, list[Probe], dict[Role, bool], tuple[float, str] | None]] = [
    ("all is well", [LIVE, READY], {"liveness": True, "readiness": True}, None),
    ("unready for ever", [LIVE, READY], {"liveness": True, "readiness": False}, None),
    ("dead", [LIVE], {"liveness": False}, (2, "liveness")),
    (
        "a patient startup probe",
        [probe("startup", period=10, failure=30), LIVE],
        {"startup": False, "liveness": True},
        (290, "startup"),
    ),
    ("longer than that", [probe("startup", period=10, failure=200)], {"startup": False}, None),
]


@pytest.mark.parametrize(
    ("probes", "says", "end"), [f[1:] for f in FORWARD], ids=[f[0] for f in FORWARD]
)
def test_going_on_for_ever(
    probes: list[Probe], says: dict[Role, bool], end: tuple[float, str] | None
) -> None:
    assert kubelet.forward(container(*probes), says, 0, 1000) == end


def test_going_on_takes_up_what_was_counted_before() -> None:
    one = container(probe("startup", period=10, failure=5))
    ask(one, {"startup": "n"}, 25)
    assert kubelet.forward(one, {"startup": False}, 25, 1000) == (40, "startup")
