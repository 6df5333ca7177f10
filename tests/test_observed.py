"""What a container shows: its ports, its log, its metrics, its children."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from grader import observed, probe
from grader.behaviour import Up
from grader.clock import moment
from grader.dockerfile import Dockerfile
from grader.engine import Image, State
from grader.errors import SubmissionError
from grader.observed import Scrape
from grader.peek import Peek, Process
from grader.registry import CHECKS, load_checks
from grader.running import Questions
from grader.spec import Exercise, Item
from tests import local_probe

STARTED = "2026-11-25T10:00:00Z"
UP = State(True, 0, False, "", STARTED)
IMAGE = Image("sha256:1", (), (), {"Cmd": ["x"], "ExposedPorts": {"8000/tcp": {}, "53/udp": {}}})


def exercise(*rows: tuple[str, dict[str, object]], image: str = "") -> Exercise:
    load_checks()
    items = tuple(Item(str(n), CHECKS[use], had, 1) for n, (use, had) in enumerate(rows))
    return Exercise("90-small", "one", "One", "Do.", items, Path("/nowhere"), image=image)


class FakeEngine:
    """One container, whose log grows by a line each time that it is read."""

    def __init__(self, *lines: str, state: State = UP) -> None:
        self.lines, self.read, self._state = lines, 0, state

    def create(self, image: str, **_: Any) -> str:
        return "c1"

    def start(self, container: str) -> str:
        return ""

    def state(self, container: str) -> State:
        return self._state

    def logs(self, container: str, *, tail: int = 20) -> str:
        self.read += 1
        return "\n".join(self.lines[: self.read])


# -- ports -----------------------------------------------------------------------------------------


def ports(port: int, patience: float = 0.3) -> dict[str, Any]:
    ask = {"host": "127.9.8.7", "port": port, "patience": patience, "state": observed.LISTENS}
    return local_probe.run(observed.PORTS, ask)


ADDRESSES = [("0.0.0.0", True), ("127.0.0.1", False), ("127.0.0.2", False)]


@pytest.mark.parametrize(("address", "reached"), ADDRESSES)
def test_a_port_is_reached_at_any_address_only_when_it_listens_at_all(
    address: str, reached: bool
) -> None:
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
        said = ports(port)
        assert [address, port] in said["listening"]
        assert (port in said["reached"]) is reached


def test_a_socket_that_is_only_connected_does_not_listen() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection(server.getsockname()) as link:
        said = ports(server.getsockname()[1])
        assert link.getsockname()[1] not in [port for _, port in said["listening"]]


def test_an_address_of_ipv6_is_read() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 on this machine")
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        said = ports(port)
        assert ["::", port] in said["listening"]
        assert port in said["reached"]


class Facts:
    def get(self, name: str) -> Dockerfile:
        assert name == "dockerfile"
        return Dockerfile.parse(b"FROM a AS b\nEXPOSE 1\nFROM a\nEXPOSE 2\nEXPOSE 8000 53/udp\n")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    monkeypatch.setattr(probe, "inject", lambda *_, **__: answer)
    monkeypatch.setattr(observed, "up", lambda *_: Up("c1", 1.0))
    return answer


def test_what_is_exposed_comes_from_the_image_and_its_line_from_the_last_stage(
    said: dict[str, Any],
) -> None:
    said |= {"listening": [["0.0.0.0", 8000], ["127.0.0.1", 9]], "reached": [8000]}
    engine: Any = FakeEngine()
    got = observed.listening(IMAGE, "c1", engine, exercise(), Facts())
    assert (got.exposed, got.reached, got.line) == (frozenset({8000}), frozenset({8000}), 5)
    assert got.addresses(9) == ["127.0.0.1"]
    assert observed.listening(IMAGE, "c1", engine, exercise(image="x"), None).line is None


def test_a_probe_that_ran_out_of_time_saw_nothing(said: dict[str, Any]) -> None:
    engine: Any = FakeEngine()
    assert observed.listening(IMAGE, "c1", engine, exercise(), Facts()).at == ()


# -- log -------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time goes on by 0.1 s whenever somebody waits."""
    now = [moment(STARTED)]
    monkeypatch.setattr(observed.time, "time", lambda: now[0])
    monkeypatch.setattr(observed.time, "sleep", lambda _: now.__setitem__(0, now[0] + 0.1))
    return now


def spoken(monkeypatch: pytest.MonkeyPatch, *lines: str, **more: Any) -> observed.Spoken:
    monkeypatch.setattr(observed, "up", lambda *_: Up("c1", moment(STARTED)))
    monkeypatch.setattr(observed, "ask", lambda *_, **__: {})
    monkeypatch.setattr(observed.secrets, "token_hex", lambda _: "f00d")
    rows = [(f"logs.{name}", {"max_seconds": 1}) for name in ("on_stdout", "requests")]
    engine: Any = FakeEngine(*lines, **more)
    return observed.spoken(IMAGE, engine, exercise(*rows))


def test_both_lines_are_timed_from_what_caused_them(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    got = spoken(monkeypatch, "", "", "started", "x", "GET /ready?labf00d")
    assert got.first == pytest.approx(0.2)
    assert got.marked == pytest.approx(0.1)


def test_a_log_that_stays_empty_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    got = spoken(monkeypatch)
    assert (got.first, got.marked) == (None, None)
    assert clock[0] - moment(STARTED) < 3


def test_lines_without_our_word_are_not_the_requests(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    got = spoken(monkeypatch, "started", "GET /ready?lab 200 passed", "GET /ready?labbeef")
    assert got.first == 0
    assert got.marked is None


# -- requests --------------------------------------------------------------------------------------


class Counter(BaseHTTPRequestHandler):
    """Counts what is posted, and tells at /metrics."""

    posted = 0

    def do_GET(self) -> None:
        self.answer(200, f"posted {Counter.posted}\n" + "x" * 50)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Counter.posted += 1
        self.answer(200 if Counter.posted != 2 else 500, "")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"text/plain; for={self.headers['Accept']}")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Counter.posted = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Counter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def asked(port: int, *requests: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    ask = {"port": port, "requests": requests, "look": "", "most": 1000, "accept": "a/b", **more}
    return local_probe.run(observed.ASK, ask)


def test_what_is_looked_at_is_fetched_before_and_after(port: int) -> None:
    said = asked(port, *[("POST", "/predict", "{}")] * 3, look="/metrics")
    assert said["statuses"] == [200, 500, 200]
    assert said["first"][2].startswith("posted 0\n")
    assert said["last"][:2] == [200, "text/plain; for=a/b"]
    assert said["last"][2].startswith("posted 3\n")


def test_no_more_is_read_than_is_told_and_one_to_know_it(port: int) -> None:
    said = asked(port, look="/metrics", most=20)
    assert len(said["first"][2]) == 21


def test_a_server_that_is_gone_gives_status_0() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said = asked(port, ("GET", "/", ""), look="/metrics")
    assert said["statuses"] == [0]
    assert said["first"][0] == 0
    assert "refused" in said["first"][2]


def test_a_scrape_that_never_came_has_status_0(said: dict[str, Any]) -> None:
    engine: Any = FakeEngine()
    said |= {"statuses": [200, 500, 200]}
    got = observed.metered(IMAGE, Questions(), engine, exercise())
    assert got.answered == 2
    assert got.before == got.after == Scrape(0, "", "no answer")


def test_how_often_is_asked_is_drawn_anew(said: dict[str, Any]) -> None:
    engine: Any = FakeEngine()
    counts = {observed.metered(IMAGE, Questions(), engine, exercise()).sent for _ in range(12)}
    assert len(counts) > 1


# -- children --------------------------------------------------------------------------------------


def process(pid: int, state: str = "S") -> Process:
    return Process(pid, 1, (1,) * 4, (1,) * 4, (), state, 0, False, 0, 1, f"p{pid}")


def broods(
    monkeypatch: pytest.MonkeyPatch, *looks: list[Process], statuses: list[int]
) -> observed.Broods:
    seen = iter([[process(1)], *looks])
    monkeypatch.setattr(observed, "up", lambda *_: Up("c1", 1.0))
    monkeypatch.setattr(observed, "ask", lambda *_, **__: {"statuses": statuses})
    monkeypatch.setattr(observed, "peek", lambda *_, **__: Peek(tuple(next(seen)), ()))
    monkeypatch.setattr(observed.time, "sleep", lambda _: None)
    rows = [("runtime.no_zombies", {"path": "/a"}), ("runtime.processes", {"path": "/a"})]
    engine: Any = FakeEngine()
    return observed.broods(IMAGE, engine, exercise(*rows))


LOOKS = [
    ("dead in both looks", [process(7, "Z")], [process(7, "Z")], [7]),
    ("dead for a moment", [process(7, "Z")], [], []),
    ("another one each time", [process(7, "Z")], [process(8, "Z")], []),
    ("it has only just died", [process(7)], [process(7, "Z")], []),
    ("alive", [process(7)], [process(7)], []),
]


@pytest.mark.parametrize(
    ("first", "second", "zombies"), [row[1:] for row in LOOKS], ids=[row[0] for row in LOOKS]
)
def test_a_zombie_is_one_that_stays(
    monkeypatch: pytest.MonkeyPatch,
    first: list[Process],
    second: list[Process],
    zombies: list[int],
) -> None:
    got = broods(monkeypatch, first, second, statuses=[200]).by_path["/a"]
    assert [p.pid for p in got.zombies] == zombies
    assert (got.before, len(got.processes)) == (1, len(second))


def test_a_path_that_nobody_answers_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SubmissionError, match="GET /a got no answer"):
        broods(monkeypatch, [], [], statuses=[0, 0])
