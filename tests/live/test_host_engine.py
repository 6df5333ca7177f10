"""The private engine, in a LAB_HOME of its own beside whatever else runs on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.errors import EngineError
from grader.host import apt, client, engine, firewall, images, modes, network, packages, processes
from grader.host.bridge import bridge_works
from grader.host.connection import Connection, connection, private
from grader.host.home import Home, home
from tests.conftest import wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        modes.why_static(home()) is not None and os.environ.get("REQUIRE_DOCKER") != "1",
        reason="no engine can be started here",
    ),
]
SERVE = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)"
HELPERS = ("dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy")


def quiet(_: str) -> None:
    """What is said while it starts is no matter here."""


def use(place: Home) -> Connection:
    return connection(place, "private", private(place))


def borrow_packages(place: Home) -> None:
    """Those that this machine has unpacked already; hard links, so it takes no time."""
    place.root.mkdir(parents=True, exist_ok=True)
    for name in ("client", "engine"):
        if (home().root / name).is_dir():
            subprocess.run(["cp", "-al", home().root / name, place.root / name], check=True)


@pytest.fixture
def place() -> Iterator[Home]:
    """A LAB_HOME with a short path, stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="lab", dir="/tmp", ignore_cleanup_errors=True) as root:
        found = Home(Path(root) / "h")
        borrow_packages(found)
        yield found
        engine.stop(found)
        assert what_is_left(found) == []


def what_is_left(place: Home) -> list[str]:
    """Processes, mounts, interfaces and firewall rules that name this LAB_HOME."""
    pids = [pid for name in HELPERS for pid in processes.mine(place, name)]
    rules = [
        rule
        for name in firewall.PROGRAMS
        for table in firewall.TABLES
        for rule in firewall.call(place, name, "-t", table, "-S").splitlines()
        if firewall.chain(place) in rule or place.bridge in rule
    ]
    bridge = [place.bridge] if (network.INTERFACES / place.bridge).exists() else []
    return [*map(str, pids), *processes.mounts_below(place.root), *bridge, *rules]


def dockerd(place: Home) -> int:
    (pid,) = processes.mine(place, "dockerd")
    return pid


def give_image(connection: Connection, place: Home) -> None:
    """The base image of the machine's own engine, in the new one as well."""
    save = [connection.docker, "save", images.PYTHON]
    load = [use(place).docker, "load", "--quiet"]
    env = {**os.environ, **connection.environment}
    with subprocess.Popen(save, env=env, stdout=subprocess.PIPE) as saving:
        there = {**os.environ, **use(place).environment}
        subprocess.run(load, env=there, stdin=saving.stdout, check=True, capture_output=True)


def test_a_second_start_finds_the_first_ones_engine(place: Home) -> None:
    engine.start(place, quiet)
    first = dockerd(place)
    engine.start(place, quiet)
    assert dockerd(place) == first


def test_two_starts_at_once_make_one_engine(place: Home) -> None:
    program = (
        "from grader.host import engine, home; engine.start(home.home(), lambda said: print(said))"
    )
    env = {**os.environ, "LAB_HOME": str(place.root)}
    both = [subprocess.Popen([sys.executable, "-c", program], env=env) for _ in range(2)]
    assert [one.wait(timeout=90) for one in both] == [0, 0]
    assert engine.answers(place)
    assert dockerd(place)


def test_a_stale_pid_file_harms_neither_the_start_nor_whoever_has_the_pid_now(place: Home) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        place.run.mkdir(parents=True)
        place.pidfile.write_text(str(stranger.pid))
        (place.run / "containerd").mkdir()
        (place.run / "containerd/containerd.pid").write_text(str(stranger.pid))
        engine.start(place, quiet)
        engine.stop(place)
        assert stranger.poll() is None
        stranger.kill()


def test_a_killed_daemon_is_replaced_and_its_helpers_are_cleared(
    place: Home, connection: Connection
) -> None:
    engine.start(place, quiet)
    give_image(connection, place)
    run = ("run", "--detach", "--publish", "127.0.0.1::8000", images.PYTHON, "python3", "-c", SERVE)
    assert client.docker(use(place), *run).returncode == 0
    killed = dockerd(place)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not processes.alive(killed))
    assert processes.mine(place, "containerd-shim-runc-v2")
    engine.start(place, quiet)
    assert dockerd(place) != killed
    assert bridge_works(use(place)).works


def test_a_killed_containerd_does_not_stop_work(place: Home, connection: Connection) -> None:
    engine.start(place, quiet)
    give_image(connection, place)
    (killed,) = processes.mine(place, "containerd")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: set(processes.mine(place, "containerd")) - {killed}, timeout=30)
    engine.start(place, quiet)
    wait_until(lambda: bridge_works(use(place)).works, timeout=30)


def test_two_engines_leave_each_others_containers_and_ports_alone(connection: Connection) -> None:
    """The published port is asked through the firewall's rule, not through docker-proxy."""
    with tempfile.TemporaryDirectory(prefix="lab", dir="/tmp") as folder:
        first, second = Home(Path(folder) / "a"), Home(Path(folder) / "b")
        for one in (first, second):
            borrow_packages(one)
        try:
            engine.start(first, quiet)
            give_image(connection, first)
            client.docker(use(first), "network", "create", "mine")
            name = ("run", "--detach", "--name", "web", "--network", "mine", "--publish", "8000")
            client.docker(use(first), *name, images.PYTHON, "python3", "-c", SERVE)
            before = rules(first)
            engine.start(second, quiet)
            assert rules(first) == before
            assert bridge_works(use(first)).works
            engine.stop(second)
            assert what_is_left(second) == []
            assert rules(first) == before
            assert bridge_works(use(first)).works
        finally:
            for one in (second, first):
                engine.stop(one)
        assert what_is_left(first) == []


def rules(place: Home) -> set[str]:
    """The rules of one engine."""
    slot = network.Network((place.root / "network").read_text().strip())
    words = {firewall.chain(place), *network.bridges_in(slot)}
    lines = [
        line
        for table in firewall.TABLES
        for line in firewall.call(place, "iptables", "-t", table, "-S").splitlines()
    ]
    return set(firewall.ours(lines, words, slot))


def test_the_machines_own_engine_is_not_disturbed(place: Home, connection: Connection) -> None:
    engine.start(place, quiet)
    engine.stop(place)
    assert bridge_works(connection).works


def test_a_daemon_that_cannot_start_says_why_and_names_its_log(place: Home) -> None:
    place.data.mkdir(parents=True)
    (place.data / "image").write_text("a file where a folder must be")
    with pytest.raises(EngineError) as caught:
        engine.start(place, quiet)
    assert str(place.log) in str(caught.value)
    assert "not a directory" in str(caught.value)


def test_a_disk_that_somebody_put_under_the_state_stays_mounted(place: Home) -> None:
    place.data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place.data], check=True)
    try:
        engine.start(place, quiet)
        os.kill(dockerd(place), signal.SIGKILL)
        engine.start(place, quiet)
        engine.stop(place)
        assert processes.mounts_below(place.root) == [str(place.data)]
    finally:
        processes.unmount(str(place.data))


def test_a_killed_engine_leaves_no_mount_after_a_stop(place: Home, connection: Connection) -> None:
    engine.start(place, quiet)
    give_image(connection, place)
    run = ("run", "--detach", images.PYTHON, "sleep", "600")
    assert client.docker(use(place), *run).returncode == 0
    assert processes.mounts_below(place.root)
    os.kill(dockerd(place), signal.SIGKILL)
    engine.stop(place)
    assert what_is_left(place) == []


@pytest.mark.slow
def test_a_half_finished_download_is_done_again(place: Home) -> None:
    for name in ("client", "engine"):
        subprocess.run(["rm", "-rf", place.root / name], check=True)
    (place.root / "engine.part/usr").mkdir(parents=True)
    debs = place.apt / "debs/engine"
    debs.mkdir(parents=True)
    (debs / "docker.io_99_amd64.deb").write_bytes(b"!<arch>\ntruncated")
    engine.start(place, quiet)
    assert engine.answers(place)
    assert packages.engine_here(place)
    assert not (place.root / "engine.part").exists()


@pytest.mark.slow
def test_an_unpacking_that_breaks_off_leaves_no_folder_that_looks_whole(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("client", "engine"):
        subprocess.run(["rm", "-rf", place.root / name], check=True)
    original = apt.run

    def broken(command: list[str], **keywords: object) -> str:
        if command[0] == "dpkg" and "containerd" in command[2]:
            Path(command[2]).write_bytes(b"!<arch>\ntruncated")
        return original(command, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(apt, "run", broken)
    with pytest.raises(EngineError, match="containerd"):
        engine.start(place, quiet)
    assert not place.engine.exists()
    monkeypatch.undo()
    engine.start(place, quiet)
    assert engine.answers(place)
