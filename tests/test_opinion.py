"""The linter's opinion: joined with what was measured, not to be silenced, worth no marks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader import opinion
from grader.exports import json as json_export
from grader.exports import text as text_export
from grader.results import Outcome, Report, Result, passed

ROOT = b"FROM python:3.11-slim\nUSER root\n"


def rows(**outcomes: Outcome) -> tuple[Result, ...]:
    return tuple(
        Result(outcome, id=name.replace("__", "."), max_points=1)
        for name, outcome in outcomes.items()
    )


def rules(text: bytes, results: tuple[Result, ...] = ()) -> set[str]:
    return {one.rule for one in opinion.opinions(text, results)}


def test_hadolint_is_there() -> None:
    """Else every test below would be about nothing."""
    assert opinion._program()


def test_a_finding_has_its_line_and_its_words() -> None:
    one = next(o for o in opinion.opinions(ROOT, ()) if o.rule == "DL3002")
    assert (one.line, one.level, one.check, one.outcome) == (2, "warning", "", None)
    assert "root" in one.message


@pytest.mark.parametrize(
    ("outcome", "disagrees"), [(Outcome.PASS, True), (Outcome.FAIL, False), (Outcome.SKIP, False)]
)
def test_it_stands_beside_what_was_measured(outcome: Outcome, *, disagrees: bool) -> None:
    found = opinion.opinions(ROOT, rows(runtime__not_root=outcome))
    one = next(o for o in found if o.rule == "DL3002")
    assert (one.check, one.outcome, one.disagrees) == ("runtime.not_root", outcome, disagrees)


@pytest.mark.parametrize(
    "silencer",
    [
        b"FROM python:3.11-slim\n# hadolint ignore=DL3002\nUSER root\n",
        b"# hadolint global ignore=DL3002\nFROM python:3.11-slim\nUSER root\n",
    ],
)
def test_a_comment_does_not_silence_it(silencer: bytes) -> None:
    assert "DL3002" in rules(silencer)


def test_a_configuration_file_does_not_silence_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".hadolint.yaml").write_text("ignored: [DL3002]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", os.fspath(tmp_path))
    assert "DL3002" in rules(ROOT)


def test_a_tidy_file_has_no_findings() -> None:
    text = b'FROM python:3.11-slim\nWORKDIR /app\nCOPY app/ app/\nUSER 10001\nCMD ["python"]\n'
    assert opinion.opinions(text, ()) == ()


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"NOT A DOCKERFILE", b"FROM a\nRUN " + b"x" * 99999]
)
def test_whatever_it_is_given_it_raises_nothing(text: bytes) -> None:
    opinion.opinions(text, ())


def test_where_it_is_not_installed_there_is_no_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opinion, "_program", lambda: "")
    assert opinion.opinions(ROOT, ()) == ()


@pytest.mark.parametrize("script", ["exit 1", "sleep 60", "echo '{}'", "echo nonsense"])
def test_one_that_misbehaves_has_no_opinion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    program = tmp_path / "hadolint"
    program.write_text(f"#!/bin/sh\nexec 2>&1\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(opinion, "_program", lambda: str(program))
    monkeypatch.setattr(opinion, "SECONDS", 0.3)
    assert opinion.opinions(ROOT, ()) == ()


@pytest.mark.parametrize(("count", "shown", "rest"), [(6, 6, 0), (7, 6, 1), (99, 6, 24)])
def test_it_does_not_drown_the_report(count: int, shown: int, rest: int) -> None:
    text = b"FROM python:3.11-slim\n" + b"USER root\nRUN cd /tmp\n" * count
    found = opinion.opinions(text, ())[:count]
    lines = opinion.in_words(found)
    assert len(lines) == 1 + shown + bool(rest)
    assert ("more" in lines[-1]) is bool(rest)
    if rest:
        assert f"{rest} more" in lines[-1]


def test_it_carries_no_marks() -> None:
    found = opinion.opinions(ROOT, ())
    report = Report("01-x", "one", (Result(Outcome.PASS, id="a", max_points=2),), opinions=found)
    assert (report.points, report.full_marks, report.exit_status) == (2, True, 0)


def test_it_is_in_the_text_and_in_the_json() -> None:
    results = rows(runtime__not_root=Outcome.PASS)
    report = Report("01-x", "one", results, opinions=opinion.opinions(ROOT, results))
    shown = text_export.render(report)
    assert "line 2, DL3002 warning" in shown
    assert "[measured: ✓ runtime.not_root]" in shown
    row = json_export.as_dict(report)["second_opinion"][0]
    assert (row["rule"], row["measured_by"], row["outcome"]) == (
        "DL3002",
        "runtime.not_root",
        "pass",
    )
    assert passed().outcome is Outcome.PASS


def test_its_words_cannot_drive_a_terminal() -> None:
    found = opinion.opinions(b"FROM python:3.11-slim\nUSER \x1b[31mroot\n", ())
    report = Report("01-x", "one", (), opinions=found)
    assert "\x1b" not in text_export.render(report)


def test_each_check_it_is_compared_with_is_one_of_ours() -> None:
    from grader.registry import CHECKS, load_checks

    load_checks()
    assert set(opinion.MEASURED.values()) <= set(CHECKS)
