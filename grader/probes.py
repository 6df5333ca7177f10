"""Asks a container's server the same paths again and again, from outside, and says what changed.

One question with an answer to compare is ``probe.talk``'s. No verdicts here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from grader import probe
from grader.engine import Engine, State

PAUSE = 0.1  # seconds between two rounds of questions
PATIENCE = 1.0  # seconds that one answer may take
MOST_RUNS = 300  # a server that changes its mind at each question is cut short

# Runs inside the probe.
SCRIPT = r"""
import http.client, time
runs, last, stop = [], {}, None
said["runs"] = runs
end = time.monotonic() + ask["seconds"]

def get(path):
    link = http.client.HTTPConnection(ask["host"], ask["port"], timeout=ask["patience"])
    try:
        body = ask["bodies"].get(path)
        head = {"content-type": "application/json"} if body else {}
        link.request("POST" if body else "GET", path, json.dumps(body) if body else None, head)
        reply = link.getresponse()
        return reply.status, reply.read(300).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as err:
        return 0, f"{type(err).__name__}: {err}"
    finally:
        link.close()

while time.monotonic() < (stop or end) and len(runs) < ask["most"]:
    for path in ask["paths"]:
        began = time.time()
        status, text = get(path)
        run = last.get(path)
        if run and run["status"] == status:
            run["last"], run["count"] = began, run["count"] + 1
        else:
            run = {"path": path, "status": status, "text": text, "count": 1}
            run["first"] = run["last"] = began
            last[path] = run
            runs.append(run)
        met = status in ask["until"] if ask["until"] else status
        if stop is None and path == ask["paths"][0] and met:
            stop = min(end, time.monotonic() + ask["after"])
    time.sleep(ask["pause"])
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Run:
    """The same answer of one path, ``count`` times in a row.

    ``status`` is 0 where none came, and ``text`` then says why. ``first`` and ``last`` are when
    those questions began, in seconds since 1970.
    """

    path: str
    status: int
    first: float
    last: float
    count: int
    text: str = ""


@dataclass(frozen=True)
class Seen:
    """All answers, in the order in which they changed."""

    runs: tuple[Run, ...]

    def of(self, path: str) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.path == path)

    def first(self, path: str, *statuses: int) -> float | None:
        """When that path first answered so; with any status at all when none is named."""
        for run in self.of(path):
            if run.status in statuses or (not statuses and run.status):
                return run.first
        return None


def watch(
    engine: Engine,
    container: str,
    paths: Sequence[str],
    *,
    port: int,
    seconds: float,
    ended: Callable[[State], None],
    until: Sequence[int] = (),
    after: float = 0,
    bodies: Mapping[str, object] | None = None,
) -> Seen:
    """Ask the paths in turn until the first of them answers with one of ``until``, and ``after``.

    They are asked with GET; those that have one of ``bodies``, with POST and that as JSON. With no
    ``until`` any answer will do. Never longer than ``seconds``. ``ended`` is called when
    the container stops on its own, and raises. Raises EngineError when the probe can't run.
    """
    ask = {
        "host": probe.local_address(),
        "port": port,
        "paths": list(paths),
        "seconds": seconds,
        "until": list(until),
        "after": after,
        "pause": PAUSE,
        "patience": PATIENCE,
        "most": MOST_RUNS,
        "bodies": dict(bodies or {}),
    }
    said = probe.inject(engine, container, SCRIPT, ask, seconds=seconds, ended=ended)
    return Seen(tuple(Run(**run) for run in said["runs"]))
