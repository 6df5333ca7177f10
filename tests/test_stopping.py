"""How a container is told to stop, and what is known of the command that has to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import busy, probe, stopping
from grader.behaviour import Up
from grader.clock import moment
from grader.dockerfile import Dockerfile
from grader.engine import Image, State
from grader.errors import EngineError, SubmissionError
from grader.registry import CHECKS, load_checks
from grader.running import Questions
from grader.spec import Exercise, Item
from grader.stopping import Command
from tests import local_probe

STARTED = "2026-11-25T10:00:00Z"
UP = State(True, 0, False, "", STARTED)
DOWN = State(False, 0, False, "", STARTED)


def exercise(*seconds: float, image: str = "") -> Exercise:
    load_checks()
    rows = ({"max_seconds": one} for one in seconds)
    items = tuple(Item(str(n), CHECKS["stop.graceful"], row, 1) for n, row in enumerate(rows))
    return Exercise("90-small", "one", "One", "Do.", items, Path("/nowhere"), image=image)


# -- the command -----------------------------------------------------------------------------------

SIGNALS = [
    ("SIGTERM", 15),
    ("TERM", 15),
    ("15", 15),
    ("SIGKILL", 9),
    ("9", 9),
    ("sigint", 2),
    ("SIGRTMIN", signal.SIGRTMIN),
    ("SIGRTMIN+3", 0),
    ("nonsense", 0),
]


@pytest.mark.parametrize(("name", "number"), SIGNALS)
def test_the_number_of_a_stop_signal(name: str, number: int) -> None:
    assert Command((), False, name).number == number


def test_a_signal_is_no_other_thing_of_that_module() -> None:
    assert Command((), False, "_DFL").number == 0
    assert Command((), False, "SIG_UNBLOCK").number == 0


def command(text: str, one: Exercise | None = None, **config: Any) -> Command:
    class Facts:
        def get(self, name: str) -> Dockerfile:
            assert name == "dockerfile"
            return Dockerfile.parse(text.encode())

    image = Image("sha256:1", (), (), config)
    return stopping.command(image, one or exercise(), Facts())


SHELL = ["/bin/sh", "-c", "python x.py"]
FORMS = [
    ({"Cmd": SHELL}, True),
    ({"Entrypoint": SHELL}, True),
    ({"Cmd": ["python", "x.py"]}, False),
    ({"Entrypoint": ["python"], "Cmd": SHELL}, False),
    ({"Cmd": ["sh", "run.sh"]}, False),
]


@pytest.mark.parametrize(("config", "shell"), FORMS)
def test_the_shell_form_is_known_by_what_docker_made_of_it(
    config: dict[str, Any], shell: bool
) -> None:
    assert command("FROM a\n", **config).shell is shell


def test_the_default_signal_is_dockers() -> None:
    assert command("FROM a\n").stop_signal == "SIGTERM"
    assert command("FROM a\n", StopSignal="SIGQUIT").stop_signal == "SIGQUIT"


LINES = [
    ("FROM a\nCMD b\n", {"CMD": 2}),
    ("FROM a\nCMD b\nCMD c\n", {"CMD": 3}),
    ("FROM a AS one\nCMD b\nFROM a\nENTRYPOINT c\n", {"ENTRYPOINT": 4}),
    ("FROM a AS one\nCMD b\nSTOPSIGNAL 9\nFROM one\nCMD c\n", {"CMD": 5, "STOPSIGNAL": 3}),
    ("FROM a AS a\nCMD b\n", {"CMD": 2}),
    ("FROM a\n", {}),
]


@pytest.mark.parametrize(("text", "lines"), LINES)
def test_the_lines_that_count(text: str, lines: dict[str, int]) -> None:
    assert command(text).lines == lines


def test_the_entrypoint_gets_the_signal() -> None:
    assert command("FROM a\nENTRYPOINT b\nCMD c\n").line == 2
    assert command("FROM a\nCMD c\n").line == 2
    assert command("FROM a\n").line is None


def test_an_exercise_without_a_dockerfile_has_no_lines() -> None:
    class Facts:
        def get(self, name: str) -> Dockerfile:
            raise AssertionError(name)

    image = Image("sha256:1", (), (), {"Cmd": ["a"]})
    assert stopping.command(image, exercise(image="digits"), Facts()).lines == {}


@pytest.mark.parametrize(("asked", "patience"), [((), 4), ((2,), 3), ((1.5,), 3), ((1, 4), 5)])
def test_nobody_waits_longer_than_a_second_more_than_is_allowed(
    asked: tuple[float, ...], patience: int
) -> None:
    assert stopping._patience(exercise(*asked)) == patience


# -- stop ------------------------------------------------------------------------------------------


class FakeEngine:
    """One container that is up until it is stopped."""

    def __init__(self, *states: State, log: str = "") -> None:
        self.states, self.log = list(states), log
        self.signals: list[tuple[str, str]] = []
        self.patience, self.too_big = 0, set[str]()

    def create(self, image: str, **_: Any) -> str:
        return "c1"

    def start(self, container: str) -> str:
        return ""

    def state(self, container: str) -> State:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def stop(self, container: str, seconds: int) -> float:
        self.patience = seconds
        return 0.5

    def signal(self, container: str, name: str) -> None:
        self.signals.append((container, name))

    def logs(self, container: str, *, tail: int = 20) -> str:
        return f"{stopping.SENT}\n{self.log}" if container == "ours" else self.log

    def ping(self) -> None:
        pass


IMAGE = Image("sha256:1", (), (), {"Cmd": ["x"]})
COMMAND = Command(("x",), False, "SIGTERM")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the probe gives back; the container gets ready by itself."""
    answer: dict[str, Any] = {}

    def inject(*_: Any, **how: Any) -> dict[str, Any]:
        if "meanwhile" in how:
            how["meanwhile"]("ours")
        answer["asked"] = _[3]
        return answer

    monkeypatch.setattr(probe, "inject", inject)
    monkeypatch.setattr(stopping, "up", lambda *_: Up("c1", 1.0))
    monkeypatch.setattr(stopping, "MORE", 0)
    return answer


CAUGHT = [("0000000000004000", True), ("0000000000000002", False), ("ffffffffffffbfff", False)]


@pytest.mark.parametrize(("mask", "handles"), CAUGHT)
def test_whether_process_1_has_a_handler_is_what_the_kernel_says(
    said: dict[str, Any], mask: str, handles: bool
) -> None:
    said |= {"caught": mask, "command": "sh -c x", "program": "dash"}
    engine: Any = FakeEngine(UP, DOWN)
    got = stopping.stopped(IMAGE, COMMAND, engine, exercise(2))
    assert got.first.handles is handles
    assert got.first.shell
    assert (got.seconds, got.patience, engine.patience) == (0.5, 3, 3)


def test_a_container_that_left_before_it_was_told_did_not_stop_well(said: dict[str, Any]) -> None:
    said |= {"caught": "0", "command": "x", "program": "python3.11"}
    engine: Any = FakeEngine(DOWN)
    with pytest.raises(SubmissionError, match="ended with exit code 0"):
        stopping.stopped(IMAGE, COMMAND, engine, exercise(2))


def test_where_nobody_may_look_the_stop_is_measured_all_the_same(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    def inject(*_: Any, **__: Any) -> dict[str, Any]:
        raise EngineError("The grader's probe failed: killed")

    monkeypatch.setattr(probe, "inject", inject)
    engine: Any = FakeEngine(UP, DOWN)
    got = stopping.stopped(IMAGE, COMMAND, engine, exercise(2))
    assert (got.first.command, got.exit_code, got.seconds) == ("x", 0, 0.5)


TRIES = [
    ("in time", True, [(0, 1.9)], (0, 1.9)),
    ("late, and again", True, [(0, 2.5), (0, 2.4)], (0, 2.4)),
    ("late, then in time", True, [(0, 2.5), (0, 0.4)], (0, 0.4)),
    ("killed, then in time", True, [(137, 3.1), (0, 1.0)], (0, 1.0)),
    ("in time, as it was killed", True, [(137, 0.1), (0, 2.5)], (0, 2.5)),
    ("killed without a handler", False, [(137, 3.1)], (137, 3.1)),
]


@pytest.mark.parametrize(
    ("handles", "tries", "end"), [t[1:] for t in TRIES], ids=[t[0] for t in TRIES]
)
def test_who_has_a_handler_and_is_late_gets_a_second_try(
    monkeypatch: pytest.MonkeyPatch,
    handles: bool,
    tries: list[tuple[int, float]],
    end: tuple[int, float],
) -> None:
    first = stopping.First("x", handles, shell=False)
    runs = iter([stopping.Stopped(seconds, code, 3, first) for code, seconds in tries])
    monkeypatch.setattr(stopping, "_stopped", lambda *_: next(runs))
    monkeypatch.setattr(stopping, "slowdown", lambda _: 1.2)
    engine: Any = None
    got = stopping.stopped(IMAGE, COMMAND, engine, exercise(2))
    assert (got.exit_code, got.seconds) == end
    assert list(runs) == []


BUSY = [(1.0, False), (stopping.BUSY, False), (stopping.BUSY + 0.1, True)]


@pytest.mark.parametrize(("times", "machine"), BUSY)
def test_a_busy_machine_is_not_put_down_to_who_is_late(
    monkeypatch: pytest.MonkeyPatch, times: float, machine: bool
) -> None:
    engine: Any = None
    monkeypatch.setattr(stopping, "slowdown", lambda _: times)
    late = stopping.Stopped(2.5, 0, 3, stopping.First("x", handles=True, shell=False))
    monkeypatch.setattr(stopping, "_stopped", lambda *_: late)
    if machine:
        with pytest.raises(EngineError, match="too much to do"):
            stopping.stopped(IMAGE, COMMAND, engine, exercise(2))
    else:
        assert stopping.stopped(IMAGE, COMMAND, engine, exercise(2)) == late


def test_who_has_no_handler_is_late_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = None
    monkeypatch.setattr(stopping, "slowdown", lambda _: 99.0)
    dead = stopping.Stopped(3.1, 137, 3, stopping.First("x", handles=False, shell=False))
    monkeypatch.setattr(stopping, "_stopped", lambda *_: dead)
    assert stopping.stopped(IMAGE, COMMAND, engine, exercise(2)) == dead


def test_how_slow_the_machine_is_can_be_measured() -> None:
    out = subprocess.run([sys.executable, "-I", "-c", busy.WORK], capture_output=True)
    assert float(out.stdout) >= 0.99


TOOK = [("", 3.0), ("10:00:00", 3.0), ("10:00:01.5", 1.5), ("10:00:02", 2.0), ("10:00:09", 3.0)]


@pytest.mark.parametrize(("finished", "seconds"), TOOK)
def test_how_long_it_took_is_what_the_engine_wrote_down_if_its_clock_is_ours(
    finished: str, seconds: float
) -> None:
    at = f"2026-11-25T{finished}Z" if finished else ""
    began = moment(STARTED) - (0 if finished != "10:00:00" else -1)
    assert stopping._took(replace(DOWN, finished_at=at), began, 3.0) == seconds


# -- a request in flight ---------------------------------------------------------------------------


def interrupted(said: dict[str, Any], *states: State, **probed: Any) -> stopping.Interrupted:
    said |= {"before": 200, "status": 200, "error": "", "went_on": True, "same": True, **probed}
    engine: Any = FakeEngine(*states)
    got = stopping.interrupted(IMAGE, COMMAND, Questions(), engine, exercise(0.1))
    assert engine.signals == [("c1", "15"), ("ours", "SIGUSR1")]
    return got


def test_first_the_container_is_told_and_then_the_probe(said: dict[str, Any]) -> None:
    got = interrupted(said, UP, DOWN)
    assert got.ended
    assert got.whole
    assert not got.logged
    assert said["asked"]["path"].startswith("/predict?lab")


def test_a_container_that_stays_has_not_ended(said: dict[str, Any]) -> None:
    assert not interrupted(said, UP).ended


def test_a_probe_that_was_not_told_to_go_on_is_the_machines_failure(said: dict[str, Any]) -> None:
    with pytest.raises(EngineError):
        interrupted(said, UP, DOWN, went_on=False)


class Server:
    """Takes connections one by one; ``lost`` closes the second one in the middle."""

    def __init__(self, *, lost: bool = False, answer: bytes = b"whole") -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lost, self.answer, self.bodies = lost, answer, [b"", b""]
        self.half = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        for number in range(2):
            link, _ = self.listener.accept()
            with link, link.makefile("rb") as lines:
                head = b""
                while (line := lines.readline()).strip():
                    head += line.lower()
                length = int(head.split(b"content-length:")[1].split()[0])
                self.bodies[number] = lines.read(length // 2)
                if number:
                    self.half.set()
                    if self.lost:
                        continue
                self.bodies[number] += lines.read(length - length // 2)
                text = self.answer if number else b"whole"
                link.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + text)


def half(server: Server) -> dict[str, Any]:
    ask = {"port": server.port, "path": "/predict", "body": {"pixels": [1, 2]}, "patience": 5}
    process = local_probe.start(stopping.HALF, {**ask, "hold": 0.1, "mark": stopping.SENT})
    assert process.stderr is not None
    assert stopping.SENT in process.stderr.readline()
    assert server.half.wait(5)
    process.send_signal(signal.SIGUSR1)
    out, _ = process.communicate(timeout=20)

    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def test_the_end_of_the_request_comes_after_the_signal_and_the_answer_is_read() -> None:
    server = Server()
    said = half(server)
    assert (said["before"], said["status"], said["went_on"], said["same"]) == (200, 200, True, True)
    assert server.bodies[0] == server.bodies[1] == b'{"pixels": [1, 2]}'


def test_a_server_that_hangs_up_meanwhile_gave_no_answer() -> None:
    said = half(Server(lost=True))
    assert said["status"] == 0
    assert said["went_on"]
    assert said["error"]


def test_an_answer_that_is_shorter_than_in_peace_is_not_whole() -> None:
    said = half(Server(answer=b"who"))
    assert said["status"] == 200
    assert not said["same"]
