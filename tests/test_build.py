"""Runs a build's client inside limits; the client is a small script here, not an engine's."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from grader import build as module
from grader import runs
from grader.build import Build, Request, build
from grader.buildlog import BuildEvent
from grader.cgroups import CgroupUnavailable
from grader.dockerfile import Dockerfile
from grader.errors import EngineError
from grader.host.connection import Connection
from grader.host.home import home
from grader.spec import Limits
from tests.conftest import wait_until

PRELUDE = """
import base64, json, os, signal, sys, time
iid = sys.argv[sys.argv.index("--iidfile") + 1]
def tell(**status):
    sys.stderr.write(json.dumps(status) + "\\n")
    sys.stderr.flush()
def step(name, **more):
    tell(vertexes=[{"digest": name, "name": name, "started": "2026-11-23T10:00:00Z", **more}])
def printed(name, text):
    data = base64.b64encode(text.encode()).decode()
    tell(logs=[{"vertex": name, "stream": 1, "data": data}])
def done(image="sha256:1234"):
    open(iid, "w").write(image)
"""
DOCKERFILE = Dockerfile.parse(b"FROM python:3.11-slim\nRUN one\n")
RUN = "[2/2] RUN one"


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., Connection]:
    """A connection whose BuildKit client is a Python script."""

    def make(script: str, **more: Any) -> Connection:
        path = tmp_path / "client.py"
        path.write_text(PRELUDE + script)
        connection = Connection(
            host="unix:///nowhere.sock",
            kind="given",
            environment={"DOCKER_HOST": "unix:///nowhere.sock", "PATH": os.environ["PATH"]},
            buildx=(sys.executable, str(path)),
            docker="docker",
            local=False,
        )
        return replace(connection, **more)

    return make


def run(connection: Connection, *, limits: Limits | None = None, **more: Any) -> Build:
    request = Request(Path("/context"), limits=limits or Limits(build_seconds=20))
    return build(connection, request, parsed=DOCKERFILE, **more)


# -- the command line -----------------------------------------------------------------------------


def words(request: Request, parent: str = "") -> list[str]:
    return request.command(("bx",), "/iid", parent)


def test_the_plain_command() -> None:
    assert words(Request(Path("/c"))) == [
        "bx",
        "build",
        "--builder",
        "default",
        "--progress",
        "rawjson",
        "--iidfile",
        "/iid",
        "--provenance",
        "false",
        "/c",
    ]


OPTIONS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"labels": {"a": "b=c"}}, "", ["--label", "a=b=c"]),
    ({"tag": "x:1"}, "", ["--tag", "x:1"]),
    ({}, "/lab", ["--cgroup-parent", "/lab"]),
    ({"args": {"A": "b c"}}, "", ["--build-arg", "A=b c"]),
    ({"secrets": {"key": "hush"}}, "", ["--secret", "id=key,env=LAB_SECRET_0"]),
    ({"fresh": "a1"}, "", ["--add-host", "a1.invalid:127.0.0.1"]),
    ({"file": Path("/d/Dockerfile")}, "", ["--file", "/d/Dockerfile"]),
    ({"target": "test"}, "", ["--target", "test"]),
]


@pytest.mark.parametrize(("settings", "parent", "found"), OPTIONS)
def test_each_option_is_handed_on(settings: dict[str, Any], parent: str, found: list[str]) -> None:
    command = words(Request(Path("/c"), **settings), parent)
    at = command.index(found[0])
    assert command[at : at + len(found)] == found
    assert command[-1] == "/c"
    assert len(command) == 11 + len(found)


# -- how a build ends -----------------------------------------------------------------------------


def test_a_build_that_works_gives_its_image_and_steps(client: Callable[..., Connection]) -> None:
    made = run(client(f'step("{RUN}"); step("{RUN}", completed="2026-11-23T10:00:02Z"); done()'))
    assert made.image == "sha256:1234"
    assert (made.exit_code, made.stopped) == (0, "")
    assert [(s.name, s.line, s.seconds) for s in made.steps] == [(RUN, 2, 2.0)]
    assert made.limited.startswith("none: ")
    assert 0 < made.seconds < 20


def test_a_build_that_fails_is_a_value(client: Callable[..., Connection]) -> None:
    made = run(
        client(
            f'step("{RUN}", error="exit code: 7"); print("ERROR: x", file=sys.stderr); sys.exit(1)'
        )
    )
    assert (made.image, made.exit_code, made.stopped) == ("", 1, "")
    assert made.log.failed is not None
    assert made.log.message == "x"


def test_an_image_that_was_told_before_a_failure_does_not_count(
    client: Callable[..., Connection],
) -> None:
    assert run(client("done(); sys.exit(1)")).image == ""


MIXED_UP = """
open(__file__ + ".count", "a").write("x")
count = len(open(__file__ + ".count").read())
if count <= {times}:
    print("ERROR: {message}", file=sys.stderr)
    sys.exit(1)
done()
"""
FAULT = "failed to solve: failed to get edge: inconsistent graph state"


@pytest.mark.parametrize(
    "case",
    [
        (0, FAULT, 1, "sha256:1234"),
        (1, FAULT, 2, "sha256:1234"),
        (3, FAULT, 4, "sha256:1234"),
        (9, FAULT, 4, ""),  # it ends some time
        (1, "failed to solve: something else", 1, ""),
        (1, f"failed to solve: unknown instruction: {FAULT}", 1, ""),
    ],
)
def test_a_build_that_buildkit_mixed_up_with_another_is_tried_again(
    client: Callable[..., Connection],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[int, str, int, str],
) -> None:
    times, message, tries, image = case
    monkeypatch.setattr(module, "PAUSES", (0, 0, 0))
    made = build(client(MIXED_UP.format(times=times, message=message)), Request(tmp_path))
    assert made.image == image
    assert module.mixed_up(made) is (image == "" and message == FAULT)
    assert len((tmp_path / "client.py.count").read_text()) == tries


def test_each_event_is_told_as_it_comes(client: Callable[..., Connection]) -> None:
    told: list[BuildEvent] = []
    run(client(f'step("{RUN}"); step("{RUN}", cached=True); done()'), on_event=told.append)
    assert [(e.step, e.status, e.line) for e in told] == [(RUN, "running", 2), (RUN, "cached", 2)]


def test_what_the_client_says_on_its_standard_output_does_not_count(
    client: Callable[..., Connection],
) -> None:
    made = run(client('print("{not json}\\n" * 100_000); done()'))
    assert made.image


def test_the_context_that_was_sent_is_told(client: Callable[..., Connection]) -> None:
    script = (
        'tell(statuses=[{"id": "transferring context:", "vertex": "x", "current": 77}]); done()'
    )
    assert run(client(script)).context_bytes == 77


def test_the_client_gets_the_engines_environment_and_no_terminal(
    client: Callable[..., Connection], tmp_path: Path
) -> None:
    seen = tmp_path / "seen.json"
    script = f"""
json.dump([os.environ["DOCKER_HOST"], os.environ.get("BUILDX_NO_DEFAULT_ATTESTATIONS"),
           sys.stdin.read(), os.getsid(0) == os.getpid()], open({str(seen)!r}, "w")); done()"""
    run(client(script))
    assert json.loads(seen.read_text()) == ["unix:///nowhere.sock", "1", "", True]


def test_a_secret_is_in_the_clients_environment_and_not_on_its_command_line(
    client: Callable[..., Connection], tmp_path: Path
) -> None:
    seen = tmp_path / "seen.json"
    script = f"""
json.dump([[v for k, v in os.environ.items() if k.startswith("LAB_SECRET_")], sys.argv],
          open({str(seen)!r}, "w")); done()"""
    request = Request(tmp_path, secrets={"one": "hush", "two": "quiet"})
    build(client(script), request)
    values, command = json.loads(seen.read_text())
    assert values == ["hush", "quiet"]
    assert not [word for word in command if "hush" in word or "quiet" in word]


def test_a_client_that_is_not_there_is_the_machines_fault(
    client: Callable[..., Connection],
) -> None:
    with pytest.raises(EngineError, match="client does not start"):
        run(client("", buildx=("/nowhere/docker-buildx",)))


def test_a_client_that_may_not_run_is_the_machines_fault(
    client: Callable[..., Connection], tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="client does not start"):
        run(client("", buildx=(str(tmp_path),)))


# -- stopped --------------------------------------------------------------------------------------


class Stopped(NamedTuple):
    script: str
    limits: dict[str, float]
    reason: str


CLIPPED = "[output clipped, log limit 2MiB reached]"
SLEEP = f'step("{RUN}"); time.sleep(60)'
STOPPED = {
    "over time": Stopped(SLEEP, {"build_seconds": 2}, "time"),
    "prints too much": Stopped(
        f'step("{RUN}"); printed("{RUN}", "x" * 30_000); time.sleep(60)',
        {"build_log_mb": 0.02},
        "log",
    ),
    "BuildKit clipped it": Stopped(
        f'step("{RUN}"); printed("{RUN}", "{CLIPPED}"); time.sleep(60)',
        {},
        "log",
    ),
    "prints for ever": Stopped(
        f'step("{RUN}")\nwhile True: printed("{RUN}", "x" * 1000)', {"build_log_mb": 0.5}, "log"
    ),
}


@pytest.mark.parametrize("name", STOPPED)
def test_a_build_is_stopped_and_says_why(client: Callable[..., Connection], name: str) -> None:
    script, limits, reason = STOPPED[name]
    made = run(client(script), limits=Limits(**{"build_seconds": 20, **limits}))  # type: ignore[arg-type]
    assert (made.stopped, made.image) == (reason, "")
    assert made.seconds < 10
    assert made.log.running is not None
    assert made.log.running.line == 2


def test_under_the_limits_nothing_is_stopped(client: Callable[..., Connection]) -> None:
    script = f'step("{RUN}"); printed("{RUN}", "x" * 19_000); time.sleep(0.6); done()'
    made = run(client(script), limits=Limits(build_seconds=20, build_log_mb=0.02))
    assert (made.stopped, made.image) == ("", "sha256:1234")


def test_a_build_that_printed_too_much_and_ended_at_once_is_told_too(
    client: Callable[..., Connection],
) -> None:
    script = f'printed("{RUN}", "{CLIPPED}"); sys.exit(1)'
    assert run(client(script)).stopped == "log"


def test_cancelling_stops_it(client: Callable[..., Connection]) -> None:
    cancel = threading.Event()
    made = run(client(SLEEP), cancel=cancel, on_event=lambda _: cancel.set())
    assert made.stopped == "cancelled"
    assert made.seconds < 10


def test_a_client_that_ignores_being_asked_is_killed_with_its_children(
    client: Callable[..., Connection], tmp_path: Path
) -> None:
    script = f"""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(0)
open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child}}")
step("{RUN}")
time.sleep(60)
"""
    cancel = threading.Event()
    made = run(client(script), cancel=cancel, on_event=lambda _: cancel.set())
    assert made.stopped == "cancelled"
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        wait_until(lambda pid=pid: not _alive(pid), timeout=5)  # type: ignore[misc]


def test_a_client_that_ends_on_the_interrupt_is_asked_and_not_killed(
    client: Callable[..., Connection], tmp_path: Path
) -> None:
    script = f"""
def stop(*_):
    open({str(tmp_path / "asked")!r}, "w").write("yes")
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
step("{RUN}")
time.sleep(60)
"""
    cancel = threading.Event()
    made = run(client(script), cancel=cancel, on_event=lambda _: cancel.set())
    assert made.exit_code == 130
    assert (tmp_path / "asked").read_text() == "yes"


def test_an_interrupt_of_ours_leaves_no_client_behind(
    client: Callable[..., Connection], tmp_path: Path
) -> None:
    def interrupted(_: BuildEvent) -> None:
        raise KeyboardInterrupt

    script = f'open({str(tmp_path / "pids")!r}, "w").write(str(os.getpid())); {SLEEP}'
    with pytest.raises(KeyboardInterrupt):
        run(client(script), on_event=interrupted)
    pid = int((tmp_path / "pids").read_text())
    wait_until(lambda: not _alive(pid), timeout=5)


def _alive(pid: int) -> bool:
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


# -- disk -----------------------------------------------------------------------------------------


class Usage(NamedTuple):
    free: int


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Free bytes as they are told, one look after the other; the last one stays."""

    def make(*free: int) -> None:
        left = list(free)
        monkeypatch.setattr(
            shutil, "disk_usage", lambda _: Usage(left.pop(0) if len(left) > 1 else left[0])
        )

    return make


@pytest.mark.parametrize(("free", "starts"), [(499_999_999, False), (500_000_000, True)])
def test_without_room_no_build_is_started(
    client: Callable[..., Connection],
    disk: Callable[..., None],
    tmp_path: Path,
    free: int,
    starts: bool,
) -> None:
    disk(free)
    if starts:
        assert run(client("done()"), data_root=tmp_path).image
        return
    with pytest.raises(EngineError, match="disk is full: 500 MB free"):
        run(client("done()"), data_root=tmp_path)


def test_a_build_that_fills_the_disk_is_stopped(
    client: Callable[..., Connection],
    disk: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    disk(10**10, 10**10, 10**10 - 2_000_001)
    limits = Limits(build_seconds=20, build_disk_mb=2)
    made = run(client(SLEEP), limits=limits, data_root=tmp_path)
    assert (made.stopped, made.shared) == ("disk", False)


def test_a_disk_that_others_fill_too_is_said_to_be_shared(
    client: Callable[..., Connection],
    disk: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    disk(10**10, 10**10, 10**10 - 2_000_001)
    with runs.announced(home().root / "builds"):
        limits = Limits(build_seconds=20, build_disk_mb=2)
        made = run(client(SLEEP), limits=limits, data_root=tmp_path)
    assert (made.stopped, made.shared) == ("disk", True)


def test_what_it_may_write_it_may_write(
    client: Callable[..., Connection], disk: Callable[..., None], tmp_path: Path
) -> None:
    disk(10**10, 10**10, 10**10 - 2_000_000)
    limits = Limits(build_seconds=20, build_disk_mb=2)
    made = run(client(f'step("{RUN}"); time.sleep(0.6); done()'), limits=limits, data_root=tmp_path)
    assert made.stopped == ""


def test_a_disk_that_cannot_be_looked_at_stops_nothing(
    client: Callable[..., Connection], tmp_path: Path
) -> None:
    assert run(client("done()"), data_root=tmp_path / "gone").image


# -- control groups -------------------------------------------------------------------------------


class FakeGuard:
    made: list[FakeGuard]
    why = ""

    def __init__(self, parent: str, limit: Any) -> None:
        self.parent, self.limit, self.version = parent, limit, 2
        self.memory_killed, self.pids_hit, self.left = True, False, False
        type(self).made.append(self)

    def __enter__(self) -> Self:
        if self.why:
            raise CgroupUnavailable(self.why)
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[type[FakeGuard], list[str]]:
    removed: list[str] = []
    FakeGuard.made, FakeGuard.why = [], ""
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "Guard", FakeGuard)
    monkeypatch.setattr(module, "remove", removed.append)
    return FakeGuard, removed


SAYS = 'open(os.environ["SEEN"], "w").write(" ".join(sys.argv)); done()'


def test_a_local_build_is_guarded_and_its_group_removed(
    client: Callable[..., Connection], guard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    limits = Limits(build_seconds=20, build_memory_mb=100, build_pids=7)
    made = run(client(SAYS, local=True), limits=limits)
    (one,) = guard[0].made
    assert made.limited == "cgroup v2"
    assert (made.memory_killed, made.pids_hit) == (True, False)
    assert (one.limit.memory, one.limit.pids) == (100_000_000, 7)
    assert f"--cgroup-parent /{one.parent}" in (tmp_path / "seen").read_text()
    assert one.left
    assert guard[1] == [one.parent]


def test_the_private_engine_needs_no_flag_and_keeps_its_group(
    client: Callable[..., Connection], guard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    run(client(SAYS, local=True, kind="private"))
    assert "--cgroup-parent" not in (tmp_path / "seen").read_text()
    assert guard[0].made[0].parent.startswith("lab-")
    assert guard[1] == []


def test_where_no_group_can_be_made_it_builds_all_the_same_and_says_so(
    client: Callable[..., Connection], guard: Any
) -> None:
    guard[0].why = "Permission denied (/sys/fs/cgroup)"
    made = run(client("done()", local=True))
    assert made.image
    assert made.limited == "none: Permission denied (/sys/fs/cgroup)"
    assert (made.memory_killed, made.pids_hit) == (False, False)


def test_an_engine_elsewhere_is_not_guarded(client: Callable[..., Connection], guard: Any) -> None:
    assert "another machine" in run(client("done()", local=False)).limited
    assert guard[0].made == []


def test_the_group_is_removed_when_no_client_could_be_started(
    client: Callable[..., Connection], guard: Any
) -> None:
    with pytest.raises(EngineError):
        run(client("", local=True, buildx=("/nowhere",)))
    assert guard[0].made[0].left
    assert guard[1] == [guard[0].made[0].parent]


def test_nothing_of_ours_is_left_in_the_temporary_folder(
    client: Callable[..., Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    start = time.monotonic()
    run(client("done()"))
    assert time.monotonic() - start < 10
    assert [p.name for p in tmp_path.iterdir()] == ["client.py"]
