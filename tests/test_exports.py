"""The report as JSON, which is a contract, and as text, which must not drive a terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.exports import render
from grader.exports.json import VERSION
from grader.exports.text import printable, summary
from grader.results import Outcome, Report, Result

P, F, S, E = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.ERROR
ENGINE = {"mode": "live", "version": "26.1.5", "gpu": "none", "cgroup": 2, "api": "1.45"}
ROWS = (
    Result(P, "fine", None, {"n": 1}, "a", "A is there", 1, 0.5),
    Result(F, "what was seen\nwhat to do", 7, {"found": ["x"]}, "b", "B is gone", 2.5, 1.25),
    Result(S, "Not judged until b passes.", None, {}, "c", "C", 3, 0),
    Result(S, "no engine", None, {}, "d", "D", 4, 0, measurable=False),
)
REPORT = Report("90-small", "one", ROWS, ENGINE, 12.3456)
BROKEN = Report("90-small", "one", (*ROWS, Result(E, "lost", id="e", title="E", max_points=5)))


def as_json(report: Report) -> Any:
    return json.loads(render(report, "json"))


# -- JSON: the command's contract -----------------------------------------------------------------


def test_the_keys_of_a_report_are_those_of_the_contract() -> None:
    assert list(as_json(REPORT)) == [
        "version",
        "lab",
        "exercise",
        "points",
        "max_points",
        "gradable",
        "engine",
        "seconds",
        "checks",
        "second_opinion",
    ]


def test_the_keys_of_a_row_are_those_of_the_contract() -> None:
    for row in as_json(REPORT)["checks"]:
        assert list(row) == [
            "id",
            "title",
            "outcome",
            "points",
            "max_points",
            "message",
            "file",
            "line",
            "seconds",
            "evidence",
        ]


def test_the_values_have_the_types_of_the_contract() -> None:
    data = as_json(REPORT)
    assert data["version"] == VERSION == 1
    assert (data["lab"], data["exercise"]) == ("90-small", "one")
    assert data["gradable"] is True
    assert data["seconds"] == 12.346
    assert data["engine"] == ENGINE
    for row in data["checks"]:
        for key in ("id", "title", "message"):
            assert isinstance(row[key], str)
        assert row["outcome"] in ("pass", "fail", "skip", "error")
        for key in ("points", "max_points", "seconds"):
            assert isinstance(row[key], int | float)
            assert not isinstance(row[key], bool)
        assert row["line"] is None or row["line"] >= 1
        assert isinstance(row["evidence"], dict)


def test_a_row_says_what_the_result_says() -> None:
    assert as_json(REPORT)["checks"][1] == {
        "id": "b",
        "title": "B is gone",
        "outcome": "fail",
        "points": 0,
        "max_points": 2.5,
        "message": "what was seen\nwhat to do",
        "file": "Dockerfile",
        "line": 7,
        "seconds": 1.25,
        "evidence": {"found": ["x"]},
    }


@pytest.mark.parametrize("report", [REPORT, BROKEN, Report("90-small", "one", ())])
def test_the_points_are_the_sums_of_the_rows(report: Report) -> None:
    data = as_json(report)
    assert data["points"] == sum(row["points"] for row in data["checks"])
    assert data["max_points"] == sum(row["max_points"] for row in data["checks"])
    assert data["points"] <= data["max_points"]


def test_what_cannot_be_measured_has_no_points_and_tells_how_many_it_would_have() -> None:
    row = as_json(REPORT)["checks"][3]
    assert (row["outcome"], row["max_points"]) == ("skip", 0)
    assert row["evidence"] == {"points_not_measured": 4}


def test_a_machines_failure_is_not_gradable() -> None:
    assert as_json(BROKEN)["gradable"] is False


def test_it_is_real_json_with_one_newline_at_the_end() -> None:
    text = render(REPORT, "json")
    assert text.endswith("}\n")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_letters_are_readable() -> None:
    report = Report("l", "e", (Result(P, "größer — ✓"),))
    assert "größer — ✓" in render(report, "json")


HOSTILE = {"path": "/x/\udcff/gcc", "output": ["\x1b[2J", "\x00", "\u2028"]}


@pytest.mark.parametrize("name", ["json", "text"])
def test_names_that_are_no_text_can_be_written_to_a_file(name: str) -> None:
    """Linux takes any bytes as a file's name; Python keeps them as lone surrogates."""
    row = Result(F, "found /x/\udcff/gcc", None, HOSTILE, "a", "A")
    text = render(Report("l", "e", (row,)), name)
    assert "gcc" in text.encode("utf-8").decode("utf-8")


def test_json_holds_no_raw_control_characters() -> None:
    row = Result(F, "\x1b[2J\x07\x00", None, HOSTILE, "a", "A")
    text = render(Report("l", "e", (row,)), "json")
    assert not [c for c in text if ord(c) < 32 and c != "\n"]
    assert json.loads(text)["checks"][0]["message"] == "\x1b[2J\x07\x00"


# -- text -----------------------------------------------------------------------------------------


def test_text_has_a_row_for_each_check_and_the_sum() -> None:
    assert render(REPORT, "text").splitlines() == [
        "90-small/one",
        "  ✓     1/1  A is there: fine",
        "  ✗   0/2.5  B is gone",
        "        what was seen",
        "        what to do",
        "  –     0/3  C",
        "        Not judged until b passes.",
        "  –     –/4  D",
        "        no engine",
        "1 of 6.5 points; 1 check (4 points) cannot be measured here.  (12.3 s)",
    ]


SUMS = [
    ((ROWS[0],), "1 of 1 points"),
    ((ROWS[0], ROWS[1]), "1 of 3.5 points"),
    ((ROWS[3],), "0 of 0 points; 1 check (4 points) cannot be measured here."),
    ((Result(P, max_points=0.1), Result(P, max_points=0.2)), "0.3 of 0.3 points"),
    ((), "0 of 0 points"),
]


@pytest.mark.parametrize(("rows", "words"), SUMS)
def test_the_sum_in_one_sentence(rows: tuple[Result, ...], words: str) -> None:
    assert summary(Report("l", "e", rows)) == words


def test_a_machines_failure_is_called_no_grade() -> None:
    said = summary(BROKEN)
    assert "no grade" in said
    assert "Try again" in said


PRINTABLE = [
    ("plain text", "plain text"),
    ("two\nlines", "two\nlines"),
    ("a\ttab", "a\ttab"),
    ("größer 😀 ✓", "größer 😀 ✓"),
    ("\x1b[2J", "�[2J"),
    ("\x1b]0;title\x07", "�]0;title�"),
    ("a\rb", "a�b"),
    ("a\x08b", "a�b"),
    ("\x00", "�"),
    ("\x7f", "�"),
    ("\x9b31m", "�31m"),
    ("\u202eback", "�back"),
    ("\u2028", "�"),
    ("\udcff", "�"),
]


@pytest.mark.parametrize(("text", "wanted"), PRINTABLE, ids=[ascii(t) for t, _ in PRINTABLE])
def test_no_control_character_reaches_the_terminal(text: str, wanted: str) -> None:
    assert printable(text) == wanted


def test_a_students_output_cannot_drive_the_terminal() -> None:
    row = Result(
        F, "It printed:\n    \x1b[2J\x1b[1;32m100 of 100 points\x1b[0m\r", None, {}, "a", "A"
    )
    text = render(Report("l", "e", (row,)), "text")
    assert not [c for c in text if ord(c) < 32 and c not in "\n\t"]


def test_empty_lines_of_a_message_are_left_out() -> None:
    row = Result(F, "seen\n\ndo\n", None, {}, "a", "A")
    assert render(Report("l", "e", (row,)), "text").splitlines()[2:4] == [
        "        seen",
        "        do",
    ]


def test_without_seconds_two_runs_read_the_same() -> None:
    from grader.exports.text import render as as_text

    assert as_text(REPORT, seconds=False).splitlines()[-1] == summary(REPORT)


def test_a_format_that_there_is_not_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        render(REPORT, "yaml")
