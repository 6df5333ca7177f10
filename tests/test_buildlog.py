"""Reads BuildKit's raw JSON progress, however it is cut and printed. Starts no build."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from grader.buildlog import KEPT_CHARACTERS, KEPT_LINES, BuildEvent, BuildLog, Step
from grader.dockerfile import Dockerfile

TEXT = """\
FROM python:3.11-slim AS builder
WORKDIR /x
COPY a /a
RUN one

FROM python:3.11-slim
COPY --from=builder /a /a
RUN two \\
  three
"""


def at(seconds: float) -> str:
    return f"2026-11-23T10:00:{seconds:012.9f}Z"


def vertex(name: str, digest: str = "", **more: Any) -> dict[str, Any]:
    return {"digest": digest or f"sha256:{name}", "name": name, **more}


def log_row(name: str, text: str | bytes, digest: str = "") -> dict[str, Any]:
    data = text.encode() if isinstance(text, str) else text
    return {
        "vertex": digest or f"sha256:{name}",
        "stream": 1,
        "data": base64.b64encode(data).decode(),
        "timestamp": at(3),
    }


INTERNAL = "[internal] load build definition from Dockerfile"
CACHED = "[builder 2/4] WORKDIR /x"
COPY = "[builder 3/4] COPY a /a"
RUN = "[builder 4/4] RUN one"
LAST = "[stage-1 3/3] RUN two   three"
STATUSES: list[dict[str, Any]] = [
    {"vertexes": [vertex(INTERNAL, started=at(0))]},
    {"vertexes": [vertex(INTERNAL, started=at(0), completed=at(0.5))]},
    {"vertexes": [vertex(CACHED, started=at(1), completed=at(1), cached=True)]},
    {"vertexes": [vertex(COPY, started=at(1))]},
    {
        "statuses": [
            {"id": "transferring context:", "vertex": "sha256:x", "current": 5, "total": 0},
            {"id": "sha256:1", "vertex": "sha256:x", "current": 99_999, "total": 0},
        ]
    },
    {"statuses": [{"id": "transferring context:", "vertex": "sha256:x", "current": 1234}]},
    {"statuses": [{"id": "transferring context:", "vertex": "sha256:x"}]},
    {"vertexes": [vertex(COPY, started=at(1), completed=at(2.25))]},
    {"vertexes": [vertex(RUN, started=at(2.5))]},
    {"logs": [log_row(RUN, "first li"), log_row(RUN, "ne\nsécond\n")]},
    {"vertexes": [vertex(RUN, started=at(2.5), completed=at(3), error="exit code: 7")]},
    {"vertexes": [vertex(LAST, started=at(2.5))]},
    {},
    {"vertexes": None, "logs": None, "statuses": None},
]
TRAILER = """\
 > [builder 4/4] RUN one:
0.245 first line
------
Dockerfile:4
--------------------
   2 |     WORKDIR /x
   4 | >>> RUN one
--------------------
ERROR: failed to solve: process "/bin/sh -c one" did not complete successfully: exit code: 7
"""


def raw(*, indent: int | None, trailer: str = TRAILER) -> bytes:
    objects = "".join(json.dumps(s, indent=indent) + "\n" for s in STATUSES)
    return (objects + trailer).encode()


def read(data: bytes, *, cut: tuple[int, ...] = (), text: str = TEXT) -> BuildLog:
    log = BuildLog(Dockerfile.parse(text.encode()))
    start = 0
    for end in (*cut, len(data)):
        log.feed(data[start:end])
        start = end
    log.close()
    return log


def wanted() -> tuple[Step, ...]:
    return (
        Step(INTERNAL, "", None, False, 0.5, moment(0), "", ()),
        Step(CACHED, "builder", 2, True, 0, moment(1), "", ()),
        Step(COPY, "builder", 3, False, 1.25, moment(1), "", ()),
        Step(RUN, "builder", 4, False, 0.5, moment(2.5), "exit code: 7", ("first line", "sécond")),
        Step(LAST, "stage-1", 8, False, 0, moment(2.5), "", ()),
    )


def moment(seconds: float) -> float:
    return 1795428000 + seconds  # 2026-11-23T10:00:00Z


# -- the stream -----------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 1, 2, 4])
def test_one_a_line_and_pretty_printed_give_the_same_steps(indent: int | None) -> None:
    log = read(raw(indent=indent))
    assert log.steps == wanted()
    assert log.context_bytes == 1234
    assert log.log_bytes == len("first line\nsécond\n".encode())
    assert list(log.trailer) == [line for line in TRAILER.splitlines() if line.strip()]


@pytest.mark.parametrize("indent", [None, 2])
def test_wherever_the_stream_is_cut_the_steps_are_the_same(indent: int | None) -> None:
    data = raw(indent=indent)
    whole = wanted()
    for position in range(len(data)):
        log = read(data, cut=(position,))
        assert log.steps == whole, position
        assert log.blamed_line == 4, position


def test_byte_by_byte_it_is_the_same_too() -> None:
    data = raw(indent=2)
    assert read(data, cut=tuple(range(len(data)))).steps == wanted()


def test_without_a_last_newline_the_last_line_counts() -> None:
    log = read(raw(indent=None).rstrip(b"\n"))
    assert log.message.endswith("exit code: 7")


def test_a_stream_that_breaks_off_in_an_object_keeps_what_came_before() -> None:
    for indent in (None, 2):
        data = raw(indent=indent, trailer="")
        broken = data[: data.rindex(b"two   three")]
        assert read(broken).steps == wanted()[:4]


ODD = [b"{\n", b"{not json}\n", b"{}\n", b"[]\n", b"{]}\n", b"{1}\n}\n", b"\xff\xfe\n", b"}\n"]


@pytest.mark.parametrize("line", ODD)
def test_a_line_that_only_looks_like_json_is_no_crash(line: bytes) -> None:
    """What the client says in plain text may begin with a brace, too."""
    log = read(raw(indent=None, trailer="") + line + TRAILER.encode())
    assert log.steps == wanted()


def test_a_broken_line_does_not_swallow_the_clients_last_word() -> None:
    log = read(raw(indent=None, trailer="") + b"{not json\n" + TRAILER.encode())
    assert log.message == 'process "/bin/sh -c one" did not complete successfully: exit code: 7'


def test_random_bytes_are_no_crash() -> None:
    dice = random.Random(3)
    alphabet = b'{}[]"\n\n:,1a\xff \\'
    for _ in range(300):
        data = bytes(dice.choice(alphabet) for _ in range(dice.randint(0, 60)))
        read(data)


def test_nothing_at_all_is_no_crash() -> None:
    log = read(b"")
    assert (log.steps, log.failed, log.running, log.message, log.blamed_line) == (
        (),
        None,
        None,
        "",
        None,
    )


def test_it_can_be_asked_before_it_is_over() -> None:
    log = BuildLog(Dockerfile.parse(TEXT.encode()))
    log.feed(json.dumps(STATUSES[3]).encode() + b"\n")
    assert [s.name for s in log.steps] == [COPY]
    assert log.running is not None
    assert log.running.name == COPY


# -- what a step printed --------------------------------------------------------------------------


def output(*chunks: str | bytes) -> tuple[str, ...]:
    log = BuildLog(None)
    rows = {"vertexes": [vertex(RUN, started=at(1))], "logs": [log_row(RUN, c) for c in chunks]}
    log.feed(json.dumps(rows).encode() + b"\n")
    return log.steps[0].output


OUTPUTS = [
    ("chunks are joined to lines", ("a", "b\nc", "d\n"), ("ab", "cd")),
    ("empty lines are left out", ("a\n\n \nb\n",), ("a", "b")),
    ("Windows line ends", ("a\r\nb\r\n",), ("a", "b")),
    ("a progress bar's returns", ("10 %\r20 %\r\n",), ("10 %", "20 %")),
    ("bytes that are no text", (b"a\xffb\n",), ("a\ufffdb",)),
    ("no end of line yet", ("a",), ("a",)),
    ("nothing", ("",), ()),
]


@pytest.mark.parametrize(("chunks", "lines"), [o[1:] for o in OUTPUTS], ids=[o[0] for o in OUTPUTS])
def test_what_a_step_printed(chunks: tuple[str, ...], lines: tuple[str, ...]) -> None:
    assert output(*chunks) == lines


def test_only_the_last_lines_are_kept() -> None:
    lines = output("".join(f"{n}\n" for n in range(1000)))
    assert len(lines) <= KEPT_LINES
    assert lines[-1] == "999"
    assert lines[0] == str(1000 - len(lines))
    many = output(*(f"{n}\n" for n in range(1000)))
    assert many == lines


def test_a_long_line_is_cut_also_when_it_comes_in_pieces() -> None:
    assert len(output("x" * 10_000)[0]) == KEPT_CHARACTERS
    assert len(output(*(["x" * 100] * 100))[0]) == KEPT_CHARACTERS


def test_a_log_that_buildkit_clipped_is_told() -> None:
    log = BuildLog(None)
    row = log_row(RUN, "[output clipped, log limit 2MiB reached]")
    log.feed(json.dumps({"logs": [log_row(RUN, "a\n")]}).encode() + b"\n")
    assert not log.clipped
    log.feed(json.dumps({"logs": [row]}).encode() + b"\n")
    assert log.clipped
    log.feed(json.dumps({"logs": [log_row(RUN, "b\n")]}).encode() + b"\n")
    assert log.clipped


def test_every_byte_that_is_printed_counts_kept_or_not() -> None:
    log = BuildLog(None)
    log.feed(json.dumps({"logs": [log_row(RUN, "x" * 10_000)] * 3}).encode() + b"\n")
    assert log.log_bytes == 30_000


# -- the steps' ends ------------------------------------------------------------------------------


def failing(*rows: dict[str, Any], trailer: str = "") -> BuildLog:
    return read(json.dumps({"vertexes": list(rows)}).encode() + b"\n" + trailer.encode())


def test_the_line_of_the_failed_step_is_the_one_that_buildkit_points_at() -> None:
    row = vertex(RUN, started=at(1), completed=at(2), error="exit code: 1")
    counted, pointed = failing(row).failed, failing(row, trailer="Dockerfile:2\n").failed
    assert counted is not None
    assert pointed is not None
    assert (counted.line, pointed.line) == (4, 2)


def test_the_step_that_failed_comes_before_those_cancelled_for_it() -> None:
    log = failing(
        vertex(LAST, started=at(1), error="context canceled: context canceled"),
        vertex(RUN, started=at(1), completed=at(2), error="exit code: 1"),
    )
    assert log.failed is not None
    assert log.failed.name == RUN


def test_when_all_were_cancelled_the_first_is_told() -> None:
    log = failing(vertex(LAST, started=at(1), error="context canceled"))
    assert log.failed is not None
    assert log.failed.name == LAST


def test_without_an_error_none_failed() -> None:
    assert failing(vertex(RUN, started=at(1), completed=at(2))).failed is None


def test_the_running_step_is_one_of_the_dockerfile() -> None:
    log = failing(
        vertex(INTERNAL, started=at(0)),
        vertex(COPY, started=at(1), completed=at(2)),
        vertex(RUN, started=at(2)),
    )
    assert log.running is not None
    assert (log.running.name, log.running.line) == (RUN, 4)


def test_a_step_that_waits_does_not_run() -> None:
    assert failing(vertex(RUN)).running is None


def test_a_later_row_without_times_forgets_nothing() -> None:
    log = failing(
        vertex(RUN, started=at(1), completed=at(2), cached=True, error="x"),
        {"digest": f"sha256:{RUN}"},
    )
    (step,) = log.steps
    assert (step.name, step.seconds, step.cached, step.error) == (RUN, 1, True, "x")


def test_output_that_comes_before_its_step_is_kept() -> None:
    log = BuildLog(None)
    log.feed(json.dumps({"logs": [log_row(RUN, "early\n")]}).encode() + b"\n")
    log.feed(json.dumps({"vertexes": [vertex(RUN, started=at(1))]}).encode() + b"\n")
    assert [(s.name, s.output) for s in log.steps] == [(RUN, ("early",))]


# -- events ---------------------------------------------------------------------------------------


def test_each_change_of_a_step_is_told_once() -> None:
    told: list[BuildEvent] = []
    log = BuildLog(Dockerfile.parse(TEXT.encode()), told.append)
    log.feed(raw(indent=2) + raw(indent=None))
    assert [(e.step, e.status, e.line, e.stage) for e in told] == [
        (CACHED, "cached", 2, "builder"),
        (COPY, "running", 3, "builder"),
        (COPY, "done", 3, "builder"),
        (RUN, "running", 4, "builder"),
        (RUN, "error", 4, "builder"),
        (LAST, "running", 8, "stage-1"),
    ]
    assert [e.seconds for e in told if e.status == "done"] == [1.25]


def test_a_very_long_step_is_told_short() -> None:
    told: list[BuildEvent] = []
    log = BuildLog(None, told.append)
    row = vertex("[1/1] RUN " + "x" * 5000, started=at(1))
    log.feed(json.dumps({"vertexes": [row]}).encode() + b"\n")
    assert len(told[0].step) <= 200


# -- the client's last words ----------------------------------------------------------------------

MESSAGES = [
    ("ERROR: failed to solve: no such thing\n", "no such thing"),
    ("ERROR: no such thing\n", "no such thing"),
    ("ERROR: first\nERROR: failed to solve: second\n", "second"),
    ("unknown flag: --x\nSee 'docker buildx build --help'.\n", "See 'docker buildx build --help'."),
    ("", ""),
]


@pytest.mark.parametrize(("trailer", "message"), MESSAGES)
def test_the_clients_last_word(trailer: str, message: str) -> None:
    assert read(trailer.encode()).message == message


LINES = [
    ("Dockerfile:4\n", 4),
    ("Dockerfile:12\n--------\n", 12),
    ("/tmp/x/Dockerfile:7\n", 7),
    ("x\nDockerfile:1\nDockerfile:2\n", 1),
    ("Dockerfile:4: unknown\n", None),
    ("see Dockerfile:4\n", None),
    ("Dockerfile:\n", None),
    ("", None),
]


@pytest.mark.parametrize(("trailer", "line"), LINES)
def test_the_line_that_buildkit_points_at(trailer: str, line: int | None) -> None:
    assert read(trailer.encode()).blamed_line == line


def test_an_endless_trailer_is_not_kept_whole() -> None:
    log = read(b"x" * 100_000 + b"\n" + b"line\n" * 100_000)
    assert sum(map(len, log.trailer)) < 1_000_000


# -- which line of the Dockerfile a step is -------------------------------------------------------

BASES = """\
ARG V=3.11
FROM python:${V}-slim AS one
WORKDIR /x
RUN first

FROM one AS two
RUN second

FROM scratch AS Three
COPY --from=two /x /x
ADD y /y

FROM python:3.11-slim
ENV A=1
COPY --from=0 /x /x
"""
PLACES = [
    ("[one 1/3] FROM docker.io/library/python:3.11-slim", "one", 2),
    ("[one 2/3] WORKDIR /x", "one", 3),
    ("[one 3/3] RUN first", "one", 4),
    ("[two 1/1] RUN second", "two", 7),
    ("[three 1/2] COPY --from=two /x /x", "three", 10),
    ("[three 2/2] ADD y /y", "three", 11),
    ("[stage-3 2/2] COPY --from=0 /x /x", "stage-3", 15),
    ("[unknown 2/2] COPY a /x", "unknown", None),
    ("[one 4/3] RUN more", "one", None),
    ("[internal] load .dockerignore", "", None),
    ("exporting to image", "", None),
    ("", "", None),
]


@pytest.mark.parametrize(("name", "stage", "line"), PLACES, ids=[p[0] for p in PLACES])
def test_the_stage_and_line_of_a_step(name: str, stage: str, line: int | None) -> None:
    (step,) = read(
        json.dumps({"vertexes": [vertex(name, "sha256:1", started=at(1))]}).encode(), text=BASES
    ).steps
    assert (step.stage, step.line) == (stage, line)


def test_a_single_stage_has_no_name_in_its_steps() -> None:
    name = "[2/2] RUN x"
    (step,) = read(
        json.dumps({"vertexes": [vertex(name, started=at(1))]}).encode(),
        text="FROM python:3.11-slim\nENV A=1\nRUN x\n",
    ).steps
    assert step.line == 3


def test_without_a_dockerfile_there_is_no_line() -> None:
    log = BuildLog(None)
    log.feed(json.dumps({"vertexes": [vertex(RUN, started=at(1))]}).encode() + b"\n")
    assert log.steps[0].line is None


def test_what_a_base_image_brings_by_onbuild_has_no_line_and_shifts_none() -> None:
    """BuildKit counts the base's own steps, and says the total without them."""
    names = (
        "[1/3] COPY a /on1",
        "[2/3] COPY a /on2",
        "[3/3] COPY a /b",
        "[4/3] COPY nosuch /c",
    )
    text = "FROM onbuild:1\nCOPY a /b\nCOPY nosuch /c\n"
    rows = {"vertexes": [vertex(name, started=at(1)) for name in names]}
    steps = read(json.dumps(rows).encode(), text=text).steps
    lines = text.splitlines()
    for step in steps:
        if step.line is not None:
            assert lines[step.line - 1] == step.name.partition("] ")[2]
    assert [s.line for s in steps[:2]] == [None, None]


def test_a_step_that_another_build_shares_keeps_no_foreign_line() -> None:
    """BuildKit works one step out once for all builds, under the first one's name."""
    text = "FROM python:3.11-slim AS builder\nCOPY a /a\nRUN pip install x\n"
    row = vertex("[builder 2/7] RUN pip install x", started=at(1))
    (step,) = read(json.dumps({"vertexes": [row]}).encode(), text=text).steps
    assert step.line in (None, 3)


def test_variables_in_a_step_do_not_lose_its_line() -> None:
    text = "FROM python:3.11-slim\nARG TO=/b\nCOPY a ${TO}\nWORKDIR $TO\n"
    rows = {
        "vertexes": [
            vertex("[2/3] COPY a /b", started=at(1)),
            vertex("[3/3] WORKDIR /b", started=at(1)),
        ]
    }
    steps = read(json.dumps(rows).encode(), text=text).steps
    assert [s.line for s in steps] == [3, 4]


def test_a_here_document_does_not_lose_its_line() -> None:
    text = "FROM python:3.11-slim\nRUN <<EOF\necho a\nfalse\nEOF\nRUN next\n"
    rows = {
        "vertexes": [
            vertex("[2/3] RUN <<EOF (echo a...)", started=at(1)),
            vertex("[3/3] RUN next", started=at(1)),
        ]
    }
    steps = read(json.dumps(rows).encode(), text=text).steps
    assert [s.line for s in steps] == [2, 6]
