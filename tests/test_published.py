"""A learner's own container is asked: what each thing that can go wrong is told as, and when."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from grader import published
from grader.digits import BLANK
from grader.errors import EngineError, GraderError, UsageError
from grader.published import Address, address, ask, within

PROBA = [0.0] * 9 + [1.0]
GOOD = json.dumps({"digit": 9, "proba": PROBA}).encode()
LOCAL = "unix:///var/run/docker.sock"


def about(*bindings: tuple[str, int], running: bool = True, port: int = 8000) -> dict[str, Any]:
    found = [{"HostIp": ip, "HostPort": str(number)} for ip, number in bindings]
    return {
        "State": {"Running": running, "ExitCode": 3},
        "NetworkSettings": {"Ports": {f"{port}/tcp": found or None, "9/tcp": None}},
    }


@pytest.mark.parametrize(
    ("engine", "bindings", "where"),
    [
        (LOCAL, [("127.0.0.1", 5)], Address("127.0.0.1", 5)),
        (LOCAL, [("0.0.0.0", 5), ("::", 6)], Address("127.0.0.1", 5)),
        (LOCAL, [("::", 6), ("0.0.0.0", 5)], Address("127.0.0.1", 5)),
        (LOCAL, [("", 5)], Address("127.0.0.1", 5)),
        (LOCAL, [("10.0.0.7", 5)], Address("10.0.0.7", 5)),
        ("npipe:////./pipe/docker_engine", [("0.0.0.0", 5)], Address("127.0.0.1", 5)),
        ("tcp://localhost:2375", [("127.0.0.1", 5)], Address("127.0.0.1", 5)),
        ("tcp://127.0.0.1:2375", [("0.0.0.0", 5)], Address("127.0.0.1", 5)),
        ("tcp://engine:2376", [("0.0.0.0", 5)], Address("engine", 5)),
        ("tcp://[fd00::1]:2376", [("0.0.0.0", 5)], Address("fd00::1", 5)),
        ("ssh://me@far.example", [("127.0.0.1", 5)], Address("far.example", 5, inward=True)),
    ],
)
def test_where_a_port_is_reached(
    engine: str, bindings: list[tuple[str, int]], where: Address
) -> None:
    found = address("c", about(*bindings), 8000, engine)
    assert found == where
    assert str(found).endswith(":5")
    assert ("[" in str(found)) is (":" in found.host)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (about(("127.0.0.1", 5), running=False), "c is not running.*exit status 3.*docker logs c"),
        (about(), "8000 of c is not published.*-p 127.0.0.1::8000"),
        (about(("", 5), port=80), "8000 of c is not published"),
        ({"State": {"Running": True}}, "not published"),
    ],
)
def test_a_port_that_is_not_reached_is_told(said: Mapping[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        address("c", said, 8000, LOCAL)


# -- a service that is asked -----------------------------------------------------------------------

Reply = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def served() -> Iterator[Callable[[Reply], int]]:
    """A server on this machine that replies so; gives its port."""
    servers = []

    def start(reply: Reply) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                reply(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # we hang up on some
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """An engine that says this of every container."""

    def use(inspect: Callable[[str], Mapping[str, Any]], host: str = LOCAL) -> None:
        class Fake:
            connection = SimpleNamespace(host=host)

            def __init__(self, _: object) -> None: ...
            def __enter__(self) -> Fake:  # noqa: PYI034
                return self

            def __exit__(self, *_: object) -> None: ...
            def inspect(self, name: str) -> Mapping[str, Any]:
                return inspect(name)

        monkeypatch.setattr(published, "Engine", Fake)
        monkeypatch.setattr(published, "connect", lambda: None)
        monkeypatch.setattr(published, "PATIENCE", 0.6)

    return use


def answering(status: int, body: bytes) -> Reply:
    def reply(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)

    return reply


def dripping(to: BaseHTTPRequestHandler) -> None:
    to.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(200):
        to.wfile.write(b"x")
        time.sleep(0.05)


def test_the_picture_is_sent_and_the_answer_comes_back(
    served: Callable[[Reply], int], engine: Callable[..., None]
) -> None:
    seen: list[Any] = []

    def reply(to: BaseHTTPRequestHandler) -> None:
        body = to.rfile.read(int(to.headers["Content-Length"]))
        seen.append((to.path, to.headers["Content-Type"], json.loads(body)))
        answering(200, GOOD)(to)

    port = served(reply)
    engine(lambda _: about(("127.0.0.1", port)))
    answer = ask("c", (16, *BLANK[1:]))
    assert (answer.digit, answer.proba) == (9, tuple(PROBA))
    assert 0 < answer.seconds < 0.6
    assert seen == [("/predict", "application/json", {"pixels": [16, *BLANK[1:]]})]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answering(404, b"<b>no\x1b[2Jthing</b>"), r"status 404: <b>nothing</b> docker logs c"),
        (answering(422, b""), r"status 422: \(nothing\)"),
        (answering(503, b"the model is still loading"), "503: the model is still loading"),
        (answering(302, b"elsewhere"), "status 302"),
        (answering(200, b"hello"), 'not as the digits service does: hello It should say {"digit"'),
        (answering(200, b'{"x": "' + b"y" * 3_000_000), r"not as .*y{150,200} … It should"),
        (answering(200, b" " * 3_000_000 + GOOD), "service does: … It should"),  # cut off
        (lambda to: to.wfile.write(b"SSH-2.0-x\r\n"), "does not speak HTTP"),
        (lambda to: to.connection.shutdown(socket.SHUT_RDWR), "Nobody answers at 127.0.0.1"),
        (dripping, "No answer from c at 127.0.0.1.*within"),
        (lambda to: time.sleep(2), "No answer from c at 127.0.0.1.*docker stats c"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line_and_in_time(
    served: Callable[[Reply], int], engine: Callable[..., None], reply: Reply, words: str
) -> None:
    port = served(reply)
    engine(lambda _: about(("127.0.0.1", port)))
    began = time.monotonic()
    with pytest.raises(UsageError, match=words) as caught:
        ask("c", BLANK)
    assert time.monotonic() - began < 1.8
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_one_that_refuses_is_told(engine: Callable[..., None]) -> None:
    port = free_port()
    engine(lambda _: about(("127.0.0.1", port)))
    with pytest.raises(UsageError, match=r"must listen on 0\.0\.0\.0"):
        ask("c", BLANK)


def test_one_that_is_only_just_starting_is_asked_again(
    served: Callable[[Reply], int], engine: Callable[..., None]
) -> None:
    replies = [answering(503, b"loading"), answering(503, b"loading"), answering(200, GOOD)]
    port = served(lambda to: replies.pop(0)(to))  # noqa: PLW0108
    engine(lambda _: about(("127.0.0.1", port)))
    assert ask("c", BLANK).digit == 9


def test_one_that_ends_while_it_is_asked_is_told(engine: Callable[..., None]) -> None:
    port = free_port()
    looks = [about(("127.0.0.1", port)), about(running=False)]
    engine(lambda _: looks.pop(0))
    with pytest.raises(UsageError, match="not running"):
        ask("c", BLANK)


def test_one_that_is_open_to_another_machine_only_is_told(engine: Callable[..., None]) -> None:
    engine(lambda _: about(("127.0.0.1", 9)), "tcp://engine.invalid:2375")
    with pytest.raises(UsageError, match=r"engine's machine, only.*-p 8000"):
        ask("c", BLANK)


def test_a_machine_that_is_not_found_is_told(engine: Callable[..., None]) -> None:
    engine(lambda _: about(("0.0.0.0", 9)), "tcp://engine.invalid:2375")
    with pytest.raises(GraderError, match=r"can't be reached|did not say"):
        ask("c", BLANK)


def test_a_container_that_is_gone_is_told(engine: Callable[..., None]) -> None:
    def gone(name: str) -> Mapping[str, Any]:
        raise EngineError(f"Docker failed to inspect a container: No such container: {name}.")

    engine(gone)
    with pytest.raises(UsageError, match=r"There is no container 'c'.*docker ps"):
        ask("c", BLANK)


def test_an_engine_that_fails_or_hangs_is_told(
    engine: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: str) -> Mapping[str, Any]:
        raise EngineError("The Docker daemon was lost")

    engine(lost)
    with pytest.raises(EngineError, match="was lost"):
        ask("c", BLANK)
    go = threading.Event()
    engine(lambda _: {"x": go.wait(10)})
    monkeypatch.setattr(published, "LIMIT", 0.2)
    began = time.monotonic()
    with pytest.raises(EngineError, match="did not say within"):
        ask("c", BLANK)
    assert time.monotonic() - began < 2
    go.set()


def test_what_is_done_within_a_time_is_given() -> None:
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
