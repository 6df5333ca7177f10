"""How a container stops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader.checks import stop
from grader.executed import Executed, Script
from grader.results import Outcome
from grader.stopping import Command, First, Interrupted, Stopped

P, F = Outcome.PASS, Outcome.FAIL
COMMAND = Command(("python", "serve.py"), False, "SIGTERM", {"CMD": 7})
FIRST = First("python serve.py", handles=True, shell=False)
GOOD = Stopped(0.4, 0, 3, FIRST)
GRACEFUL = [
    ("0", GOOD, P),
    ("ended by SIGTERM", replace(GOOD, exit_code=143), P),
    ("ended by SIGINT", replace(GOOD, exit_code=130), P),
    ("killed", replace(GOOD, seconds=3.1, exit_code=137), F),
    ("killed at once", replace(GOOD, seconds=0.1, exit_code=137), F),
    ("it broke", replace(GOOD, exit_code=1), F),
    ("ended by another signal", replace(GOOD, exit_code=139), F),
    ("just in time", replace(GOOD, seconds=2.0), P),
    ("just too late", replace(GOOD, seconds=2.01), F),
]


@pytest.mark.parametrize(
    ("seen", "outcome"), [g[1:] for g in GRACEFUL], ids=[g[0] for g in GRACEFUL]
)
def test_graceful(seen: Stopped, outcome: Outcome) -> None:
    result = stop.graceful(seen, COMMAND, max_seconds=2)
    assert result.outcome is outcome
    assert result.evidence["exit_code"] == seen.exit_code


def test_graceful_takes_the_seconds_of_the_lab() -> None:
    slow = replace(GOOD, seconds=4.0)
    assert stop.graceful(slow, COMMAND, max_seconds=5).outcome is P
    assert stop.graceful(slow, COMMAND, max_seconds=3).outcome is F


LINES = {"CMD": 7, "STOPSIGNAL": 6}
SHELL = First("/bin/sh -c python serve.py; true", handles=False, shell=True)
WHY = [
    ("no handler", FIRST, COMMAND, False, ["no handler for SIGTERM", "--init"], 7),
    ("a shell by the shell form", SHELL, replace(COMMAND, shell=True), False, ["shell form"], 7),
    ("a shell of their own", SHELL, COMMAND, False, ["a shell", "`exec`"], 7),
    ("a shell that traps it", SHELL, COMMAND, True, ["it catches SIGTERM", "3 s later"], 7),
    ("a handler that hangs", FIRST, COMMAND, True, ["it catches SIGTERM"], 7),
    (
        "ENTRYPOINT is what gets the signal",
        FIRST,
        replace(COMMAND, lines={"CMD": 7, "ENTRYPOINT": 5}),
        False,
        ["no handler"],
        5,
    ),
    (
        "SIGKILL",
        FIRST,
        replace(COMMAND, stop_signal="SIGKILL", lines=LINES),
        False,
        ["STOPSIGNAL SIGKILL", "take the line out"],
        6,
    ),
    ("9", FIRST, replace(COMMAND, stop_signal="9", lines=LINES), False, ["STOPSIGNAL 9"], 6),
    (
        "a signal that it does not know",
        FIRST,
        replace(COMMAND, stop_signal="SIGUSR2", lines=LINES),
        False,
        ["no handler for SIGUSR2"],
        6,
    ),
    ("no Dockerfile to name a line of", FIRST, replace(COMMAND, lines={}), False, ["no h"], None),
]


@pytest.mark.parametrize(
    ("first", "command", "handles", "words", "line"), [w[1:] for w in WHY], ids=[w[0] for w in WHY]
)
def test_why_it_had_to_be_killed(
    first: First, command: Command, handles: bool, words: list[str], line: int | None
) -> None:
    seen = Stopped(3.0, 137, 3, replace(first, handles=handles))
    result = stop.graceful(seen, command, max_seconds=2)
    assert result.line == line
    assert [word for word in words if word not in result.message] == []


def test_a_long_command_does_not_fill_the_report() -> None:
    seen = Stopped(3.0, 137, 3, First("x" * 5000, handles=False, shell=False))
    result = stop.graceful(seen, COMMAND, max_seconds=2)
    assert len(result.message) < 600
    assert len(str(result.evidence)) < 300


OURS = Script("/app/serve.py", "aa", listens=True)
UNCHANGED = [
    ("as it was given", (OURS,), P, "as it was given"),
    ("beside another one", (Script("/app/entry.py", "cc", listens=False), OURS), P, ""),
    ("where nobody can tell who listens", (replace(OURS, listens=None),), P, ""),
    ("changed", (replace(OURS, sha256="bb"),), F, "is not the serve.py that was given"),
    ("not run", (Script("/app/entry.py", "cc", listens=True),), F, "/app/entry.py"),
    ("nothing in Python runs", (), F, "none"),
    ("another name that ends so", (Script("/app/my-serve.py", "aa", listens=True),), F, "No proc"),
    ("for show", (replace(OURS, listens=False),), F, "another process answers"),
    ("twice, one of them for show", (replace(OURS, listens=False), OURS), P, ""),
]


@pytest.mark.parametrize(
    ("scripts", "outcome", "words"), [u[1:] for u in UNCHANGED], ids=[u[0] for u in UNCHANGED]
)
def test_unchanged(scripts: tuple[Script, ...], outcome: Outcome, words: str) -> None:
    result = stop.unchanged(Executed(scripts, {"serve.py": "aa"}), file="serve.py")
    assert result.outcome is outcome
    assert words in result.message


ANSWERED = Interrupted(200, whole=True, error="", exit_code=0, ended=True, logged=True)
IN_FLIGHT = [
    ("answered", ANSWERED, P, ""),
    ("answered, then ended by the signal", replace(ANSWERED, exit_code=143), P, ""),
    ("never answered", replace(ANSWERED, status=0, error="reset"), F, "reset"),
    ("refused", replace(ANSWERED, status=503), F, "status 503"),
    ("cut short", replace(ANSWERED, whole=False), F, "cut short"),
    ("answered because it ignored the signal", replace(ANSWERED, ended=False), F, "did not stop"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [i[1:] for i in IN_FLIGHT], ids=[i[0] for i in IN_FLIGHT]
)
def test_in_flight(seen: Interrupted, outcome: Outcome, words: str) -> None:
    result = stop.in_flight(seen, COMMAND)
    assert result.outcome is outcome
    assert words in result.message


def test_a_lost_request_is_put_down_to_the_line_that_says_how_it_is_stopped() -> None:
    lost = replace(ANSWERED, status=0)
    assert stop.in_flight(lost, COMMAND).line == 7
    assert stop.in_flight(lost, replace(COMMAND, lines=LINES)).line == 6
