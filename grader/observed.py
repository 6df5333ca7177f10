"""Facts about what a running container shows of itself: its ports, its log, its metrics, children.

What counts is what the kernel and the engine say, and what changes with our own requests; nothing
that it prints on its own account does. How it stops is ``stopping``'s. No verdicts here.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader import probe
from grader.behaviour import pictures, settings, up
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.peek import Process, peek
from grader.registry import fact
from grader.running import Questions, when_ended
from grader.spec import Exercise

LOG_SECONDS = 5.0  # how long we wait for a line, where no check of the exercise waits longer
PAUSE = 0.5  # seconds between two looks: a child may be dead for a moment, not for longer
TIMES = 5  # requests that provoke children
LISTENS = "0A"  # TCP_LISTEN in /proc/net/tcp

_dice = random.SystemRandom()

# Which addresses does the kernel say somebody listens at? Waits for the port to be among them.
PORTS = r"""
import ipaddress, socket, time
def address(text):
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[at : at + 8]) for at in range(0, len(host), 8)]
    words = [word[::-1] if sys.byteorder == "little" else word for word in words]
    return str(ipaddress.ip_address(b"".join(words))), int(port, 16)

def listening():
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{name}") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        found |= {address(row[1]) for row in rows if row[3] == ask["state"]}
    return sorted(found)

end = time.monotonic() + ask["patience"]
while ask["port"] not in [port for _, port in listening()] and time.monotonic() < end:
    time.sleep(0.02)

def answers(port):
    try:
        socket.create_connection((ask["host"], port), 2).close()
    except OSError:
        return False
    return True

found = listening()
reached = [port for port in sorted({port for _, port in found})[:20] if answers(port)]
print(json.dumps({"listening": found[:100], "reached": reached}))
"""

# Sends requests one after the other; "first" and "last" are the same GET before and after them.
ASK = r"""
import http.client
def call(method, path, body=None):
    link = http.client.HTTPConnection(ask["host"], ask["port"], timeout=5)
    head = {"Content-Type": "application/json"} if body else {}
    head["Accept"] = ask["accept"]
    try:
        link.request(method, path, body=body, headers=head)
        reply = link.getresponse()
        text = reply.read(ask["most"] + 1)
        kind = reply.getheader("Content-Type") or ""
        return [reply.status, kind, text.decode("utf-8", "replace")]
    except (OSError, http.client.HTTPException) as err:
        return [0, "", f"{type(err).__name__}: {err}"]
    finally:
        link.close()

said = {"first": None, "statuses": [], "last": None}
if ask["look"]:
    said["first"] = call("GET", ask["look"])
for method, path, body in ask["requests"]:
    said["statuses"].append(call(method, path, body)[0])
if ask["look"]:
    said["last"] = call("GET", ask["look"])
print(json.dumps(said))
"""
SECONDS = 20  # for all requests of one probe
MOST = 300_000  # bytes of one answer
ACCEPT = "text/plain;version=0.0.4,*/*;q=0.1"  # a part of what Prometheus says

Request = tuple[str, str, str]


def ask(
    engine: Engine,
    container: str,
    exercise: Exercise,
    requests: Sequence[Request],
    *,
    look: str = "",
) -> dict[str, Any]:
    """Send (method, path, body) one by one; ``look`` is fetched before them and after."""
    question = {
        "host": probe.local_address(),
        "port": exercise.port,
        "requests": requests,
        "look": look,
        "most": MOST,
        "accept": ACCEPT,
    }
    ended = when_ended(engine, container, exercise)
    said = probe.inject(engine, container, ASK, question, seconds=SECONDS, ended=ended)
    return {"first": None, "statuses": [], "last": None, **said}


# -- ports -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listening:
    """(address, port) of every TCP socket that listens, and the TCP ports that EXPOSE names.

    ``reached`` are the ports that take a connection at an address drawn at random; ``port`` is the
    one that the exercise asks for, ``line`` that of the last EXPOSE.
    """

    at: tuple[tuple[str, int], ...]
    reached: frozenset[int]
    exposed: frozenset[int]
    port: int
    line: int | None = None

    def addresses(self, port: int) -> list[str]:
        return [address for address, other in self.at if other == port]


@fact
def listening(
    image: Image, container: str, engine: Engine, exercise: Exercise, facts: Any
) -> Listening:
    """The sockets of the running container, once somebody listens on the exercise's port."""
    limit = exercise.limits.ready_seconds
    said = probe.inject(
        engine,
        container,
        PORTS,
        {
            "host": probe.local_address(),
            "port": exercise.port,
            "patience": limit,
            "state": LISTENS,
        },
        seconds=limit,
        ended=when_ended(engine, container, exercise),
    )
    named = (str(name).partition("/") for name in image.config.get("ExposedPorts") or ())
    exposed = frozenset(int(port) for port, _, kind in named if kind in ("", "tcp"))
    found = tuple((str(address), int(port)) for address, port in said.get("listening", ()))
    reached = frozenset(said.get("reached", ()))
    return Listening(found, reached, exposed, exercise.port, _expose(exercise, facts))


def _expose(exercise: Exercise, facts: Any) -> int | None:
    """The line of the last EXPOSE of the last stage."""
    if exercise.image:
        return None
    stages = facts.get("dockerfile").stages
    lines = [i.line for i in stages[-1].instructions if i.name == "EXPOSE"] if stages else []
    return lines[-1] if lines else None


# -- log -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spoken:
    """The container's log as the engine has it. Seconds are None for what never came.

    Both count from our first look: ``first``, at its first line, begins once it is ready;
    ``marked`` once our request is answered, which had a random word in its path.
    """

    first: float | None
    marked: float | None
    waited: float
    last_line: str = ""


@fact
def spoken(image: Image, engine: Engine, exercise: Exercise) -> Spoken:
    """A container of its own: is it heard once it is ready, and when it gets a request?"""
    container = up(image, engine, exercise).container
    waits = settings(exercise, "logs.on_stdout", "max_seconds")
    first = _heard(engine, container, "", max(waits, default=LOG_SECONDS))
    word = f"lab{secrets.token_hex(8)}"
    ask(engine, container, exercise, [("GET", f"/ready?{word}", "")])
    wait = max(settings(exercise, "logs.requests", "max_seconds"), default=LOG_SECONDS)
    marked = _heard(engine, container, word, wait)
    lines = engine.logs(container, tail=1).splitlines()
    return Spoken(first, marked, wait, lines[-1] if lines else "")


def _heard(engine: Engine, container: str, word: str, seconds: float) -> float | None:
    """Seconds until the log has a line with ``word``, as it is looked at again and again.

    They count from the first look, so that no delay of ours is put down to the service.
    """
    since = time.time()
    while True:
        now = time.time()
        log = engine.logs(container, tail=500)
        if log.strip() and word in log:
            return max(0.0, now - since)
        if now > since + seconds or not engine.state(container).running:
            return None
        time.sleep(probe.POLL)


# -- metrics ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scrape:
    """One answer of GET /metrics; ``status`` is 0 when none came."""

    status: int
    content_type: str
    text: str

    @property
    def cut(self) -> bool:
        """Whether it was longer than we read."""
        return len(self.text) > MOST


@dataclass(frozen=True)
class Metered:
    """Two scrapes, and how many requests were answered with 200 between them."""

    before: Scrape
    after: Scrape
    answered: int
    sent: int


@fact
def metered(image: Image, questions: Questions, engine: Engine, exercise: Exercise) -> Metered:
    """Scrape, ask some random number of times, scrape again: in a container of its own."""
    container = up(image, engine, exercise).container
    count = _dice.randint(11, 60)
    bodies = pictures(questions, 1).bodies * count
    requests = [("POST", "/predict", json.dumps(body)) for body in bodies]
    said = ask(engine, container, exercise, requests, look="/metrics")
    answered = sum(status == 200 for status in said["statuses"])
    before, after = (Scrape(*(said[key] or (0, "", "no answer"))) for key in ("first", "last"))
    return Metered(before, after, answered, count)


# -- children --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bred:
    """The processes after requests that start children; ``statuses`` of those requests.

    ``zombies`` were dead and not waited for in both of two looks.
    """

    path: str
    statuses: tuple[int, ...]
    processes: tuple[Process, ...]
    zombies: tuple[Process, ...]
    before: int


@dataclass(frozen=True)
class Broods:
    """What came of it, by the path that was asked for."""

    by_path: Mapping[str, Bred] = field(default_factory=dict)


@fact
def broods(image: Image, engine: Engine, exercise: Exercise) -> Broods:
    """A container of its own for each path that a check names."""
    names = ("runtime.no_zombies", "runtime.processes")
    paths = dict.fromkeys(path for name in names for path in settings(exercise, name, "path"))
    return Broods({path: _bred(path, image, engine, exercise) for path in paths})


def _bred(path: str, image: Image, engine: Engine, exercise: Exercise) -> Bred:
    container = up(image, engine, exercise).container
    ended = when_ended(engine, container, exercise)
    before = len(peek(engine, container, ended=ended).processes)
    said = ask(engine, container, exercise, [("GET", path, "")] * TIMES)
    first = peek(engine, container, ended=ended)
    time.sleep(PAUSE)
    second = peek(engine, container, ended=ended)
    dead = {p.pid for p in first.processes if p.state == "Z"}
    zombies = tuple(p for p in second.processes if p.state == "Z" and p.pid in dead)
    if not said["statuses"] or not any(said["statuses"]):
        raise SubmissionError(f"GET {path} got no answer.")
    return Bred(path, tuple(said["statuses"]), second.processes, zombies, before)
