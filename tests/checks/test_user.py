"""The user that an image names: a number, not root's, with a place for caches."""

from __future__ import annotations

from typing import Any

import pytest

from grader.checks import user
from grader.dockerfile import Dockerfile
from grader.engine import Image
from grader.look import File
from grader.results import Outcome
from grader.users import RunAs, Tree

P, F, S = Outcome.PASS, Outcome.FAIL, Outcome.SKIP
TEXT = "FROM a:1 AS b\nUSER 5\nFROM a:1\nUSER {}\nRUN x\nUSER {}\n"


def who(spec: str, uid: int, gid: int = 10001, **more: Any) -> RunAs:
    return RunAs(spec, uid, gid, **more)


NUMERIC = [
    ("a number and a group", who("10001:10001", 10001), P),
    ("a number", who("10001", 10001), P),
    ("a small number", who("1", 1), P),
    ("none", who("", 0, 0), F),
    ("zero", who("0", 0, 0), F),
    ("zero with a group", who("0:10001", 0), F),
    ("zero written long", who("000", 0), F),
    ("root", who("root", 0, 0, name="root"), F),
    ("a name for 0", who("app", 0, 0, name="app"), F),
    ("a number that is 0 in its list", who("77", 0, 0, name="odd"), F),
    ("a name", who("app", 10001, name="app"), F),
    ("a name for the group", who("10001:app", 10001), F),
    ("a name and a number", who("app:10001", 10001), F),
]


@pytest.mark.parametrize(("one", "outcome"), [n[1:] for n in NUMERIC], ids=[n[0] for n in NUMERIC])
def test_numeric(one: RunAs, outcome: Outcome) -> None:
    parsed = Dockerfile.parse(TEXT.format(one.spec or "x", one.spec or "x").encode())
    result = user.numeric(one, parsed)
    assert result.outcome is outcome
    if outcome is F and one.spec:
        assert result.line == 6
        assert one.spec in result.message


def test_numeric_tells_the_number_to_write() -> None:
    said = user.numeric(who("app", 999, 998, name="app"), Dockerfile.parse(b"FROM a:1")).message
    assert "999:998" in said
    assert "runAsNonRoot" in said


def test_numeric_does_not_blame_kubernetes_for_a_group() -> None:
    said = user.numeric(who("999:app", 999, 998), Dockerfile.parse(b"FROM a:1")).message
    assert "999:998" in said
    assert "runAsNonRoot" not in said


def test_numeric_of_a_user_in_another_stage_has_no_line() -> None:
    result = user.numeric(who("", 0, 0), Dockerfile.parse(b"FROM a:1 AS b\nUSER 5\nFROM a:1\n"))
    assert result.line is None
    assert "no USER line" in result.message


TREE = Tree.of(
    (
        File("/home", 0, 0o755, 0, 0, "5"),
        File("/home/app", 0, 0o700, 10001, 10001, "5"),
        File("/tmp", 0, 0o1777, 0, 0, "5"),
        File("/root", 0, 0o700, 0, 0, "5"),
    )
)
APP = who("10001:10001", 10001, home="/home/app")
CACHE = [
    ("its home", APP, [], P),
    ("no home", who("10001", 10001, home="/home/other"), [], F),
    ("the top as home", who("10001", 10001), [], F),
    ("HOME elsewhere", who("10001", 10001), ["HOME=/tmp"], P),
    ("HOME of root", APP, ["HOME=/root"], F),
    ("a cache folder of its own", who("10001", 10001), ["XDG_CACHE_HOME=/home/app/c"], P),
    ("a cache folder of root's, in spite of a home", APP, ["XDG_CACHE_HOME=/var/cache"], F),
    ("root may anywhere, which is no pass", who("", 0, 0, home="/root"), [], S),
]


@pytest.mark.parametrize(
    ("one", "env", "outcome"), [c[1:] for c in CACHE], ids=[c[0] for c in CACHE]
)
def test_cache_writable(one: RunAs, env: list[str], outcome: Outcome) -> None:
    result = user.cache_writable(one, TREE, Image("", (), (), {"Env": env}))
    assert result.outcome is outcome
    if outcome is F:
        assert str(result.evidence["folder"]) in result.message
        assert f"${result.evidence['by']}" in result.message
