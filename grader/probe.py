"""Looks at a submission's container from one of our own that shares its network or its processes.

So a server needs no network and no port on this machine, and nothing that it prints counts: only
what our probe measured does. The probe's interpreter is the base image's, not the student's.
"""

from __future__ import annotations

import base64
import json
import random
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from grader.engine import PROBE_IMAGE, Engine, State
from grader.errors import EngineError, SubmissionError

# Runs before every script in the probe: hands it its question, and ends it in time with what it
# has in ``said`` by then. A server that sends a byte a second would keep it busy for ever.
_HEAD = """
import base64, json, os, signal, sys, zlib
ask = json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
said = {}
def enough(*_):
    print("\\n" + json.dumps(said), flush=True)
    os._exit(0)
signal.signal(signal.SIGALRM, enough)
signal.setitimer(signal.ITIMER_REAL, ask["seconds"] + 2)
"""

# Runs inside the probe; standard library only, in one piece. All of 127.0.0.0/8 is local, but a
# server bound to 127.0.0.1 answers at no other address of it: what listens for the world is told
# from what does not. The address is drawn anew each time, so that none can be listened at alone.
SCRIPT = r"""
import http.client, time
port, end = ask["port"], time.monotonic() + ask["seconds"]
said = {"ready_at": None, "status": None, "error": "", "loopback_only": False, "answers": []}

def call(host, method, path, body=None, link=None, timeout=5):
    link = link or http.client.HTTPConnection(host, port, timeout=timeout)
    head = {"content-type": "application/json"} if body is not None else {}
    link.request(method, path, body=body, headers=head)
    reply = link.getresponse()
    return reply.status, reply.read(100_000), link

def wait():
    while time.monotonic() < end:
        try:
            said["status"], text, link = call(ask["host"], "GET", ask["ready"])
            link.close()
            said["error"] = text[:300].decode("utf-8", "replace")
            if said["status"] == 200:
                return True
        except (OSError, http.client.HTTPException) as err:
            said["error"] = f"{type(err).__name__}: {err}"
            # It may have come up between the two questions, so the first one is asked again.
            if isinstance(err, ConnectionRefusedError) and answers("127.0.0.1"):
                said["loopback_only"] = not answers(ask["host"])
                if said["loopback_only"]:
                    return False
        time.sleep(0.02)
    return False

def answers(host):
    try:
        call(host, "GET", ask["ready"], timeout=2)[2].close()
    except ConnectionRefusedError:
        return False
    except (OSError, http.client.HTTPException):
        return True
    return True

def questions():
    link = None
    for body in ask["bodies"]:
        if time.monotonic() > end:
            break
        try:
            status, text, link = call(ask["host"], "POST", ask["path"], json.dumps(body), link)
            said["answers"].append([status, text[:500].decode("utf-8", "replace")])
        except (OSError, http.client.HTTPException) as err:
            link = None
            said["answers"].append([0, f"{type(err).__name__}: {err}"])

if wait():
    said["ready_at"] = time.time()
    questions()
print(json.dumps(said))
"""
Share = Literal["network", "pid"]
_KILLS = (
    "A process of the container kills what it did not start, the grader's look at it as well. Let"
    " it run as a user without rights, and end only its own processes."
)
POLL, LONGEST_POLL = (
    0.03,
    0.2,
)  # seconds between two looks at the two containers, at first and later
GRACE = 15  # seconds that the probe may take longer than it was told


def talk(
    engine: Engine,
    container: str,
    *,
    port: int,
    bodies: list[Mapping[str, Any]],
    seconds: float,
    ready: str = "/ready",
    path: str = "/predict",
    ended: Callable[[State], None],
) -> dict[str, Any]:
    """Wait until the server in ``container`` is ready, POST each body, give what was measured.

    Keys: ``ready_at`` (seconds since 1970, None if never), ``status``, ``error``,
    ``loopback_only``, ``answers`` ([status, text] each). ``ended`` is called with the state when
    the container stops on its own, and raises. Raises EngineError when the probe cannot run.
    """
    ask = {"port": port, "seconds": seconds, "ready": ready, "path": path, "bodies": bodies}
    ask["host"] = local_address()
    return inject(engine, container, SCRIPT, ask, seconds=seconds, ended=ended)


def local_address() -> str:
    """An address of this machine's own at which only a server that listens everywhere answers."""
    dice = random.SystemRandom()
    return f"127.{dice.randint(1, 254)}.{dice.randint(0, 254)}.{dice.randint(2, 254)}"


def inject(
    engine: Engine,
    container: str,
    script: str,
    ask: Mapping[str, Any],
    *,
    seconds: float,
    ended: Callable[[State], None],
    share: Share = "network",
    meanwhile: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a script of ours beside ``container`` and give the JSON object that it printed last.

    ``script`` is Python, standard library only; it finds its question in ``ask``, and what it has
    put into ``said`` is what counts when it is not done 2 s after ``seconds``. It shares the
    container's network, or its processes (then as root, allowed to read /proc of all of them).
    ``ended`` is called with the state when the container stops on its own, and raises;
    ``meanwhile`` with the probe's id once it runs. Raises EngineError when the probe cannot run.
    """
    question = json.dumps({**ask, "seconds": seconds}).encode()
    words = [_HEAD + script, base64.b64encode(zlib.compress(question)).decode()]
    run = _Run(engine, words, share, time.monotonic() + seconds + GRACE)
    try:
        return run.beside(container, ended, meanwhile)
    except EngineError as err:
        if share == "pid" and engine.state(container).running and run.works_elsewhere():
            raise SubmissionError(_KILLS) from err
        raise


@dataclass(frozen=True)
class _Run:
    """One script with its question, and until when it must be done."""

    engine: Engine
    words: list[str]
    share: Share
    end: float

    def beside(
        self,
        container: str,
        ended: Callable[[State], None],
        meanwhile: Callable[[str], None] = lambda _: None,
    ) -> dict[str, Any]:
        own: dict[str, Any] = {"network": f"container:{container}"}
        if self.share == "pid":
            own = {"pid_mode": f"container:{container}", "cap_add": ["SYS_PTRACE"]}
        probe = self.engine.create(
            PROBE_IMAGE,
            kind="probe",
            entrypoint=["/usr/local/bin/python3", "-I", "-S", "-c", *self.words],
            command=[],
            memory=128_000_000,
            pids=32,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            **own,
        )
        _start(self.engine, probe, lambda: _still_there(self.engine, container, ended))
        meanwhile(probe)
        _wait(self.engine, container, probe, self.end, ended)
        return _said(self.engine, probe)

    def works_elsewhere(self) -> bool:
        """Whether the same script gets done beside a container of ours: then it was killed."""
        with suppress(EngineError):
            sleep = ["/usr/local/bin/python3", "-c", "import time; time.sleep(60)"]
            ours = self.engine.create(PROBE_IMAGE, kind="canary", entrypoint=sleep, command=[])
            if not self.engine.start(ours):
                self.beside(ours, _canary_ended)
                return True
        return False


def _canary_ended(state: State) -> None:
    raise EngineError(f"A container of the grader's ended with {state.exit_code}.")


def _start(engine: Engine, probe: str, still_there: Callable[[], None]) -> None:
    """A namespace to share is there only as long as its container runs."""
    try:
        why = engine.start(probe)
    except EngineError:
        still_there()
        raise
    if why:
        still_there()
        raise EngineError(f"The grader's probe does not start: {why}")


def _still_there(engine: Engine, container: str, ended: Callable[[State], None]) -> None:
    state = engine.state(container)
    if not state.running:
        ended(state)


def _wait(
    engine: Engine, container: str, probe: str, end: float, ended: Callable[[State], None]
) -> None:
    pause = POLL
    while engine.state(probe).running:
        _still_there(engine, container, ended)
        if time.monotonic() > end:
            raise EngineError("The grader's probe did not come back in time.")
        time.sleep(pause)
        pause = min(pause * 1.3, LONGEST_POLL)


def _said(engine: Engine, probe: str) -> dict[str, Any]:
    lines = engine.output(probe).splitlines()
    try:
        said: dict[str, Any] = json.loads(lines[-1] if lines else "")
    except json.JSONDecodeError as err:
        log = engine.logs(probe)[-300:]
        raise EngineError(f"The grader's probe failed: {log or 'it said nothing'}") from err
    return said
