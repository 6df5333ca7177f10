"""Facts about a target with a debugger: does it serve without one, and can one be used and by whom?

The container is started as the submission's run specification says; ``dap`` is what speaks to the
debugger, from a container of ours in the same network. No verdicts here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader import compose, dap, locked, probe
from grader import runspec as runspecs
from grader.behaviour import settings
from grader.builder import Builder
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.given import files as given_files
from grader.registry import fact, timed
from grader.running import when_ended
from grader.runspec import RunSpec
from grader.spec import Exercise

PORT = 5678  # of the debugger, in the container
TARGET = "dev"
HOME = "/app/"  # where the code lies in the container
ATTACH = 12  # seconds that attaching, stopping and looking may take together
HELD = 6  # seconds that the program may take longer than its debugger
COUNT, BRIGHTEST = 64, 16  # of the picture that is asked about

_dice = random.SystemRandom()

# Behind the client in ``dap``: is it ready while nobody is attached, and what does a debugger see?
LOOK = r"""
import http.client, threading
said = {"ready": False, "error": "", "attached": "", "loopback_only": False, "found": False,
        "value": None, "status": 0}

def call(method, path, body=None):
    link = http.client.HTTPConnection(ask["host"], ask["port"], timeout=ask["attach"])
    head = {"content-type": "application/json"} if body else {}
    try:
        link.request(method, path, body=body, headers=head)
        return link.getresponse().status
    finally:
        link.close()

def held():  # the debugger listens, and the program does not: by the kernel, without a connection
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    ports = {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}
    return ask["debug_port"] in ports and ask["port"] not in ports

def wait():
    end, since = time.monotonic() + ask["patience"], None
    while time.monotonic() < end:
        since = (since or time.monotonic()) if held() else None
        if since and time.monotonic() > since + ask["held"]:
            return False
        try:
            if call("GET", "/ready") == 200:
                return True
        except (OSError, http.client.HTTPException) as err:
            said["error"] = f"{type(err).__name__}: {err}"
        time.sleep(0.05)
    return False

def predict():
    try:
        said["status"] = call("POST", "/predict", json.dumps(ask["body"]))
    except (OSError, http.client.HTTPException):
        pass

def listens(host):
    try:
        socket.create_connection((host, ask["debug_port"]), timeout=2).close()
    except OSError:
        return False
    return True

def look():
    with Session(ask["host"], ask["debug_port"], ask["attach"]) as session:
        session.attach()
        said["found"] = session.break_at(ask["path"], ask["line"])
        asking = threading.Thread(target=predict, daemon=True)
        asking.start()
        said["value"] = session.variables(session.stopped()).get(ask["variable"], "")
        session.leave()
        asking.join(5)

said["ready"] = wait()
if said["ready"]:
    try:
        look()
    except (DapError, KeyError, IndexError, TypeError, ValueError) as err:
        said["attached"] = str(err) or type(err).__name__
        said["loopback_only"] = not listens(ask["host"]) and listens("127.0.0.1")
print(json.dumps(said))
"""
CLIENT = Path(dap.__file__).read_text(encoding="utf-8")


@dataclass(frozen=True)
class DevTarget:
    """The image that the run specification's own target gives; ``name`` is that target's."""

    image: Image
    name: str


@fact
def dev_target(
    runspec: RunSpec, builder: Builder, dockerfile: Dockerfile, engine: Engine
) -> DevTarget:
    """Built as `docker compose up --build` would."""
    asked = _asked(engine, runspec)
    name = str(asked.get("target") or "")
    if name and dockerfile.stage(name) is None:
        raise SubmissionError(
            f"The Dockerfile has no stage called {name}. Name one: FROM … AS {name}."
        )
    args = {str(k): str(v) for k, v in (asked.get("args") or {}).items() if v is not None}
    made = builder.make(builder.context.folder, parsed=dockerfile, target=name, args=args)
    return DevTarget(engine.image(made.image), name)


def _asked(engine: Engine, spec: RunSpec) -> Mapping[str, Any]:
    """What the specification says of the build; a ``run.toml`` says nothing of it."""
    if not spec.service:
        return {"target": TARGET}
    service = compose.resolved(engine, spec)["services"][spec.service]
    asked: Mapping[str, Any] = service.get("build") or {"target": TARGET}
    if asked.get("dockerfile_inline") or asked.get("dockerfile", "Dockerfile") != "Dockerfile":
        raise SubmissionError(
            f"{spec.name}: one file called Dockerfile is graded. Let `build` use that one.",
            line=spec.line("build"),
            file=spec.name,
        )
    return asked


@dataclass(frozen=True)
class Debugged:
    """What came of it. ``error`` is why it was not ready, ``attached`` why nobody could attach.

    ``found`` says that the breakpoint's line was known there, ``value`` what the variable was when
    it stopped (None: it did not), ``wanted`` what it must have been. ``roots`` are the commands of
    processes that run as root, ``log`` are its last lines.
    """

    ready: bool
    error: str = ""
    attached: str = ""
    loopback_only: bool = False
    found: bool = False
    value: str | None = None
    wanted: float = 0.0
    status: int = 0
    roots: tuple[str, ...] = ()
    log: str = ""

    @property
    def right(self) -> bool:
        try:
            return self.value is not None and float(self.value) == self.wanted
        except ValueError:
            return False


@timed
@fact
def debugged(  # noqa: PLR0917  facts come by name
    dev_target: DevTarget,
    runspec: RunSpec,
    engine: Engine,
    exercise: Exercise,
    course: Course,
    scratch: Path,
) -> Debugged:
    """Ask the service while no debugger is there, then attach one and stop at a line."""
    made = locked.confined(runspec, dev_target.image, engine, scratch)
    locked.begin(engine, made, exercise)
    pixels = [_dice.randint(0, BRIGHTEST) for _ in range(COUNT)]
    question = {**_place(exercise, course), "body": {"pixels": pixels}, **_where(exercise)}
    ended = when_ended(engine, made.container, exercise)
    seconds = exercise.limits.ready_seconds + 2 * ATTACH
    script = f"{CLIENT}\n{LOOK}"
    said = probe.inject(engine, made.container, script, question, seconds=seconds, ended=ended)
    roots = tuple(command for _, uid, command in engine.processes(made.container) if uid == 0)
    log = engine.logs(made.container, tail=5)
    return Debugged(**said, wanted=float(sum(pixels)), roots=roots, log=log)


def _where(exercise: Exercise) -> dict[str, Any]:
    return {
        "host": probe.local_address(),
        "port": exercise.port,
        "debug_port": PORT,
        "patience": exercise.limits.ready_seconds,
        "attach": ATTACH,
        "held": HELD,
    }


def _place(exercise: Exercise, course: Course) -> dict[str, Any]:
    """The path in the container, the line and the variable that the exercise wants to see."""
    (path,) = settings(exercise, "debug.attaches", "path")
    (mark,) = settings(exercise, "debug.attaches", "mark")
    (variable,) = settings(exercise, "debug.attaches", "variable")
    given = given_files(course.app, exercise.given)[str(path).removeprefix(HOME)]
    lines = given.read_text(encoding="utf-8").splitlines()
    line = next(number for number, row in enumerate(lines, 1) if mark in row)
    return {"path": path, "line": line, "variable": variable}


@dataclass(frozen=True)
class Published:
    """Where on the machine each port of the container is published, as the engine has it.

    ``at`` has (port of the container, host address); "" is every address. ``file`` and ``line``
    say where that was asked for.
    """

    at: tuple[tuple[int, str], ...]
    file: str = ""
    line: int | None = None

    def addresses(self, port: int) -> list[str]:
        return [address for other, address in self.at if other == port]


@fact
def published(runspec: RunSpec, dev_target: DevTarget, engine: Engine) -> Published:
    """By a container that is made with these ports and never started: no port is taken."""
    words = ["create", "--pull", "never"]
    words += [w for k, v in engine.labels("submission").items() for w in ("--label", f"{k}={v}")]
    words += _publish(engine, runspec)
    made = runspecs.client(engine, [*words, dev_target.image.id, "true"], folder=runspec.folder)
    if made.returncode:
        raise runspecs.blamed(engine, runspec, made.stderr)
    host = engine.inspect(made.stdout.strip().splitlines()[-1])["HostConfig"]
    found = bindings(host)
    line = runspec.line("ports", "publish", "publish-all")
    return Published(found, runspec.name, line)


def bindings(host: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    """(port of the container, host address) of a HostConfig; publishing all is every address."""
    found = [
        (int(port.partition("/")[0]), str(one.get("HostIp") or ""))
        for port, rows in (host.get("PortBindings") or {}).items()
        for one in rows or [{}]
    ]
    return (*found, *([(PORT, "")] if host.get("PublishAllPorts") else []))


def _publish(engine: Engine, spec: RunSpec) -> list[str]:
    """The ports of the specification as `docker create` takes them."""
    if spec.service:
        service = compose.resolved(engine, spec)["services"][spec.service]
        return [w for one in service.get("ports") or () for w in ("--publish", _short(one))]
    asked = spec.wanted.get("publish") or []
    rows = asked if isinstance(asked, list) else [asked]
    everything = ["--publish-all"] if spec.wanted.get("publish-all") is True else []
    return [*everything, *(w for row in rows for w in ("--publish", str(row)))]


def _short(port: Mapping[str, Any]) -> str:
    """Compose's long form of a port, in the short one."""
    host = str(port.get("host_ip") or "")
    host = f"[{host}]" if ":" in host else host
    where = f"{host}:" if host else ""
    outside = str(port.get("published") or "")
    outside = f"{outside}:" if outside or host else ""
    return f"{where}{outside}{port['target']}/{port.get('protocol') or 'tcp'}"
