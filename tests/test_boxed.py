"""A given program under a load of ours: what it runs, what it answers, what is killed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader import boxed, locked, probe, running
from grader.boxed import Held, Loaded
from grader.engine import Image, State
from grader.errors import EngineError, SubmissionError
from grader.locked import Confined
from grader.runspec import RunSpec
from grader.spec import Limits
from grader.yamls import Doc

SPEC = RunSpec(Doc("compose.yaml", ()), Path(), {}, "digits")
CONFINED = Confined("id", SPEC, {"Memory": 100_000_000})
UP = State(True, 0, False, "", "")
KILLED = State(False, 137, True, "", "")
IMAGE = Image("i", (), (), {"Cmd": ["python", "serve.py"]})
MEANS = [[0.0] * 64, [16.0] * 64]


# -- what it runs ----------------------------------------------------------------------------------


def made(**config: Any) -> Any:
    return SimpleNamespace(inspect=lambda _: {"Config": config})


def test_a_program_is_what_the_engine_will_run() -> None:
    env = ["A=1=2", "EMPTY=", "PATH=/bin"]
    found = boxed.program(CONFINED, IMAGE, made(Cmd=["python", "serve.py"], Env=env))
    assert found.command == found.of_image == ("python", "serve.py")
    assert found.environment == {"A": "1=2", "EMPTY": "", "PATH": "/bin"}
    assert found.brought == ()


def test_an_entrypoint_counts_as_well() -> None:
    found = boxed.program(CONFINED, IMAGE, made(Entrypoint=["sh", "-c"], Cmd=["x"]))
    assert found.command == ("sh", "-c", "x")
    assert boxed.program(CONFINED, Image("i", (), (), {}), made()).command == ()


def test_files_of_the_submission_are_seen_and_volumes_are_none() -> None:
    mounts = ({"Type": "bind", "Destination": "/srv"}, {"Type": "volume", "Destination": "/v"})
    spec = replace(SPEC, wanted={"configs": ["x"], "secrets": []})
    found = boxed.program(replace(CONFINED, mounts=mounts, spec=spec), IMAGE, made())
    assert found.brought == ("/srv", "configs")


# -- under the load --------------------------------------------------------------------------------


def counters(periods: int, held: int) -> dict[str, Any]:
    throttling = {"periods": periods, "throttled_periods": held}
    used = {"total_usage": periods * 10_000_000}
    cpu = {"throttling_data": throttling, "cpu_usage": used}
    return {"read": "2026-01-01T00:00:00Z", "cpu_stats": cpu}


class Fake:
    """An engine with one container, and a probe that gets these answers."""

    def __init__(self, *states: State) -> None:
        self.states = list(states) or [UP]
        self.readings = [counters(7, 5), counters(47, 8)]
        self.asked: list[Any] = []
        self.pings = 0

    def state(self, _: str) -> State:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def stats(self, _: str) -> dict[str, Any]:
        return self.readings.pop(0) if self.readings else {}

    def ping(self) -> None:
        self.pings += 1

    def logs(self, _: str, *, tail: int) -> str:
        return "last words"


def right(path: str, body: Any) -> list[Any]:
    digit = boxed.nearest(MEANS, body["pixels"]) if "pixels" in body else None
    return [200, json.dumps({"digit": digit}), 5.0]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "patched").mkdir()
    (tmp_path / boxed.MEANS).write_text(json.dumps(MEANS))
    monkeypatch.setattr(locked, "begin", lambda *_: None)
    monkeypatch.setattr(running, "readied", lambda *_: (0.0, ()))
    monkeypatch.setattr(boxed, "ENDING", 0.0)
    exercise: Any = SimpleNamespace(port=8000, limits=Limits())
    monkeypatch.setattr(boxed, "replace", lambda one, **_: one)

    def go(engine: Fake, answer: Any = right) -> Loaded:
        def inject(*args: Any, **how: Any) -> dict[str, Any]:
            engine.asked.append(args[3])
            rows = []
            for path, body in args[3]["questions"]:
                rows.append(answer(path, body))
                if not rows[-1][0]:
                    break
            return {"rows": rows}

        monkeypatch.setattr(probe, "inject", inject)
        context: Any = SimpleNamespace(folder=tmp_path)
        return boxed.loaded(CONFINED, context, engine, exercise)  # type: ignore[arg-type]

    return go


def test_right_answers_and_what_the_load_cost(run: Any) -> None:
    engine = Fake()
    found = run(engine)
    assert (found.wrong, found.batches, found.oom_killed) == ((), 2, False)
    assert found.milliseconds == (5.0,) * boxed.PICTURES
    assert (found.periods, found.held) == (40, 3)  # not what was before it
    assert found.cpu == pytest.approx(0.4)
    assert boxed.held(found) == Held(40, 3, found.cpu, found.milliseconds)


def test_each_run_asks_other_pictures(run: Any) -> None:
    one, other = Fake(), Fake()
    run(one)
    run(other)
    assert one.asked[0]["questions"] != other.asked[0]["questions"]


def test_what_is_wrong_is_told_once(run: Any) -> None:
    found = run(Fake(), lambda path, body: [200, '{"digit": 5}', 1.0])
    assert set(found.wrong) <= {"5 where 0 is right", "5 where 1 is right"}
    assert len(found.wrong) == len(set(found.wrong)) > 0


def test_a_batch_that_fails_is_wrong_and_a_killed_child_is_seen(run: Any) -> None:
    def answer(path: str, body: Any) -> list[Any]:
        return [500, "ended with -9", 1.0] if path == "/batch" else right(path, body)

    found = run(Fake(replace(UP, oom_killed=True)), answer)
    assert found.wrong == ("status 500: ended with -9",)
    assert found.oom_killed


def test_one_that_ends_under_the_load_is_told_with_its_exit_code(run: Any) -> None:
    engine = Fake(KILLED)
    with pytest.raises(SubmissionError) as caught:
        run(engine, lambda *_: [0, "RemoteDisconnected: x", 1.0])
    assert "exit code 137: out of memory, the kernel killed its first process" in str(caught.value)
    assert "last words" in str(caught.value)
    assert engine.pings


def test_one_that_has_ended_by_the_next_look_is_told_too(run: Any) -> None:
    engine = Fake(KILLED)
    engine.readings = [counters(1, 1)]
    with pytest.raises(SubmissionError, match="exit code 137"):
        run(engine)


@pytest.mark.parametrize("busy", [True, False])
def test_one_that_hangs_is_late_unless_the_machine_is_busy(
    run: Any, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    monkeypatch.setattr(
        boxed, "unless_busy", lambda _, late, __: EngineError("busy") if busy else late
    )
    with pytest.raises(EngineError if busy else SubmissionError):
        run(Fake(), lambda *_: [0, "TimeoutError: timed out", 1.0])


def test_a_connection_that_breaks_is_an_answer_that_is_wrong(run: Any) -> None:
    found = run(Fake(), lambda *_: [0, "ConnectionResetError: x", 1.0])
    assert found.wrong == ("no answer: ConnectionResetError: x",)
    assert found.batches == 0


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(False, 1, False, "", ""), "exit code 1."),
        (KILLED, "exit code 137: out of memory, the kernel killed its first process"),
        (State(False, 1, True, "", ""), "exit code 1: out of memory, the kernel killed a process"),
        (State(False, 137, False, "", ""), "exit code 137."),
    ],
)
def test_how_it_ended(state: State, words: str) -> None:
    assert boxed.how(state).startswith(words)
