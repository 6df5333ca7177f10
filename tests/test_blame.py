"""Whose failure a failed build was: BuildKit's real words, a canary and a ping that are made up.

Both mistakes cost trust: a student's error called the machine's is a free pass, and the machine's
called the student's is a lost mark.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from grader import blame
from grader.blame import Judge
from grader.build import DISK_RESERVE, Build, Request
from grader.buildlog import BuildLog
from grader.dockerfile import Dockerfile
from grader.errors import EngineError, SubmissionError
from grader.host.connection import Connection
from grader.spec import Limits

IMAGES = ("python:3.11-slim", "distroless-python:3.11")
FILE = """\
FROM python:3.11-slim
# the one step
RUN one
"""
LINE = 3
CONNECTION = Connection("unix:///x.sock", "given", {}, ("buildx",), "docker", local=True)


@dataclass
class Case:
    """One failed build as BuildKit tells it."""

    error: str = ""  # of the step; "" for a failure outside of every step
    output: str = ""
    message: str = ""  # the client's last word, if it differs from the step's error
    step: str = "[2/2] RUN one"
    file: str = FILE
    settings: dict[str, Any] = field(default_factory=dict)  # of the Build


def exit_code(code: int, command: str = "one") -> str:
    return f'process "/bin/sh -c {command}" did not complete successfully: exit code: {code}'


def run(output: str, code: int = 1, **more: Any) -> Case:
    """A RUN that ended with a status of its own after printing something."""
    return Case(error=exit_code(code), output=output, **more)


def log_of(case: Case, *, completed: bool = True) -> BuildLog:
    """The same stream that the client writes: rows of JSON, then an excerpt, then its last word."""
    rows = []
    if case.step:
        row = {"digest": "1", "name": case.step, "started": "2026-11-23T10:00:00Z"}
        if completed:
            row |= {"completed": "2026-11-23T10:00:09Z", "error": case.error}
        data = base64.b64encode(case.output.encode()).decode()
        rows += [{"vertexes": [row]}, {"logs": [{"vertex": "1", "stream": 1, "data": data}]}]
    lines = case.file.splitlines()
    excerpt = [f"   {n} | {'>>>' if n == LINE else '   '} {t}" for n, t in enumerate(lines, 1)]
    said = [f" > {case.step}:", *(f"0.245 {line}" for line in case.output.splitlines()), "------"]
    if completed and case.error and case.step.startswith("["):
        said += [f"Dockerfile:{LINE}", "--------------------", *excerpt, "--------------------"]
    last = case.message or case.error
    text = "".join(json.dumps(r) + "\n" for r in rows) + "\n".join(said)
    text += f"\nERROR: failed to solve: {last}\n" if last else "\n"
    log = BuildLog(Dockerfile.parse(case.file.encode()))
    log.feed(text.encode())
    log.close()
    return log


def built(case: Case, *, completed: bool = True) -> Build:
    log = log_of(case, completed=completed)
    return Build("", log.steps, 9.0, log, exit_code=1, **case.settings)


class World:
    """What the judge finds when it looks at the machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.canary_works, self.answers, self.canaries = True, True, 0
        self.dockerfiles: list[str] = []
        monkeypatch.setattr(blame, "build", self.build)

    def build(self, connection: Connection, request: Request, **_: Any) -> Build:
        self.canaries += 1
        self.dockerfiles.append((request.context / "Dockerfile").read_text())
        log = BuildLog(None)
        if not self.canary_works:
            log.feed(b"ERROR: the canary is dead\n")
        return Build("sha256:1" if self.canary_works else "", (), 1.0, log)

    def ping(self) -> None:
        if not self.answers:
            raise EngineError("gone")

    def judge(
        self, case: Case, *, images: tuple[str, ...] = IMAGES, completed: bool = True
    ) -> Exception:
        judge = Judge(
            connection=CONNECTION, images=images, ping=self.ping, labels={}, data_root=None
        )
        return judge.error(built(case, completed=completed), Limits())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


# -- the student's, whatever the canary would say -------------------------------------------------

STUDENT = {
    "a typo in a command": run("/bin/sh: 1: pyhton: not found", 127),
    "a module that is not there": run("ModuleNotFoundError: No module named 'sklearn'"),
    "a package that has no lists": run("E: Unable to locate package gcc", 100),
    "no requirements file": run("ERROR: Could not open requirements file: [Errno 2] No such file"),
    "a wrong version": run(
        "ERROR: Could not find a version that satisfies the requirement numpy==99 (from versions:"
        " 1.0, 2.0)\nERROR: No matching distribution found for numpy==99"
    ),
    "no compiler": run("error: command 'gcc' failed: No such file or directory"),
    "nothing printed": run(""),
    "killed": run("Killed", 137),
    "an exit code of its own": run("", 42),
    "a full /dev/shm": run("dd: error writing '/dev/shm/x': No space left on device"),
    "says that the disk is full": run("no space left on device"),
    "says so in the command": Case(
        error=exit_code(1, "echo no space left on device && false"),
        output="no space left on device",
    ),
    "a broken pipe": run("BrokenPipeError: [Errno 32] Broken pipe"),
    "asks for Docker inside": run(
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock"
    ),
    "prints like gRPC": run("rpc error: code = Unavailable desc = error reading from server: EOF"),
    "prints a pull's error": run("pull access denied for x, repository does not exist"),
    "a comment that smells": Case(
        error=exit_code(1), file=FILE.replace("the one step", "no space left on device, 429 , tls")
    ),
    "a second comment that smells": Case(
        error=exit_code(1), file=FILE.replace("the one step", "Cannot connect to the Docker daemon")
    ),
    "prints BuildKit's own fault": run("failed to get edge: inconsistent graph state"),
    "is called like BuildKit's own fault": Case(
        step="",
        message="dockerfile parse error on line 3: unknown instruction: failed to get edge:"
        " inconsistent graph state",
    ),
    "an unknown instruction": Case(
        step="", message="dockerfile parse error on line 3: unknown instruction: RUNN"
    ),
    "a parse error": Case(
        step="", message="dockerfile parse error on line 3: ENV requires at least one argument"
    ),
    "no shell in the stage": run(
        'runc run failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such'
        " file or directory"
    ),
}


@pytest.mark.parametrize("name", STUDENT)
def test_the_students_failure_costs_no_free_pass(world: World, name: str) -> None:
    error = world.judge(STUDENT[name])
    assert isinstance(error, SubmissionError), error
    assert error.line in (LINE, None)


@pytest.mark.parametrize("name", [n for n in STUDENT if n not in ("a full /dev/shm",)])
def test_most_of_them_need_no_canary(world: World, name: str) -> None:
    """A canary costs seconds, and a student waits for them."""
    world.judge(STUDENT[name])
    assert world.canaries == 0


# -- the canary decides ---------------------------------------------------------------------------

CANARY = {
    "pip without names": run(
        "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(':"
        " Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'"
    ),
    "pip, quietly": run(
        "ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from"
        " versions: none)\nERROR: No matching distribution found for numpy==2.4.6"
    ),
    "pip times out": run(
        "ReadTimeoutError: HTTPSConnectionPool(host='x', port=443): Read timed out."
    ),
    "pip behind a dead proxy": run(
        "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.',"
        " OSError('Tunnel connection failed: 503 Service Unavailable'))': /simple/six/"
    ),
    "pip is cut off": run(
        "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadError('x')': /simple/"
    ),
    "pip is hung up on": run(
        "('Connection aborted.', RemoteDisconnected('Remote end closed connection without reply'))"
    ),
    "pip and a gateway": run("ERROR: HTTP error 502 while getting https://x/simple/six/"),
    "pip and a certificate": run(
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"
    ),
    "apt without names": run(
        "W: Failed to fetch http://x/InRelease  Temporary failure resolving 'x'", 100
    ),
    "apt refused": run(
        "Err:1 http://x bookworm InRelease\n  Could not connect to x:80 (1.2.3.4)."
        " - connect (111: Connection refused)",
        100,
    ),
    "apt and a clock": run(
        "E: Release file for http://x/InRelease is not valid yet (invalid for another 3h)", 100
    ),
    "apt and a 404": run("E: Failed to fetch http://x/pool/gcc.deb  404  Not Found", 100),
    "curl without names": run("curl: (6) Could not resolve host: x", 6),
    "curl refused": run(
        "curl: (7) Failed to connect to x port 443 after 0 ms: Couldn't connect to server", 7
    ),
    "curl and a certificate": run(
        "curl: (60) SSL certificate problem: unable to get local issuer certificate", 60
    ),
    "wget without names": run("wget: unable to resolve host address 'x'", 4),
    "git": run("fatal: unable to access 'https://x/': Could not resolve host: x", 128),
    "npm": run("npm ERR! network request to https://x failed, reason: getaddrinfo EAI_AGAIN x"),
    "Python's urllib": run(
        "urllib.error.URLError: <urlopen error [Errno 101] Network is unreachable>"
    ),
    "its own service refuses": run("ConnectionRefusedError: [Errno 111] Connection refused"),
    "runc's cgroup": run(
        "runc run failed: unable to start container process: unable to apply cgroup configuration:"
        " mkdir /sys/fs/cgroup/x: cannot allocate memory"
    ),
    "runc's mount": run(
        "runc run failed: unable to start container process: error during container init: error"
        ' mounting "proc" to rootfs at "/proc": permission denied'
    ),
    "no bridge": Case(
        error="failed to create endpoint x on network bridge: adding interface failed"
    ),
    "a RUN that never got an exit code": Case(error="failed to prepare x: mount callback failed"),
    "a failed export": Case(
        step="exporting to image", error="failed to export layer: unexpected EOF"
    ),
    "the daemon's disk": Case(
        step="exporting to image",
        error="failed to copy: write /var/lib/docker/overlay2/x: no space left on device",
    ),
    "nothing at all was said": Case(step="", message=""),
}


@pytest.mark.parametrize("name", CANARY)
def test_what_smells_is_the_students_when_the_canary_works(world: World, name: str) -> None:
    error = world.judge(CANARY[name])
    assert isinstance(error, SubmissionError), error
    assert world.canaries == 1


@pytest.mark.parametrize("name", CANARY)
def test_what_smells_is_the_machines_when_the_canary_dies(world: World, name: str) -> None:
    world.canary_works = False
    error = world.judge(CANARY[name])
    assert isinstance(error, EngineError), error
    assert "the canary is dead" in str(error)


def test_a_canary_that_cannot_even_start_is_the_machines(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: Any, **__: Any) -> Build:
        raise EngineError("BuildKit's client does not start")

    monkeypatch.setattr(blame, "build", dead)
    error = world.judge(CANARY["curl refused"])
    assert isinstance(error, EngineError)
    assert "client does not start" in str(error)


# -- the machine's, whatever the canary would say -------------------------------------------------

MACHINE = {
    "the daemon goes away": Case(step="", message="error reading from server: EOF"),
    "no daemon": Case(
        step="", message="Cannot connect to the Docker daemon at unix:///x.sock. Is it running?"
    ),
    "gRPC": Case(
        error="rpc error: code = Unavailable desc = transport is closing",
        message="rpc error: code = Unavailable desc = transport is closing",
    ),
    "our own image is not there": Case(
        step="[internal] load metadata for docker.io/library/python:3.11-slim",
        error="not found",
        message="python:3.11-slim: failed to resolve source metadata for"
        " docker.io/library/python:3.11-slim: docker.io/library/python:3.11-slim: not found",
    ),
    "the registry has had enough": Case(
        step="[internal] load metadata for docker.io/library/node:20",
        error="429 Too Many Requests",
        message="node:20: failed to resolve source metadata for docker.io/library/node:20:"
        " unexpected status from HEAD request: 429 Too Many Requests - toomanyrequests: limit",
    ),
    "the registry is down": Case(
        step="[internal] load metadata for docker.io/library/node:20",
        error="503",
        message="node:20: failed to resolve source metadata for docker.io/library/node:20:"
        " unexpected status from HEAD request: 503 Service Unavailable",
    ),
    "two builds at once": Case(step="", message="failed to get edge: inconsistent graph state"),
    "cancelled": Case(step="[2/2] RUN one", settings={"stopped": "cancelled"}),
}


@pytest.mark.parametrize("canary_works", [True, False])
@pytest.mark.parametrize("name", MACHINE)
def test_the_machines_failure_is_never_the_students(
    world: World, name: str, canary_works: bool
) -> None:
    world.canary_works = canary_works
    error = world.judge(MACHINE[name])
    assert isinstance(error, EngineError), error


@pytest.mark.parametrize("name", [*STUDENT, *CANARY])
def test_with_a_daemon_that_is_gone_nothing_is_the_students(world: World, name: str) -> None:
    """A daemon that is shut down kills its RUNs: exit code 137, and what not."""
    world.answers = False
    error = world.judge({**STUDENT, **CANARY}[name])
    assert isinstance(error, EngineError), error


@pytest.mark.parametrize("stopped", ["time", "log", "disk"])
def test_with_a_daemon_that_is_gone_a_stopped_build_is_not_the_students(
    world: World, stopped: str
) -> None:
    world.answers = False
    case = Case(settings={"stopped": stopped})
    assert isinstance(world.judge(case, completed=False), EngineError)


FREE = [
    (DISK_RESERVE - 1, EngineError),
    (DISK_RESERVE, SubmissionError),
    (None, SubmissionError),
]


@pytest.mark.parametrize(("free", "whose"), FREE)
def test_a_full_disk_is_told_by_the_disk_and_not_by_words(
    world: World, free: int | None, whose: type
) -> None:
    case = run("No space left on device", settings={"least_free": free})
    assert isinstance(world.judge(case), whose)


def test_who_filled_a_disk_that_several_use_is_not_known(world: World) -> None:
    """The free space is everybody's: another build's layers must cost nobody marks."""
    alone = run("x", settings={"stopped": "disk"})
    together = run("x", settings={"stopped": "disk", "shared": True})
    assert isinstance(world.judge(alone), SubmissionError)
    assert isinstance(world.judge(together), EngineError)


# -- stopped --------------------------------------------------------------------------------------

STOPPED = {
    "time": "Line 3 (RUN one) was still running when the 300 s",
    "log": "Line 3 (RUN one) prints without end",
    "disk": "Line 3 (RUN one) wrote more than 8000 MB",
}


@pytest.mark.parametrize("stopped", STOPPED)
def test_a_stopped_build_is_the_students_and_tells_the_line(world: World, stopped: str) -> None:
    case = Case(output="x\n", settings={"stopped": stopped})
    error = world.judge(case, completed=False)
    assert isinstance(error, SubmissionError)
    assert error.line == LINE
    assert STOPPED[stopped] in str(error)
    assert world.canaries == 0


@pytest.mark.parametrize(("canary_works", "whose"), [(True, SubmissionError), (False, EngineError)])
def test_a_run_that_hung_on_a_dead_network_is_not_the_students(
    world: World, canary_works: bool, whose: type
) -> None:
    world.canary_works = canary_works
    case = Case(
        output="WARNING: connection broken by 'Temporary failure in name resolution'",
        settings={"stopped": "time"},
    )
    assert isinstance(world.judge(case, completed=False), whose)


def test_a_build_that_is_stopped_between_two_steps_has_no_line(world: World) -> None:
    error = world.judge(Case(step="", settings={"stopped": "log"}))
    assert isinstance(error, SubmissionError)
    assert error.line is None
    assert str(error).startswith("The build prints without end")


def test_a_registry_that_never_answers_is_not_the_students(world: World) -> None:
    case = Case(
        step="[internal] load metadata for docker.io/library/python:3.11-slim",
        settings={"stopped": "time"},
    )
    assert isinstance(world.judge(case, completed=False), EngineError)


HANGS = [
    ("a RUN", FILE, "[2/2] RUN one"),
    (
        "a here-document",
        "FROM python:3.11-slim\nRUN <<EOF\nsleep 1000\nEOF\n",
        "[2/2] RUN <<EOF (sleep 1000)",
    ),
    ("in a stage from a stage", "FROM a:1 AS x\nRUN a\nFROM x\nRUN one\n", "[stage-1 1/1] RUN one"),
    (
        "a here-document there",
        "FROM a:1 AS x\nRUN a\nFROM x\nRUN <<EOF\nsleep 9\nEOF\n",
        "[stage-1 1/1] RUN <<EOF (sleep 9)",
    ),
    (
        "for another platform",
        "FROM --platform=linux/arm64 a:1 AS x\nRUN one\n",
        "[linux/arm64 x 2/2] RUN one",
    ),
    ("of the base's ONBUILD", FILE, "[2/2] RUN something of the base"),
]


@pytest.mark.parametrize(("file", "step"), [h[1:] for h in HANGS], ids=[h[0] for h in HANGS])
def test_a_run_that_hangs_is_the_students_wherever_it_stands(
    world: World, file: str, step: str
) -> None:
    """Else hanging would be a free pass."""
    case = Case(file=file, step=step, settings={"stopped": "time"})
    assert isinstance(world.judge(case, completed=False), SubmissionError)


# -- words ----------------------------------------------------------------------------------------


def test_a_failed_run_tells_line_command_code_and_its_last_lines(world: World) -> None:
    output = "".join(f"line {n}\n" for n in range(20))
    error = world.judge(run(output, 7))
    said = str(error)
    assert said.startswith("Line 3 (RUN one) fails with exit code 7.")
    assert "line 19" in said
    assert "line 12" in said
    assert "line 11" not in said
    assert isinstance(error, SubmissionError)
    assert error.line == LINE
    assert error.evidence["step"] == "[2/2] RUN one"
    assert list(error.evidence["output"])[-1] == "line 19"  # type: ignore[call-overload]


def test_a_long_command_is_cut(world: World) -> None:
    long = "RUN " + "x" * 500
    case = Case(error=exit_code(1), step=f"[2/2] {long}", file=FILE.replace("RUN one", long))
    assert len(str(world.judge(case))) < 300


def test_a_copy_of_what_is_not_there_tells_the_line_and_the_reason(world: World) -> None:
    cause = 'failed to calculate checksum of ref x::y: "/nosuch": not found'
    case = Case(
        error=cause,
        message=f"failed to compute cache key: {cause}",
        step="[2/2] COPY nosuch /c",
        file=FILE.replace("RUN one", "COPY nosuch /c"),
    )
    error = world.judge(case)
    assert isinstance(error, SubmissionError)
    assert error.line == LINE
    assert "Line 3" in str(error)
    assert "/nosuch" in str(error)


def test_buildkits_own_line_wins_over_the_counted_one(world: World) -> None:
    """A base with ONBUILD shifts the numbers."""
    case = Case(
        error=exit_code(1, "two"),
        step="[2/3] RUN two",
        file="FROM onbuild:1\nRUN one\nRUN two\n",
    )
    error = world.judge(case)
    assert isinstance(error, SubmissionError)
    assert error.line == LINE
    assert str(error).startswith("Line 3 (RUN two)")


MEMORY = [
    (137, True, "4000 MB of memory"),
    (1, True, "4000 MB of memory"),
    (137, False, "killed"),
]


@pytest.mark.parametrize(("code", "seen", "words"), MEMORY)
def test_memory_is_spoken_of_when_it_ran_out(
    world: World, code: int, seen: bool, words: str
) -> None:
    case = run("Killed", code, settings={"memory_killed": seen})
    assert words in str(world.judge(case))


def test_memory_is_not_spoken_of_otherwise(world: World) -> None:
    assert "memory" not in str(world.judge(run("x", 1)))


def test_a_fork_bomb_is_told_of_the_limit(world: World) -> None:
    case = run("sh: Cannot fork", 2, settings={"pids_hit": True})
    assert "1024 processes" in str(world.judge(case))
    assert "processes" not in str(world.judge(run("sh: Cannot fork", 2)))


NO_BASE = [
    ("node:20", "not found", "node:20"),
    ("nosuch/tls-503:1", "not found", "nosuch/tls-503:1"),
    ("mbedtls-deadline:1", "pull access denied, repository does not exist", "mbedtls-deadline:1"),
    (
        "builder:latest",
        'failed to do request: Head "https://r/v2/": dial tcp: lookup r: no such host',
        "builder:latest",
    ),
]


@pytest.mark.parametrize(("name", "why", "shown"), NO_BASE, ids=[n[0] for n in NO_BASE])
def test_a_base_that_is_not_there_is_the_students_and_tells_what_there_is(
    world: World, name: str, why: str, shown: str
) -> None:
    full = f"docker.io/library/{name}" if "/" not in name else f"docker.io/{name}"
    case = Case(
        step=f"[internal] load metadata for {full}",
        error=why,
        message=f"{name}: failed to resolve source metadata for {full}: {why}",
        file=FILE.replace("RUN one", f"COPY --from={name} /a /a"),
    )
    error = world.judge(case)
    assert isinstance(error, SubmissionError), error
    assert shown in str(error)
    assert "python:3.11-slim, distroless-python:3.11" in str(error)
    assert error.line == LINE


def test_without_images_of_the_lab_none_are_named(world: World) -> None:
    case = Case(
        step="[internal] load metadata for docker.io/library/x:1",
        error="not found",
        message="x:1: failed to resolve source metadata for docker.io/library/x:1: not found",
    )
    said = str(world.judge(case, images=()))
    assert "x:1" in said
    assert "lab's images" not in said


# -- the canary -----------------------------------------------------------------------------------


def test_a_canary_is_never_in_the_cache(world: World) -> None:
    for _ in range(2):
        world.judge(CANARY["a failed export"])
    assert len(set(world.dockerfiles)) == 2


CANARIES: list[tuple[str, tuple[str, ...], str]] = [
    ("pip without names", IMAGES, "pip download"),
    ("apt refused", IMAGES, "apt-get update"),
    ("a failed export", IMAGES, "FROM python:3.11-slim"),
    ("a failed export", (), "FROM scratch"),
    ("pip without names", (), "FROM scratch"),
]


def test_a_canary_fetches_nothing_when_the_network_was_not_in_question(world: World) -> None:
    world.judge(CANARY["a failed export"])
    assert "pip" not in world.dockerfiles[0]
    assert "apt" not in world.dockerfiles[0]


@pytest.mark.parametrize(("name", "images", "words"), CANARIES)
def test_the_canary_does_what_failed(
    world: World, name: str, images: tuple[str, ...], words: str
) -> None:
    world.judge(CANARY[name], images=images)
    assert words in world.dockerfiles[0]
    for line in world.dockerfiles[0].splitlines():
        assert line.split()[0] in ("FROM", "RUN", "COPY")


def test_the_canarys_folder_is_gone_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    world.judge(CANARY["a failed export"])
    assert list(tmp_path.iterdir()) == []


def test_the_ping_is_asked_before_anything_is_built(world: World) -> None:
    world.answers = False
    world.judge(CANARY["a failed export"])
    assert world.canaries == 0


@pytest.mark.parametrize(("canary_works", "whose"), [(True, SubmissionError), (False, EngineError)])
def test_a_builder_that_never_gets_to_a_step_is_judged_by_a_canary(
    world: World, canary_works: bool, whose: type
) -> None:
    """Variables that unfold to gigabytes keep it busy; so does a daemon that is unwell."""
    world.canary_works = canary_works
    error = world.judge(run("x", settings={"stopped": "time"}, step=""))
    assert isinstance(error, whose)
