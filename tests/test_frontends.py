"""Lines that read like a syntax directive: found, pointed elsewhere, taken out."""

from __future__ import annotations

import json

import pytest

from grader.build import Build
from grader.buildlog import BuildLog
from grader.dockerfile import Dockerfile
from grader.frontends import Asked, asked, unresolved
from grader.syntax import neutral

FOUND = [
    ("the first line", "# syntax=a/b:1\nFROM x\n", [(1, "a/b:1")]),
    ("no blanks", "#syntax=a\nFROM x\n", [(1, "a")]),
    ("many blanks", "#  SYNTAX = a/b:1  \nFROM x\n", [(1, "a/b:1")]),
    ("two slashes", "// syntax=a\nFROM x\n", [(1, "a")]),
    ("under a comment", "# c\n\n# syntax=a\nFROM x\n", [(3, "a")]),
    ("at the end", "FROM x\n# syntax=a", [(2, "a")]),
    ("two of them", "# syntax=a\n# syntax=b\nFROM x\n", [(1, "a"), (2, "b")]),
    ("Windows line ends", "# syntax=a\r\nFROM x\r\n", [(1, "a")]),
    ("no name", "# syntax=\nFROM x\n", [(1, "")]),
    ("a colon", "# syntax: a\nFROM x\n", []),
    ("another word", "# syntaxes=a\nFROM x\n", []),
    ("in a RUN", "FROM x\nRUN echo '# syntax=a'\n", []),
]


@pytest.mark.parametrize(("text", "lines"), [f[1:] for f in FOUND], ids=[f[0] for f in FOUND])
def test_asked(text: str, lines: list[tuple[int, str]]) -> None:
    assert asked(Dockerfile.parse(text.encode())) == tuple(Asked(*row) for row in lines)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("# syntax=a\nFROM x\n", "#\nFROM x\n"),
        ("FROM x\n", "FROM x\n"),
        ("# c\n# syntax=a\nFROM x\n", "# c\n#\nFROM x\n"),
        ("# syntax=a\n# escape=`\nFROM x\n", "# escape=`\nFROM x\n"),
    ],
)
def test_neutral_asks_for_none_and_keeps_the_lines_where_it_can(text: str, plain: str) -> None:
    assert neutral(text) == plain


FRONTEND = "resolve image config for docker-image://{}"


def made(image: str, error: str, step: str = FRONTEND) -> Build:
    log = BuildLog(None)
    row = {"digest": "sha256:1", "name": step, "error": "exit code: 1"}
    log.feed(json.dumps({"vertexes": [row] if step else []}).encode() + b"\n")
    log.feed(f"ERROR: failed to solve: {error}\n".encode())
    log.close()
    return Build(image, (), 1, log, exit_code=0 if image else 1)


NOT_FOUND = "failed to resolve source metadata for {}: no such host"


def test_what_a_failed_step_quotes_is_no_search() -> None:
    """A RUN that writes the registry's words, a base of that name: neither is a frontend."""
    name = "lab.invalid/none:1"
    for step, sought in (
        ("[2/2] RUN echo failed to resolve", False),
        ("[2/2] RUN echo resolve image config for lab.invalid/none:1", False),
        ("[internal] load metadata for lab.invalid/none:1", False),
        ("[1/2] FROM lab.invalid/none:1", False),
        ("", False),
        (FRONTEND.format(name), True),
        (f"resolve image config for {name}", True),
    ):
        assert unresolved(made("", NOT_FOUND.format(name), step), name) is sought


@pytest.mark.parametrize(
    ("image", "error", "name", "sought"),
    [
        ("", NOT_FOUND.format("lab.invalid/none:1"), "lab.invalid/none:1", True),
        ("", NOT_FOUND.format("docker.io/lab/none:1"), "lab/none:1", True),
        ("", NOT_FOUND.format("docker.io/lab/none:1"), "docker.io/lab/none:1", True),
        ("", NOT_FOUND.format("docker.io/other:1"), "lab.invalid/none:1", False),
        ("", "lab.invalid/none:1 is in a RUN that failed", "lab.invalid/none:1", False),
        ("sha256:1", NOT_FOUND.format("lab.invalid/none:1"), "lab.invalid/none:1", False),
    ],
)
def test_only_a_build_that_looked_for_that_name_has_sought_it(
    image: str, error: str, name: str, sought: bool
) -> None:
    assert unresolved(made(image, error), name) is sought
