"""Whether a syntax line is one: a table a check."""

from __future__ import annotations

import pytest

from grader.build import Build
from grader.buildlog import BuildLog
from grader.checks import frontend
from grader.frontends import Asked, Plain, Pointed
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
BUILD = Build("sha256:1", (), 1.25, BuildLog(None))


@pytest.mark.parametrize(
    ("as_written", "words"), [(True, "that it names"), (False, "engine's own frontend")]
)
def test_builds_tells_with_which_frontend(as_written: bool, words: str) -> None:
    result = frontend.builds(Plain(BUILD, as_written))
    assert result.outcome is P
    assert words in result.message
    assert result.evidence["as_written"] is as_written


OFFICIAL = [
    ("docker/dockerfile:1", P),
    ("docker/dockerfile:1.7", P),
    ("docker/dockerfile:1.7.0", P),
    ("docker/dockerfile:1-labs", P),
    ("docker.io/docker/dockerfile:1", P),
    (f"docker/dockerfile:1@sha256:{'a' * 64}", P),
    ("docker/dockerfile", F),
    ("docker/dockerfile:latest", F),
    ("docker/dockerfile:2", F),
    ("docker/dockerfile:10", F),
    ("docker/dockerfile:1x", F),
    ("lab/none:1", F),
    ("evil/docker/dockerfile:1", F),
    ("", F),
]


@pytest.mark.parametrize(("name", "outcome"), OFFICIAL)
def test_official(name: str, outcome: Outcome) -> None:
    result = frontend.official((Asked(3, name),))
    assert (result.outcome, result.line) == (outcome, 3 if outcome is F else None)


def test_each_syntax_line_must_name_it() -> None:
    result = frontend.official((Asked(1, "docker/dockerfile:1"), Asked(2, "other/one:1")))
    assert (result.outcome, result.line) == (F, 2)


def test_without_a_syntax_line_there_is_none_to_obey() -> None:
    result = frontend.official(())
    assert result.outcome is F
    assert "no line with # syntax=" in result.message


@pytest.mark.parametrize(("sought", "outcome"), [(True, P), (False, F)])
def test_live(sought: bool, outcome: Outcome) -> None:
    result = frontend.live(
        Pointed("lab.invalid/none:1", sought), (Asked(2, "docker/dockerfile:1"),)
    )
    assert (result.outcome, result.line) == (outcome, 2 if outcome is F else None)
    assert "lab.invalid/none:1" in result.message
