"""Builds a folder with BuildKit through its client, inside limits, and says what each step did.

Nothing is tagged or pushed, and nothing is graded here; ``blame`` decides whose failure it was.
"""

from __future__ import annotations

import functools
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from grader import runs
from grader.buildlog import BuildEvent, BuildLog, Step
from grader.cgroups import CgroupUnavailable, Guard, Limit, remove
from grader.dockerfile import Dockerfile
from grader.errors import EngineError
from grader.host.connection import Connection
from grader.host.home import home
from grader.spec import Limits

DISK_RESERVE = 500_000_000  # bytes that must stay free where the engine keeps its data
TICK = 0.25  # seconds between two looks at the limits
# BuildKit mixes up two builds that begin with the same steps (moby/buildkit#2303). It is over when
# the other one has ended, and nothing of the submission is in it.
_MIXED_UP = re.compile("failed to get edge: inconsistent graph state")
PAUSES = (0.5, 2, 5)  # seconds before it is tried again


@dataclass(frozen=True)
class Build:
    """A build that ended. ``image`` is the image's id, "" when it failed.

    ``least_free`` is the least room, in bytes, seen on the engine's disk; None if not seen.
    ``stopped`` is "" or why we stopped it: ``time``, ``log``, ``disk``, ``cancelled``.
    ``shared`` is whether others were building when it was stopped for the disk, which all fill.
    ``frontend`` is "own" where the engine's own one stood in for a ``# syntax=`` that this machine
    cannot fetch. ``limited`` says how memory and processes were limited: ``cgroup v1``,
    ``cgroup v2`` or why not.
    """

    image: str
    steps: tuple[Step, ...]
    seconds: float
    log: BuildLog
    exit_code: int = 0
    stopped: str = ""
    memory_killed: bool = False
    pids_hit: bool = False
    least_free: int | None = None
    limited: str = ""
    context_bytes: int = 0
    shared: bool = False
    frontend: str = ""


@dataclass(frozen=True)
class Request:
    """What to build and how; ``labels`` go on the image.

    ``secrets`` maps an id to its value, ``args`` a build argument to its value. ``fresh`` is a word
    of this build alone: no RUN is taken from the cache, nor from a build that runs at the same
    time. ``file`` is another Dockerfile than the context's own.
    """

    context: Path
    labels: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    limits: Limits = field(default_factory=Limits)
    secrets: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    fresh: str = ""
    file: Path | None = None
    target: str = ""

    def command(self, buildx: tuple[str, ...], iidfile: str, parent: str) -> list[str]:
        words = [*buildx, "build", "--builder", "default", "--progress", "rawjson"]
        words += ["--iidfile", iidfile, "--provenance", "false"]
        words += [w for k, v in self.labels.items() for w in ("--label", f"{k}={v}")]
        words += ["--cgroup-parent", parent] if parent else []
        words += ["--tag", self.tag] if self.tag else []
        words += [w for k, v in self.args.items() for w in ("--build-arg", f"{k}={v}")]
        for variable, id_ in zip(self.environment, self.secrets, strict=True):
            words += ["--secret", f"id={id_},env={variable}"]
        # A line of /etc/hosts is a part of each RUN's cache key, and stays out of the image.
        # --no-cache is not enough: BuildKit merges equal steps of two builds that run at once.
        words += ["--add-host", f"{self.fresh}.invalid:127.0.0.1"] if self.fresh else []
        words += ["--file", str(self.file)] if self.file else []
        words += ["--target", self.target] if self.target else []
        return [*words, str(self.context)]

    @property
    def environment(self) -> dict[str, str]:
        """The secrets, for the client alone: not on its command line, which ``ps`` shows."""
        return {f"LAB_SECRET_{n}": value for n, value in enumerate(self.secrets.values())}


def mixed_up(made: Build) -> bool:
    """Whether the builder failed it by a fault of its own; no file can make a message begin so."""
    return not made.image and bool(_MIXED_UP.match(made.log.message))


def build(
    connection: Connection,
    request: Request,
    *,
    parsed: Dockerfile | None = None,
    data_root: Path | None = None,
    on_event: Callable[[BuildEvent], None] | None = None,
    cancel: threading.Event | None = None,
) -> Build:
    """Build it. A failed build is a value; EngineError means that none could be started."""
    once = functools.partial(
        _once,
        connection,
        request,
        parsed=parsed,
        data_root=data_root,
        on_event=on_event,
        cancel=cancel,
    )
    made = once()
    for pause in PAUSES:
        if not mixed_up(made):
            break
        time.sleep(pause)
        made = once()
    return made


def _once(
    connection: Connection,
    request: Request,
    *,
    parsed: Dockerfile | None,
    data_root: Path | None,
    on_event: Callable[[BuildEvent], None] | None,
    cancel: threading.Event | None,
) -> Build:
    _room(data_root)
    log, start = BuildLog(parsed, on_event), time.monotonic()
    with (
        _guard(connection, request.limits) as (guard, parent, limited),
        _iidfile() as iidfile,
        runs.announced(home().root / "builds") as others,
    ):
        command = request.command(connection.buildx, iidfile, parent)
        process = _start(connection, command, request.environment)
        watch = _Watch(request.limits, data_root, cancel)
        try:
            stopped = _follow(process, log, watch)
            shared = stopped == "disk" and others()
        finally:
            _stop(process)
        image = Path(iidfile).read_text().strip() if process.returncode == 0 else ""
        return Build(
            image=image,
            steps=log.steps,
            seconds=time.monotonic() - start,
            log=log,
            exit_code=process.returncode,
            stopped=stopped,
            memory_killed=bool(guard and guard.memory_killed),
            pids_hit=bool(guard and guard.pids_hit),
            least_free=watch.least,
            limited=limited,
            context_bytes=log.context_bytes,
            shared=shared,
        )


def _room(data_root: Path | None) -> None:
    free = _free(data_root)
    if free is not None and free < DISK_RESERVE:
        raise EngineError(
            f"The engine's disk is full: {free / 1e6:.0f} MB free in {data_root}, and a build"
            f" needs {DISK_RESERVE / 1e6:.0f} MB. `docker system df` shows what holds the rest."
        )


def _free(data_root: Path | None) -> int | None:
    if data_root is None:
        return None
    with suppress(OSError):
        return shutil.disk_usage(data_root).free
    return None


def _parent(connection: Connection) -> tuple[str, str]:
    """The group that BuildKit's RUNs are put below, and the same as a flag for the client.

    The private engine's own parent needs no flag. Elsewhere the flag keeps our limits off the
    builds of others; its name is fixed, since it is a part of BuildKit's cache keys.
    """
    place = home()
    if connection.kind == "private":
        return place.cgroup, ""
    return f"lab-build-{place.slot:08x}", f"/lab-build-{place.slot:08x}"


@contextmanager
def _guard(connection: Connection, limits: Limits) -> Iterator[tuple[Guard | None, str, str]]:
    """Gives the guard, the client's flag and, for the report, how builds are limited."""
    if not connection.local:
        yield None, "", "none: the engine runs on another machine"
        return
    parent, flag = _parent(connection)
    limit = Limit(round(limits.build_memory_mb * 1e6), int(limits.build_pids))
    with ExitStack() as stack:
        if flag:
            stack.callback(remove, parent)
        try:
            guard = stack.enter_context(Guard(parent, limit))
        except CgroupUnavailable as err:
            yield None, "", f"none: {err}"
            return
        yield guard, flag, f"cgroup v{guard.version}"


@contextmanager
def _iidfile() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="lab-iid-") as folder:
        yield f"{folder}/iid"


def _start(
    connection: Connection, command: list[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    ours = {**connection.environment, **environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    try:
        return subprocess.Popen(
            command,
            env={**os.environ, **ours},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as err:
        raise EngineError(f"BuildKit's client does not start: {err}") from err


@dataclass
class _Watch:
    """Decides when a build has had enough; ``reason`` is "" until then."""

    limits: Limits
    data_root: Path | None
    cancel: threading.Event | None

    def __post_init__(self) -> None:
        self.end = time.monotonic() + self.limits.build_seconds
        self.free = self.least = _free(self.data_root)

    def reason(self, log: BuildLog) -> str:
        if self.cancel is not None and self.cancel.is_set():
            return "cancelled"
        if log.clipped or log.log_bytes > self.limits.build_log_mb * 1e6:
            return "log"
        if time.monotonic() > self.end:
            return "time"
        return "disk" if self._disk_used_up() else ""

    def _disk_used_up(self) -> bool:
        free = _free(self.data_root)
        if free is None or self.free is None or self.least is None:
            return False
        self.least = min(self.least, free)
        return self.free - free > self.limits.build_disk_mb * 1e6


def _follow(process: subprocess.Popen[bytes], log: BuildLog, watch: _Watch) -> str:
    """Feed the log until the client ends or has to be stopped; gives the reason for that."""
    assert process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        looked = time.monotonic()
        while True:
            if selector.select(TICK):
                data = os.read(process.stderr.fileno(), 1 << 16)
                if not data:
                    break
                log.feed(data)
            if time.monotonic() - looked >= TICK:
                looked = time.monotonic()
                if reason := watch.reason(log):
                    return reason
    log.close()
    process.wait()
    reason = watch.reason(log)
    return reason if log.clipped else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the client to stop, which makes BuildKit cancel the step that runs; then kill it.

    Not by SIGINT: a background job of a shell ignores that one, and so do its children.
    """
    for signal_ in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    if process.stderr is not None:
        process.stderr.close()
