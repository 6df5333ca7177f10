"""The private Docker Engine: starts and stops one beside the system, all of it under LAB_HOME.

Not here: where its programs come from (packages), and what the course asks of it (grader.engine).
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader import cgroups, labels, runs
from grader.errors import EngineError
from grader.host import firewall, gpu, network, packages, processes
from grader.host.connection import answers as address_answers
from grader.host.connection import private
from grader.host.home import Home, check_length
from grader.host.packages import Say

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 25
MOUNTED = ("overlay2", "containers", "buildkit", "volumes")
LOG_BYTES = 10_000_000
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Offer:
    """A second socket of the engine, which the members of a group may open."""

    socket: Path
    group: int


def answers(place: Home) -> bool:
    """Is our engine there and talking?"""
    return address_answers(private(place))


@contextlib.contextmanager
def locked(place: Home) -> Iterator[None]:
    """One start or stop at a time in a LAB_HOME; the second waits for the first."""
    place.root.mkdir(parents=True, exist_ok=True)
    with place.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start(place: Home, say: Say, offer: Offer | None = None) -> None:
    """Bring the private engine up; nothing happens if it is up already."""
    check_length(place)
    if answers(place) and not _outdated(place):
        _refresh(place)
        return
    with locked(place):
        if answers(place) and not _renewed(place, say):
            return
        if _busy(place):
            return
        packages.fetch_engine(place, say)
        say("starting Docker Engine")
        _clear_leftovers(place)
        try:
            _prepare(place)
            _wait(place, _launch(place, offer))
            firewall.trust_windows(place)
        except EngineError:
            _end(place)
            raise


def _outdated(place: Home) -> bool:
    """Was it started before there were simulated GPUs? dockerd looks for them only then."""
    return gpu.wanted() and not gpu.started_with(place)


def _refresh(place: Home) -> None:
    """The course may have a newer hook than the engine was started with; that needs no start."""
    if gpu.wanted() and gpu.started_with(place):
        gpu.install(place)


def _renewed(place: Home, say: Say) -> bool:
    """End an engine that has no simulated GPUs yet, unless somebody works on it."""
    if not _outdated(place):
        return False
    if cgroups.holds(place.cgroup) or runs.any_at_work(place.root / "builds"):
        say("Docker Engine has work, so the simulated GPUs must wait for its next start")
        return False
    say("starting Docker Engine anew, for the simulated GPUs")
    _end(place)
    return True


def _busy(place: Home) -> bool:
    """Is ours there, and only slow to answer? It may have work that must not be killed."""
    if not processes.mine(place, "dockerd"):
        return False
    return processes.wait_for(lambda: answers(place), timeout_s=START_TIMEOUT_S)


def _prepare(place: Home) -> None:
    for folder in (place.bin, place.run, place.data):
        folder.mkdir(parents=True, exist_ok=True)
    place.run.chmod(0o700)
    firewall.install(place)
    firewall.remember_policy(place)
    _link(place, "docker-init", "usr/bin/tini-static")
    simulated = gpu.install(place)
    slot = _slot(place)
    network.add_bridge(place.bridge, network.bridge_subnet(slot))
    settings = _settings(place, slot)
    settings["labels"] = [labels.SIMULATED_GPU] if simulated else []
    (place.root / "daemon.json").write_text(json.dumps(settings, indent=1), "utf-8")


def _link(place: Home, name: str, target: str) -> None:
    link = place.bin / name
    if (place.engine / target).exists() and not link.exists():
        link.symlink_to(place.engine / target)


def _slot(place: Home) -> network.Network:
    """The network of the last start if it is still free, else a new one."""
    note = place.root / "network"
    if note.exists():
        kept = network.Network(note.read_text("ascii").strip())
        mine = {*network.bridges_in(kept), place.bridge}
        if not any(kept.overlaps(other) for other in network.routed(without=mine)):
            return kept
    chosen = network.choose(place, network.routed(without={place.bridge}))
    note.write_text(f"{chosen}\n", "ascii")
    return chosen


def _settings(place: Home, slot: network.Network) -> dict[str, object]:
    mtu = min(network.way_out_mtu(), network.MTU)
    return {
        "features": {"buildkit": True, "cdi": True},
        "experimental": True,
        "runtimes": gpu.runtimes(),
        "cgroup-parent": f"/{place.cgroup}",
        "cdi-spec-dirs": [str(place.root / "cdi")],
        "default-address-pools": [{"base": str(network.pool(slot)), "size": 24}],
        "mtu": mtu,
        "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": str(mtu)}},
        # One container's endless output, and years of build cache, must not fill the disk.
        "log-opts": {"max-size": "50m", "max-file": "1"},
        "builder": {"gc": {"enabled": True, "defaultKeepStorage": "20GB"}},
        "live-restore": False,
        "log-level": "info",
        "shutdown-timeout": 10,
        "max-concurrent-downloads": 4,
    }


def path(place: Home) -> str:
    """dockerd's PATH: our bin, what was unpacked, then the system."""
    unpacked = [place.engine / "usr/sbin", place.engine / "usr/bin"]
    return ":".join([str(place.bin), *map(str, unpacked), SYSTEM_PATH])


def _launch(place: Home, offer: Offer | None) -> "subprocess.Popen[bytes]":
    offered = [f"--host=unix://{offer.socket}", f"--group={offer.group}"] if offer else []
    command = [
        str(place.engine / "usr/sbin/dockerd"),
        f"--config-file={place.root / 'daemon.json'}",
        f"--data-root={place.data}",
        f"--exec-root={place.run}",
        f"--pidfile={place.pidfile}",
        f"--host=unix://{place.socket}",
        # Never `none`: that deletes the bridge of an engine that runs beside this one.
        f"--bridge={place.bridge}",
        *offered,
    ]
    env = {**os.environ, "PATH": path(place)}
    if place.log.exists() and place.log.stat().st_size > LOG_BYTES:
        place.log.replace(place.log.with_suffix(".log.old"))
    with place.log.open("ab") as log:
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )


def _wait(place: Home, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if answers(place):
            return
        if process.poll() is not None:
            raise EngineError(f"dockerd can't run here: {last_words(place)} (log: {place.log})")
        time.sleep(0.1)
    raise EngineError(f"dockerd did not answer within {START_TIMEOUT_S} s (log: {place.log})")


def last_words(place: Home) -> str:
    """The line of the log in which dockerd or its containerd says why it gave up."""
    if not place.log.exists():
        return "it left no log"
    lines = place.log.read_text("utf-8", "replace").splitlines()[-60:]
    fatal = [line for line in lines if "level=fatal" in line or "failed to start" in line]
    return (fatal or lines or ["it said nothing"])[-1].strip()[-400:]


def stop(place: Home) -> None:
    """Stop the engine, and take away what it put into the system."""
    if not place.root.exists():
        return
    with locked(place):
        _end(place)


def _end(place: Home) -> None:
    for pid in processes.mine(place, "dockerd"):
        processes.end(pid, grace_s=STOP_TIMEOUT_S)
    _clear_leftovers(place)
    note = place.root / "network"
    if note.exists():
        slot = network.Network(note.read_text("ascii").strip())
        ours = network.bridges_in(slot)
        firewall.sweep(place, {*ours, place.bridge}, slot)
        for name in ours:
            network.remove_bridge(name)
    firewall.restore_policy(place)


def _unmount(place: Home) -> None:
    """What containers and dockerd mounted; a disk that somebody put under LAB_HOME stays."""
    for part in (place.run, *(place.data / name for name in MOUNTED)):
        processes.unmount_below(part)
    # dockerd notes that it mounted its data folder upon itself.
    note = place.run / "unmount-on-shutdown"
    if note.exists():
        processes.unmount(str(place.data))
        note.unlink()


def _clear_leftovers(place: Home) -> None:
    """What a killed engine leaves: its helpers, its mounts, its pid files, its bridge."""
    for name in ("dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy"):
        for pid in processes.mine(place, name):
            processes.end(pid, grace_s=3)
    cgroups.kill(place.cgroup)  # a killed shim leaves its container running
    cgroups.remove(place.cgroup)
    _unmount(place)
    for leftover in (place.pidfile, place.socket, place.run / "containerd/containerd.pid"):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(place.run / "runtime-runc", ignore_errors=True)
    network.remove_bridge(place.bridge)
