"""What is read in the Dockerfile alone: a table a check, both sides of each edge."""

from __future__ import annotations

import pytest

from grader.checks import dockerfile
from grader.dockerfile import Dockerfile
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL


def parsed(text: str) -> Dockerfile:
    return Dockerfile.parse(text.encode())


# -- parses ---------------------------------------------------------------------------------------

PARSES = [
    ("one stage", "FROM a:1\nRUN b\n", P, None, "1 stage(s), 2 instructions"),
    ("two stages", "FROM a:1 AS x\nFROM x\n", P, None, "2 stage(s)"),
    ("a here-document", "FROM a:1\nRUN <<EOF\nRUNN\nEOF\n", P, None, ""),
    ("Windows line ends", "FROM a:1\r\nRUN b\r\n", P, None, ""),
    ("an unknown instruction", "FROM a:1\nRUNN b\n", F, 2, "Line 2: Unknown instruction 'RUNN'."),
    ("two of them", "FROM a:1\nRUNN b\nCOPYY\n", F, 2, "And 1 more."),
    ("no FROM", "ARG A=1\n", F, 1, "no FROM"),
    ("an open here-document", "FROM a:1\nRUN <<EOF\nb\n", F, 2, "EOF is never closed"),
    ("before the first FROM", "RUN a\nFROM a:1\n", F, 1, "before the first FROM"),
]


@pytest.mark.parametrize(
    ("text", "outcome", "line", "words"), [r[1:] for r in PARSES], ids=[r[0] for r in PARSES]
)
def test_parses(text: str, outcome: Outcome, line: int | None, words: str) -> None:
    result = dockerfile.parses(parsed(text))
    assert (result.outcome, result.line) == (outcome, line)
    assert words in result.message


# -- pinned ---------------------------------------------------------------------------------------

PINNED = [
    ("a tag", "FROM python:3.11-slim\n", P, None),
    ("a coarse tag", "FROM python:3\n", P, None),
    ("no tag", "FROM python\n", F, 1),
    ("latest", "FROM python:latest\n", F, 1),
    ("a tag that holds latest", "FROM python:latest-3.11\n", P, None),
    ("a digest", "FROM python@sha256:aa\n", P, None),
    ("latest with a digest", "FROM python:latest@sha256:aa\n", P, None),
    ("an empty tag", "FROM python:\n", F, 1),
    ("a registry's port is no tag", "FROM localhost:5000/python\n", F, 1),
    ("a registry and a tag", "FROM localhost:5000/python:3.11\n", P, None),
    ("a path and no tag", "FROM ghcr.io/me/python\n", F, 1),
    ("scratch", "FROM scratch\n", P, None),
    ("an earlier stage", "FROM a:1 AS x\nFROM x\n", P, None),
    ("an earlier stage in capitals", "FROM a:1 AS x\nFROM X\n", P, None),
    ("a later stage is none yet", "FROM x\nFROM a:1 AS x\n", F, 1),
    ("only its own name", "FROM python AS python\n", F, 1),
    ("the second FROM", "FROM a:1 AS x\nRUN b\nFROM python\n", F, 3),
    ("a loose builder is loose too", "FROM python AS x\nFROM a:1\nCOPY --from=x /x /x\n", F, 1),
    ("an ARG with a tag", "ARG B=python:3.11\nFROM $B\n", P, None),
    ("an ARG without", "ARG B=python\nFROM $B\n", F, 2),
    ("an ARG for the tag", "ARG V=3.11\nFROM python:${V}-slim\n", P, None),
    ("an ARG for latest", "ARG V=latest\nFROM python:$V\n", F, 2),
    ("an expression", "ARG V=latest-3.11\nFROM python:${V%-3.11}\n", F, 2),
    ("a default of latest", "FROM python:${V:-latest}\n", F, 1),
    ("an ARG without a value", "ARG V\nFROM python:$V\n", F, 2),
    ("an ARG that is nothing", "ARG B\nFROM $B\n", F, 2),
    ("lower case", "from python as x\n", F, 1),
    ("a comment with a tag is none", "FROM python\n# FROM python:3.11\n", F, 1),
    ("a platform", "FROM --platform=linux/amd64 python\n", F, 1),
]


@pytest.mark.parametrize(
    ("text", "outcome", "line"), [r[1:] for r in PINNED], ids=[r[0] for r in PINNED]
)
def test_pinned(text: str, outcome: Outcome, line: int | None) -> None:
    result = dockerfile.pinned(parsed(text))
    assert (result.outcome, result.line) == (outcome, line)


def test_pinned_says_what_to_do() -> None:
    said = dockerfile.pinned(parsed("FROM python:latest\n")).message
    assert "Line 1: python:latest" in said
    assert "Name a version" in said


# -- stages ---------------------------------------------------------------------------------------

TWO = "FROM a:1 AS builder\nRUN b\nFROM a:1\n"
SWALLOWED = (
    'FROM a:1 AS prep\nRUN python -c "x; \\\n    # a comment\n\nFROM a:1 as builder\nFROM a:1\n'
)
STAGES = [
    ("nothing copied", TWO, P, None, ""),
    ("by name", f"{TWO}COPY --from=builder /x /y\n", P, None, ""),
    ("by name in capitals", f"{TWO}COPY --from=BUILDER /x /y\n", P, None, ""),
    ("by number", f"{TWO}COPY --from=0 /x /y\n", P, None, ""),
    ("by a mount", f"{TWO}RUN --mount=type=bind,from=builder,target=/x y\n", P, None, ""),
    ("an image with a tag", f"{TWO}COPY --from=nginx:1.27 /x /y\n", P, None, ""),
    ("an image with a digest", f"{TWO}COPY --from=nginx@sha256:aa /x /y\n", P, None, ""),
    ("an image with a path", f"{TWO}COPY --from=ghcr.io/x/uv /x /y\n", P, None, ""),
    ("a typo", f"{TWO}COPY --from=biulder /x /y\n", F, 4, "'biulder'"),
    ("a typo names what there is", f"{TWO}COPY --from=biulder /x /y\n", F, 4, "builder"),
    ("a typo in a mount", f"{TWO}RUN --mount=from=biulder,target=/x y\n", F, 4, "'biulder'"),
    ("a number too high", f"{TWO}COPY --from=2 /x /y\n", F, 4, "'2'"),
    ("itself, by number", f"{TWO}COPY --from=1 /x /y\n", F, 4, "'1'"),
    ("an image without a tag", f"{TWO}COPY --from=nginx /x /y\n", F, 4, "an image needs a tag"),
    ("no stage has a name", "FROM a:1\nFROM a:1\nCOPY --from=x /x /y\n", F, 3, "none has a name"),
    ("a later stage", "FROM a:1\nCOPY --from=x /x /y\nFROM a:1 AS x\n", F, 2, "line 3"),
    ("itself", "FROM a:1 AS x\nCOPY --from=x /x /y\n", F, 2, "'x'"),
    ("in an earlier stage", "FROM a:1 AS x\nCOPY --from=y /x /y\nFROM a:1\n", F, 2, "'y'"),
    ("swallowed and copied from", f"{SWALLOWED}COPY --from=builder /x /y\n", F, 5, "line 3"),
    ("swallowed, another copied from", f"{SWALLOWED}COPY --from=prep /x /y\n", F, 5, "line 5"),
    ("swallowed and a typo", f"{SWALLOWED}COPY --from=other /x /y\n", F, 7, "'other'"),
    (
        "a from inside a here-document",
        f"{TWO}RUN <<EOF\nCOPY --from=nope /x /y\nEOF\n",
        P,
        None,
        "",
    ),
    ("a from in a command", f"{TWO}RUN pip download --from=nope\n", P, None, ""),
]


@pytest.mark.parametrize(
    ("text", "outcome", "line", "words"), [r[1:] for r in STAGES], ids=[r[0] for r in STAGES]
)
def test_stages(text: str, outcome: Outcome, line: int | None, words: str) -> None:
    result = dockerfile.stages(parsed(text))
    assert (result.outcome, result.line) == (outcome, line)
    assert words in result.message


def test_stages_tells_a_swallowed_from_with_all_its_lines() -> None:
    said = dockerfile.stages(parsed(f"{SWALLOWED}COPY --from=builder /x /y\n")).message
    for words in ("Line 7", "'builder'", "FROM on line 5", "backslash above line 3", "of line 2"):
        assert words in said


SQL = 'FROM a:1\nRUN psql -c "SELECT a \\\n  # the table\n  FROM table_of_things WHERE b"\n'


def test_a_from_of_sql_is_no_swallowed_stage() -> None:
    assert dockerfile.stages(parsed(SQL)).outcome is P


def test_a_from_swallowed_by_a_backslash_alone_is_told_too() -> None:
    """The last line of a RUN ends in a backslash, and an empty line does not stop it."""
    text = (
        "FROM a:1 AS x\nRUN b && \\\n\nFROM a:1 AS builder\nFROM a:1\nCOPY --from=builder /x /y\n"
    )
    result = dockerfile.stages(parsed(text))
    assert (result.outcome, result.line) == (F, 4)
    assert "backslash" in result.message


# -- arg_scope ------------------------------------------------------------------------------------

ABOVE = "ARG V=1\nFROM a:$V AS x\n"
SCOPE = [
    ("only FROM uses it", ABOVE, P, None),
    ("none above", "FROM a:1\nARG V\nRUN echo $V\n", P, None),
    ("not declared again", f"{ABOVE}RUN echo $V\n", F, 3),
    ("in braces", f"{ABOVE}RUN echo ${{V}}\n", F, 3),
    ("with a default", f"{ABOVE}COPY ${{V:-x}} /\n", F, 3),
    ("in a label", f"{ABOVE}LABEL v=$V\n", F, 3),
    ("in an ENV", f"{ABOVE}ENV W=$V\n", F, 3),
    ("in a here-document", f"{ABOVE}RUN <<E\necho $V\nE\n", F, 3),
    ("declared again", f"{ABOVE}ARG V\nRUN echo $V\n", P, None),
    ("declared too late", f"{ABOVE}RUN echo $V\nARG V\n", F, 3),
    ("declared with a value", f"{ABOVE}ARG V=2\nRUN echo $V\n", P, None),
    ("declared among others", f"{ABOVE}ARG A=1 V B\nRUN echo $V\n", P, None),
    ("an ENV of that name", f"{ABOVE}ENV V=2\nRUN echo $V\n", P, None),
    ("an old ENV of that name", f"{ABOVE}ENV V 2\nRUN echo $V\n", P, None),
    ("the RUN sets it", f"{ABOVE}RUN V=2; echo $V\n", P, None),
    ("the RUN loops over it", f"{ABOVE}RUN for V in 1 2; do echo $V; done\n", P, None),
    ("a backslash before it", f"{ABOVE}RUN echo \\$V\n", P, None),
    ("a longer name", f"{ABOVE}RUN echo $VERSION\n", P, None),
    ("another stage declares it", f"{ABOVE}ARG V\nFROM a:1\nRUN echo $V\n", F, 5),
    ("the stage below declares it", f"{ABOVE}ARG V\nFROM x\nRUN echo $V\n", P, None),
    ("at the container's start", f"{ABOVE}CMD echo $V\n", P, None),
]


@pytest.mark.parametrize(
    ("text", "outcome", "line"), [s[1:] for s in SCOPE], ids=[s[0] for s in SCOPE]
)
def test_arg_scope(text: str, outcome: Outcome, line: int | None) -> None:
    result = dockerfile.arg_scope(parsed(text))
    assert (result.outcome, result.line) == (outcome, line)
    assert ("ARG V" in result.message) is (outcome is F)


# -- exec_form ------------------------------------------------------------------------------------

EXEC = [
    ("neither", "FROM a:1\n", P, None),
    ("a list", 'FROM a:1\nCMD ["a", "b"]\n', P, None),
    ("an empty list", "FROM a:1\nCMD []\n", P, None),
    ("a shell", "FROM a:1\nCMD a b\n", F, 2),
    ("a shell for ENTRYPOINT", 'FROM a:1\nENTRYPOINT a\nCMD ["b"]\n', F, 2),
    ("single quotes make no list", "FROM a:1\nCMD ['a']\n", F, 2),
    ("a list of numbers", "FROM a:1\nCMD [1]\n", F, 2),
    ("the last one counts", 'FROM a:1\nCMD a\nCMD ["b"]\n', P, None),
    ("the last one counts, to its harm", 'FROM a:1\nCMD ["b"]\nCMD a\n', F, 3),
    ("a builder's does not count", "FROM a:1\nCMD a\nFROM a:1\n", P, None),
    ("a health probe's neither", "FROM a:1\nHEALTHCHECK CMD a\n", P, None),
]


@pytest.mark.parametrize(
    ("text", "outcome", "line"), [e[1:] for e in EXEC], ids=[e[0] for e in EXEC]
)
def test_exec_form(text: str, outcome: Outcome, line: int | None) -> None:
    result = dockerfile.exec_form(parsed(text))
    assert (result.outcome, result.line) == (outcome, line)


# -- no_secret_names ------------------------------------------------------------------------------

SECRETS = [
    ("none", "FROM a:1\nARG V=1\nENV A=1\n", P, None),
    ("an ARG", "FROM a:1\nARG API_KEY\n", F, 2),
    ("an ENV", "FROM a:1\nENV DB_PASSWORD=x\n", F, 2),
    ("small letters", "FROM a:1\nARG hf_token\n", F, 2),
    ("the second of a line", "FROM a:1\nENV A='x y' B_SECRET=1\n", F, 2),
    ("the old form", "FROM a:1\nENV TOKEN x\n", F, 2),
    ("in a builder", "FROM a:1\nARG TOKEN\nFROM a:1\n", F, 2),
    ("a value is no name", "FROM a:1\nENV A=TOKEN\n", P, None),
    ("a file's name", "FROM a:1\nENV API_KEY_FILE=/run/secrets/k\n", P, None),
    ("a part of a word", "FROM a:1\nENV TOKENIZERS_PARALLELISM=1\n", P, None),
    ("in a RUN", "FROM a:1\nRUN TOKEN=1 a\n", P, None),
]


@pytest.mark.parametrize(
    ("text", "outcome", "line"), [s[1:] for s in SECRETS], ids=[s[0] for s in SECRETS]
)
def test_no_secret_names(text: str, outcome: Outcome, line: int | None) -> None:
    result = dockerfile.no_secret_names(parsed(text))
    assert (result.outcome, result.line) == (outcome, line)
