"""What is asked of a running container: signals, health, stopping, and a look from within."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NoReturn

import pytest

from grader import peek, probe, watched
from grader.engine import PROBE_IMAGE, Engine, State
from grader.errors import EngineError, SubmissionError
from tests.conftest import wait_until

pytestmark = pytest.mark.live

SLEEP = ["/usr/local/bin/python3", "-c", "import time; time.sleep(300)"]
POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
time.sleep(300)
"""
ZOMBIE = """
import os, time
if os.fork() == 0: os._exit(0)
time.sleep(300)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.open() as one:
        yield one


def start(engine: Engine, command: list[str], **how: object) -> str:
    container = engine.create(PROBE_IMAGE, entrypoint=[], command=command, **how)
    assert engine.start(container) == ""
    return container


def ended(state: State) -> NoReturn:
    raise SubmissionError(f"ended with {state.exit_code}")


def test_a_stop_is_timed_and_its_code_told(engine: Engine) -> None:
    container = start(engine, ["python3", "-c", POLITE])
    wait_until(lambda: engine.processes(container), 5)
    wait_until(lambda: peek.peek(engine, container, ended=ended).first is not None, 5)
    assert engine.stop(container, 10) < 5
    assert engine.state(container).exit_code == 3


def test_a_signal_to_one_that_has_ended_is_no_error(engine: Engine) -> None:
    container = start(engine, ["true"])
    engine.wait(container, 10)
    engine.signal(container, "SIGTERM")


def test_a_signal_that_does_not_exist_is_one(engine: Engine) -> None:
    container = start(engine, SLEEP)
    with pytest.raises(EngineError, match="send SIGNOPE"):
        engine.signal(container, "SIGNOPE")


def test_who_is_paused_stands_still_meanwhile(engine: Engine) -> None:
    container = start(engine, SLEEP)
    with engine.paused(container):
        assert engine.inspect(container)["State"]["Paused"]
    assert not engine.inspect(container)["State"]["Paused"]


def test_to_pause_one_that_has_ended_is_no_error(engine: Engine) -> None:
    container = start(engine, ["true"])
    engine.wait(container, 10)
    with engine.paused(container):
        assert not engine.state(container).running


def test_environment_and_user_are_handed_on(engine: Engine) -> None:
    script = "import os; print(os.environ['A'], os.getuid())"
    container = start(engine, ["python3", "-c", script], environment={"A": "b c"}, user="1234:5")
    engine.wait(container, 10)
    assert engine.output(container) == "b c 1234\n"
    assert engine.inspect(container)["Config"]["User"] == "1234:5"


def test_each_run_of_a_health_check_is_told(engine: Engine) -> None:
    check = {"test": ["CMD", "python3", "-c", "print('no'); exit(1)"], "interval": 300_000_000}
    container = start(engine, SLEEP, healthcheck={**check, "retries": 2, "timeout": 10**10})
    wait_until(lambda: engine.state(container).health == "unhealthy", 15)
    state = engine.state(container)
    assert state.failing_streak >= 2
    assert {(p.exit_code, p.output) for p in state.health_probes} == {(1, "no\n")}
    assert all(p.start < p.end for p in state.health_probes)


def test_counters_are_read(engine: Engine) -> None:
    container = start(engine, SLEEP)
    wait_until(lambda: engine.stats(container)["pids_stats"]["current"] == 1, 10)


def test_a_look_from_within_shows_what_the_kernel_knows(engine: Engine) -> None:
    container = start(
        engine,
        SLEEP,
        user="1234:5",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    seen = peek.peek(engine, container, ended=ended)
    first = seen.first
    assert first is not None
    assert [p.pid for p in seen.processes] == [1]  # and not the probe itself
    assert (first.uids, first.gids[0]) == ((1234,) * 4, 5)
    assert (first.cap_eff, first.no_new_privs) == (0, True)
    assert "time.sleep(300)" in first.command
    assert seen.root_read_only


def test_a_container_without_restrictions_looks_otherwise(engine: Engine) -> None:
    seen = peek.peek(engine, start(engine, SLEEP), ended=ended)
    first = seen.first
    assert first is not None
    assert (first.uids, first.no_new_privs) == ((0,) * 4, False)
    assert first.cap_eff > 0
    assert not seen.root_read_only


def test_a_zombie_is_seen(engine: Engine) -> None:
    container = start(engine, ["python3", "-c", ZOMBIE])

    def zombies() -> list[peek.Process]:
        seen = peek.peek(engine, container, ended=ended)
        return [p for p in seen.processes if p.state == "Z"]

    wait_until(zombies, 10)
    assert [p.ppid for p in zombies()] == [1]


def test_a_container_that_has_ended_cannot_be_looked_at(engine: Engine) -> None:
    container = start(engine, ["python3", "-c", "exit(7)"])
    engine.wait(container, 10)
    with pytest.raises(SubmissionError, match="ended with 7"):
        peek.peek(engine, container, ended=ended)


def test_a_script_of_ours_gets_its_question(engine: Engine) -> None:
    container = start(engine, SLEEP)
    script = "print(json.dumps({'got': ask['x']}))"
    ask = {"x": "a'b\"\n$(c)"}
    assert probe.inject(engine, container, script, ask, seconds=5, ended=ended) == {"got": ask["x"]}


@pytest.mark.parametrize("script", ["print('no json')", "raise SystemExit(1)", "1/0"])
def test_a_probe_that_fails_is_the_graders_fault(engine: Engine, script: str) -> None:
    container = start(engine, SLEEP)
    with pytest.raises(EngineError, match="probe failed"):
        probe.inject(engine, container, script, {}, seconds=5, ended=ended)


def test_an_image_is_streamed_whole(engine: Engine) -> None:
    import tarfile

    with engine.saved(PROBE_IMAGE) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        names = [member.name for member in tar]
    assert "manifest.json" in names


def test_a_stream_of_no_image_is_an_error(engine: Engine) -> None:
    with pytest.raises(EngineError, match="cannot be read"), engine.saved("nope:1") as stream:
        json.dumps(len(stream.read()))


@pytest.mark.parametrize(
    ("command", "code"),
    [(["true"], 0), (["sh", "-c", "exit 3"], 3), (["/no/such"], 127), (["sleep", "9"], 124)],
)
def test_a_command_run_in_it_tells_its_exit_status(
    engine: Engine, command: list[str], code: int
) -> None:
    assert engine.exec(start(engine, SLEEP), command, seconds=1.5) == code


@pytest.mark.parametrize(("name", "letter"), [("SIGSTOP", "T"), ("SIGCONT", "S")])
def test_a_health_probe_that_is_under_way_is_not_stopped(
    engine: Engine, name: str, letter: str
) -> None:
    """Its time-out would be our doing: a probe that never asks again would look honest."""
    worker = "import os, time; os.fork(); time.sleep(300)"
    container = start(engine, ["python3", "-c", worker])
    engine.api.exec_start(engine.api.exec_create(container, ["sleep", "60"])["Id"], detach=True)
    wait_until(lambda: len(peek.peek(engine, container, ended=ended).processes) == 3, 10)
    watched.signal_all(engine, container, "SIGSTOP")
    if name != "SIGSTOP":
        watched.signal_all(engine, container, name)
    seen = peek.peek(engine, container, ended=ended).processes
    states = {("probe" if p.ppid == 0 and p.pid != 1 else "own", p.state) for p in seen}
    assert states == {("own", letter), ("probe", "S")}
