"""What a build is sent: a table a check, both sides of each edge."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import ignore
from grader.checks import context
from grader.results import Outcome, Result
from grader.sent import Planted, Sent

P, F = Outcome.PASS, Outcome.FAIL
NEEDED = frozenset({"app/main.py", "models/a.onnx", "requirements.txt"})
LITTER = frozenset({".env", "app/run.log", "data/x.csv"})
TREE = Planted(Path("/x"), NEEDED, LITTER)
ALL = NEEDED | LITTER


def sent(files: frozenset[str], *, size: int = 0) -> Sent:
    return Sent(files, "BuildKit", size)


# -- patterns -------------------------------------------------------------------------------------

PATTERNS = [
    ("plain ones", "data\n*.log\n", P, "2 patterns"),
    ("none", "", P, "0 patterns"),
    ("a comment of its own", "# data\ndata\n", P, "1 patterns"),
    ("a comment behind one", "data  # big\n", F, "Line 1"),
    ("with a tab", "*\ndata\t# big\n", F, "Line 2"),
    ("a comment that is moved in", "  # data\n", F, "Line 1"),
    ("a # in a name", "a#b\n", P, "1 patterns"),
    ("behind a ! line", "*\n!app # back\n", F, "Line 2"),
    ("no valid pattern", "*\n[a\n", F, "Line 2"),
    ("a ! alone", "!\n", F, "nothing behind it"),
]


@pytest.mark.parametrize(
    ("text", "outcome", "words"), [p[1:] for p in PATTERNS], ids=[p[0] for p in PATTERNS]
)
def test_patterns(text: str, outcome: Outcome, words: str) -> None:
    result = context.patterns(ignore.parse(text.encode()))
    assert result.outcome is outcome
    assert words in result.message


# -- needed ---------------------------------------------------------------------------------------


def judged(files: frozenset[str], text: str = "*\n!app\n") -> tuple[Result, Result]:
    rules, arrived = ignore.parse(text.encode()), sent(files, size=2048)
    return context.needed(TREE, arrived, rules), context.nothing_else(TREE, arrived, rules)


SENT = [
    ("what is needed", NEEDED, P, P),
    ("everything", ALL, P, F),
    ("one file more", NEEDED | {".env"}, P, F),
    ("a stranger", NEEDED | {"x"}, P, F),
    ("one file less", NEEDED - {"models/a.onnx"}, F, P),
    ("nothing", frozenset[str](), F, P),
    ("only litter", LITTER, F, F),
]


@pytest.mark.parametrize(
    ("files", "needed", "others"), [s[1:] for s in SENT], ids=[s[0] for s in SENT]
)
def test_needed_and_nothing_else(files: frozenset[str], needed: Outcome, others: Outcome) -> None:
    assert tuple(r.outcome for r in judged(files)) == (needed, others)


def test_it_names_the_files_and_the_line_that_decided() -> None:
    missing, extra = judged(LITTER | {"app/main.py"})
    assert "models/a.onnx, requirements.txt" in missing.message
    assert "Line 1 of .dockerignore (*) keeps out models/a.onnx." in missing.message
    assert missing.evidence["missing"] == ["models/a.onnx", "requirements.txt"]
    assert "3 files" in extra.message
    assert "Line 1 of .dockerignore (*) keeps out .env." in extra.message
    assert extra.evidence["bytes"] == 2048


def test_it_says_that_no_line_speaks_of_a_file() -> None:
    assert "No line says anything about .env." in judged(ALL, "docs\n")[1].message


def test_it_says_who_found_out() -> None:
    assert "by BuildKit" in judged(NEEDED)[0].message
    assert "2 kB" in judged(NEEDED)[1].message
    assert judged(NEEDED)[1].evidence["by"] == "BuildKit"


# -- both_builders --------------------------------------------------------------------------------

BOTH = [
    ("the same", NEEDED, P, "3 files"),
    ("one less", NEEDED - {"app/main.py"}, F, "not sent app/main.py"),
    ("one more", NEEDED | {".env"}, F, "sent .env, too"),
    ("nothing", frozenset[str](), F, "does not look into a folder"),
]


@pytest.mark.parametrize(
    ("files", "outcome", "words"), [b[1:] for b in BOTH], ids=[b[0] for b in BOTH]
)
def test_both_builders(files: frozenset[str], outcome: Outcome, words: str) -> None:
    result = context.both_builders(sent(NEEDED), Sent(files, "the classic builder"))
    assert result.outcome is outcome
    assert words in result.message
    assert result.evidence["by"] == "the classic builder"
