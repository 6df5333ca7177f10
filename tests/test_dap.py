"""The debugger's client, against a server that says what the table says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from grader.dap import DapError, Session

Answers = Callable[[dict[str, Any]], list[dict[str, Any]]]


def packed(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def reply(asked: dict[str, Any], **body: Any) -> dict[str, Any]:
    return {
        "type": "response",
        "request_seq": asked["seq"],
        "command": asked["command"],
        "success": True,
        "body": body,
    }


@contextmanager
def serving(raw: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            link, _ = server.accept()
            with link:
                raw(link)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def debugger(answers: Answers) -> Callable[[socket.socket], None]:
    """Reads requests, one after the other, until the client has gone."""

    def talk(link: socket.socket) -> None:
        file = link.makefile("rb")
        while head := file.readline():
            file.readline()
            asked = json.loads(file.read(int(head.split(b":")[1])))
            link.sendall(b"".join(packed(one) for one in answers(asked)))

    return talk


BODIES: dict[str, dict[str, Any]] = {
    "initialize": {"supportsX": True},
    "setBreakpoints": {"breakpoints": [{"verified": True}]},
    "stackTrace": {"stackFrames": [{"id": 7}, {"id": 8}]},
    "scopes": {"scopes": [{"variablesReference": 3}]},
    "variables": {"variables": [{"name": "total", "value": "4.0"}]},
    "evaluate": {"result": "10001"},
}


def good(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Like debugpy: `attach` is answered only after `configurationDone`, events come in between."""
    name = asked["command"]
    if name == "attach":
        return [{"type": "event", "event": "initialized"}]
    said = [{"type": "event", "event": "output"}, reply(asked, **BODIES.get(name, {}))]
    if name == "configurationDone":
        attached = {"type": "response", "request_seq": 2, "command": "attach", "success": True}
        said += [attached, {"type": "event", "event": "stopped", "body": {"threadId": 1}}]
    return said


def test_it_attaches_stops_and_reads() -> None:
    with serving(debugger(good)) as port, Session("127.0.0.1", port) as session:
        assert session.attach() == {"supportsX": True}
        assert session.break_at("/app/main.py", 3)
        frame = session.stopped()
        assert frame == 7
        assert session.variables(frame) == {"total": "4.0"}
        assert session.evaluate("os.getuid()", frame) == "10001"
        session.leave()


def refuses(asked: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**reply(asked), "success": False, "message": "not now"}]


def test_a_refusal_is_told_in_the_debuggers_words() -> None:
    with (
        serving(debugger(refuses)) as port,
        Session("127.0.0.1", port) as session,
        pytest.raises(DapError, match="initialize: not now"),
    ):
        session.attach()


RAW: list[tuple[str, bytes, str]] = [
    ("a web server", b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "no Debug Adapter Protocol"),
    ("no length", b"Content-Length: many\r\n\r\n", "no Debug Adapter Protocol"),
    ("no JSON", b"Content-Length: 3\r\n\r\n{x}", "no JSON"),
    ("goes away", b"", "closed the connection"),
    ("half of a message", b"Content-Length: 99\r\n\r\n{", "closed the connection"),
]


@pytest.mark.parametrize(("raw", "words"), [r[1:] for r in RAW], ids=[r[0] for r in RAW])
def test_what_is_no_debugger_is_told(raw: bytes, words: str) -> None:
    def say(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(raw)

    with (
        serving(say) as port,
        Session("127.0.0.1", port, seconds=5) as session,
        pytest.raises(DapError, match=words),
    ):
        session.attach()


def test_silence_ends_in_time() -> None:
    gone = threading.Event()

    def wait(_: socket.socket) -> None:
        gone.wait(5)

    with serving(wait) as port:
        session = Session("127.0.0.1", port, seconds=0.2)
        with session, pytest.raises(DapError, match="in time"):
            session.attach()
        gone.set()


def test_a_closed_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DapError, match="Refused"):
        Session("127.0.0.1", port)
