from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.console import Console
from grader.errors import EngineError
from grader.host import bridge, engine, images, modes, packages, tools
from grader.host.bridge import Bridge
from grader.host.connection import Connection
from grader.host.home import Home
from grader.host.modes import Static, choose, why_static
from grader.host.ping import Address

PLACE = Home(Path("/srv/labs"))


def made(kind: str, host: str = "unix:///e.sock") -> Connection:
    return Connection(host, kind, {}, ("docker-buildx",), "docker", local=True)


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which a private engine could be started."""
    monkeypatch.setattr(modes.platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(modes, "capable", lambda _: True)
    monkeypatch.setattr(packages, "why_not", lambda: "")
    monkeypatch.delenv("DOCKER_HOST", raising=False)


@pytest.mark.usefixtures("able")
def test_root_on_a_debian_needs_no_static_mode() -> None:
    assert why_static(PLACE) is None


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize(
    ("part", "value", "why", "how"),
    [
        ("platform.system", lambda: "Darwin", "this is Darwin", "Docker Desktop"),
        ("os.geteuid", lambda: 1000, "needs root", "group `docker`"),
        ("capable", lambda bit: bit != 21, "CAP_SYS_ADMIN is missing", "--privileged"),
        ("packages.why_not", lambda: "there is no apt-get here", "no apt-get", "Engine 24"),
    ],
)
def test_each_cause_of_static_mode_has_its_own_way_out(
    monkeypatch: pytest.MonkeyPatch, part: str, value: object, why: str, how: str
) -> None:
    monkeypatch.setattr(f"grader.host.modes.{part}", value)
    found = why_static(PLACE)
    assert found is not None
    assert why in found.why
    assert how in found.how
    assert "\n" not in str(found)


@pytest.mark.usefixtures("able")
def test_a_home_that_is_too_long_is_known_before_any_download() -> None:
    found = why_static(Home(Path("/" + "h" * 100)))
    assert found is not None
    assert "LAB_HOME" in found.why


@pytest.mark.usefixtures("able")
def test_an_engine_that_may_not_be_asked_is_told_from_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    socket = tmp_path / "docker.sock"
    socket.touch()
    monkeypatch.setattr(modes.contexts, "current", lambda: Address(f"unix://{socket}"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = why_static(PLACE)
    assert found is not None
    assert str(socket) in found.why
    assert "usermod" in found.how


@pytest.mark.parametrize(
    ("line", "bit", "expected"),
    [
        ("CapEff:\t000001ffffffffff", 21, True),
        ("CapEff:\t00000000a80425fb", 21, False),
        ("CapEff:\t00000000a80425fb", 13, True),
        ("nothing here", 21, False),
    ],
)
def test_a_capability_is_one_bit_of_the_kernels_word(
    tmp_path: Path, line: str, bit: int, expected: bool
) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\n{line}\n")
    assert modes.capable(bit, status) is expected


class Machine:
    """What there is, as far as `choose` can tell."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: Connection | EngineError = EngineError("No Docker Engine answers here.")
        self.bridges: dict[str, bool] = {}
        self.started = False
        self.start_error: EngineError | None = None
        monkeypatch.setattr(modes, "connect", self._connect)
        monkeypatch.setattr(modes, "connection", lambda *_: made("private", "unix:///private"))
        monkeypatch.setattr(images, "ensure", lambda *_, **__: None)
        monkeypatch.setattr(bridge, "bridge_works", self._bridge)
        monkeypatch.setattr(engine, "start", self._start)

    def _connect(self) -> Connection:
        if isinstance(self.found, EngineError):
            raise self.found
        return self.found

    def _bridge(self, connection: Connection) -> Bridge:
        return Bridge(self.bridges.get(connection.host, True), "no such interface")

    def _start(self, *_: object) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.started = True


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, able: None) -> Machine:
    return Machine(monkeypatch)


def test_an_engine_that_is_there_is_used_and_none_is_started(machine: Machine) -> None:
    machine.found = made("context")
    assert choose(PLACE, Console()) == machine.found
    assert not machine.started


def test_without_one_the_private_engine_is_started(machine: Machine) -> None:
    assert choose(PLACE, Console()) == made("private", "unix:///private")
    assert machine.started


def test_a_context_whose_bridge_is_broken_is_reported_and_not_used(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.found = made("context", "unix:///broken")
    machine.bridges["unix:///broken"] = False
    found = choose(PLACE, Console())
    assert isinstance(found, Connection)
    assert found.kind == "private"
    said = capsys.readouterr().out
    assert "unix:///broken" in said
    assert "default bridge: no such interface" in said


def test_a_docker_host_whose_bridge_is_broken_is_told_and_not_trusted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///broken")
    machine.found = made("given", "unix:///broken")
    machine.bridges["unix:///broken"] = False
    found = choose(PLACE, Console())
    assert isinstance(found, Connection)
    assert found.kind == "private"
    said = capsys.readouterr().out
    assert "unix:///broken answers, but it can't run a container on its default bridge" in said


def test_a_dead_docker_host_is_told_and_the_private_engine_serves(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///dead")
    found = choose(PLACE, Console())
    assert isinstance(found, Connection)
    assert found.kind == "private"
    assert "it is not used here" in capsys.readouterr().out


def test_a_dockerd_that_cannot_run_here_means_static_mode_with_its_reason(
    machine: Machine,
) -> None:
    machine.start_error = EngineError("dockerd can't run here: no cgroups (log: /x/dockerd.log)")
    found = choose(PLACE, Console())
    assert isinstance(found, Static)
    assert "/x/dockerd.log" in found.why
    assert "DOCKER_HOST" in found.how


def test_an_engine_without_a_new_enough_client_gets_ours(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fetched: list[str] = []

    def fetch(*_: object) -> None:
        fetched.append("client")
        machine.found = made("context")

    machine.found = tools.Missing("docker buildx 0.12 or newer is missing")
    monkeypatch.setattr(packages, "fetch_client", fetch)
    found = choose(Home(tmp_path), Console())
    assert fetched == ["client"]
    assert found == made("context")
    assert not machine.started
