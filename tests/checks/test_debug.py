"""A debugger: there, for one alone, and not shipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader.checks import debug
from grader.debugger import Debugged, DevTarget, Published
from grader.engine import Image
from grader.look import File
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
IMAGE = Image("sha256:1", (), (), {})
GOOD = Debugged(ready=True, found=True, value="512.0", wanted=512.0, status=200)


@pytest.mark.parametrize(("name", "words"), [("dev", "target dev"), ("", "the last stage")])
def test_builds_says_which_target(name: str, words: str) -> None:
    result = debug.builds(DevTarget(IMAGE, name))
    assert result.outcome is P
    assert words in result.message


def test_serves() -> None:
    assert debug.serves(GOOD).outcome is P
    waits = debug.serves(Debugged(ready=False, error="refused", log="Note: frozen"))
    assert waits.outcome is F
    assert [
        w for w in ("refused", "--wait-for-client", "Note: frozen") if w not in waits.message
    ] == []


ATTACHES = [
    ("it stops and tells", GOOD, P, "512.0"),
    ("an int where a float is", replace(GOOD, value="512"), P, ""),
    ("listens inside only", replace(GOOD, loopback_only=True, found=False), F, "0.0.0.0"),
    ("nobody listens", replace(GOOD, found=False, value=None, attached="refused"), F, "refused"),
    ("the line is not known", replace(GOOD, found=False, value=None), F, "not known there"),
    ("it never stops", replace(GOOD, value=None, attached="it did not answer in time"), F, "never"),
    ("another value", replace(GOOD, value="511.0"), F, "'511.0'"),
    ("no number", replace(GOOD, value="'many'"), F, "given service"),
    ("no such variable", replace(GOOD, value=""), F, "given service"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [a[1:] for a in ATTACHES], ids=[a[0] for a in ATTACHES]
)
def test_attaches(seen: Debugged, outcome: Outcome, words: str) -> None:
    result = debug.attaches(seen, path="/app/app/main.py", mark="x", variable="total")
    assert result.outcome is outcome
    assert words in result.message


LOOPBACK = [
    ("127.0.0.1", ((5678, "127.0.0.1"),), P),
    ("another one of this machine's own", ((5678, "127.9.9.9"),), P),
    ("IPv6", ((5678, "::1"),), P),
    ("by name", ((5678, "localhost"),), P),
    ("beside a service for everybody", ((8000, ""), (5678, "127.0.0.1")), P),
    ("every address", ((5678, ""),), F),
    ("every address, in full", ((5678, "0.0.0.0"),), F),
    ("every address of IPv6", ((5678, "::"),), F),
    ("one of the network's", ((5678, "192.168.1.7"),), F),
    ("both", ((5678, "127.0.0.1"), (5678, "0.0.0.0")), F),
    ("not at all", ((8000, "127.0.0.1"),), F),
    ("nothing is", (), F),
]


@pytest.mark.parametrize(("at", "outcome"), [r[1:] for r in LOOPBACK], ids=[r[0] for r in LOOPBACK])
def test_loopback(at: tuple[tuple[int, str], ...], outcome: Outcome) -> None:
    result = debug.loopback(Published(at, "compose.yaml", 8))
    assert result.outcome is outcome
    assert result.line == (8 if outcome is F else None)


def test_not_root() -> None:
    assert debug.not_root(GOOD).outcome is P
    result = debug.not_root(replace(GOOD, roots=("python -m debugpy", "python adapter")))
    assert result.outcome is F
    assert "2 process(es)" in result.message


ABSENT = [
    ("a service", "/app/app/main.py", P),
    ("another package", "/usr/lib/python3/dist-packages/bottle.py", P),
    ("a name that begins so", "/app/debugpy_off.txt", P),
    ("the package", "/usr/local/lib/python3.11/site-packages/debugpy/__init__.py", F),
    ("its metadata", "/opt/venv/lib/python3.11/site-packages/debugpy-1.8.17.dist-info/METADATA", F),
    ("what it is made of", "/opt/tools/metrics/_vendored/pydevd/pydevd.py", F),
    ("a single file", "/opt/x/pydevd.py", F),
    ("its forerunner", "/opt/x/ptvsd/__main__.py", F),
]


@pytest.mark.parametrize(("path", "outcome"), [a[1:] for a in ABSENT], ids=[a[0] for a in ABSENT])
def test_absent(path: str, outcome: Outcome) -> None:
    assert debug.absent((File(path, 10, 0, 0, 0o644, "0"),)).outcome is outcome
