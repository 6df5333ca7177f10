"""The guard on a build's control groups, against made-up file systems of both versions."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import cgroups
from grader.cgroups import CgroupUnavailable, Guard, Limit, kill, remove, version
from tests.conftest import wait_until

LIMIT = Limit(memory=123_000_000, pids=45)
PARENT = "lab-test"


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    root = tmp_path / "v1"
    for controller in ("memory", "pids", "cpu"):
        (root / controller).mkdir(parents=True)
    return root


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    root = tmp_path / "v2"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    (root / "cgroup.subtree_control").write_text("")
    return root


def appear(root: Path, name: str = "run1", **files: str) -> dict[str, Path]:
    """What BuildKit and the kernel make for one RUN; gives the folder of each controller."""
    if version(root) == 2:
        tops = {"memory": root, "pids": root}
        names = ["memory.max", "memory.swap.max", "memory.events", "pids.max", "pids.events"]
    else:
        tops = {"memory": root / "memory", "pids": root / "pids"}
        names = []
    places = {key: top / PARENT / "buildkit" / name for key, top in tops.items()}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
        for file in names:
            (place / file).touch()
        for file, text in files.items():
            (place / file.replace("__", ".")).write_text(text)
    return places


def reads(path: Path) -> Callable[[], str]:
    return lambda: path.read_text() if path.exists() else ""


# -- version --------------------------------------------------------------------------------------


def test_the_version_is_told_by_what_is_mounted(v1: Path, v2: Path, tmp_path: Path) -> None:
    assert version(v1) == 1
    assert version(v2) == 2
    assert version(tmp_path / "none") == 0


# -- limits are set -------------------------------------------------------------------------------


def test_v2_sets_memory_swap_and_pids_on_a_group_that_appears(v2: Path) -> None:
    with Guard(PARENT, LIMIT, root=v2) as guard:
        place = appear(v2)["memory"]
        wait_until(reads(place / "pids.max"), timeout=5, every=0.01)
    assert guard.version == 2
    assert (place / "memory.max").read_text() == "123000000"
    assert (place / "memory.swap.max").read_text() == "0"
    assert (place / "pids.max").read_text() == "45"


def test_v1_sets_memory_with_swap_and_pids_on_a_group_that_appears(v1: Path) -> None:
    with Guard(PARENT, LIMIT, root=v1) as guard:
        places = appear(v1)
        wait_until(reads(places["pids"] / "pids.max"), timeout=5, every=0.01)
    assert guard.version == 1
    assert (places["memory"] / "memory.limit_in_bytes").read_text() == "123000000"
    assert (places["memory"] / "memory.memsw.limit_in_bytes").read_text() == "123000000"
    assert (places["pids"] / "pids.max").read_text() == "45"


def test_each_of_many_groups_is_limited(v2: Path) -> None:
    with Guard(PARENT, LIMIT, root=v2):
        for name in ("a", "b", "c"):
            place = appear(v2, name)["memory"]
            wait_until(reads(place / "pids.max"), timeout=5, every=0.01)


def test_v2_hands_the_controllers_down_to_the_group(v2: Path) -> None:
    with Guard(PARENT, LIMIT, root=v2):
        pass
    for place in (v2, v2 / PARENT, v2 / PARENT / "buildkit"):
        assert (place / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_slashes_around_the_parent_do_not_matter(v2: Path) -> None:
    with Guard(f"/{PARENT}/", LIMIT, root=v2):
        assert (v2 / PARENT / "buildkit").is_dir()


def test_another_builds_group_that_was_there_before_is_left_alone(v2: Path) -> None:
    old = appear(v2, "old")["memory"]
    with Guard(PARENT, LIMIT, root=v2):
        new = appear(v2, "new")["memory"]
        wait_until(reads(new / "pids.max"), timeout=5, every=0.01)
    assert (old / "memory.max").read_text() == ""
    assert (old / "pids.max").read_text() == ""


def test_a_group_that_is_gone_again_does_no_harm(v2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def children(self: Guard) -> list[str]:
        seen.append(1)
        return ["gone"]

    with Guard(PARENT, LIMIT, root=v2) as guard:
        monkeypatch.setattr(Guard, "_children", children)
        wait_until(lambda: len(seen) > 2, timeout=5, every=0.01)
        assert guard._thread.is_alive()
    assert (guard.memory_killed, guard.pids_hit) == (False, False)


def test_limits_that_could_not_be_set_at_once_are_set_at_the_next_look(v2: Path) -> None:
    with Guard(PARENT, LIMIT, root=v2):
        place = appear(v2)["memory"]
        (place / "pids.max").unlink()
        (place / "pids.max").mkdir()  # it cannot be written
        wait_until(reads(place / "memory.max"), timeout=5, every=0.01)
        (place / "pids.max").rmdir()
        wait_until(reads(place / "pids.max"), timeout=5, every=0.01)
    assert (place / "pids.max").read_text() == "45"


def test_limits_that_stand_are_not_written_again(v2: Path) -> None:
    with Guard(PARENT, LIMIT, root=v2):
        first = appear(v2, "a")["memory"]
        wait_until(reads(first / "pids.max"), timeout=5, every=0.01)
        (first / "pids.max").write_text("mine")
        for name in ("b", "c", "d"):
            place = appear(v2, name)["memory"]
            wait_until(reads(place / "pids.max"), timeout=5, every=0.01)
    assert (first / "pids.max").read_text() == "mine"


def test_what_uses_too_much_already_is_killed_and_told(
    v1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel refuses a v1 limit that is below what is in use: EBUSY."""
    real = Path.write_text

    def write_text(self: Path, text: str, *more: object) -> int:
        if self.name == "memory.limit_in_bytes":
            raise OSError(errno.EBUSY, "Device or resource busy", str(self))
        return real(self, text)

    monkeypatch.setattr(Path, "write_text", write_text)
    with subprocess.Popen(["sleep", "60"]) as eater:
        group = v1 / "memory" / PARENT / "buildkit" / "run"
        with Guard(PARENT, LIMIT, root=v1) as guard:
            group.parent.mkdir(parents=True, exist_ok=True)
            (v1 / "new").mkdir()
            (v1 / "new" / "cgroup.procs").write_text(f"{eater.pid}\n")
            (v1 / "new").rename(group)
            wait_until(lambda: eater.poll() is not None, timeout=5, every=0.01)
    assert eater.returncode == -9
    assert guard.memory_killed


# -- what a group suffered ------------------------------------------------------------------------

EVENTS = [
    (2, {"memory__events": "low 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n"}, True, False),
    (2, {"memory__events": "low 0\nmax 9\noom 1\noom_kill 0\n"}, False, False),
    (2, {"pids__events": "max 3\n"}, False, True),
    (2, {"pids__events": "max 0\n"}, False, False),
    (2, {"memory__events": "", "pids__events": "rubbish\n"}, False, False),
    (2, {"memory__events": "oom_kill 2\n", "pids__events": "max 1\n"}, True, True),
    (1, {"memory__oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"}, True, False),
    (1, {"memory__oom_control": "oom_kill_disable 1\nunder_oom 1\noom_kill 0\n"}, False, False),
    (1, {"memory__oom_control": "oom_kill_disable 0\nunder_oom 0\n"}, False, False),
    (1, {"pids__events": "max 2\n"}, False, True),
    (1, {"pids__events": "max 0\n"}, False, False),
]


@pytest.mark.parametrize(("number", "files", "killed", "hit"), EVENTS)
def test_counters_are_seen(
    *, v1: Path, v2: Path, number: int, files: dict[str, str], killed: bool, hit: bool
) -> None:
    root = v1 if number == 1 else v2
    with Guard(PARENT, LIMIT, root=root) as guard:
        places = appear(root, **files)
        wait_until(reads(places["pids"] / "pids.max"), timeout=5, every=0.01)
        later = appear(root, "later")  # once this one is limited, the first was looked at
        wait_until(reads(later["pids"] / "pids.max"), timeout=5, every=0.01)
        again = appear(root, "again")
        wait_until(reads(again["pids"] / "pids.max"), timeout=5, every=0.01)
    assert (guard.memory_killed, guard.pids_hit) == (killed, hit)


def test_what_another_builds_group_suffers_is_not_this_builds(v2: Path) -> None:
    appear(v2, "old", memory__events="oom_kill 1\n", pids__events="max 1\n")
    with Guard(PARENT, LIMIT, root=v2) as guard:
        for name in ("new", "newer", "newest"):
            new = appear(v2, name)["memory"]
            wait_until(reads(new / "pids.max"), timeout=5, every=0.01)
    assert (guard.memory_killed, guard.pids_hit) == (False, False)


# -- where it cannot be done ----------------------------------------------------------------------


def test_without_a_cgroup_file_system_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(CgroupUnavailable, match="no cgroup file system"):
        Guard(PARENT, LIMIT, root=tmp_path / "none").__enter__()


@pytest.mark.parametrize("number", [1, 2])
def test_without_the_right_to_write_it_says_where(
    v1: Path, v2: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = v1 if number == 1 else v2
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CgroupUnavailable, match=f"Permission denied.*{PARENT}"):
        Guard(PARENT, LIMIT, root=root).__enter__()


def test_a_read_only_file_system_says_so(v2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mkdir(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(CgroupUnavailable, match="Read-only file system"):
        Guard(PARENT, LIMIT, root=v2).__enter__()


def test_a_controller_that_cannot_be_handed_down_says_so(v2: Path) -> None:
    (v2 / "cgroup.subtree_control").unlink()
    (v2 / "cgroup.subtree_control").mkdir()
    with pytest.raises(CgroupUnavailable, match="subtree_control"):
        Guard(PARENT, LIMIT, root=v2).__enter__()


def test_the_watching_ends_with_the_guard(v2: Path) -> None:
    with Guard(PARENT, LIMIT, root=v2) as guard:
        assert guard._thread.is_alive()
    assert not guard._thread.is_alive()


def test_the_watching_ends_when_the_build_raises(v2: Path) -> None:
    guard = Guard(PARENT, LIMIT, root=v2)
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt
    assert not guard._thread.is_alive()


# -- removing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_a_group_is_removed_with_those_below_it(v1: Path, v2: Path, number: int) -> None:
    root = v1 if number == 1 else v2
    tops = [root / "memory", root / "pids"] if number == 1 else [root]
    for top in tops:
        (top / PARENT / "buildkit" / "run").mkdir(parents=True)
        (top / "another").mkdir()
    remove(f"/{PARENT}", root)
    for top in tops:
        assert not (top / PARENT).exists()
        assert (top / "another").is_dir()


def test_a_group_that_is_in_use_stays_without_a_fuss(v2: Path) -> None:
    busy = v2 / PARENT / "buildkit"
    busy.mkdir(parents=True)
    (busy / "cgroup.procs").write_text("1\n")
    remove(PARENT, v2)
    assert busy.is_dir()


def test_removing_what_is_not_there_is_fine(v1: Path, v2: Path, tmp_path: Path) -> None:
    for root in (v1, v2, tmp_path / "none"):
        remove(PARENT, root)


def test_the_watch_is_quick_enough_to_matter() -> None:
    assert cgroups.POLL <= 0.05


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_everything_below_a_group_is_killed(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root: Path = request.getfixturevalue(name)
    below = (root if name == "v2" else root / "pids") / PARENT / "a"
    below.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(["sleep", "60"])
    (below / "cgroup.procs").write_text(f"{process.pid}\n")
    kill(PARENT, root, timeout=0.1)
    assert process.wait(timeout=5) == -signal.SIGKILL
