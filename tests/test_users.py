"""Who an image runs as, as Docker resolves it; and what that user may write."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest

from grader import users
from grader.engine import Image
from grader.errors import SubmissionError
from grader.look import File
from grader.users import RunAs, Tree, cache_folder, is_numeric, process_ids, resolve, runs_as

PASSWD = """root:x:0:0:root:/root:/bin/bash
app:x:10001:10002:the app:/home/app:/bin/sh
alias:x:0:0::/root:/bin/sh
second:x:10001:7::/home/second:/bin/sh
nohome:x:10005:10005::
# a comment:x:1:1::/:
12:x:77:77::/home/odd:/bin/sh
"""
GROUP = """root:x:0:
app:x:10002:
data:x:500:other,app
more:x:501:app
root-too:x:0:alias
"""
WHO: list[tuple[str, tuple[int, int, set[int], str]]] = [
    ("", (0, 0, set(), "/root")),
    ("root", (0, 0, set(), "/root")),
    ("0", (0, 0, set(), "/root")),
    ("app", (10001, 10002, {500, 501}, "/home/app")),
    ("10001", (10001, 10002, {500, 501}, "/home/app")),
    ("app:app", (10001, 10002, set(), "/home/app")),
    ("app:500", (10001, 500, set(), "/home/app")),
    ("10001:data", (10001, 500, set(), "/home/app")),
    ("10001:99", (10001, 99, set(), "/home/app")),
    ("alias", (0, 0, {0}, "/root")),
    ("4321", (4321, 0, set(), "/")),
    ("4321:4321", (4321, 4321, set(), "/")),
    ("00010001", (10001, 10002, {500, 501}, "/home/app")),
    ("second", (10001, 7, set(), "/home/second")),
    ("nohome", (10005, 10005, set(), "/")),
]


@pytest.mark.parametrize(("spec", "who"), WHO, ids=[w[0] or "none" for w in WHO])
def test_resolve(spec: str, who: tuple[int, int, set[int], str]) -> None:
    found = resolve(spec, PASSWD, GROUP)
    assert (found.uid, found.gid, set(found.groups), found.home) == who
    assert found.spec == spec


@pytest.mark.parametrize("spec", ["nobody", "app:nogroup", "-1", "1.5", "99999999999", "ąpp"])
def test_a_name_that_nobody_has(spec: str) -> None:
    with pytest.raises(SubmissionError, match=spec.partition(":")[2] or spec):
        resolve(spec, PASSWD, GROUP)


def test_without_any_list_of_users() -> None:
    assert resolve("10001:10001", "", "") == RunAs("10001:10001", 10001, 10001)
    assert resolve("", "", "").uid == 0


@pytest.mark.parametrize(
    ("spec", "numeric"),
    [("10001", True), ("10001:10001", True), ("0", True), ("app", False), ("10001:app", False),
     ("app:1", False), ("", False), ("1:", False), (" 1", False), ("1\n", False), ("١", False)],
)  # fmt: skip
def test_is_numeric(spec: str, numeric: bool) -> None:
    assert is_numeric(spec) is numeric


# -- rights ---------------------------------------------------------------------------------------

ME = RunAs("10001:10002", 10001, 10002, frozenset((500,)))
MODES = [
    ("others may", 0, 0, 0o002, True),
    ("others may not", 0, 0, 0o775, False),
    ("its group may", 0, 10002, 0o020, True),
    ("its group may not, others may", 0, 10002, 0o702, False),
    ("another group of its", 0, 500, 0o020, True),
    ("a group that is not its", 0, 501, 0o070, False),
    ("its own", 10001, 0, 0o200, True),
    ("its own, taken away", 10001, 0, 0o577, False),
]


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "may"), [m[1:] for m in MODES], ids=[m[0] for m in MODES]
)
def test_may_write(uid: int, gid: int, mode: int, may: bool) -> None:
    assert ME.may_write(File("/x", 0, mode, uid, gid, "0")) is may
    assert ME.may_enter(File("/x", 0, mode >> 1, uid, gid, "5")) is may
    assert RunAs("", 0, 0).may_write(File("/x", 0, 0, uid, gid, "0"))


def folder(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> File:
    return File(path, 0, mode, uid, gid, "5")


def link(path: str, goal: str) -> File:
    return File(path, 0, 0o777, 0, 0, "2", goal)


TREE = Tree.of(
    (
        folder("/tmp", 0o1777),
        folder("/home"),
        folder("/home/app/", uid=10001),
        folder("/root", 0o700),
        folder("/root/open", 0o777),
        folder("/srv"),
        folder("/readonly", 0o555, uid=10001),
        folder("/group", 0o2770, gid=500),
        File("/etc", 3, 0o666, 0, 0, "0"),
        link("/cache", "tmp"),
        link("/home/link", "../srv"),
        link("/home/round", "round"),
        link("/to-app", "/home/app"),
    )
)
WRITABLE = [
    ("its own", "/home/app", ""),
    ("with a slash", "/home/app/", ""),
    ("to be made in its own", "/home/app/.cache", ""),
    ("to be made, and more in it", "/home/app/a/b/c", ""),
    ("everybody's", "/tmp", ""),
    ("to be made in everybody's", "/tmp/x", ""),
    ("its group's", "/group", ""),
    ("by a link", "/cache/x", ""),
    ("by a whole link", "/to-app/x", ""),
    ("root's", "/srv", "0:0 with mode 0755"),
    ("to be made in root's", "/home/other", "/home/other does not exist"),
    ("below what is not there", "/nowhere/x", "/nowhere does not exist"),
    ("the top", "/", "may not write"),
    ("behind a closed door", "/root/open", "may not enter"),
    ("its own, but closed", "/readonly", "may not write"),
    ("by a link to root's", "/home/link", "may not write"),
    ("by a link to itself", "/home/round", "not a folder"),
    ("a file", "/etc", "not a folder"),
    ("below a file", "/etc/x", "not a folder"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "why"), [w[1:] for w in WRITABLE], ids=[w[0] for w in WRITABLE])
def test_why_not_writable(path: str, why: str) -> None:
    said = TREE.why_not_writable(path, ME)
    assert why in said
    assert bool(said) is bool(why)


def test_real_follows_links_inside_the_image() -> None:
    assert TREE.real("/cache/a/../b") == "/tmp/b"
    assert TREE.real("/home/link/x") == "/srv/x"
    assert TREE.real("/../../srv") == "/srv"


def test_below_gives_the_folder_and_what_is_in_it() -> None:
    assert {f.path for f in TREE.below("/home/app")} == {"/home/app/"}
    assert {f.path for f in TREE.below("/root")} == {"/root", "/root/open"}
    assert {f.path for f in TREE.below("/to-app")} == {"/home/app/"}


@pytest.mark.parametrize(
    ("env", "folder", "by"),
    [
        ([], "/home/app/.cache", "HOME"),
        (["HOME=/tmp"], "/tmp/.cache", "HOME"),
        (["HOME="], "/home/app/.cache", "HOME"),
        (["XDG_CACHE_HOME=/var/cache/x"], "/var/cache/x", "XDG_CACHE_HOME"),
        (["XDG_CACHE_HOME=", "HOME=/a"], "/a/.cache", "HOME"),
        (["HOME=/a", "HOME=/b=c"], "/b=c/.cache", "HOME"),
    ],
)
def test_cache_folder(env: list[str], folder: str, by: str) -> None:
    who = RunAs("app", 10001, 10002, home="/home/app")
    assert cache_folder(Image("", (), (), {"Env": env}), who) == (folder, by)


# -- facts ----------------------------------------------------------------------------------------


class FakeEngine:
    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    @contextmanager
    def created(self, image: str) -> Any:
        yield f"look at {image}"

    def read(self, container: str, path: str) -> bytes | None:
        assert container == "look at sha256:1"
        return self.files.get(path)


def test_runs_as_reads_the_images_own_lists() -> None:
    files = {"/etc/passwd": PASSWD.encode(), "/etc/group": GROUP.encode()}
    image = Image("sha256:1", (), (), {"User": "app"})
    assert runs_as(image, FakeEngine(files)).uid == 10001  # type: ignore[arg-type]
    assert runs_as(Image("sha256:1", (), (), {}), FakeEngine({})).uid == 0  # type: ignore[arg-type]


def test_a_container_that_ended_meanwhile_is_the_students(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr(users, "peek", lambda *_, ended: ended(SimpleNamespace(exit_code=3)))
    with pytest.raises(SubmissionError, match="exit code 3"):
        process_ids(None, "c", None)  # type: ignore[arg-type]
