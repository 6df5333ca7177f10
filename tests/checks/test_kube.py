"""What a Deployment's probes say, and what came of them: stories that nobody had to live."""

from __future__ import annotations

import pytest

from grader import yamls
from grader.checks import kube
from grader.kube import Handler, Manifest, Probe, Role
from grader.kubelet import Container
from grader.node import Event, Story
from grader.results import Outcome
from grader.yamls import Doc

P, F = Outcome.PASS, Outcome.FAIL
LIVE, READY = Handler("http", 8000, "/live"), Handler("http", 8000, "/ready")
LINES: dict[Role, int] = {"startup": 10, "liveness": 20, "readiness": 30}


def doc(text: str) -> Doc:
    return yamls.parse(text.encode(), "deployment.yaml")


def manifest(**handlers: Handler | None) -> Manifest:
    found: dict[Role, Handler | None] = {"liveness": LIVE, "readiness": READY, **handlers}  # type: ignore[dict-item]
    probes = {r: Probe(r, h, line=LINES[r]) for r, h in found.items() if h}
    return Manifest(doc("{}"), probes, line=5)


GOOD = manifest(startup=LIVE)


def story(*events: tuple[float, str] | tuple[float, str, str], early: float = 0) -> Story:
    return Story(tuple(Event(*e) for e in events), early)


VALID = [
    ("an empty file", "", F, "empty", None),
    ("a Service", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n", P, "1 document", None),
    ("a typo", "apiVersion: v1\nkind: Service\nmetadatas: {name: x}\n", F, "metadatas", 1),
    ("two faults", "kind: x\n---\nkind: y\n", F, "And 1 more", 1),
]


@pytest.mark.parametrize(
    ("text", "outcome", "words", "line"), [v[1:] for v in VALID], ids=[v[0] for v in VALID]
)
def test_valid(text: str, outcome: Outcome, words: str, line: int | None) -> None:
    result = kube.valid(doc(text))
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == (f"deployment.yaml:{line}" if line else "")


PROBES = [
    ("two", manifest(), P, "", None),
    ("three", GOOD, P, "startup: GET /live", None),
    ("no liveness", manifest(liveness=None), F, "no livenessProbe", 5),
    ("no readiness", manifest(readiness=None), F, "no readinessProbe", 5),
    ("the same question", manifest(liveness=READY), F, "the same: GET /ready", 20),
    ("another port", manifest(liveness=Handler("http", 8001, "/ready")), P, "", None),
    ("a connection", manifest(liveness=Handler("tcp", 8000)), P, "tcp port 8000", None),
    (
        "another machine",
        manifest(liveness=Handler("http", 8000, "/live", host="localhost")),
        F,
        "host localhost",
        20,
    ),
]


@pytest.mark.parametrize(
    ("one", "outcome", "words", "line"), [p[1:] for p in PROBES], ids=[p[0] for p in PROBES]
)
def test_probes(one: Manifest, outcome: Outcome, words: str, line: int | None) -> None:
    result = kube.probes(one)
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == (f"deployment.yaml:{line}" if line else "")


BEGIN = ((0.0, "start"), (60.0, "listening"))
LOADED = story(*BEGIN, (150, "loaded"), (155, "ready", "readiness"))
LOADS = [
    ("well", LOADED, P, "after 150 s", None),
    (
        "ended too early",
        story((0, "start"), (40, "killed", "liveness"), (70, "end"), (70, "start")),
        F,
        "before anything listened",
        20,
    ),
    (
        "ended while it loads",
        story(*BEGIN, (90, "killed", "startup"), (91, "end"), (91, "start")),
        F,
        "startup probe had it ended after 90 s, in the load",
        10,
    ),
]


@pytest.mark.parametrize(
    ("one", "outcome", "words", "line"), [s[1:] for s in LOADS], ids=[s[0] for s in LOADS]
)
def test_survives_load(one: Story, outcome: Outcome, words: str, line: int | None) -> None:
    result = kube.survives_load(one, GOOD)
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == (f"deployment.yaml:{line}" if line else "")


READINESS = [
    ("after the load", LOADED, P, "after 155 s"),
    ("noticed a moment before we did", story(*BEGIN, (149, "ready"), (150, "loaded")), P, ""),
    ("too early", story(*BEGIN, (62, "ready"), (150, "loaded"), early=88), F, "still loading"),
    ("never loaded, and ready", story(*BEGIN, (62, "ready")), F, "still loading"),
    ("never ready", story(*BEGIN, (150, "loaded")), F, "never ready"),
]


@pytest.mark.parametrize(
    ("one", "outcome", "words"), [s[1:] for s in READINESS], ids=[s[0] for s in READINESS]
)
def test_ready_after_load(one: Story, outcome: Outcome, words: str) -> None:
    result = kube.ready_after_load(one, GOOD)
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == ("" if outcome is P else "deployment.yaml:30")


def froze(killed: float, *then: tuple[float, str] | tuple[float, str, str]) -> Story:
    killing = (killed, "killed", "liveness")
    return story((0, "start"), (5, "ready"), (10, "frozen"), killing, (killed + 30, "start"), *then)


FROZEN = [
    ("restarted, and ready again", froze(40, (80, "ready")), P, "ended after 30 s"),
    ("as late as allowed", froze(130, (180, "ready")), P, ""),
    ("later", froze(131, (180, "ready")), F, "hung for 121 s"),
    ("never", story((0, "start"), (5, "ready"), (10, "frozen")), F, "not restarted"),
    ("not ready again", froze(40), F, "did not get ready again"),
    ("restarted twice", froze(40, (80, "ready"), (99, "start")), F, "2 restarts"),
    ("never ready at all", story((0, "start")), F, "could not be frozen"),
    (
        "ended before",
        story((0, "start"), (9, "killed", "startup"), (9, "start")),
        F,
        "startup probe",
    ),
]


@pytest.mark.parametrize(
    ("one", "outcome", "words"), [s[1:] for s in FROZEN], ids=[s[0] for s in FROZEN]
)
def test_restarts_frozen(one: Story, outcome: Outcome, words: str) -> None:
    result = kube.restarts_frozen(one, GOOD, max_seconds=120)
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == ("" if outcome is P else "deployment.yaml:20")


def lasting(*probes: Probe, says: dict[Role, bool], at: float = 60) -> Story:
    """A story in which nothing changes any more."""
    one = Container({p.role: p for p in probes}, 0)
    return Story((Event(0, "start"), Event(at, "no", "readiness")), 0, says, one)


ALIVE = Probe("liveness", LIVE)
UNREADY = [
    (
        "left alone",
        lasting(ALIVE, Probe("readiness", READY), says={"liveness": True, "readiness": False}),
        P,
        "left alone",
        None,
    ),
    ("ready", story((0, "start"), (7, "ready")), F, "ready after 7 s", 30),
    (
        "restarted while we looked",
        story((0, "start"), (30, "killed", "liveness"), (31, "start")),
        F,
        "liveness probe has it ended after 30 s",
        20,
    ),
    (
        "it would be, later",
        lasting(Probe("startup", READY, failure=30), ALIVE, says={"startup": False}),
        F,
        "startup probe has it ended",
        10,
    ),
    (
        "after an hour, that is for ever",
        lasting(Probe("startup", READY, failure=1000), says={"startup": False}),
        P,
        "",
        None,
    ),
    ("no probe at all", lasting(says={}), P, "", None),
]


@pytest.mark.parametrize(
    ("one", "outcome", "words", "line"), [s[1:] for s in UNREADY], ids=[s[0] for s in UNREADY]
)
def test_keeps_unready(one: Story, outcome: Outcome, words: str, line: int | None) -> None:
    result = kube.keeps_unready(one, GOOD)
    assert result.outcome is outcome
    assert words in result.message
    assert result.place == (f"deployment.yaml:{line}" if line else "")
    assert kube.keeps_unready(one, GOOD) == result, "judging changes nothing"
