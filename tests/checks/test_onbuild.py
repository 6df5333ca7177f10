"""A base with ONBUILD lines, its child and its grandchild: a table a check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from grader.checks import onbuild
from grader.engine import Image
from grader.flavours import Flavour
from grader.onbuild import Child, Parent, Project, Ran
from grader.results import Outcome
from grader.users import RunAs

P, F = Outcome.PASS, Outcome.FAIL
PROJECT, OTHER = Project("lab1", "six", "1.17.0"), Project("lab2", "zipp", "3.23.0")
LINES = ["COPY app/ ./"]
PATHS = frozenset({"/app/main.py", "/app/requirements.txt"})
# Modules of Python and pip that are called like a program of a project.
PYTHON = ("/usr/local/lib/python3.11/unittest/main.py", "/v/lib/site-packages/pip/main.py")


def content(
    *, packages: dict[str, str] | None = None, paths: Sequence[str] = (), config: Any = None
) -> Flavour:
    image = Image("sha256:1", ("base", "deps"), (), config or {})
    return Flavour("", image, packages or {}, paths=frozenset(paths))


def parent(lines: Sequence[str], *paths: str) -> Parent:
    return Parent("lab:1", content(paths=paths, config={"OnBuild": list(lines)}))


def ran(token: str = "lab1", code: int = 0, output: str = "") -> Ran:
    return Ran(code, {"token": token, "folder": "/app"}, output)


CHILD = Child(
    PROJECT,
    content(packages={"six": "1.17.0"}, paths=sorted(PATHS)),
    "lab:2",
    RunAs("10001", 10001, 0),
    ran(),
    PATHS,
    ("deps",),
)
GRANDCHILD = replace(CHILD, project=OTHER)


@pytest.mark.parametrize(
    ("base", "outcome", "words"),
    [
        (parent(LINES), P, "1 of them"),
        (parent(LINES, *PYTHON), P, "1 of them"),
        (parent([]), F, "no ONBUILD lines"),
        (parent([], "/app/main.py"), F, "no ONBUILD lines"),
        (parent(LINES, "/app/main.py"), F, "/app/main.py"),
        (parent(LINES, "/requirements.txt"), F, "/requirements.txt"),
    ],
)
def test_the_base_has_triggers_and_no_project(base: Parent, outcome: Outcome, words: str) -> None:
    result = onbuild.triggers(base)
    assert result.outcome is outcome
    assert words in result.message


def with_content(added: frozenset[str] = PATHS, **how: Any) -> Child:
    return replace(CHILD, content=content(**how), added=added)


SIX, DEEP = {"six": "1.17.0"}, "/app/app/main.py"


@pytest.mark.parametrize(
    ("child", "outcome", "words"),
    [
        (CHILD, P, "six 1.17.0, and /app/main.py"),
        (with_content(packages={}, paths=sorted(PATHS)), F, "no such package"),
        (with_content(packages={"six": "1.16.0"}, paths=sorted(PATHS)), F, "has 1.16.0"),
        (with_content(frozenset({DEEP}), packages=SIX, paths=[DEEP]), F, f"is at {DEEP}"),
        (with_content(frozenset(), packages=SIX), F, "is nowhere"),
    ],
)
def test_a_child_gets_what_it_asks_for(child: Child, outcome: Outcome, words: str) -> None:
    result = onbuild.child(child)
    assert result.outcome is outcome
    assert words in result.message


@pytest.mark.parametrize(
    ("ran_", "outcome", "words"),
    [
        (ran(), P, "in /app"),
        (ran("lab9"), F, "was not the child's program"),
        (Ran(2, {}, "python: can't open file"), F, "can't open file"),
        (Ran(0), F, "It printed nothing"),
    ],
)
def test_a_child_runs(ran_: Ran, outcome: Outcome, words: str) -> None:
    result = onbuild.runs(replace(CHILD, ran=ran_))
    assert result.outcome is outcome
    assert words in result.message


@pytest.mark.parametrize(
    ("added", "outcome"),
    [
        (PATHS, P),
        (frozenset(PYTHON), P),
        (frozenset({"/requirements.txt"}), F),
        (frozenset({"/application/main.py"}), F),
    ],
)
def test_nothing_lies_outside_of_app(added: frozenset[str], outcome: Outcome) -> None:
    result = onbuild.tidy(replace(CHILD, added=added))
    assert result.outcome is outcome
    assert ("WORKDIR" in result.message) is (outcome is F)


@pytest.mark.parametrize(("uid", "outcome"), [(10001, P), (1, P), (0, F)])
def test_a_child_is_not_root(uid: int, outcome: Outcome) -> None:
    assert onbuild.user(replace(CHILD, user=RunAs(str(uid), uid, 0))).outcome is outcome


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        (("deps",), ("base", "deps", "app 2"), P),
        (("a", "b"), ("base", "a", "b", "app 2"), P),
        (("a", "b"), ("base", "a", "b 2"), F),
        (("deps",), ("base", "deps 2"), F),
        ((), ("base",), F),
    ],
)
def test_an_edit_installs_nothing(
    before: tuple[str, ...], after: tuple[str, ...], outcome: Outcome
) -> None:
    edited = Image("sha256:3", after, (), {})
    assert onbuild.keeps(replace(CHILD, layers=before), edited).outcome is outcome


@pytest.mark.parametrize(
    ("grandchild", "outcome", "words"),
    [
        (GRANDCHILD, P, "in /app"),
        (replace(GRANDCHILD, ran=ran("lab2")), F, "the grandchild's CMD"),
        (replace(GRANDCHILD, content=content(packages={"zipp": "3.23.0"})), F, "once more"),
        (replace(GRANDCHILD, content=content(config={"OnBuild": LINES})), F, "triggers again"),
    ],
)
def test_a_grandchild_is_left_alone(grandchild: Child, outcome: Outcome, words: str) -> None:
    result = onbuild.once(grandchild, CHILD)
    assert result.outcome is outcome
    assert words in result.message
