"""The line that names a frontend, as text, and which frontends the engine has inside."""

from __future__ import annotations

import pytest

from grader import syntax


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("docker/dockerfile", True),
        ("docker/dockerfile:1", True),
        ("docker/dockerfile:1.7", True),
        ("docker.io/docker/dockerfile:1.7.0", True),
        ("docker/dockerfile:1.7-labs", False),
        ("docker/dockerfile:master", False),
        ("docker/dockerfile:10", False),
        ("docker/dockerfile-upstream:1", False),
        ("nobody/docker/dockerfile:1", False),
        ("ghcr.io/docker/dockerfile:1", False),
        ("", False),
    ],
)
def test_the_engine_has_dockers_own_stable_one(name: str, *, own: bool) -> None:
    assert syntax.is_dockers_own(name) is own


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("x:1: failed to resolve source metadata for docker.io/x:1: no such host", "docker.io/x:1"),
        ("failed to compute cache key: not found", ""),
        ("", ""),
    ],
)
def test_the_image_that_could_not_be_found_is_named(message: str, name: str) -> None:
    assert syntax.unresolved(message) == name
