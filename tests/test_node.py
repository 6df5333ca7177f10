"""The player of a kubelet: its clock, and lives with an engine that plays the container."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader import node, yamls
from grader.errors import EngineError, NotMeasurable
from grader.kube import Handler, Manifest, Probe, Role
from grader.node import SCALE, Clock, Node

LIVE, READY = Handler("http", 8000, "/live"), Handler("http", 8000, "/ready")


def manifest(*probes: Probe, grace: float = 30) -> Manifest:
    return Manifest(yamls.parse(b"{}", "deployment.yaml"), {p.role: p for p in probes}, grace)


def probe(role: Role, handler: Handler, **numbers: float) -> Probe:
    return Probe(role, handler, **numbers)  # type: ignore[arg-type]


class Time:
    """Goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    one = Time()
    monkeypatch.setattr(node, "time", one)
    monkeypatch.setattr(node.Clock.__init__, "__defaults__", (one.monotonic,))
    return one


def test_the_clock_hurries_only_when_it_is_told_to(clock: Time) -> None:
    one = Clock()
    clock.sleep(2)
    assert one.now() == 2
    one.hurry()
    clock.sleep(2)
    assert one.now() == 2 + 2 * SCALE
    one.hurry(False)
    clock.sleep(3)
    assert one.now() == 5 + 2 * SCALE


class FakeEngine:
    """A container that listens after a second; what its paths say is a test's to write."""

    def __init__(self, clock: Time, says: dict[str, str]) -> None:
        self.clock, self.says, self.lines = clock, says, dict[str, list[str]]()
        self.running, self.frozen, self.started = False, False, 0.0
        self.starts, self.signals, self.handlers = 0, list[str](), list[dict[str, Any]]()

    def create(self, image: str, **settings: Any) -> str:
        import base64
        import zlib

        packed = settings["entrypoint"][-1]
        self.handlers = json.loads(zlib.decompress(base64.b64decode(packed)))["handlers"]
        self.lines["eye"] = []
        return "eye"

    def start(self, container: str) -> str:
        if container != "eye":
            self.running, self.frozen, self.started = True, False, self.clock.now
            self.starts += 1
        return ""

    def remove(self, container: str) -> None:
        self.lines.pop(container, None)

    def signal(self, container: str, name: str) -> None:
        self.signals.append(name)
        self.frozen = name == "SIGSTOP" or (self.frozen and name != "SIGCONT")
        if name == "SIGKILL" or (name == "SIGTERM" and not self.frozen):
            self.running = False

    def state(self, container: str) -> Any:
        return type("State", (), {"running": self.running})

    def output(self, container: str) -> str:
        for number, row in enumerate(self.handlers):
            up = self.running and not self.frozen and self.clock.now - self.started >= 1
            says = self.says.get(row["path"], "404")
            loaded = self.clock.now - self.started >= 3
            status = {"late": "200" if loaded else "503"}.get(says, says)
            ok = up and status == "200"
            said: object = int(status) if up else "ConnectionRefusedError"
            self.lines["eye"].append(json.dumps([number, ok, said, self.clock.now, self.clock.now]))
        return "\n".join([*self.lines["eye"], "[0, tr"])


def life(engine: FakeEngine, of: Manifest) -> Node:
    return Node(engine, of, "c", port=8000, patience=3)  # type: ignore[arg-type]


STARTUP = probe("startup", LIVE, period=5, failure=36)
ALIVE = probe("liveness", LIVE, period=10)
SERVES = probe("readiness", READY, period=5)


def test_a_good_life(clock: Time) -> None:
    engine = FakeEngine(clock, {"/live": "200", "/ready": "late"})
    one = life(engine, manifest(STARTUP, ALIVE, SERVES))
    one.begin()
    assert one.go_on(lambda: one.life.ready, 400)
    story = one.story()
    assert story.restarts == 0
    assert story.early == 0
    listening, loaded, ready = (story.first(w) for w in ("listening", "loaded", "ready"))
    assert listening == pytest.approx(1, abs=0.2), "imports are not hurried"
    assert loaded == pytest.approx(1 + 2 * SCALE, abs=6), "and loading is"
    assert ready is not None
    assert loaded is not None
    assert loaded <= ready <= loaded + 10


def test_readiness_that_comes_too_early_is_noticed(clock: Time) -> None:
    engine = FakeEngine(clock, {"/live": "200", "/ready": "late"})
    one = life(engine, manifest(ALIVE, probe("readiness", LIVE)))
    one.begin()
    one.go_on(lambda: one.life.ready and one.loaded, 400)
    assert one.story().early == pytest.approx(2 * SCALE, abs=20)


def test_a_slow_start_without_a_startup_probe_is_ended_and_begun_again(clock: Time) -> None:
    engine = FakeEngine(clock, {"/live": "200", "/ready": "200"})
    one = life(engine, manifest(ALIVE, SERVES))
    one.begin(frozen=60)
    one.go_on(lambda: one.restarts() > 0, 400)
    story = one.story()
    assert story.killers == ["liveness"]
    assert story.first("killed") == pytest.approx(22, abs=8)
    assert engine.signals[:3] == ["SIGSTOP", "SIGTERM", "SIGKILL"]
    assert engine.starts == 2


def test_with_one_it_is_waited_for(clock: Time) -> None:
    engine = FakeEngine(clock, {"/live": "200", "/ready": "200"})
    one = life(engine, manifest(STARTUP, ALIVE, SERVES))
    one.begin(frozen=60)
    assert one.go_on(lambda: one.life.ready, 400)
    assert one.story().restarts == 0
    assert engine.signals == ["SIGSTOP", "SIGCONT"]


def test_what_hangs_does_not_follow_sigterm_and_is_killed_after_its_grace(clock: Time) -> None:
    engine = FakeEngine(clock, {"/live": "200", "/ready": "200"})
    one = life(engine, manifest(ALIVE, SERVES, grace=20))
    one.begin()
    one.go_on(lambda: one.life.ready, 400)
    engine.signal("c", "SIGSTOP")
    one.go_on(lambda: one.restarts() > 0, 400)
    story = one.story()
    killed, ended = story.first("killed"), story.first("end")
    assert killed is not None
    assert ended is not None
    assert ended - killed == pytest.approx(20, abs=4)
    assert one.go_on(lambda: one.life.ready, 400), "and the next one is well"


def test_restarts_come_slower_and_slower(clock: Time) -> None:
    engine = FakeEngine(clock, {"/live": "500", "/ready": "500"})
    one = life(engine, manifest(probe("liveness", LIVE, period=1, failure=1), grace=0))
    one.begin()
    one.go_on(lambda: one.restarts() > 3, 4000)
    times = [e.at for e in one.story().events if e.what in ("end", "start")][1:]
    waits = [b - a for a, b in zip(times[::2], times[1::2], strict=False)]
    assert waits == sorted(waits)


def test_a_grace_of_a_probe_comes_before_the_pods(clock: Time) -> None:
    engine = FakeEngine(clock, {"/live": "200", "/ready": "200"})
    one = life(engine, manifest(probe("liveness", LIVE, grace=8), SERVES, grace=300))
    one.begin()
    one.go_on(lambda: one.life.ready, 400)
    engine.signal("c", "SIGSTOP")
    one.go_on(lambda: one.restarts() > 0, 400)
    story = one.story()
    assert (story.first("end") or 0) - (story.first("killed") or 0) == pytest.approx(8, abs=4)


@pytest.mark.parametrize(("code", "alive"), [(0, True), (1, False), (124, False)])
def test_an_exec_probe_runs_in_the_container(
    clock: Time, monkeypatch: pytest.MonkeyPatch, code: int, alive: bool
) -> None:
    ran: list[tuple[str, ...]] = []

    def execute(_: str, command: tuple[str, ...], **__: object) -> int:
        ran.append(command)
        return code

    asked: list[object] = []
    monkeypatch.setattr(node, "why_busy", lambda engine, _: asked.append(engine) or "")
    engine = FakeEngine(clock, {"/ready": "200"})
    monkeypatch.setattr(engine, "exec", execute, raising=False)
    one = life(
        engine, manifest(probe("liveness", Handler("exec", command=("cat", "/x")), failure=1))
    )
    one.begin()
    one.go_on(lambda: one.restarts() > 0, 30)
    assert ran[0] == ("cat", "/x")
    assert (one.restarts() == 0) is alive
    assert len(asked) == (code == 124)  # once, however often it is late


def test_a_command_that_is_late_on_a_busy_machine_is_the_machines(
    clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "why_busy", lambda *_: "This machine is busy")
    engine = FakeEngine(clock, {"/ready": "200"})
    monkeypatch.setattr(engine, "exec", lambda *_, **__: 124, raising=False)
    one = life(engine, manifest(probe("liveness", Handler("exec", command=("x",)), failure=1)))
    one.begin()
    with pytest.raises(EngineError, match="busy"):
        one.go_on(lambda: one.restarts() > 0, 30)


def test_time_outs_are_never_shorter_than_a_real_server_needs(clock: Time) -> None:
    engine = FakeEngine(clock, {})
    one = life(
        engine, manifest(probe("liveness", LIVE, timeout=1), probe("readiness", READY, timeout=400))
    )
    one.begin()
    assert [row["timeout"] for row in engine.handlers[:2]] == [3, 10]
    assert engine.handlers[-1]["path"] == node.TRUTH


def test_grpc_is_not_played(clock: Time) -> None:
    with pytest.raises(NotMeasurable, match="gRPC"):
        life(FakeEngine(clock, {}), manifest(probe("liveness", Handler("grpc"))))
