"""Reads Dockerfiles as BuildKit does: stages, lines, comments, here-documents. Builds nothing."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from grader.dockerfile import Dockerfile, Instruction, expand
from grader.errors import SubmissionError


def parse(text: str) -> Dockerfile:
    return Dockerfile.parse(text.encode())


def names(text: str) -> list[tuple[str, int, int]]:
    """(name, first line, last line) of each instruction."""
    return [(i.name, i.line, i.end) for i in parse(text).instructions]


def only(text: str) -> Instruction:
    """The one instruction that follows ``FROM scratch``."""
    first, one = parse(f"FROM scratch\n{text}").instructions
    assert first.name == "FROM"
    return one


# -- erratum E1: a comment swallows the next FROM -------------------------------------------------

E1 = """\
FROM python:3.11-slim AS prep
WORKDIR /models
RUN python -c "print(1); \\
    # a comment goes before the lines are joined

# one more, between two stages
FROM python:3.11-slim as builder
RUN python -m venv /opt/venv

FROM python:3.11-slim
COPY --from=builder /opt/venv /opt/venv
"""


def test_a_from_below_a_comment_in_a_continuation_starts_no_stage() -> None:
    file = parse(E1)
    assert [(s.name, s.line) for s in file.stages] == [("prep", 1), ("", 10)]
    assert file.stage("builder") is None


def test_the_swallowed_from_is_told_with_its_lines() -> None:
    (lost,) = parse(E1).swallowed
    assert (lost.name, lost.line, lost.gap_line, lost.instruction_line) == ("builder", 7, 4, 3)


def test_the_instruction_that_swallowed_reaches_to_the_from() -> None:
    assert names(E1)[2] == ("RUN", 3, 7)


def test_without_the_backslash_nothing_is_swallowed() -> None:
    file = parse(E1.replace(" \\\n", "\n"))
    assert [s.name for s in file.stages] == ["prep", "builder", ""]
    assert file.swallowed == ()


def test_an_empty_line_does_not_end_it_either() -> None:
    (lost,) = parse("FROM a:1\nRUN x && \\\n\nFROM b:1 AS builder\nRUN y\n").swallowed
    assert (lost.name, lost.line, lost.gap_line, lost.instruction_line) == ("builder", 4, 3, 2)


def test_the_gap_is_the_one_right_above_the_swallowed_from() -> None:
    (lost,) = parse("FROM a:1\nRUN x \\\n# fine\n  y \\\n\nFROM b:1 AS builder\n").swallowed
    assert (lost.line, lost.gap_line) == (6, 5)


def test_a_swallowed_from_in_lower_case_without_a_name() -> None:
    (lost,) = parse("FROM a:1\nRUN x \\\n# c\nfrom b:1\n").swallowed
    assert (lost.name, lost.line) == ("", 4)


def test_a_word_that_only_begins_like_from_is_not_swallowed() -> None:
    assert parse("FROM a:1\nRUN x \\\n# c\n  FROMAGE b\n").swallowed == ()


# -- lines, comments, continuations ---------------------------------------------------------------

LINES = [
    ("one line each", "FROM a:1\nRUN b\n", [("FROM", 1, 1), ("RUN", 2, 2)]),
    ("no newline at the end", "FROM a:1\nRUN b", [("FROM", 1, 1), ("RUN", 2, 2)]),
    ("empty lines between", "\n\nFROM a:1\n\n\nRUN b\n", [("FROM", 3, 3), ("RUN", 6, 6)]),
    ("comments between", "# x\nFROM a:1\n  # y\nRUN b\n", [("FROM", 2, 2), ("RUN", 4, 4)]),
    (
        "a continuation",
        "FROM a:1\nRUN b \\\n  c\nRUN d\n",
        [("FROM", 1, 1), ("RUN", 2, 3), ("RUN", 4, 4)],
    ),
    (
        "blanks behind the backslash",
        "FROM a:1\nRUN b \\ \t\n  c\n",
        [("FROM", 1, 1), ("RUN", 2, 3)],
    ),
    (
        "a comment in a continuation",
        "FROM a:1\nRUN b \\\n # x\n  c\n",
        [("FROM", 1, 1), ("RUN", 2, 4)],
    ),
    (
        "an empty line in a continuation",
        "FROM a:1\nRUN b \\\n\n  c\n",
        [("FROM", 1, 1), ("RUN", 2, 4)],
    ),
    ("a backslash at the very end", "FROM a:1\nRUN b \\", [("FROM", 1, 1), ("RUN", 2, 2)]),
    (
        "a backslash and a newline at the end",
        "FROM a:1\nRUN b \\\n",
        [("FROM", 1, 1), ("RUN", 2, 2)],
    ),
    (
        "a backslash and a comment at the end",
        "FROM a:1\nRUN b \\\n# x\n",
        [("FROM", 1, 1), ("RUN", 2, 2)],
    ),
    (
        "two backslashes do not continue",
        "FROM a:1\nRUN b\\\\\nRUN c\n",
        [("FROM", 1, 1), ("RUN", 2, 2), ("RUN", 3, 3)],
    ),
    ("a lone backslash, then one", "\\\nFROM a:1\nRUN b\n", [("FROM", 1, 2), ("RUN", 3, 3)]),
    ("Windows line ends", "FROM a:1\r\nRUN b \\\r\n  c\r\n", [("FROM", 1, 1), ("RUN", 2, 3)]),
    ("a byte order mark", "\ufeffFROM a:1\nRUN b\n", [("FROM", 1, 1), ("RUN", 2, 2)]),
    ("indented", "  FROM a:1\n\tRUN b\n", [("FROM", 1, 1), ("RUN", 2, 2)]),
    ("tabs behind the name", "FROM\ta:1\nRUN\tb\n", [("FROM", 1, 1), ("RUN", 2, 2)]),
]


@pytest.mark.parametrize(("text", "wanted"), [r[1:] for r in LINES], ids=[r[0] for r in LINES])
def test_lines_of_instructions(text: str, wanted: list[tuple[str, int, int]]) -> None:
    file = parse(text)
    assert [(i.name, i.line, i.end) for i in file.instructions] == wanted
    assert file.problems == ()


def test_a_comment_in_a_continuation_is_not_part_of_the_text() -> None:
    assert only("RUN b \\\n # not this\n  c\n").text.split() == ["b", "c"]


def test_a_hash_in_the_middle_of_a_line_is_no_comment() -> None:
    assert only("RUN echo a # b\n").text == "echo a # b"


def test_lines_are_joined_without_a_blank_as_buildkit_does() -> None:
    assert parse("FROM python:3.11\\\n-slim\n").stages[0].base == "python:3.11-slim"


# -- parser directives ----------------------------------------------------------------------------

ESCAPED = "FROM a:1\nRUN b `\n  c\n"
DIRECTIVES = [
    ("none: the backtick is a character", ESCAPED, 3),
    ("escape", f"# escape=`\n{ESCAPED}", 2),
    ("blanks and capitals do not matter", f"#  ESCAPE = ` \n{ESCAPED}", 2),
    ("after syntax", f"# syntax=docker/dockerfile:1\n# escape=`\n{ESCAPED}", 2),
    ("before syntax", f"# escape=`\n# syntax=docker/dockerfile:1\n{ESCAPED}", 2),
    ("behind a byte order mark", f"\ufeff# escape=`\n{ESCAPED}", 2),
    ("with Windows line ends", f"# escape=`\n{ESCAPED}".replace("\n", "\r\n"), 2),
    ("after a comment it is one too", f"# hello\n# escape=`\n{ESCAPED}", 3),
    ("after an empty line it is a comment", f"\n# escape=`\n{ESCAPED}", 3),
    ("after an unknown one it is a comment", f"# foo=bar\n# escape=`\n{ESCAPED}", 3),
    ("after an instruction it is a comment", "FROM a:1\n# escape=`\nRUN b `\n  c\n", 3),
]


@pytest.mark.parametrize(
    ("text", "count"), [r[1:] for r in DIRECTIVES], ids=[r[0] for r in DIRECTIVES]
)
def test_the_escape_directive(text: str, count: int) -> None:
    assert len(parse(text).instructions) == count


def test_with_another_escape_the_backslash_is_a_character() -> None:
    text = "# escape=`\nFROM a:1\nWORKDIR C:\\\nRUN b\n"
    assert names(text) == [("FROM", 2, 2), ("WORKDIR", 3, 3), ("RUN", 4, 4)]


# -- here-documents -------------------------------------------------------------------------------

HEREDOCS = [
    ("plain", "RUN <<EOF\nb\nEOF\n", ["b"]),
    ("with a FROM inside", "RUN <<EOF\nFROM b:1 AS x\nRUN c\nEOF\n", ["FROM b:1 AS x\nRUN c"]),
    ("with a comment and a backslash inside", "RUN <<EOF\n# b\nc \\\nEOF\n", ["# b\nc \\"]),
    ("with empty lines inside", "RUN <<EOF\n\nb\n\nEOF\n", ["\nb\n"]),
    ("empty", "RUN <<EOF\nEOF\n", [""]),
    ("single quotes", "RUN <<'EOF'\n$b\nEOF\n", ["$b"]),
    ("double quotes", 'RUN <<"EOF"\n$b\nEOF\n', ["$b"]),
    ("tabs taken off the end with <<-", "RUN <<-EOF\n\tb\n\tEOF\n", ["\tb"]),
    ("blanks are not tabs: the first end does not count", "RUN <<-EOF\n  EOF\nEOF\n", ["  EOF"]),
    ("without the dash a tab counts", "RUN <<EOF\n\tEOF\nEOF\n", ["\tEOF"]),
    ("a longer word is not the end", "RUN <<EOF\nEOF2\nEOF\n", ["EOF2"]),
    ("two in one line", "COPY <<one <<two /x/\n1\none\n2\ntwo\n", ["1", "2"]),
    (
        "the second's name inside the first",
        "COPY <<one <<two /x/\ntwo\none\n2\ntwo\n",
        ["two", "2"],
    ),
    ("a file descriptor", "RUN 3<<EOF cat\nb\nEOF\n", ["b"]),
    ("after a command", "RUN python3 <<EOF > /x\nprint(1)\nEOF\n", ["print(1)"]),
    ("after a continuation", "RUN a && \\\n  cat <<EOF\nb\nEOF\n", ["b"]),
    ("in a COPY with a flag", "COPY --chmod=644 <<EOF /x\nb\nEOF\n", ["b"]),
    ("in an ADD", "ADD <<EOF /x\nb\nEOF\n", ["b"]),
    ("Windows line ends", "RUN <<EOF\r\nb\r\nEOF\r\n", ["b"]),
    ("after a test in brackets", "RUN [ -d /x ] || cat <<EOF\nb\nEOF\n", ["b"]),
    ("a name with more than letters", "COPY <<E-1 /x\nb\nE-1\n", ["b"]),
    ("a name with a dot", "COPY <<END.TXT /x\nb\nEND.TXT\n", ["b"]),
    ("in an ONBUILD", "ONBUILD RUN <<EOF\nb\nEOF\n", ["b"]),
]


@pytest.mark.parametrize(
    ("text", "bodies"), [r[1:] for r in HEREDOCS], ids=[r[0] for r in HEREDOCS]
)
def test_here_documents(text: str, bodies: list[str]) -> None:
    file = parse(f"FROM scratch\n{text}USER 1\n")
    assert file.problems == ()
    assert [i.name for i in file.instructions][2:] == ["USER"]
    assert list(file.instructions[1].heredocs) == bodies
    assert file.instructions[1].end == text.count("\n") + 1
    assert file.instructions[2].line == text.count("\n") + 2
    assert len(file.stages) == 1


NO_HEREDOCS = [
    ("a shift", "RUN echo $((1<<N))\n"),
    ("a here-string", "RUN cat <<<word\n"),
    ("a here-string in quotes", "RUN bash -c 'cat <<<word'\n"),
    ("in double quotes", 'RUN bash -c "cat <<EOF"\n'),
    ("in single quotes", "RUN bash -c 'cat <<EOF'\n"),
    ("in the list form", 'RUN ["bash", "-c", "cat <<EOF"]\n'),
    ("not a word of its own", "RUN cat<<EOF\n"),
    ("nothing behind it", "RUN cat << \n"),
    ("in an ENV", "ENV A=<<EOF\n"),
    ("in a CMD", "CMD cat <<EOF\n"),
    ("in an echo with quotes", "RUN echo '<<EOF' > /x\n"),
]


@pytest.mark.parametrize("text", [r[1] for r in NO_HEREDOCS], ids=[r[0] for r in NO_HEREDOCS])
def test_no_here_documents(text: str) -> None:
    file = parse(f"FROM scratch\n{text}USER 1\n")
    assert [i.name for i in file.instructions][2:] == ["USER"]
    assert file.problems == ()
    assert file.instructions[1].heredocs == ()


def test_an_unclosed_here_document_is_a_problem_at_its_line() -> None:
    (problem,) = parse("FROM a:1\nRUN <<EOF\nb\n EOF\n").problems
    assert problem.line == 2
    assert "EOF" in problem.message
    assert "never closed" in problem.message


def test_an_unclosed_second_here_document_is_named() -> None:
    (problem,) = parse("FROM a:1\nCOPY <<one <<two /x/\n1\none\n2\n").problems
    assert "two" in problem.message


# -- stages, ARG, FROM ----------------------------------------------------------------------------

FROMS = [
    ("plain", "FROM a:1\n", [("", "a:1")]),
    ("named", "FROM a:1 AS x\n", [("x", "a:1")]),
    ("lower case", "from a:1 as x\n", [("x", "a:1")]),
    ("mixed case keeps the name", "FROM a:1 As Builder\n", [("Builder", "a:1")]),
    ("a platform", "FROM --platform=linux/amd64 a:1 AS x\n", [("x", "a:1")]),
    ("a platform variable", "FROM --platform=$BUILDPLATFORM a:1 AS x\n", [("x", "a:1")]),
    ("over two lines", "FROM a:1 \\\n  AS x\n", [("x", "a:1")]),
    ("tabs", "FROM\ta:1\tAS\tx\n", [("x", "a:1")]),
    ("from a stage", "FROM a:1 AS x\nFROM x\n", [("x", "a:1"), ("", "x")]),
    ("by digest", "FROM a@sha256:00\n", [("", "a@sha256:00")]),
    ("ARG", "ARG B=a:1\nFROM $B\n", [("", "a:1")]),
    ("ARG in braces", "ARG B=a\nFROM ${B}:1\n", [("", "a:1")]),
    ("ARG from an ARG", "ARG V=1\nARG B=a:$V\nFROM $B\n", [("", "a:1")]),
    ("two in one ARG", "ARG B=a V=1\nFROM $B:$V\n", [("", "a:1")]),
    ("a quoted ARG", 'ARG B="a:1"\nFROM $B\n', [("", "a:1")]),
    ("a default that is used", "FROM ${B:-a:1}\n", [("", "a:1")]),
    ("a default that is not used", "ARG B=b:2\nFROM ${B:-a:1}\n", [("", "b:2")]),
    ("a default in a default", "ARG V=1\nFROM ${B:-${C:-a:$V}}\n", [("", "a:1")]),
    ("instead, when set", "ARG S=1\nFROM a:1${S:+-slim}\n", [("", "a:1-slim")]),
    ("instead, when not set", "FROM a:1${S:+-slim}\n", [("", "a:1")]),
    ("an ARG without a value", "ARG B\nFROM $B\n", [("", "")]),
    ("an unknown name is empty", "FROM $B\n", [("", "")]),
    (
        "an ARG inside a stage is not global",
        "FROM a:1\nARG B=b:1\nFROM ${B:-c:1}\n",
        [("", "a:1"), ("", "c:1")],
    ),
]


@pytest.mark.parametrize(("text", "stages"), [r[1:] for r in FROMS], ids=[r[0] for r in FROMS])
def test_names_and_bases_of_stages(text: str, stages: list[tuple[str, str]]) -> None:
    file = parse(text)
    assert [(s.name, s.base) for s in file.stages] == stages
    assert file.problems == ()


def test_a_stage_is_found_by_name_in_any_case_and_by_number() -> None:
    file = parse("FROM a:1 AS One\nFROM b:1\n")
    assert file.stage("one") is file.stage("ONE") is file.stage("0") is file.stages[0]
    assert file.stage("1") is file.stages[1]
    assert file.stage("2") is None
    assert file.stage("two") is None


EXPANSIONS = [
    ("$A", "a"),
    ("${A}", "a"),
    ("x$A-y", "xa-y"),
    ("${A}${B}", "ab"),
    ("${A:-z}", "a"),
    ("${N:-z}", "z"),
    ("${N-z}", "z"),
    ("${E:-z}", "z"),
    ("${A:+z}", "z"),
    ("${N:+z}", ""),
    ("${N:-}", ""),
    ("$N", ""),
    ("plain", "plain"),
    ("5$", "5$"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "wanted"), EXPANSIONS)
def test_expansion_of_variables(text: str, wanted: str) -> None:
    assert expand(text, {"A": "a", "B": "b", "E": ""}) == wanted


# -- flags and sources ----------------------------------------------------------------------------

SOURCES = [
    ("COPY a /a", (), "a /a"),
    ("COPY --from=x a /a", ("x",), "a /a"),
    ("COPY --chown=1:1 --from=x a /a", ("x",), "a /a"),
    ("COPY --from=x --link a /a", ("x",), "a /a"),
    ("COPY\t--from=x\ta /a", ("x",), None),
    ("COPY --from=0 a /a", ("0",), "a /a"),
    ("COPY --from=nginx:1.27 a /a", ("nginx:1.27",), "a /a"),
    ("RUN --mount=from=x,target=/x b", ("x",), "b"),
    ("RUN --mount=type=bind,from=x,target=/x b", ("x",), "b"),
    ("RUN --mount=type=cache,target=/x b", (), "b"),
    ("RUN --mount=type=cache,target=/c --mount=type=bind,from=y,target=/y b", ("y",), "b"),
    ("RUN --network=none b", (), "b"),
    ("RUN pip install --from=x", (), "pip install --from=x"),
    ("RUN b --mount=from=x", (), "b --mount=from=x"),
]


@pytest.mark.parametrize(("text", "sources", "rest"), SOURCES, ids=[r[0] for r in SOURCES])
def test_where_files_are_taken_from(text: str, sources: tuple[str, ...], rest: str | None) -> None:
    one = only(text)
    assert one.sources == sources
    if rest is not None:
        assert one.text == rest


def test_a_flag_is_found_by_name() -> None:
    one = only("HEALTHCHECK --interval=5s --timeout=3s CMD true")
    assert one.flag("timeout") == "3s"
    assert one.flag("retries") is None
    assert one.text == "CMD true"


def test_a_flag_without_a_value_is_empty() -> None:
    assert only("COPY --link a /a").flag("link") == ""


def test_an_env_that_begins_like_a_flag_keeps_it() -> None:
    assert only("ENV --x=1").text == "--x=1"


# -- lines of BuildKit's steps --------------------------------------------------------------------

STEPS = """\
ARG B=python:3.11-slim
FROM $B AS builder
ENV A=1
WORKDIR /x
LABEL b=2
COPY a /a
RUN one \\
  two
RUN <<EOF
three
EOF
USER 1

FROM builder AS test
RUN four

FROM scratch
COPY --from=builder /a /a
ADD b /b
"""
STEP_LINES = [
    ("builder", 1, "FROM docker.io/library/python:3.11-slim", 2),
    ("builder", 2, "WORKDIR /x", 4),
    ("builder", 3, "COPY a /a", 6),
    ("builder", 4, "RUN one   two", 7),
    ("builder", 5, "RUN <<EOF (three...)", 9),
    ("builder", 6, "RUN six", None),
    ("builder", 0, "RUN none", None),
    ("test", 1, "RUN four", 15),  # BuildKit does not number a FROM of another stage …
    ("test", 2, "RUN five", None),
    ("2", 1, "COPY --from=builder /a /a", 18),  # … nor a FROM scratch
    ("2", 2, "ADD b /b", 19),
    ("2", 3, "ADD c /c", None),
]


@pytest.mark.parametrize(("stage", "number", "text", "line"), STEP_LINES)
def test_the_line_of_a_step(stage: str, number: int, text: str, line: int | None) -> None:
    found = parse(STEPS).stage(stage)
    assert found is not None
    assert found.line_of_step(number, text) == line


UNNUMBERED = ["FROM scratch\n", "FROM a:1 AS one\nFROM one\n"]


@pytest.mark.parametrize("start", UNNUMBERED)
def test_with_variables_a_step_has_its_line_or_none(start: str) -> None:
    stage = parse(f"{start}COPY $A /a\nCOPY $B /b\n").stages[-1]
    first = start.count("\n") + 1
    assert stage.line_of_step(1, "COPY x /a") in (None, first)
    assert stage.line_of_step(2, "COPY y /b") in (None, first + 1)


def test_two_equal_steps_are_told_apart_by_their_number() -> None:
    (stage,) = parse("FROM a:1\nRUN x\nCOPY a /a\nRUN x\n").stages
    assert [stage.line_of_step(n, "RUN x") for n in (2, 4)] == [2, 4]


# -- what cannot be understood --------------------------------------------------------------------

PROBLEMS = [
    ("an unknown instruction", "FROM a:1\nINSTALL b\n", 2, "Unknown instruction 'INSTALL'"),
    ("a typo in the first line", "FORM a:1\n", 1, "Unknown instruction 'FORM'"),
    ("a shell line", "FROM a:1\napt-get update\n", 2, "Unknown instruction"),
    ("a missing backslash", "FROM a:1\nRUN a &&\n  b c\n", 3, "Unknown instruction 'B'"),
    ("nothing behind it", "FROM a:1\nCOPY\n", 2, "COPY needs something after it"),
    ("only a flag behind it", "FROM a:1\nHEALTHCHECK --interval=5s\n", 2, "HEALTHCHECK needs"),
    ("an empty FROM", "FROM\n", 1, "FROM needs something after it"),
    ("before the first FROM", "RUN a\nFROM a:1\n", 1, "RUN stands before the first FROM"),
    ("only comments", "# FROM a:1\n", 1, "no FROM"),
    ("only an ARG", "ARG A=1\n", 1, "no FROM"),
]


@pytest.mark.parametrize(
    ("text", "line", "words"), [r[1:] for r in PROBLEMS], ids=[r[0] for r in PROBLEMS]
)
def test_problems_have_a_line_and_words(text: str, line: int, words: str) -> None:
    problem = parse(text).problems[0]
    assert problem.line == line
    assert words in problem.message


@pytest.mark.parametrize("text", ["\\\n", "  \\  \n\n", "\\\n# a\n", "# a\n\\"])
def test_nothing_but_a_backslash_is_refused_in_words(text: str) -> None:
    try:
        refused = bool(parse(text).problems)
    except SubmissionError:
        refused = True
    assert refused


@pytest.mark.parametrize("end", ["\\", "\\\n", "\\\n\n", "\\\n# a\n"])
def test_a_last_line_that_is_only_a_backslash_does_no_harm(end: str) -> None:
    assert [i.name for i in parse(f"FROM a:1\nRUN b\n{end}").instructions] == ["FROM", "RUN"]


def test_a_very_long_unknown_word_is_cut() -> None:
    (problem,) = parse("FROM a:1\n" + "x" * 5000 + "\n").problems
    assert len(problem.message) < 100


def test_every_problem_is_kept() -> None:
    assert [p.line for p in parse("FROM a:1\nA\nB\n").problems] == [2, 3]


@pytest.mark.parametrize(
    ("data", "words", "line"),
    [
        (b"", "empty", None),
        (b" \n\t\n", "empty", None),
        (b"\xef\xbb\xbf", "empty", None),
        (b"FROM a:1\nRUN echo \xff\n", "not UTF-8", 2),
        ("FROM a:1\n# caf\u00e9\n".encode("latin-1"), "not UTF-8", 2),
        ("FROM a:1\n".encode("utf-16"), "not UTF-8", 1),
        (b"FROM a:1\nRUN a\x00b\n", "NUL", None),
    ],
    ids=["empty", "blank", "only a BOM", "a bad byte", "Latin-1", "UTF-16", "NUL"],
)
def test_what_is_no_text_at_all(data: bytes, words: str, line: int | None) -> None:
    with pytest.raises(SubmissionError, match=words) as caught:
        Dockerfile.parse(data)
    assert caught.value.line == line


# -- robustness -----------------------------------------------------------------------------------

PIECES = (
    *("FROM ", "RUN ", "COPY ", "ARG A=", "ONBUILD ", "AS ", "--from=", "--mount=from=a,"),
    *("<<EOF", "<<-E", "<<'Q'", "EOF", "E", "\n", "\n", "\\\n", "\\", "#", "# escape=`\n", "`"),
    *('"', "'", "$", "${", ":-", "}", "[", "a", " ", "\t", "\r\n", "\r", "\ufeff", "\x0b", "\x0c"),
    *("\x1c", "\x85", "\u2028", "\u00a0", "\x00", "é", "😀"),
)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_handed_in_nothing_but_a_submission_error_is_raised(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(150):
        text = "".join(dice.choice(PIECES) for _ in range(dice.randint(0, 25)))
        try:
            file = parse(text)
        except SubmissionError:
            continue
        except Exception as err:  # noqa: BLE001
            pytest.fail(f"{text!r}: {type(err).__name__}: {err}")
        assert file.stages or file.problems, repr(text)
        last = text.count("\n") + 1
        for one in file.instructions:
            assert 1 <= one.line <= one.end <= last, repr(text)


def test_random_bytes_are_read_or_refused() -> None:
    dice = random.Random(7)
    for _ in range(500):
        data = dice.randbytes(dice.randint(0, 60))
        with suppress(SubmissionError):
            Dockerfile.parse(data)


def test_a_large_file_is_read_in_no_time() -> None:
    text = "FROM a:1\n" + "RUN echo \\\n  # x\n\n  b\n" * 8_000
    assert len(parse(text).instructions) == 8_001


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fails what takes longer, instead of waiting for it."""

    def late(*_: object) -> None:
        pytest.fail(f"not within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("piece", ["\"'", '"', "'", '\\"', "<<", "<<a ", "a=", "--x "])
def test_a_line_of_200_kb_is_read_in_no_time(piece: str) -> None:
    with suppress(SubmissionError), within(10):
        parse("FROM a:1\nRUN " + piece * (199_000 // len(piece)) + "\n")


@pytest.mark.parametrize("line", ["FROM a:1 AS b", "RUN a", "ARG A=1", "COPY --from=a b /c", "x"])
def test_200_kb_of_lines_are_read_or_refused_in_no_time(line: str) -> None:
    """Nobody could stop the parser: it runs in the grader's own process."""
    with suppress(SubmissionError), within(10):
        parse("FROM a:1\n" + f"{line}\n" * (199_000 // (len(line) + 1)))


def test_many_open_braces_do_not_take_for_ever() -> None:
    assert parse("FROM " + "${" * 20_000 + "\n").stages
