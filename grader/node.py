"""Plays a kubelet: runs a manifest's probes against a real container, and ends it when they say so.

The rules are ``kubelet``'s. HTTP and TCP probes are ours and come from beside the container, as a
node's do; an ``exec`` probe is a program of the image, as Kubernetes means it. Time is scaled: a
second of the manifest takes ``1 / SCALE`` of one here, except while the container's program starts
and nothing listens yet, which can't be hurried. Time-outs are not scaled, because the server isn't.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from grader.busy import why_busy
from grader.engine import LATE, PROBE_IMAGE, Engine
from grader.errors import EngineError, NotMeasurable
from grader.kube import Handler, Manifest, Role
from grader.kubelet import Container, backoff
from grader.probe import local_address

SCALE = 40  # seconds of the manifest in one of ours
LOOK = 0.1  # our seconds between two looks
# Our seconds that a command may take at least, since it may start an interpreter. Only while
# something hangs it is waited for no longer than for an answer.
EXEC_SECONDS = 3.0
START_SECONDS = 90  # our seconds that a container may take until something listens
EYE_SECONDS = 240  # our seconds after which a forgotten probe container ends by itself
TRUTH = "/ready"  # what the node itself asks, to know how the service really is

# Runs beside the container: asks each handler again and again, each in a thread, and prints
# [number, whether it went well, what it said, when that began and ended].
EYE = r"""
import base64, http.client, json, socket, ssl, sys, threading, time, zlib
ask = json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
lock = threading.Lock()

def http_get(row):
    kind = http.client.HTTPConnection
    more = {}
    if row["scheme"] == "HTTPS":
        kind, more = http.client.HTTPSConnection, {"context": ssl._create_unverified_context()}
    link = kind(row["host"] or ask["host"], row["port"], timeout=row["timeout"], **more)
    try:
        link.request("GET", row["path"], headers=dict(row["headers"]))
        status = link.getresponse().status
        return 200 <= status < 400, status
    finally:
        link.close()

def tcp(row):
    socket.create_connection((row["host"] or ask["host"], row["port"]), row["timeout"]).close()
    return True, "open"

def look(number, row):
    while True:
        began, start = time.time(), time.monotonic()
        try:
            ok, said = (http_get if row["kind"] == "http" else tcp)(row)
        except (OSError, http.client.HTTPException, ValueError) as err:
            ok, said = False, type(err).__name__
        with lock:
            print(json.dumps([number, ok, said, began, time.time()]), flush=True)
        time.sleep(max(0, ask["pause"] - (time.monotonic() - start)))

for number, row in enumerate(ask["handlers"]):
    threading.Thread(target=look, args=(number, row), daemon=True).start()
time.sleep(ask["seconds"])
"""


@dataclass(frozen=True)
class Event:
    """Something that happened, in seconds of the manifest since the first start.

    ``what``: start, listening, loaded, started, ready, unready, killed, frozen, end; or ``yes`` and
    ``no``, what one probe said. ``role`` is the probe's, where there is one.
    """

    at: float
    what: str
    role: str = ""


@dataclass(frozen=True)
class Answer:
    """What a handler said once; ``began`` and ``ended`` by our clock, in seconds since 1970."""

    ok: bool = False
    said: str = ""
    began: float = 0
    ended: float = 0


@dataclass(frozen=True)
class Story:
    """All that happened to one container.

    ``early`` is for how many seconds it was not really ready after it was first taken to be.
    """

    events: tuple[Event, ...]
    early: float = 0
    says: Mapping[Role, bool] = field(default_factory=dict)
    container: Container | None = None

    @property
    def restarts(self) -> int:
        return max(0, sum(event.what == "start" for event in self.events) - 1)

    def first(self, what: str, after: float = 0) -> float | None:
        return next((e.at for e in self.events if e.what == what and e.at >= after), None)

    @property
    def killers(self) -> list[str]:
        """The probes that had it ended, in order."""
        return [e.role for e in self.events if e.what == "killed"]


class Clock:
    """The manifest's seconds: ``SCALE`` of them in one of ours, or one where ``hurry`` is off."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.passed, self.mark = clock, 0.0, clock()
        self.rate = 1.0

    def now(self) -> float:
        here = self.clock()
        self.passed += (here - self.mark) * self.rate
        self.mark = here
        return self.passed

    def hurry(self, on: bool = True) -> None:
        self.now()
        self.rate = float(SCALE) if on else 1.0


class _Eye:
    """Our container beside the other one: the latest that each handler said."""

    def __init__(self, engine: Engine, container: str, rows: list[dict[str, object]]) -> None:
        ask = {"handlers": rows, "pause": LOOK, "seconds": EYE_SECONDS, "host": local_address()}
        packed = base64.b64encode(zlib.compress(json.dumps(ask).encode())).decode()
        self.engine, self.counts, self.latest = engine, [0] * len(rows), [Answer()] * len(rows)
        self.container = engine.create(
            PROBE_IMAGE,
            kind="probe",
            entrypoint=["/usr/local/bin/python3", "-I", "-S", "-c", EYE, packed],
            command=[],
            network=f"container:{container}",
            memory=128_000_000,
            pids=64,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )
        if why := engine.start(self.container):
            raise EngineError(f"The grader's probe does not start: {why}")

    def look(self) -> None:
        counts = [0] * len(self.counts)
        for line in self.engine.output(self.container).splitlines():
            try:
                number, ok, said, *times = json.loads(line)
            except ValueError:
                continue  # the line that is being written
            counts[number] += 1
            self.latest[number] = Answer(ok, str(said), *times)
        self.counts = counts

    def close(self) -> None:
        self.engine.remove(self.container)


class Node:
    """One container of an image, and its life under a manifest."""

    def __init__(
        self, engine: Engine, manifest: Manifest, container: str, *, port: int, patience: float
    ) -> None:
        """``patience`` is how many of our seconds a probe may take at least."""
        self.engine, self.manifest, self.id, self.port = engine, manifest, container, port
        self.patience, self.clock, self.events = patience, Clock(), list[Event]()
        self.roles = [r for r, p in manifest.probes.items() if p.handler.kind in ("http", "tcp")]
        if any(p.handler.kind == "grpc" for p in manifest.probes.values()):
            raise NotMeasurable("Not measured: gRPC probes are not played here.")
        self.waiting: dict[Role, int] = {}
        self.says: dict[Role, bool] = {}
        self.loaded, self.last_no, self.taken_ready = False, 0.0, 0.0
        self.hangs, self.calm = False, False

    def note(self, what: str, role: str = "") -> None:
        self.events.append(Event(round(self.clock.now(), 1), what, role))

    # -- one life ----------------------------------------------------------------------------------

    def begin(self, *, frozen: float = 0) -> None:
        """Start it; for ``frozen`` seconds of the manifest its program does not come to run."""
        self.clock.hurry(False)
        if why := self.engine.start(self.id):
            raise EngineError(f"The container does not start: {why}")
        if frozen:
            self.engine.signal(self.id, "SIGSTOP")
        self.note("start")
        self.life = Container(self.manifest.probes, self.clock.now())
        self.eye = _Eye(self.engine, self.id, self._rows())
        self.waiting, self.listening, self.loaded, self.hangs = {}, False, False, False
        self.began, self.sleeps, self.asleep_until = time.monotonic(), frozen, 0.0

    def _rows(self) -> list[dict[str, object]]:
        probes = [self.manifest.probes[role] for role in self.roles]
        rows = [self._row(p.handler, p.timeout) for p in probes]
        return [*rows, self._row(Handler("http", self.port, TRUTH), 5)]

    def _row(self, handler: Handler, timeout: float) -> dict[str, object]:
        return {
            "kind": handler.kind,
            "port": handler.port,
            "path": handler.path,
            "scheme": handler.scheme,
            "host": handler.host,
            "headers": handler.headers,
            "timeout": max(self.patience, timeout / SCALE),
        }

    def step(self) -> None:
        """One look: wake it up, learn how it is, run what is due, end it if that is to be."""
        time.sleep(LOOK)
        self.eye.look()
        now = self.clock.now()
        if self.sleeps and self.eye.counts[-1]:  # our own probes need a moment to start, too
            self.asleep_until, self.sleeps = now + self.sleeps, 0.0
            self.clock.hurry()
        if self.asleep_until and now >= self.asleep_until:
            self.asleep_until = 0.0
            self.engine.signal(self.id, "SIGCONT")
            self.clock.hurry(False)
        self._truth()
        for role, seen in list(self.waiting.items()):
            self._tell(role, seen)
        for role in self.life.due(now):
            self.waiting[role] = self._seen(role)
        if self.life.killed:
            self._restart()

    def _truth(self) -> None:
        truth = self.eye.latest[-1]
        up = truth.said.isdigit()
        if not self.listening and (up or time.monotonic() - self.began > START_SECONDS):
            self.listening = True
            self.note("listening")
            self.clock.hurry()
        if not truth.ok:
            self.last_no = truth.began
        elif not self.loaded:
            self.loaded = True
            self.note("loaded")

    def _seen(self, role: Role) -> int:
        """How often its handler had been asked when the probe was due."""
        return self.eye.counts[self.roles.index(role)] if role in self.roles else -1

    def _tell(self, role: Role, seen: int) -> None:
        if seen < 0:
            ok = self._exec(role)
        elif self.eye.counts[self.roles.index(role)] > seen:
            answer = self.eye.latest[self.roles.index(role)]
            ok = answer.ok
            if ok and role == "readiness" and not self.taken_ready:
                self.taken_ready = answer.ended
        else:
            return
        del self.waiting[role]
        self.says[role] = ok
        self.note("yes" if ok else "no", role)
        if change := self.life.told(role, ok, self.clock.now()):
            self.note(change, role)

    def _exec(self, role: Role) -> bool:
        probe = self.manifest.probes[role]
        limit = max(self.patience if self.hangs else EXEC_SECONDS, probe.timeout / SCALE)
        status = self.engine.exec(self.id, probe.handler.command, seconds=limit)
        if status == LATE and not (self.hangs or self.calm):
            if why := why_busy(self.engine, self.id):
                raise EngineError(why)
            self.calm = True  # asked once: it takes some of the story's time
        return status == 0

    def _restart(self) -> None:
        """SIGTERM, SIGKILL after the grace, and the next start after its back-off."""
        probe = self.manifest.probes[self.life.killed] if self.life.killed else None
        grace = self.manifest.grace if probe is None or probe.grace is None else probe.grace
        self.clock.hurry()
        self.eye.close()
        self.engine.signal(self.id, "SIGTERM")
        self._until(self.clock.now() + grace)
        self.engine.signal(self.id, "SIGKILL")
        self._until(self.clock.now() + 1000)
        self.note("end")
        again = sum(event.what == "end" for event in self.events) - 1
        time.sleep(backoff(again) / SCALE)
        self.begin()

    def _until(self, end: float) -> None:
        while self.engine.state(self.id).running and self.clock.now() < end:
            time.sleep(LOOK)

    # -- a story -----------------------------------------------------------------------------------

    def go_on(self, met: Callable[[], bool], seconds: float) -> bool:
        """Until something is met, at most so many seconds of the manifest."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            if met():
                return True
            self.step()
        return met()

    def restarts(self) -> int:
        return self.story().restarts

    def story(self) -> Story:
        early = (self.last_no - self.taken_ready) * SCALE if self.taken_ready else 0
        return Story(tuple(self.events), max(0.0, early), dict(self.says), self.life)
