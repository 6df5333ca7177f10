"""Two flavours of one file: a table a check, both sides of each edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from grader.checks import flavours
from grader.dockerfile import Dockerfile
from grader.engine import Image, Layer
from grader.flavours import Flavour, Refused
from grader.results import Outcome, Result

P, F = Outcome.PASS, Outcome.FAIL
RIGHT = Dockerfile.parse(b"FROM a:1\nARG ENV=production\nRUN echo $ENV\n")
LECTURE = Dockerfile.parse(b"ARG ENV=production\nFROM a:1\nRUN echo $ENV\n")
SETTINGS = {"packages": ["pytest"], "tools": ["less", "vim"]}


def flavour(
    packages: Mapping[str, str],
    *,
    modules: Sequence[str] | None = None,
    programs: Sequence[str] = (),
    env: Sequence[str] = ("PATH=/bin",),
    size: int = 100,
) -> Flavour:
    image = Image("sha256:1", ("base",), (Layer("", size),), {"Env": list(env)})
    names = frozenset(packages if modules is None else modules)
    return Flavour("", image, packages, modules=names, programs=frozenset(programs))


PRODUCTION = flavour({"bottle": "0.13"}, programs=["sh"])
DEVELOPMENT = flavour({"bottle": "0.13", "pytest": "9"}, programs=["sh", "less"], size=101)


@pytest.mark.parametrize(
    ("development", "outcome", "words"),
    [
        (DEVELOPMENT, P, "pytest and less"),
        (flavour({"pytest": "9"}, programs=["vim"]), P, "pytest and vim"),
        (flavour({"pytest": "9"}, programs=["vim.tiny"]), P, "pytest and vim.tiny"),
        (flavour({"pytest": "9"}, programs=["lesspipe"]), F, "none of less, vim is there"),
        (flavour({"pytest": "9"}), F, "none of less, vim is there"),
        (flavour({}, programs=["less"]), F, "pytest is not there"),
        (flavour({"pytest": "9"}, modules=[], programs=["less"]), F, "pytest is not there"),
        (PRODUCTION, F, "is the same as with ENV=production"),
    ],
)
def test_development_has_its_tools(development: Flavour, outcome: Outcome, words: str) -> None:
    result = flavours.has_tools(development, PRODUCTION, RIGHT, **SETTINGS)
    assert result.outcome is outcome
    assert words in result.message


def test_an_argument_out_of_scope_is_named_with_its_line() -> None:
    result = flavours.has_tools(PRODUCTION, PRODUCTION, LECTURE, **SETTINGS)
    assert (result.outcome, result.line) == (F, 3)
    assert "ARG ENV once more inside the stage" in result.message
    assert result.evidence["same"] is True


@pytest.mark.parametrize(
    ("production", "found"),
    [
        (PRODUCTION, []),
        (flavour({}, programs=["lesspipe"]), []),
        (flavour({"pytest": "9"}), ["pytest"]),
        (flavour({"pytest": "9"}, modules=[]), ["pytest"]),
        (flavour({}, modules=["pytest"]), ["pytest"]),
        (flavour({}, programs=["less", "vim.tiny"]), ["less", "vim.tiny"]),
    ],
)
def test_production_has_none_of_them(production: Flavour, found: list[str]) -> None:
    result = flavours.has_none(production, **SETTINGS)
    assert result.outcome is (F if found else P)
    assert all(name in result.message for name in found)
    assert result.evidence.get("found", []) == found


@pytest.mark.parametrize(
    ("plain", "outcome", "words"),
    [
        (PRODUCTION, P, "the same packages"),
        (replace(PRODUCTION, name="another"), P, "the same packages"),
        (DEVELOPMENT, F, "more (less, pytest 9)"),
        (flavour({}, programs=["sh"]), F, "less (bottle 0.13)"),
        (flavour({"bottle": "0.14"}, programs=["sh"]), F, "more (bottle 0.14) less (bottle 0.13)"),
        (replace(PRODUCTION, image=replace(PRODUCTION.image, config={"User": "1"})), F, "is set"),
    ],
)
def test_the_default_is_production(plain: Flavour, outcome: Outcome, words: str) -> None:
    result = flavours.default(plain, PRODUCTION)
    assert result.outcome is outcome
    assert words in result.message


def test_many_differences_are_counted() -> None:
    plain = flavour({f"p{n}": "1" for n in range(9)} | {"bottle": "0.13"}, programs=["sh"])
    assert "p4 1 and 4 others" in flavours.default(plain, PRODUCTION).message


@pytest.mark.parametrize(("built", "outcome"), [(False, P), (True, F)])
def test_an_unknown_value_is_refused(built: bool, outcome: Outcome) -> None:
    result = flavours.unknown(Refused("qa1", built=built))
    assert result.outcome is outcome
    assert "ENV=qa1" in result.message


@pytest.mark.parametrize(("size", "outcome"), [(100, P), (101, F), (102, F)])
def test_production_is_smaller(size: int, outcome: Outcome) -> None:
    result = flavours.smaller(DEVELOPMENT, flavour({}, size=size))
    assert result.outcome is outcome
    assert "MB" in result.message


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (["A=1"], ["A=1"], []),
        (["ENVOY=1"], ["ENVOY=1"], []),
        (["A=1", "ENV=x"], ["A=1", "ENV=y"], ["ENV"]),
        (["ENV=x"], ["ENV=x"], ["ENV"]),
        (["DEBUG=1"], [], ["DEBUG"]),
        ([], ["DEBUG=1"], ["DEBUG"]),
    ],
)
def test_the_environment_does_not_tell(one: list[str], other: list[str], found: list[str]) -> None:
    result: Result = flavours.environment(flavour({}, env=one), flavour({}, env=other))
    assert result.outcome is (F if found else P)
    assert all(name in result.message for name in found)
