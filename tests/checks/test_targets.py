"""Targets of one file: a table a check, both sides of each edge."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from grader.checks import targets
from grader.engine import Image
from grader.flavours import Flavour
from grader.rebuilds import Installed
from grader.results import Outcome
from grader.targets import Attempt, Gated, Targets, Tried

P, F = Outcome.PASS, Outcome.FAIL
BUILT, STOPPED = Attempt(built=True), Attempt(built=False, line=19)


def target(
    name: str,
    layers: Sequence[str],
    *,
    packages: Sequence[str] = (),
    paths: Sequence[str] = (),
    modules: Sequence[str] | None = None,
    command: str = "serve",
) -> Flavour:
    image = Image(f"sha256:{name}", tuple(layers), (), {"Cmd": [command]})
    names = frozenset(packages if modules is None else modules)
    known = dict.fromkeys(packages, "1")
    return Flavour(name, image, known, modules=names, paths=frozenset(paths))


PROD = target("prod", ["base", "deps", "app"], paths=["/app/app/main.py"])
DEV = target("dev", ["base", "deps", "tools"], packages=["pytest"])
TEST = target("test", ["base", "deps", "tools", "tests"], packages=["pytest"])
RIGHT = Targets(DEV, TEST, PROD)


def test_all_three_are_there() -> None:
    assert targets.there(RIGHT).message == "dev, test, prod"


@pytest.mark.parametrize(
    ("dev", "outcome"),
    [(DEV, P), (target("dev", []), F), (target("dev", [], packages=["pytest"], modules=[]), F)],
)
def test_dev_has_the_tools(dev: Flavour, outcome: Outcome) -> None:
    result = targets.tools(Targets(dev, TEST, PROD), packages=["pytest"])
    assert result.outcome is outcome
    assert "pytest" in result.message


@pytest.mark.parametrize(
    ("prod", "words"),
    [
        (PROD, ""),
        (target("prod", [], paths=["/app/my_test_app.py"]), ""),
        (target("prod", [], packages=["pytest"]), "pytest"),
        (target("prod", [], modules=["pytest"]), "pytest"),
        (target("prod", [], paths=["/srv/tests/test_app.py"]), "/srv/tests/test_app.py"),
    ],
)
def test_prod_is_lean(prod: Flavour, words: str) -> None:
    result = targets.lean(Targets(DEV, TEST, prod), packages=["pytest"])
    assert result.outcome is (F if words else P)
    assert words in result.message


@pytest.mark.parametrize(
    ("plain", "outcome", "words"),
    [
        (PROD, P, "the same"),
        (DEV, F, "is dev, not prod"),
        (TEST, F, "is test, not prod"),
        (target("", ["other"]), F, "another one"),
        (target("", PROD.image.layers, command="shell"), F, "prod last"),
    ],
)
def test_the_default_is_prod(plain: Flavour, outcome: Outcome, words: str) -> None:
    result = targets.default(RIGHT, plain.image)
    assert result.outcome is outcome
    assert words in result.message


@pytest.mark.parametrize(
    ("layers", "outcome", "words"),
    [
        (("deps",), P, "2 layers in common"),
        (("base", "deps"), P, "2 layers"),
        (("app",), F, "first 2 layers"),
        (("deps", "app"), F, "first 2 layers"),
        ((), F, "No layer of prod"),
    ],
)
def test_dev_and_prod_share_what_is_installed(
    layers: tuple[str, ...], outcome: Outcome, words: str
) -> None:
    result = targets.shared(RIGHT, Installed(layers, frozenset()))
    assert result.outcome is outcome
    assert words in result.message


def test_a_layer_that_is_equal_further_up_is_not_shared() -> None:
    dev = target("dev", ["base", "other", "deps"])
    result = targets.shared(Targets(dev, TEST, PROD), Installed(("deps",), frozenset()))
    assert (result.outcome, result.evidence["layers"]) == (F, 1)


@pytest.mark.parametrize(
    ("tested", "outcome", "words"),
    [
        (Tried(BUILT, STOPPED, STOPPED), P, "stops for both"),
        (Tried(STOPPED, STOPPED, STOPPED), F, "stopped at line 19"),
        (Tried(Attempt(built=False), STOPPED, STOPPED), F, "the build stopped."),
        (Tried(BUILT, BUILT, STOPPED), F, "Run pytest in a RUN"),
        (Tried(BUILT, STOPPED, BUILT), F, "run them all"),
        (Tried(BUILT, BUILT, BUILT), F, "Run pytest in a RUN"),
    ],
)
def test_the_test_stage_runs_the_tests(tested: Tried, outcome: Outcome, words: str) -> None:
    result = targets.test_runs(tested)
    assert result.outcome is outcome
    assert words in result.message


@pytest.mark.parametrize(
    ("gated", "outcome", "words"),
    [
        (Gated(BUILT, STOPPED), P, "needs the tests"),
        (Gated(BUILT, BUILT), F, "leaves out each stage"),
        (Gated(STOPPED, STOPPED), F, "line 19 in a build of prod"),
    ],
)
def test_prod_waits_for_the_tests(gated: Gated, outcome: Outcome, words: str) -> None:
    result = targets.gate(gated)
    assert result.outcome is outcome
    assert words in result.message
