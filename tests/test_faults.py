"""Faults: what is set, what is watched, and what is made of it; with an engine that plays them."""

from __future__ import annotations

import posixpath
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import faults, startup, watched
from grader.dockerfile import Dockerfile
from grader.engine import HealthProbe, Image, Layer, State
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.faults import Healthcheck, Slow
from grader.look import File
from grader.probes import Run, Seen
from grader.running import Health
from grader.spec import Exercise
from grader.watched import Watch, Watched

STATE = State(running=True, exit_code=0, oom_killed=False, error="", started_at="")
CHECK = Healthcheck({"Test": ["CMD", "ask"]})
EXERCISE = Exercise("04-x", "one", "One", "Do it.", (), Path("/nowhere"))


def image(**config: Any) -> Image:
    return Image("sha256:1", (), (Layer("x", 1),), {"Cmd": ["x"], **config})


def stamp(second: float) -> str:
    return f"2026-11-25T10:00:{second:09.6f}000Z"


def probe(second: float, code: int) -> HealthProbe:
    return HealthProbe(stamp(second), stamp(second + 0.2), code, "")


T0 = 1_795_600_800.0  # 2026-11-25T10:00:00Z


class FakeEngine:
    """Containers whose states a test writes; the last one stays."""

    def __init__(self, *states: State, refuses: tuple[str, ...] = ()) -> None:
        self.states, self.refuses = list(states) or [STATE], refuses
        self.created: list[dict[str, Any]] = []
        self.signals: list[str] = []
        self.written: list[tuple[str, str, bytes]] = []
        self.running = [[1]]
        self.cpu = iter(range(0, 10**12, 400_000_000))

    def create(self, of: str, **settings: Any) -> str:
        self.created.append({"image": of, **settings})
        return f"c{len(self.created)}"

    def write(self, container: str, path: str, data: bytes) -> None:
        self.written.append((container, path, data))

    def start(self, container: str) -> str:
        command = self.created[-1].get("entrypoint") or ["x"]
        return f'exec: "{command[0]}": not found' if command[0] in self.refuses else ""

    def state(self, container: str) -> State:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def signal(self, container: str, name: str) -> None:
        self.signals.append(name)

    def processes(self, container: str) -> list[tuple[int, int, str]]:
        pids = self.running.pop(0) if len(self.running) > 1 else self.running[0]
        return [(pid, 0, "x") for pid in pids]

    def stats(self, container: str) -> Any:
        return {"cpu_stats": {"cpu_usage": {"total_usage": next(self.cpu)}}}

    def wait(self, container: str, seconds: int) -> int:
        return 0


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LOOK", 0.001)


def healthy(*probes: HealthProbe, status: str = "healthy") -> State:
    return replace(STATE, health=status, health_probes=probes)


# -- the image's own ------------------------------------------------------------------------------

DOCKERFILE = Dockerfile.parse(b"FROM a:1\nHEALTHCHECK CMD x\nFROM b:1\n\nHEALTHCHECK CMD y\n")


@pytest.mark.parametrize("config", [{}, {"Healthcheck": None}, {"Healthcheck": {"Test": ["NONE"]}}])
def test_no_healthcheck_is_the_students(config: dict[str, Any]) -> None:
    with pytest.raises(SubmissionError, match="no HEALTHCHECK") as caught:
        faults.healthcheck(image(**config), DOCKERFILE)
    assert caught.value.line == 5


def test_what_the_image_says_and_what_docker_takes_else() -> None:
    said = {"Test": ["CMD", "x"], "Interval": 2_000_000_000}
    one = faults.healthcheck(image(Healthcheck=said), DOCKERFILE)
    assert [one.seconds(k) for k in ("Interval", "Timeout", "StartPeriod")] == [2, 30, 0]
    assert (one.retries, one.line) == (3, 5)


def test_the_students_test_is_kept_and_every_number_is_ours() -> None:
    quick = CHECK.quick(retries=7, interval=100)
    assert quick["test"] == ["CMD", "ask"]
    assert set(quick) == {"test", "interval", "timeout", "start_period", "retries"}
    assert all(value for value in quick.values())
    assert (quick["interval"], quick["retries"]) == (100_000_000, 7)


# -- nothing to know a fault by -------------------------------------------------------------------


def test_a_path_is_spelled_otherwise_each_time_and_stays_the_same_path() -> None:
    spelled = {faults.respelled("/app/models/x.onnx") for _ in range(50)}
    assert len(spelled) > 5
    assert {posixpath.normpath(p) for p in spelled} == {"/app/models/x.onnx"}


def test_both_variables_are_always_set_and_never_the_same() -> None:
    many = [faults.environment("/m") for _ in range(20)]
    assert all(set(one) == {"MODEL_PATH", "LOAD_DELAY_S"} for one in many)
    assert len({one["LOAD_DELAY_S"] for one in many}) > 5
    assert all(0 < float(one["LOAD_DELAY_S"]) < 0.3 for one in many)


@pytest.mark.parametrize(
    ("env", "path"),
    [(None, faults.MODEL), (["A=b"], faults.MODEL), (["MODEL_PATH=/m/x=y"], "/m/x=y")],
)
def test_the_model_is_where_the_image_says(env: list[str] | None, path: str) -> None:
    assert faults.model_of(image(Env=env)) == path


# -- watching -------------------------------------------------------------------------------------


def test_every_probe_is_kept_though_the_engine_keeps_five() -> None:
    engine: Any = FakeEngine(
        healthy(probe(1, 1), probe(2, 1), status="starting"),
        healthy(probe(2, 1), probe(3, 0)),
        healthy(probe(3, 0), probe(4, 0)),
    )
    seen = Watch(engine, "c").until(lambda w: len(w.probes) > 3, 5)
    assert [p.exit_code for p in seen.probes] == [1, 1, 0, 0]
    assert seen.statuses == ("starting", "healthy")
    assert len(seen.since(T0 + 3)) == 2


def test_a_health_that_never_changes_is_not_waited_for_for_ever() -> None:
    engine: Any = FakeEngine(healthy(status="starting"))
    assert Watch(engine, "c").until(lambda w: w.last == "healthy", 0.05).last == "starting"


def test_it_goes_on_looking_while_something_else_is_waited_for() -> None:
    engine: Any = FakeEngine(healthy(probe(1, 1), status="starting"), healthy(probe(9, 0)))
    watch = Watch(engine, "c")
    with watch.meanwhile():
        while len(watch.probes) < 2:
            pass
    assert watch.look().statuses[-1] == "healthy"


@pytest.mark.parametrize(("pids", "made"), [([1], 0), ([1, 2], 1)])
def test_a_signal_goes_to_every_process(pids: list[int], made: int) -> None:
    engine: Any = FakeEngine()
    engine.running = [pids]
    watched.signal_all(engine, "c", "SIGSTOP")
    assert engine.signals == ["SIGSTOP"]
    assert len(engine.created) == made
    if made:
        assert engine.created[0]["cap_add"] == ["KILL"]
        assert engine.created[0]["pid_mode"] == "container:c"


def test_a_signal_that_cannot_be_sent_is_the_machines() -> None:
    engine: Any = FakeEngine()
    engine.running, engine.wait = [[1, 2]], lambda *_: 1
    with pytest.raises(EngineError, match="SIGSTOP"):
        watched.signal_all(engine, "c", "SIGSTOP")


# -- the faults -----------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the paths answer; for each status its first and its last question."""

    def make(*rows: tuple[str, int, float, float]) -> None:
        runs = tuple(Run(path, status, T0 + a, T0 + b, 3) for path, status, a, b in rows)
        monkeypatch.setattr("grader.probes.watch", lambda *_, **__: Seen(runs))

    return make


def test_a_probe_counts_from_the_moment_the_server_is_up(asked: Callable[..., None]) -> None:
    asked(("/ready", 0, 0, 1.9), ("/ready", 503, 2, 2), ("/ready", 500, 2.5, 9))
    engine: Any = FakeEngine(healthy(probe(1, 1), probe(2.4, 0), probe(3, 1), status="unhealthy"))
    seen = faults.broken(image(), CHECK, engine, EXERCISE)
    assert seen.settled == T0 + 2.5
    assert [p.exit_code for p in seen.counted] == [1]
    (made,) = engine.created
    assert made["healthcheck"]["retries"] == 1


def test_what_is_no_model_is_a_file_that_every_container_has(asked: Callable[..., None]) -> None:
    asked(("/ready", 500, 1, 2))
    engine: Any = FakeEngine(healthy(probe(3, 1), status="unhealthy"))
    faults.broken(image(), CHECK, engine, EXERCISE)
    path = posixpath.normpath(engine.created[0]["environment"]["MODEL_PATH"])
    assert path in faults.NO_MODELS


def test_a_server_that_never_says_500_has_no_probe_that_counts(asked: Callable[..., None]) -> None:
    asked(("/ready", 200, 1, 2))
    engine: Any = FakeEngine(healthy(probe(3, 0)))
    seen = faults.broken(image(), CHECK, engine, EXERCISE)
    assert (seen.settled, seen.counted) == (None, ())


def test_a_slow_model(asked: Callable[..., None]) -> None:
    asked(("/ready", 0, 0, 1), ("/ready", 503, 1.1, 2.2), ("/ready", 200, 2.3, 4))
    engine: Any = FakeEngine(healthy(probe(1.5, 0), probe(2.1, 0), probe(4, 0)))
    seen = faults.slow(image(), CHECK, engine, EXERCISE)
    assert (seen.not_ready, seen.ready) == (T0 + 2.2, T0 + 2.3)
    assert [p.start for p in seen.early] == [stamp(1.5)]
    delay = float(engine.created[0]["environment"]["LOAD_DELAY_S"])
    assert faults.SLOW[0] <= delay <= faults.SLOW[1]


def test_of_two_workers_one_may_be_ready_before_the_other(
    asked: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's 503 is no proof that a yes which came meanwhile was wrong."""
    monkeypatch.setattr(faults, "SLOW", (1.5, 1.5))
    asked(("/ready", 0, 0, 1), ("/ready", 503, 1.1, 3.4), ("/ready", 200, 3.5, 4))
    seen_early = healthy(probe(1.9, 0), probe(2.5, 0), probe(4, 0))
    seen = faults.slow(image(), CHECK, FakeEngine(seen_early), EXERCISE)  # type: ignore[arg-type]
    assert seen.not_ready == pytest.approx(T0 + 1.1 + 1.5 - faults.BEGUN)
    assert [p.start for p in seen.early] == [stamp(1.9)]


@pytest.mark.parametrize("busy", [False, True])
def test_without_a_probe_that_met_it_loading_a_longer_load_is_tried(
    asked: Callable[..., None], monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    """One began before the server was up, one ended after the load: neither tells anything."""
    asked(("/ready", 0, 0, 1), ("/ready", 503, 1.1, 2.2), ("/ready", 200, 2.3, 4))
    engine: Any = FakeEngine(healthy(probe(1, 1), probe(2.1, 0), probe(4, 0)))
    judged = EngineError("busy") if busy else None
    monkeypatch.setattr(faults, "unless_busy", lambda _, late: judged or late)
    with pytest.raises(EngineError if busy else SubmissionError) as caught:
        faults.slow(image(), CHECK, engine, EXERCISE)
    delays = [float(made["environment"]["LOAD_DELAY_S"]) for made in engine.created]
    assert len(delays) == 2
    assert delays[1] > 2 * delays[0]
    assert "no probe came to an end" in str(caught.value) or busy


def test_a_model_that_never_gets_ready_is_not_tried_again(asked: Callable[..., None]) -> None:
    asked(("/ready", 503, 1.1, 30))
    engine: Any = FakeEngine(healthy(probe(1, 1)))
    assert faults.slow(image(), CHECK, engine, EXERCISE).ready is None
    assert len(engine.created) == 1


def test_frozen_and_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults.time, "time", lambda: T0 + 2)
    engine: Any = FakeEngine(
        healthy(probe(1, 0)),
        healthy(probe(1, 0), probe(2.5, -1), status="unhealthy"),
        healthy(probe(2.5, -1), probe(4, 0)),
    )
    seen = faults.frozen(Health("healthy"), "c", engine)
    assert (seen.during.last, seen.after.last) == ("unhealthy", "healthy")
    assert seen.seconds == pytest.approx(0.7)
    assert engine.signals == ["SIGSTOP", "SIGCONT", "SIGKILL"]


def test_what_was_never_healthy_is_not_frozen() -> None:
    engine: Any = FakeEngine(healthy(status="unhealthy"))
    faults.frozen(Health("unhealthy"), "c", engine)
    assert engine.signals == []


class Known:
    """The one fact that a fallback asks for."""

    def get(self, name: str) -> tuple[File, ...]:
        assert name == "files"
        return (File("/usr/bin/python3.11", 1, 0o755, 0, 0, "0"),)


@pytest.mark.parametrize(
    ("refuses", "command"),
    [((), "sleep 600"), (("sleep",), "/usr/bin/python3.11 -c")],
)
def test_something_else_runs_in_its_place(refuses: tuple[str, ...], command: str) -> None:
    engine: Any = FakeEngine(healthy(probe(1, 1), probe(2, 1)), refuses=refuses)
    seen = faults.replaced(image(), CHECK, engine, EXERCISE, Known())
    assert seen.command.startswith(command)
    assert engine.created[-1]["healthcheck"]["test"] == ["CMD", "ask"]


@pytest.mark.parametrize("refuses", [("sleep", "/usr/bin/python3.11")])
def test_where_nothing_can_wait_it_is_not_measured(refuses: tuple[str, ...]) -> None:
    engine: Any = FakeEngine(healthy(probe(1, 1)), refuses=refuses)
    with pytest.raises(NotMeasurable):
        faults.replaced(image(), CHECK, engine, EXERCISE, Known())


def test_a_command_that_ends_at_once_proves_nothing() -> None:
    engine: Any = FakeEngine(replace(healthy(probe(1, 1), probe(2, 1)), running=False))
    with pytest.raises(NotMeasurable):
        faults.replaced(image(), CHECK, engine, EXERCISE, Known())


COSTS = [
    ("nothing is left", [[1, 2]], 0),
    ("a probe that just runs", [[1], [1, 7], [1]], 0),
    ("a child that stays", [[1], [1, 7], [1, 7]], 1),
    ("two, and a probe", [[1], [1, 7, 8, 9], [1, 7, 8]], 2),
    ("a worker that was there before", [[1, 2, 3], [1, 2]], 0),
]


@pytest.mark.parametrize(("running", "left"), [c[1:] for c in COSTS], ids=[c[0] for c in COSTS])
def test_what_a_probe_costs(running: list[list[int]], left: int) -> None:
    states = [healthy(*(probe(n, 0) for n in range(count + 1))) for count in range(12)]
    engine: Any = FakeEngine(*states)
    engine.running = running
    watch: Any = Watch(engine, "c")
    seen = faults.cost(Slow(Watched((), ()), 0, 1, 2, watch, faults.Meter.read(watch)))
    assert seen.left == left
    assert seen.probes >= faults.COSTED
    assert seen.cpu_seconds == pytest.approx(0.4 / seen.probes)


def test_a_cost_without_a_probe_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Watch.until
    monkeypatch.setattr(Watch, "until", lambda self, met, seconds=0.02: real(self, met, seconds))
    engine: Any = FakeEngine(healthy(probe(1, 0)))
    watch = Watch(engine, "c")
    slow = Slow(Watched((), ()), 0, 1, 2, watch, faults.Meter.read(watch))
    with pytest.raises(NotMeasurable):
        faults.cost(slow)


# -- while it loads -------------------------------------------------------------------------------


def test_loaded_is_when_it_can_predict(asked: Callable[..., None]) -> None:
    asked(("/predict", 0, 0, 1), ("/predict", 503, 1.1, 2.9), ("/predict", 200, 3, 4))
    engine: Any = FakeEngine()
    seen = startup.loading(image(), engine, EXERCISE)
    assert (seen.loaded, seen.not_loaded) == (T0 + 3, T0 + 2.9)
    assert float(engine.created[0]["environment"]["LOAD_DELAY_S"]) == pytest.approx(
        seen.delay, abs=0.001
    )


def test_a_container_that_ends_without_a_model_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends(*_: Any, **__: Any) -> Seen:
        raise SubmissionError("The container ended with exit code 3.")

    monkeypatch.setattr("grader.probes.watch", ends)
    engine: Any = FakeEngine()
    assert "exit code 3" in startup.no_model(image(), engine, EXERCISE).ended
    strict = startup.strict(image(), engine, EXERCISE)
    assert not strict.ready
    assert "exit code 3" in strict.said
    assert engine.created[-1]["environment"]["PYTHONWARNINGS"] == startup.STRICT
    folder = engine.created[-1]["environment"]["PYTHONPATH"]
    assert engine.written == [("c2", f"{folder}/sitecustomize.py", startup.HOOK.encode())]


def test_a_file_that_is_no_model_is_there(asked: Callable[..., None]) -> None:
    asked(("/ready", 500, 1, 2))
    engine: Any = FakeEngine()
    assert "no model" in startup.bad_model(image(), engine, EXERCISE).what
    path = posixpath.normpath(engine.created[0]["environment"]["MODEL_PATH"])
    assert path in faults.NO_MODELS


HOOKED = [
    ("the program warns", "warnings.warn('old', DeprecationWarning)", True),
    ("it is told of by what it calls", "import lib; lib.old()", True),
    ("with an object", "warnings.warn(DeprecationWarning('old'))", True),
    ("another kind", "warnings.warn('old', UserWarning)", False),
    ("a library by itself", "import lib; lib.within()", False),
]


@pytest.mark.parametrize(("text", "raises"), [h[1:] for h in HOOKED], ids=[h[0] for h in HOOKED])
def test_a_deprecation_counts_though_the_program_is_deaf(
    text: str, raises: bool, tmp_path: Path
) -> None:
    for name in ("app", "lib", "hook"):
        (tmp_path / name).mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(startup.HOOK)
    (tmp_path / "app/main.py").write_text(
        f"import warnings; warnings.simplefilter('ignore')\n{text}\n"
    )
    (tmp_path / "lib/lib.py").write_text(
        "import warnings\n"
        "def old(): warnings.warn('old', DeprecationWarning, 2)\n"
        "def within(): old()\n"
    )
    path = f"{tmp_path / 'hook'}:{tmp_path / 'lib'}"
    run = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path / "app",
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert ("DeprecationWarning: old" in run.stderr) is raises, run.stderr
    assert bool(run.returncode) is raises


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False), (0, False)])
def test_strict_is_ready_or_not(asked: Callable[..., None], status: int, ready: bool) -> None:
    asked(("/ready", status, 1, 2))
    engine: Any = FakeEngine()
    assert startup.strict(image(), engine, EXERCISE).ready is ready


@pytest.mark.parametrize(
    ("env", "path"), [([], startup.HOOKS), (["PYTHONPATH=/site"], f"{startup.HOOKS}:/site")]
)
def test_an_image_keeps_its_own_places_for_packages(
    asked: Callable[..., None], env: list[str], path: str
) -> None:
    asked(("/ready", 200, 1, 2))
    engine: Any = FakeEngine()
    startup.strict(image(Env=env), engine, EXERCISE)
    assert engine.created[0]["environment"]["PYTHONPATH"] == path
