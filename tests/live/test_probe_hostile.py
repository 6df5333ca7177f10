"""Servers and processes that mean harm to our probes: bounded time, and never the machine's fault.

``tests/hostile`` has whole submissions; these talk to a probe alone, one nastiness each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from grader import observed, probe
from grader.engine import PROBE_IMAGE, Engine, State
from grader.errors import SubmissionError
from grader.host.connection import Connection
from grader.peek import peek
from tests.conftest import wait_until

pytestmark = pytest.mark.live
SECONDS = 4  # what a probe is given here
SLACK = 25  # seconds more that starting containers may take on a busy machine

# A server of raw sockets: what it does with a connection is a line of each test.
SERVER = r"""
import socket, threading, time
READY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
OK, CHUNKED, EMPTY = "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 0"

def heard(link):
    data = b""
    while b"\r\n\r\n" not in data:
        more = link.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            missing = int(line.split(b":")[1]) - len(body)
            while missing > 0:
                missing -= len(link.recv(65536))
    return data

def answer(link):
    try:
        with link:
            while data := heard(link):
                reply(link, data)
    except OSError:
        pass

def say(link, *lines, end=True):
    link.sendall("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" * end)

def for_ever(link, piece, pause=0):
    while True:
        link.sendall(piece)
        time.sleep(pause)

listener = socket.create_server(("0.0.0.0", 8000), backlog=128)
print("listening", flush=True)
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def engine(connection: Connection) -> Iterator[Engine]:
    with Engine.open(connection) as opened:
        yield opened


@pytest.fixture
def serving(engine: Engine) -> Callable[[str], str]:
    """Starts a server whose ``reply`` is given as source; gives the container."""

    def start(reply: str, **how: Any) -> str:
        body = "".join(f"    {line}\n" for line in reply.strip().splitlines())
        head, _, tail = SERVER.partition("\ndef answer(")
        source = f"{head}\ndef reply(link, data):\n{body}\ndef answer({tail}"
        made = engine.create(PROBE_IMAGE, command=["python3", "-c", source], entrypoint=[], **how)
        assert engine.start(made) == ""
        wait_until(lambda: "listening" in engine.logs(made), timeout=30)
        return made

    return start


def ended(state: State) -> None:
    raise SubmissionError(f"it ended with {state.exit_code}")


def talk(engine: Engine, container: str, *, bodies: int = 0) -> dict[str, Any]:
    rows: list[Any] = [{"pixels": [n]} for n in range(bodies)]
    began = time.monotonic()
    said = probe.talk(engine, container, port=8000, bodies=rows, seconds=SECONDS, ended=ended)
    assert time.monotonic() - began < SECONDS + SLACK
    return said


NEVER_READY = [
    ("silent", "time.sleep(600)"),
    ("drips its head", 'for_ever(link, b"H", 1)'),
    ("drips headers", r'say(link, OK, end=False); for_ever(link, b"a: b\r\n", 1)'),
    ("headers without end", r'say(link, OK, end=False); for_ever(link, b"a: b\r\n")'),
    ("a header without end", 'say(link, OK, end=False); for_ever(link, b"a: " + b"x" * 9999)'),
    ("goes on and on", r'for_ever(link, b"HTTP/1.1 100 Continue\r\n\r\n")'),
    ("drips its body", 'say(link, OK); for_ever(link, b"x", 1)'),
    ("chunks that are none", 'say(link, OK, CHUNKED); say(link, "zz"); link.close()'),
    ("trailers", r'say(link, OK, CHUNKED); say(link, "0", end=False); for_ever(link, b"a: b\r\n")'),
    ("no HTTP", r'link.sendall(b"\x00\xff" * 100); link.close()'),
    ("no status", 'say(link, "HTTP/1.1 99999 OK"); link.close()'),
    ("hangs up", "link.close()"),
    ("leads elsewhere", 'say(link, "HTTP/1.1 302 X", "Location: http://127.0.0.1:1/", EMPTY)'),
]


@pytest.mark.parametrize("reply", [n[1] for n in NEVER_READY], ids=[n[0] for n in NEVER_READY])
def test_a_server_that_never_answers_well_is_not_ready_in_bounded_time(
    engine: Engine, serving: Callable[[str], str], reply: str
) -> None:
    said = talk(engine, serving(reply), bodies=2)
    assert said["ready_at"] is None
    assert said["answers"] == []


READY = """
if data.startswith(b"GET"):
    link.sendall(READY)
    return
"""
ANSWERS = [
    ("no JSON", 'link.sendall(READY.replace(b"{}", b"[["))', 200),
    ("without end", 'say(link, OK); for_ever(link, b"x" * 9999)', 200),
    ("an error without end", 'say(link, "HTTP/1.1 500 No"); for_ever(link, b"x" * 9999)', 500),
    ("none", "link.close()", 0),
    ("a redirect", 'say(link, "HTTP/1.1 307 X", "Location: /ready", EMPTY)', 307),
]


@pytest.mark.parametrize(("reply", "status"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS])
def test_a_bad_answer_is_an_answer(
    engine: Engine, serving: Callable[[str], str], reply: str, status: int
) -> None:
    said = talk(engine, serving(READY + reply), bodies=2)
    assert said["ready_at"] is not None
    assert [one[0] for one in said["answers"]] == [status, status]
    assert all(len(text) <= 2000 for _, text in said["answers"])


def test_answers_that_grow_when_they_are_written_down_do_not_drown_the_probe(
    engine: Engine, serving: Callable[[str], str]
) -> None:
    """As many as an exercise asks, each of bytes that take seven letters in the engine's log."""
    reply = (
        'link.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2000\\r\\n\\r\\n" + b"\\xff" * 2000)'
    )
    container = serving(READY + reply)
    rows: list[Any] = [{"pixels": [n]} for n in range(470)]
    said = probe.talk(engine, container, port=8000, bodies=rows, seconds=40, ended=ended)
    assert len(said["answers"]) == 470


def test_an_answer_that_is_shorter_than_it_says_is_one_and_the_next_is_asked_anew(
    engine: Engine, serving: Callable[[str], str]
) -> None:
    reply = 'say(link, OK, f"Content-Length: {10**14}"); link.close()'
    said = talk(engine, serving(READY + reply), bodies=3)
    assert [one[0] for one in said["answers"]] == [200, 0, 200]


def test_a_scrape_without_end_is_cut(engine: Engine, serving: Callable[[str], str]) -> None:
    container = serving(r'say(link, OK); for_ever(link, b"a 1\n" * 999)')
    ask = {
        "host": probe.local_address(),
        "port": 8000,
        "requests": [],
        "look": "/metrics",
        "most": observed.MOST,
        "accept": "",
    }
    said = probe.inject(engine, container, observed.ASK, ask, seconds=10, ended=ended)
    assert len(said["last"][2]) == observed.MOST + 1


def test_a_container_that_is_gone_is_told_as_ended(
    engine: Engine, serving: Callable[[str], str]
) -> None:
    container = serving("import os; os._exit(3)")
    with pytest.raises(SubmissionError, match="it ended with 3"):
        talk(engine, container)
    with pytest.raises(SubmissionError, match="it ended with 3"):
        peek(engine, container, ended=ended)


# -- in its PID namespace --------------------------------------------------------------------------

KILLER = r"""
import os
print("here", flush=True)
while True:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                os.kill(int(name), 9)
            except OSError:
                pass
"""
CROWD = r"""
import os, time
for number in range(200):
    if not os.fork():
        time.sleep(600)
with open("/proc/self/comm", "w") as file:
    file.write("a\nUid: 0 0 0\t")
print("here", flush=True)
time.sleep(600)
"""


def lives(engine: Engine, source: str, **how: Any) -> str:
    made = engine.create(PROBE_IMAGE, command=["python3", "-c", source], entrypoint=[], **how)
    assert engine.start(made) == ""
    wait_until(lambda: "here" in engine.logs(made), timeout=30)
    return made


def test_a_crowd_with_odd_names_is_counted(engine: Engine) -> None:
    seen = peek(engine, lives(engine, CROWD, user="10001"), ended=ended)
    assert len(seen.processes) == 201
    assert {p.uids for p in seen.processes} == {(10001,) * 4}


def test_another_user_cannot_kill_the_probe(engine: Engine) -> None:
    seen = peek(engine, lives(engine, KILLER, user="10001"), ended=ended)
    assert seen.first is not None


def test_who_kills_the_probe_is_a_student_and_no_broken_machine(engine: Engine) -> None:
    """As root it can: it shares its PID namespace with the probe."""
    container = lives(engine, KILLER)
    with pytest.raises(SubmissionError, match="kill"):
        peek(engine, container, ended=ended)
