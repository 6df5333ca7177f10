"""Reads BuildKit's raw JSON progress into steps with times, cache hits, output and lines.

It starts no build and blames nobody. Format: buildx ``--progress=rawjson``, one SolveStatus after
the other (github.com/moby/buildkit, client/graph.go), pretty-printed or one a line; the client's
own text at the end.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from grader.clock import moment
from grader.dockerfile import Dockerfile

KEPT_LINES = 40  # of each step's output
KEPT_CHARACTERS = 500  # of each line
_STEP = re.compile(
    r"\[(?:\S+/\S+ )?(?:(?P<stage>\S+) )?(?P<number>\d+)/(?P<total>\d+)\] (?P<text>.*)", re.S
)
_CLIPPED = "[output clipped, log limit"


@dataclass(frozen=True)
class BuildEvent:
    """One change of one step. ``status`` is ``running``, ``done``, ``cached`` or ``error``."""

    step: str
    status: str
    seconds: float = 0
    line: int | None = None
    stage: str = ""


@dataclass(frozen=True)
class Step:
    """One step as it ended. ``line`` is 1-based in the Dockerfile, None for internal steps."""

    name: str
    stage: str
    line: int | None
    cached: bool
    seconds: float
    started: float
    error: str
    output: tuple[str, ...]


@dataclass
class _Vertex:
    name: str = ""
    started: float = 0
    completed: float = 0
    cached: bool = False
    error: str = ""
    told: str = ""
    lines: deque[str] = field(default_factory=lambda: deque([""], maxlen=KEPT_LINES))


class BuildLog:
    """Feed it the client's standard error as it comes; ask for ``steps`` at any time."""

    def __init__(
        self, dockerfile: Dockerfile | None = None, tell: Callable[[BuildEvent], None] | None = None
    ) -> None:
        self.dockerfile, self.tell = dockerfile, tell
        self.vertices: dict[str, _Vertex] = {}
        self.trailer: deque[str] = deque(maxlen=200)  # what the client says in plain text
        self.log_bytes = 0
        self.clipped = False  # a step printed so much that BuildKit stopped keeping it
        self.context_bytes = 0
        self._rest = b""
        self._object: list[str] = []

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode("utf-8", "replace"))

    def close(self) -> None:
        self.feed(b"\n")
        self._whole()

    def _line(self, line: str) -> None:
        if self._object or line == "{":
            self._object.append(line)
            if line == "}":
                self._whole()
        elif not (line.startswith("{") and self._json(line)) and line.strip():
            self.trailer.append(line[:KEPT_CHARACTERS])

    def _whole(self) -> None:
        """An object that was printed over many lines has ended; what is none is plain text."""
        lines, self._object = self._object, []
        if not self._json("\n".join(lines)):
            self.trailer.extend(line[:KEPT_CHARACTERS] for line in lines)

    def _json(self, text: str) -> bool:
        try:
            status = json.loads(text)
        except ValueError:
            return False
        if isinstance(status, dict):
            self._status(status)
        return isinstance(status, dict)

    def _status(self, status: dict[str, Any]) -> None:
        for row in status.get("vertexes") or ():
            self._vertex(row)
        for row in status.get("logs") or ():
            self._log(row)
        for row in status.get("statuses") or ():
            if "transferring context" in row.get("id", ""):
                self.context_bytes = max(self.context_bytes, row.get("current") or 0)

    def _vertex(self, row: dict[str, Any]) -> None:
        vertex = self.vertices.setdefault(row["digest"], _Vertex())
        vertex.name = row.get("name") or vertex.name
        vertex.started = moment(row.get("started")) or vertex.started
        vertex.completed = moment(row.get("completed")) or vertex.completed
        vertex.cached = bool(row.get("cached")) or vertex.cached
        vertex.error = row.get("error") or vertex.error
        status = _status_of(vertex)
        if (
            self.tell
            and status
            and status != vertex.told
            and not vertex.name.startswith("[internal")
        ):
            vertex.told = status
            stage, line = self._place(vertex.name)
            self.tell(BuildEvent(vertex.name[:200], status, _duration(vertex), line, stage))

    def _log(self, row: dict[str, Any]) -> None:
        data = base64.b64decode(row.get("data") or "")
        self.log_bytes += len(data)
        text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        self.clipped = self.clipped or _CLIPPED in text
        lines = self.vertices.setdefault(row["vertex"], _Vertex()).lines
        first, *others = text.split("\n")
        lines[-1] = (lines[-1] + first)[:KEPT_CHARACTERS]
        lines.extend(part[:KEPT_CHARACTERS] for part in others[-KEPT_LINES:])

    def _place(self, name: str) -> tuple[str, int | None]:
        """The stage and the Dockerfile's line of BuildKit's ``[stage 2/5] RUN …``."""
        match = _STEP.match(name)
        if not match or not self.dockerfile:
            return "", None
        stage = self._stage(match["stage"] or "")
        if stage is None:
            return match["stage"] or "", None
        return match["stage"] or stage.name, stage.line_of_step(int(match["number"]), match["text"])

    def _stage(self, name: str) -> Any:
        assert self.dockerfile is not None
        if not name and self.dockerfile.stages:
            return self.dockerfile.stages[-1]
        index = name.removeprefix("stage-")
        return self.dockerfile.stage(name) or self.dockerfile.stage(index)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps())

    def _steps(self) -> Iterator[Step]:
        for vertex in self.vertices.values():
            stage, line = self._place(vertex.name)
            yield Step(
                name=vertex.name,
                stage=stage,
                line=line,
                cached=vertex.cached,
                seconds=_duration(vertex),
                started=vertex.started,
                error=vertex.error,
                output=tuple(text for text in vertex.lines if text.strip()),
            )

    @property
    def failed(self) -> Step | None:
        """The step that failed; one that was only cancelled for it comes second."""
        blamed = self.blamed_line
        wrong = [replace(s, line=blamed or s.line) for s in self.steps if s.error]
        real = [s for s in wrong if "context canceled" not in s.error]
        return next(iter(real or wrong), None)

    @property
    def running(self) -> Step | None:
        """The step that had not ended when the build was stopped."""
        names = [v.name for v in self.vertices.values() if v.started and not v.completed]
        return next((s for s in self.steps if s.name in names and _is_own(s.name)), None)

    @property
    def asking(self) -> bool:
        """Whether it was still asking a registry for an image when it was stopped."""
        questions = ("[internal] load metadata for ", "resolve ")
        started = (v.name for v in self.vertices.values() if v.started and not v.completed)
        return any(name.startswith(questions) for name in started)

    @property
    def message(self) -> str:
        """The client's last word on a failure, without its ``ERROR:``."""
        for line in reversed(self.trailer):
            if line.startswith("ERROR: "):
                return line.removeprefix("ERROR: ").removeprefix("failed to solve: ")
        return self.trailer[-1] if self.trailer else ""

    @property
    def refusal(self) -> str:
        """The same where no step of the file failed, as when an image is not to be had; else "".

        What is said of such a step quotes it, and a student can write there what a registry says.
        """
        step = self.failed
        return "" if step and _is_own(step.name) else self.message

    @property
    def blamed_line(self) -> int | None:
        """The Dockerfile's line that BuildKit itself points at."""
        for line in self.trailer:
            if match := re.match(r"[^ ]*Dockerfile:(\d+)$", line):
                return int(match[1])
        return None


def _is_own(name: str) -> bool:
    """Whether it is a step of the Dockerfile that does something: not internal, not a FROM."""
    match = _STEP.match(name)
    return bool(match and not match["text"].startswith("FROM "))


def _status_of(vertex: _Vertex) -> str:
    if vertex.error:
        return "error"
    if vertex.cached:
        return "cached"
    if vertex.completed:
        return "done"
    return "running" if vertex.started else ""


def _duration(vertex: _Vertex) -> float:
    return max(0.0, vertex.completed - vertex.started) if vertex.completed else 0.0
