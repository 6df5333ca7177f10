from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest

from grader.errors import EngineError
from grader.host import connection, contexts, tools
from grader.host.connection import connect
from grader.host.contexts import current
from grader.host.home import Home
from grader.host.ping import Address, api_version
from tests.host.fake_engine import fake_engine

BUILDX = "#!/bin/sh\necho 'github.com/docker/buildx v{version} abc'\n"


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A LAB_HOME with a client in it, a home without Docker settings, and no engine anywhere."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "lab"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(contexts, "DEFAULT", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(tools, "PLUGIN_FOLDERS", ())
    found = Home(tmp_path / "lab")
    program(found.client / "usr/bin/docker")
    for name in ("docker-buildx", "docker-compose"):
        program(found.client / "usr/libexec/docker/cli-plugins" / name)
    return found


def context(home: Path, name: str, host: str) -> None:
    """Settings as `docker context create` and `use` write them."""
    folder = home / ".docker"
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))


def test_docker_host_wins(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine() as host, fake_engine(place.socket):
        monkeypatch.setenv("DOCKER_HOST", host)
        found = connect()
    assert (found.host, found.kind, found.local) == (host, "given", True)
    assert found.environment["DOCKER_HOST"] == host


def test_a_dead_docker_host_is_named_and_not_passed_over(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nobody/docker.sock")
    with fake_engine(place.socket), pytest.raises(EngineError) as caught:
        connect()
    assert "unix:///nobody/docker.sock" in str(caught.value)
    assert "unset DOCKER_HOST" in str(caught.value)


@pytest.mark.usefixtures("place")
def test_the_engine_of_compose_that_is_dead_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", connection.COMPOSED)
    with pytest.raises(EngineError, match=r"starts again by itself.*docker compose logs engine"):
        connect()


def test_the_current_context_comes_before_the_private_engine(place: Home) -> None:
    with fake_engine() as host, fake_engine(place.socket):
        context(Path.home(), "mine", host)
        found = connect()
    assert (found.host, found.kind) == (host, "context")


def test_a_context_that_is_gone_or_dead_gives_way_to_the_private_engine(place: Home) -> None:
    context(Path.home(), "mine", "unix:///nobody/docker.sock")
    with fake_engine(place.socket) as private:
        assert connect().host == private
        (Path.home() / ".docker/config.json").write_text('{"currentContext": "unknown"}')
        assert connect().kind == "private"


def test_without_any_engine_the_way_to_one_is_said(place: Home) -> None:
    with pytest.raises(EngineError, match="make up"):
        connect()


@pytest.mark.parametrize(
    ("api", "fits"), [("1.43", True), ("1.42", False), ("2.0", True), ("1.9", False), ("", False)]
)
def test_an_engine_must_be_new_enough(
    place: Home, monkeypatch: pytest.MonkeyPatch, api: str, fits: bool
) -> None:
    with fake_engine(api=api) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        if fits:
            assert connect().host == host
            return
        with pytest.raises(EngineError, match=r"1\.43"):
            connect()


def test_an_old_context_is_passed_over_and_named_only_when_there_is_nothing_else(
    place: Home,
) -> None:
    with fake_engine(api="1.41") as host:
        context(Path.home(), "old", host)
        with pytest.raises(EngineError, match=r"speaks API 1\.41"):
            connect()
        with fake_engine(place.socket):
            assert connect().kind == "private"


@pytest.mark.parametrize(("status", "version"), [(503, {"message": "no"}), (200, ["a list"])])
def test_something_else_on_the_socket_is_no_engine(status: int, version: object) -> None:
    with (
        fake_engine(status=status, version=version) as host,
        pytest.raises(OSError, match=str(status)),
    ):
        api_version(Address(host))


def test_a_socket_that_never_answers_costs_its_time_limit_only(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(OSError, match="timed out"):
            api_version(Address(f"unix://{tmp_path}/s"), timeout=0.2)


@pytest.mark.parametrize("host", ["carrier-pigeon://x", "tcp://", "nonsense"])
def test_an_address_of_no_known_kind_is_an_error_of_ours(host: str) -> None:
    with pytest.raises(OSError, match="no address"):
        api_version(Address(host))


def test_a_contexts_certificates_are_used(place: Home) -> None:
    context(Path.home(), "far", "tcp://engine.example:2376")
    key = hashlib.sha256(b"far").hexdigest()
    folder = Path.home() / ".docker/contexts/tls" / key / "docker"
    folder.mkdir(parents=True)
    address = current()
    assert address == Address("tcp://engine.example:2376", str(folder))
    made = connection.connection(place, "context", address)
    assert made.environment["DOCKER_CERT_PATH"] == str(folder)
    assert made.environment["DOCKER_TLS_VERIFY"] == "1"
    assert not made.local


def test_the_private_engine_is_used_with_our_client(place: Home) -> None:
    with fake_engine(place.socket):
        found = connect()
    assert found.docker == str(place.client / "usr/bin/docker")
    assert found.environment["PATH"].split(":")[0] == str(place.client / "usr/bin")
    assert Path(found.buildx[0]).name == "docker-buildx"
    plugins = Path(found.environment["DOCKER_CONFIG"]) / "cli-plugins"
    assert sorted(path.name for path in plugins.iterdir()) == ["docker-buildx", "docker-compose"]


@pytest.mark.parametrize(("version", "users"), [("0.12.0", True), ("0.11.9", False), ("?", False)])
def test_the_users_own_buildx_is_used_from_0_12_on(
    place: Home, monkeypatch: pytest.MonkeyPatch, version: str, users: bool
) -> None:
    own = program(Path.home() / ".docker/cli-plugins/docker-buildx", BUILDX.format(version=version))
    client = program(Path.home() / "bin/docker")
    monkeypatch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")
    with fake_engine() as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        found = connect()
    assert (found.buildx == (str(own),)) is users
    assert (found.docker == str(client)) is users
    assert (found.environment["DOCKER_CONFIG"] == str(Path.home() / ".docker")) is users


def test_the_version_of_a_buildx_is_asked_once(place: Home, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    text = f"#!/bin/sh\necho x >> {asked}\necho v0.13.1\n"
    plugin = program(tmp_path / "docker-buildx", text)
    for _ in range(3):
        assert tools.buildx_version(place, plugin) == (0, 13, 1)
    assert asked.read_text() == "x\n"


def test_without_any_buildx_the_way_to_one_is_said(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.client.rename(place.root / "elsewhere")
    with fake_engine() as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(tools.Missing, match="make up"):
            connect()


def test_our_settings_carry_the_users_logins_and_are_for_nobody_else(place: Home) -> None:
    users = Path.home() / ".docker"
    users.mkdir(parents=True)
    settings = {"auths": {"r.example": {"auth": "x"}}, "currentContext": "other", "psFormat": "y"}
    (users / "config.json").write_text(json.dumps(settings))
    folder = tools.configure(place)
    made = json.loads((folder / "config.json").read_text())
    assert made["auths"] == settings["auths"]
    assert "currentContext" not in made
    assert made["cliPluginsExtraDirs"] == [str(users / "cli-plugins")]
    assert (folder / "config.json").stat().st_mode & 0o077 == 0
    assert json.loads((users / "config.json").read_text()) == settings


def test_a_child_of_ours_does_not_wrap_our_settings_once_more(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tools.configure(place)
    before = (folder / "config.json").read_text()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    tools.configure(place)
    assert (folder / "config.json").read_text() == before


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://p:1"}, {"httpsProxy": "http://p:1"}),
        ({"http_proxy": "http://127.0.0.1:1"}, {}),
        ({"no_proxy": "localhost,.x"}, {"noProxy": "localhost,.x"}),
    ],
)
def test_a_proxy_on_the_machine_itself_is_not_handed_to_builds(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: dict[str, str]
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert tools.machine_proxies() == expected
