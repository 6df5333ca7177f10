from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.console import Console
from grader.errors import EngineError
from grader.host import client, engine, jupyter, modes, up
from grader.host.connection import Connection
from grader.host.home import Home
from grader.host.jupyter import Server
from grader.host.modes import Static

ENGINE = Connection("unix:///e.sock", "context", {"DOCKER_HOST": "unix:///e.sock"}, (), "d", True)
NONE = Static("no root here", "Become root.")


class World:
    """Records what `up` and `down` do to engine and JupyterLab."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: Connection | Static | EngineError = ENGINE
        self.up: Server | None = None
        self.others: list[Server] = []
        self.did: list[str] = []
        self.environment: dict[str, str] = {}
        monkeypatch.setattr(modes, "choose", self._choose)
        monkeypatch.setattr(jupyter, "running", lambda _: self.up)
        monkeypatch.setattr(jupyter, "launch", self._launch)
        monkeypatch.setattr(jupyter, "stop", self._stop)
        monkeypatch.setattr(jupyter, "wait", lambda _: self.did.append("wait"))
        monkeypatch.setattr(jupyter, "others", lambda _: self.others)
        monkeypatch.setattr(engine, "stop", lambda _: self.did.append("stop engine"))
        monkeypatch.setattr(up, "_ours_runs", lambda _: True)
        monkeypatch.setattr(up, "_remove_labelled", lambda _: self.did.append("remove labelled"))
        monkeypatch.setattr(up, "_sweep", lambda: self.did.append("sweep"))
        monkeypatch.setattr(up, "connection", lambda *_: ENGINE)
        monkeypatch.setattr(engine, "answers", lambda _: True)

    def _choose(self, *_: object) -> Connection | Static:
        if isinstance(self.found, EngineError):
            raise self.found
        return self.found

    def _launch(self, _: Home, environment: dict[str, str], *, port: int) -> Server:
        self.did.append("launch")
        self.environment = environment
        return lab(port=port)

    def _stop(self, _: Home) -> bool:
        self.did.append("stop lab")
        return True

    def prepare(self, *_: object) -> None:
        self.did.append("prepare")


def lab(*, port: int = 8888, engine: str = ENGINE.host, checkout: str = "/mine") -> Server:
    return Server(1, port, "token", checkout, engine, "log")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "lab"))
    for name in ("DOCKER_HOST", "LAB_STATIC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(jupyter.MARK, raising=False)
    return World(monkeypatch)


def test_jupyterlab_starts_while_the_engine_is_prepared_and_its_address_comes_last(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert up.up(prepare=world.prepare) == 0
    assert world.did == ["launch", "prepare", "wait"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "JupyterLab: http://127.0.0.1:8888/lab/tree/labs/README.ipynb?token=token"
    assert world.environment == ENGINE.environment


def test_a_jupyterlab_that_is_up_is_used_and_its_address_printed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.up = lab(port=8890)
    assert up.up(prepare=world.prepare) == 0
    assert "launch" not in world.did
    said = capsys.readouterr().out
    assert "http://127.0.0.1:8890/" in said
    assert "port 8888" in said


def test_a_jupyterlab_of_another_engine_is_started_anew(world: World) -> None:
    world.up = lab(engine="unix:///old.sock")
    assert up.up(prepare=world.prepare) == 0
    assert world.did[:2] == ["stop lab", "launch"]


def test_static_mode_is_one_line_a_jupyterlab_and_exit_0(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.found = NONE
    assert up.up(prepare=world.prepare) == 0
    assert world.did == ["launch", "wait"]
    assert world.environment == {"LAB_STATIC": "1"}
    assert "Static mode: no root here. Become root." in capsys.readouterr().out.splitlines()


def test_static_mode_can_be_asked_for(world: World) -> None:
    assert up.up(static=True, prepare=world.prepare) == 0
    assert world.environment == {"LAB_STATIC": "1"}


def test_static_mode_can_be_wished_for_in_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_STATIC", "1")
    assert up.up(prepare=world.prepare) == 0
    assert world.environment == {"LAB_STATIC": "1"}


def test_what_jupyterlabs_terminals_have_from_us_is_nobodys_wish(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = Home(tmp_path / "lab")
    monkeypatch.setenv(jupyter.MARK, "x")
    monkeypatch.setenv("LAB_STATIC", "1")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place.socket}")
    monkeypatch.setenv("DOCKER_CONFIG", "/mine")
    assert up.up(prepare=world.prepare) == 0
    assert "prepare" in world.did
    assert "DOCKER_HOST" not in os.environ
    assert os.environ["DOCKER_CONFIG"] == "/mine"


def test_a_broken_docker_host_is_exit_3_and_nothing_is_started(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.found = EngineError("DOCKER_HOST is x, and no Docker Engine answers there")
    assert up.up(prepare=world.prepare) == 3
    assert world.did == []
    assert "DOCKER_HOST is x" in capsys.readouterr().out


def test_without_jupyter_only_the_engine_is_prepared(world: World) -> None:
    assert up.up(jupyter=False, prepare=world.prepare) == 0
    assert world.did == ["prepare"]


def test_down_stops_jupyterlab_then_what_is_labelled_then_the_engine(world: World) -> None:
    assert up.down() == 0
    assert world.did == ["stop lab", "remove labelled", "stop engine"]


def test_down_leaves_the_engine_to_another_checkout_and_says_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.others = [lab(checkout="/theirs")]
    assert up.down() == 0
    assert world.did == ["stop lab", "sweep"]
    assert "/theirs" in capsys.readouterr().out


@pytest.mark.parametrize(("inside", "stopped"), [(False, False), (True, True)])
def test_down_leaves_a_private_engine_that_was_given_as_docker_host(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, inside: bool, stopped: bool
) -> None:
    """JupyterLab's terminals have DOCKER_HOST from us, so there it says nothing."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{Home(tmp_path / 'lab').socket}")
    if inside:
        monkeypatch.setenv(jupyter.MARK, "x")
    assert up.down() == 0
    assert ("stop engine" in world.did) is stopped


def test_down_does_not_touch_running_work_on_an_engine_of_somebody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "_ours_runs", lambda _: False)
    assert up.down() == 0
    assert world.did == ["stop lab", "sweep"]


def test_only_what_is_labelled_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def docker(_: Connection, *words: str) -> client.Done:
        calls.append(words)
        listed = "abc\ndef\n" if words[0] == "ps" else ""
        return client.Done(words, 0, stdout=listed, stderr="")

    monkeypatch.setattr(client, "docker", docker)
    up._remove_labelled(ENGINE)
    listings = [words for words in calls if "--filter" in words]
    assert len(listings) == 3
    assert all(words[-1] == "label=lab.run" for words in listings)
    assert ("rm", "--force", "--volumes", "abc", "def") in calls
    assert len(calls) == 4


def test_clean_says_how_much_it_frees_and_removes_it(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(up, "_ours_runs", lambda _: False)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/big").write_bytes(b"x" * 3_000_000)
    assert up.clean(yes=True) == 0
    assert f"{tmp_path}/lab holds 3 MB" in capsys.readouterr().out
    assert not (tmp_path / "lab").exists()


def test_clean_removes_nothing_that_is_still_in_use(world: World, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    world.others = [lab(checkout="/theirs")]
    assert up.clean(yes=True) == 1
    assert (tmp_path / "lab").exists()


def test_clean_asks_where_somebody_can_answer_and_refuses_where_nobody_can(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab").mkdir()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert up.clean(yes=False) == 1
    assert (tmp_path / "lab").exists()


def test_clean_without_any_state_is_fine(world: World) -> None:
    assert up.clean(yes=True) == 0
    assert world.did == []


def test_a_step_tells_its_seconds_and_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().step("one") as say:
        say("half")
    with pytest.raises(EngineError), Console().step("two"):
        raise EngineError("no")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  one: half"
    assert lines[1].startswith("✓ one (0.")
    assert lines[2].startswith("✗ two (0.")


def test_hard_links_are_counted_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert 0.9 < up.megabytes(tmp_path) < 1.2
