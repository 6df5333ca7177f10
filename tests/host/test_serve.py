"""What the containers of docker-compose.yml run, without any container."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader.cgroups import CgroupUnavailable
from grader.console import Console
from grader.errors import EngineError
from grader.host import engine, modes, serve, volume
from grader.host.home import Home
from tests.conftest import wait_until


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    found = Home(tmp_path)
    monkeypatch.setattr(serve, "OFFERED", tmp_path / "offered" / "docker.sock")
    for folder in (found.run, found.data, serve.OFFERED.parent):
        folder.mkdir()
    return found


def ready() -> Path:
    return serve.OFFERED.with_name(serve.READY)


@pytest.fixture
def calls(place: Home, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An engine that does nothing, and what it was asked to do, in order."""
    seen: list[str] = []

    def started(_: Home, __: Any, offer: engine.Offer) -> None:
        seen.append(f"start {offer.group}")

    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr(serve, "_privileged", lambda: None)
    monkeypatch.setattr(serve.cgroups, "version", lambda: 1)
    monkeypatch.setattr(serve.cgroups, "Guard", lambda *_: nullcontext())
    monkeypatch.setattr(serve, "connection", lambda *_: None)
    monkeypatch.setattr(serve.images, "ensure", lambda *_: seen.append("images"))
    monkeypatch.setattr(engine, "start", started)
    monkeypatch.setattr(engine, "stop", lambda _: seen.append("stop"))
    monkeypatch.setattr(serve.processes, "mine", lambda *_: [])
    return seen


def test_no_such_task_names_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["nothing"]) == serve.main([]) == 2
    assert "ask-engine" in capsys.readouterr().out


def test_an_engine_is_started_gets_its_images_and_is_stopped(
    place: Home, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It ended by itself here: that is told, with its last words, and is no success."""
    place.log.write_text("level=fatal msg=nowhere to go\n")
    assert serve.main(["engine"]) == 3
    assert calls == ["start 1000", "images", "stop"]
    assert "nowhere to go" in capsys.readouterr().out
    assert not ready().exists()


def test_it_is_ready_only_while_the_engine_runs(
    place: Home, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def look(*_: object) -> list[int]:
        seen.append(ready().exists())
        return []

    monkeypatch.setattr(serve.processes, "mine", look)
    ready().touch()  # left by one that was killed
    monkeypatch.setattr(
        serve.images,
        "ensure",
        lambda *_: seen.append(ready().exists()),
    )
    serve.main(["engine"])
    assert seen == [False, True]


def test_a_request_to_stop_stops_the_engine(
    place: Home, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_watch", serve._stop)
    with pytest.raises(SystemExit) as end:
        serve.main(["engine"])
    assert end.value.code == 0
    assert calls[-1] == "stop"


def test_an_engine_beside_another_one_waits_for_its_end(
    place: Home, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the profile `gpu` there are two, and one set of data."""
    with ThreadPoolExecutor(1) as pool:
        with volume.held(place, print):
            second = pool.submit(serve.main, ["engine"])
            wait_until(lambda: "waits for its end" in capsys.readouterr().out)
            assert calls == []
            calls.append("the first one ends")
        assert second.result(10) == 3
    assert calls[:2] == ["the first one ends", "start 1000"]


def test_an_engine_that_does_not_start_tells_the_way_out(
    place: Home,
    calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise EngineError("dockerd can't run here: bad magic")

    monkeypatch.setattr(engine, "start", broken)
    assert serve.main(["engine"]) == 3
    said = capsys.readouterr().out
    assert "bad magic" in said
    assert "docker volume rm" in said
    assert calls == ["stop"]


def test_no_limits_on_builds_is_told(
    place: Home,
    calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Unable:
        def __init__(self, *_: object) -> None:
            pass

        def __enter__(self) -> None:
            raise CgroupUnavailable("read-only")

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(serve.cgroups, "Guard", Unable)
    serve.main(["engine"])
    assert "no limits of their own: read-only" in capsys.readouterr().out
    assert "images" in calls


def test_without_privileges_it_says_so_at_once(
    place: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr(modes, "capable", lambda bit: bit != modes.CAPABILITIES["CAP_SYS_ADMIN"])
    monkeypatch.setattr(engine, "start", lambda *_: pytest.fail("it was started all the same"))
    assert serve.main(["engine"]) == 3
    said = capsys.readouterr().out
    assert "CAP_SYS_ADMIN is missing" in said
    assert "privileged: true" in said


def test_room_for_groups_moves_every_process_and_hands_all_controllers_down(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("1\n7\n")
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    moved: list[str] = []
    handed = tmp_path / "cgroup.subtree_control"

    class Recorded(type(tmp_path)):  # type: ignore[misc]
        def write_text(self, data: str, *_: Any, **__: Any) -> int:
            moved.append(f"{self.relative_to(tmp_path)} {data}")
            return len(data)

    serve.make_room_for_groups(Recorded(tmp_path))
    assert moved == [
        "serve/cgroup.procs 1",
        "serve/cgroup.procs 7",
        *(f"{handed.name} +{name}" for name in ("cpu", "memory", "pids")),
    ]


@pytest.mark.parametrize(
    ("there", "answers", "status"), [(True, True, 0), (True, False, 1), (False, True, 1)]
)
def test_the_health_of_an_engine(
    place: Home, monkeypatch: pytest.MonkeyPatch, there: bool, answers: bool, status: int
) -> None:
    monkeypatch.setattr(serve, "answers", lambda _: answers)
    if there:
        ready().touch()
    assert serve.main(["ask-engine"]) == status


# -- JupyterLab ------------------------------------------------------------------------------------


class _Answer(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/api" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: it would only disturb a test's output."""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Answer]]:
    class Handler(_Answer):
        pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(serve.lab_server, "PORT", server.server_address[1])
        yield Handler
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, 0), (500, 1), (403, 1)])
def test_the_health_of_jupyterlab(
    place: Home, answering: type[_Answer], status: int, healthy: int
) -> None:
    answering.status = status
    assert serve.main(["ask-lab"]) == healthy


def test_nobody_there_is_not_healthy(
    place: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve.lab_server, "PORT", 9)
    assert serve.main(["ask-lab"]) == 1
    assert "does not answer" in capsys.readouterr().out


@pytest.fixture
def launched(place: Home, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A JupyterLab that ends at once, and how it was called."""
    seen: dict[str, Any] = {}

    class Process:
        def __init__(self, command: list[str], *, env: dict[str, str], cwd: Path) -> None:
            seen.update(command=command, env=env, cwd=cwd)

        def wait(self) -> int:
            wait_until(lambda: "prepared" in seen)
            return -15

        def terminate(self) -> None:
            """It has ended."""

    def prepare(_: Console, shown: str) -> None:
        seen["prepared"] = shown

    monkeypatch.setattr(serve.subprocess, "Popen", Process)
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr(serve, "_prepare", prepare)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.delenv("LAB_LISTEN", raising=False)
    return seen


def test_jupyterlab_comes_up_without_an_engine_too(
    launched: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve.main(["lab"]) == 0
    assert "/nowhere/docker.sock" in capsys.readouterr().out
    assert "--ServerApp.ip=127.0.0.1" in launched["command"]


def test_it_listens_elsewhere_only_when_told_so(
    launched: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_LISTEN", "0.0.0.0")
    serve.main(["lab"])
    assert "--ServerApp.ip=0.0.0.0" in launched["command"]


def test_the_address_shown_has_the_machines_port_and_the_token(
    launched: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PORT", "9000")
    serve.main(["lab"])
    token = launched["env"]["JUPYTER_TOKEN"]
    assert len(token) == 48
    assert launched["prepared"].startswith("http://127.0.0.1:9000/lab/")
    assert launched["prepared"].endswith(f"token={token}")


def test_a_token_that_was_given_is_kept(
    launched: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "mine")
    serve.main(["lab"])
    assert launched["env"]["JUPYTER_TOKEN"] == "mine"


# -- the engine's volume ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "now", "refused"),
    [
        ("26.1.5", "26.1.5", False),
        ("26.1.5", "28.0.0", False),
        ("26.1.9", "26.1.5", False),  # a patch older: Docker allows that
        ("28.0.0", "26.1.5", True),
        ("", "26.1.5", False),
        ("28.0.0", "", False),  # it does not say: nothing is known
    ],
)
def test_the_data_of_a_newer_engine_is_refused(
    place: Home, monkeypatch: pytest.MonkeyPatch, was: str, now: str, refused: bool
) -> None:
    monkeypatch.setattr(volume, "ours", lambda _: was)
    volume.remember(place)
    monkeypatch.setattr(volume, "ours", lambda _: now)
    if not refused:
        volume.check(place)
        return
    with pytest.raises(EngineError, match=r"28\.0\.0.*docker volume rm.*your work stays"):
        volume.check(place)


@pytest.mark.parametrize(
    ("free", "fits"), [(volume.LEAST_FREE, True), (volume.LEAST_FREE - 1, False)]
)
def test_a_full_disk_is_told_before_anything_is_written(
    place: Home, monkeypatch: pytest.MonkeyPatch, free: int, fits: bool
) -> None:
    monkeypatch.setattr(volume.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    if fits:
        volume.check(place)
        return
    with pytest.raises(EngineError, match=r"3\.0 GB free.*docker system df"):
        volume.check(place)


def test_a_fresh_volume_is_fine(place: Home) -> None:
    volume.check(place)


def test_a_broken_note_is_no_reason_to_refuse(place: Home) -> None:
    (place.data / volume.NOTE).write_text("{")
    volume.check(place)


def test_the_version_is_the_programs_own_word(place: Home) -> None:
    program = place.engine / "usr/sbin/dockerd"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 'Docker version 26.1.5+dfsg1, build 411e817'\n")
    program.chmod(0o755)
    assert volume.ours(place) == "26.1.5"
    program.write_text("#!/bin/sh\nexit 1\n")
    assert volume.ours(place) == ""
