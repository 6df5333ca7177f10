"""Asks a learner's own container, at the address that its port is published at, in bounded time.

For looking only. What is graded is asked by ``probe``, which needs no port. Whatever goes wrong is
a UsageError with one line: what was seen, and what to do.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from grader import cells, digits
from grader.digits import Answer, Pixels
from grader.engine import Engine
from grader.errors import EngineError, UsageError
from grader.host.connection import connect

HERE = "127.0.0.1"
PATH = "/predict"
PATIENCE = 4.0  # seconds until it must have answered, starting up included
LIMIT = 5.0  # seconds until we stop waiting for the engine, too
PAUSE = 0.1  # seconds before asking again one that is not up yet
MOST = 20_000  # bytes of an answer
SHOWN = 200  # characters of an answer that is none
LOADING = 503

T = TypeVar("T")


class NotUpError(UsageError):
    """It may be only a moment too early."""


@dataclass(frozen=True)
class Address:
    """Where a port is reached from here; ``inward``: open to the engine's machine only."""

    host: str
    port: int
    inward: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def ask(container: str, pixels: Pixels, port: int = 8000) -> Answer:
    """What the service in ``container`` says of a picture. Raises a GraderError within LIMIT."""
    return within(LIMIT, lambda: _patiently(container, pixels, port))


def within(seconds: float, work: Callable[[], T]) -> T:
    """Do it in a thread, and don't wait longer: an engine that hangs must not hold the kernel."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as err:  # noqa: BLE001 (raised again below, by who waits)
            failed.append(err)

    thread = threading.Thread(target=run, name="lab-ask", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise EngineError(
            f"The Docker engine did not say within {seconds:g} s where the container is."
            " Try again; `grader doctor` looks at the engine."
        )
    return done[0]


def address(name: str, about: Mapping[str, Any], port: int, engine: str) -> Address:
    """Where ``port`` is reached, from what ``docker inspect`` says and the engine's own address."""
    state = about.get("State") or {}
    if not state.get("Running"):
        raise UsageError(
            f"The container {name} is not running (exit status {state.get('ExitCode')})."
            f" docker logs {name} says why; then start a new one."
        )
    ports = (about.get("NetworkSettings") or {}).get("Ports") or {}
    bindings: Sequence[Mapping[str, str]] = ports.get(f"{port}/tcp") or ()
    if not bindings:
        raise UsageError(
            f"Port {port} of {name} is not published, so nothing outside reaches it."
            f" Start it anew with -p {HERE}::{port}."
        )
    # IPv4, where there is a choice
    chosen = min(bindings, key=lambda b: ":" in b.get("HostIp", ""))
    there, found = _host(engine), int(chosen["HostPort"])
    ip = _ip(chosen.get("HostIp", ""))
    if there != HERE:
        return Address(there, found, inward=ip.is_loopback)
    return Address(HERE if ip.is_unspecified else str(ip), found)


def _host(engine: str) -> str:
    """The machine that the engine publishes ports on, as it is called from here."""
    parts = urlsplit(engine)
    remote = parts.hostname if parts.scheme in ("tcp", "http", "https", "ssh") else None
    return HERE if remote in (None, "localhost", HERE) else str(remote)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:  # old engines leave it empty: all of them
        return ipaddress.IPv4Address("0.0.0.0")


def _patiently(container: str, pixels: Pixels, port: int) -> Answer:
    end = time.monotonic() + PATIENCE
    with Engine(connect()) as engine:
        while True:
            about = _inspect(engine, container)
            at = address(container, about, port, engine.connection.host)
            try:
                return _once(container, at, pixels, max(end - time.monotonic(), PAUSE))
            except NotUpError:
                if time.monotonic() + PAUSE > end:
                    raise
            time.sleep(PAUSE)


def _inspect(engine: Engine, container: str) -> Mapping[str, Any]:
    try:
        return engine.inspect(container)
    except EngineError as err:
        if "No such container" not in str(err):
            raise
        raise UsageError(
            f"There is no container {container!r}. docker ps lists those that run; start one with"
            f" docker run -d --name {container} -p {HERE}::8000 IMAGE"
        ) from err


def _once(name: str, at: Address, pixels: Pixels, seconds: float) -> Answer:
    began = time.monotonic()
    try:
        status, text = post(at, {"pixels": pixels}, seconds)
    except (OSError, http.client.HTTPException, ValueError) as err:
        late = isinstance(err, TimeoutError) or time.monotonic() - began >= seconds  # hung up
        raise _unanswered(name, at, err, late=late) from err
    if status != http.HTTPStatus.OK:
        kind = NotUpError if status == LOADING else UsageError
        raise kind(
            f"POST {PATH} was answered with status {status}: {_short(text)}"
            f" docker logs {name} may tell more."
        )
    answer = digits.read(text, time.monotonic() - began)
    if answer is None:
        raise UsageError(
            f"{name} answered, but not as the digits service does: {_short(text)}"
            ' It should say {"digit": 7, "proba": [10 numbers]}.'
        )
    return answer


def post(at: Address, body: Mapping[str, Any], seconds: float) -> tuple[int, str]:
    """Status and text of one POST, which is cut off after so long, whoever sends how slowly."""
    end = time.monotonic() + seconds
    link = http.client.HTTPConnection(at.host, at.port, timeout=seconds)
    link.connect()
    guard = threading.Timer(seconds, _hang_up, [link.sock])
    guard.start()
    try:
        link.request("POST", PATH, json.dumps(body), {"Content-Type": "application/json"})
        reply = link.getresponse()
        text = reply.read(MOST).decode("utf-8", "replace")
        if time.monotonic() >= end:
            raise TimeoutError("cut off")  # half an answer may look like a whole one
        return reply.status, text
    finally:
        guard.cancel()
        link.close()


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):  # closed already
        line.shutdown(socket.SHUT_RDWR)


def _unanswered(name: str, at: Address, err: Exception, *, late: bool) -> UsageError:
    if at.inward:
        return UsageError(
            f"{name} is published on {HERE} of {at.host}, the engine's machine, only, and this is"
            " another one. Start it anew with -p 8000."
        )
    if late:
        return UsageError(
            f"No answer from {name} at {at} within {PATIENCE:g} s. docker logs {name} and"
            f" docker stats {name} show what it does."
        )
    if isinstance(err, ConnectionError):
        return NotUpError(
            f"Nobody answers at {at}. Either the server in {name} is not up (docker logs {name}),"
            " or it listens on 127.0.0.1 of its container only: it must listen on 0.0.0.0."
        )
    if isinstance(err, OSError):
        return UsageError(f"{at} can't be reached from here: {_short(err)}")
    return UsageError(f"What listens at {at} does not speak HTTP: {_short(err)}")


def _short(text: object) -> str:
    """Somebody else's words: one line, and not too much of it."""
    words = " ".join(cells.clean(text).split())
    return f"{words[:SHOWN]}{' …' * (len(words) > SHOWN)}" if words else "(nothing)"
