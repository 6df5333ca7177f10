"""Points, marks and exit statuses of a report, as plain arithmetic on frozen values."""

from __future__ import annotations

import dataclasses

import pytest

from grader.results import (
    Outcome,
    Report,
    Result,
    errored,
    failed,
    passed,
    skipped,
    unmeasurable,
)

P, F, S, E = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.ERROR


def report(*rows: tuple[Outcome, float] | tuple[Outcome, float, bool]) -> Report:
    """A report from (outcome, points[, measurable]) rows."""
    results = tuple(
        Result(row[0], id=str(at), max_points=row[1], measurable=all(row[2:]))
        for at, row in enumerate(rows)
    )
    return Report("90-small", "one", results)


# rows, points, max_points, gradable, complete, full marks, exit status
TABLE = [
    ("all pass", [(P, 1), (P, 2)], 3, 3, True, True, True, 0),
    ("passes for no points", [(P, 0), (P, 0)], 0, 0, True, True, True, 0),
    ("one fails", [(P, 1), (F, 2)], 1, 3, True, True, False, 1),
    ("one for no points fails", [(P, 3), (F, 0)], 3, 3, True, True, False, 1),
    ("what hangs on it is skipped", [(F, 1), (S, 2)], 0, 3, True, True, False, 1),
    ("the machine failed", [(P, 1), (E, 2)], 1, 3, False, False, False, 3),
    ("failed, and the machine too", [(F, 1), (E, 2)], 0, 3, False, False, False, 3),
    ("not measurable here", [(P, 1), (S, 2, False)], 1, 1, True, False, False, 3),
    ("failed, rest not measurable", [(F, 1), (S, 2, False)], 0, 1, True, False, False, 1),
    ("nothing is measurable", [(S, 1, False)], 0, 0, True, False, False, 3),
    ("a skip without a failure is no full marks", [(P, 1), (S, 1)], 1, 2, True, True, False, 3),
    ("half points", [(P, 0.5), (P, 0.25)], 0.75, 0.75, True, True, True, 0),
]


@pytest.mark.parametrize(
    ("rows", "points", "out_of", "gradable", "complete", "full", "status"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_what_a_report_says(
    *,
    rows: list[tuple[Outcome, float]],
    points: float,
    out_of: float,
    gradable: bool,
    complete: bool,
    full: bool,
    status: int,
) -> None:
    one = report(*rows)
    assert (one.points, one.max_points) == (points, out_of)
    assert (one.gradable, one.complete, one.full_marks) == (gradable, complete, full)
    assert one.exit_status == status


def test_a_report_without_any_row_is_no_full_marks() -> None:
    assert report().exit_status != 0


@pytest.mark.parametrize(("outcome", "points"), [(P, 2), (F, 0), (S, 0), (E, 0)])
def test_only_a_pass_earns_points(outcome: Outcome, points: float) -> None:
    assert Result(outcome, max_points=2).points == points


def test_each_outcome_has_a_mark_and_the_word_of_the_contract() -> None:
    assert {o.value: o.mark for o in Outcome} == {
        "pass": "✓",
        "fail": "✗",
        "skip": "–",
        "error": "!",
    }


def test_the_shorthands_say_what_they_are() -> None:
    assert passed("a", n=1) == Result(P, "a", evidence={"n": 1})
    assert failed("a", line=3, n=1) == Result(F, "a", line=3, evidence={"n": 1})
    assert skipped("a", n=1) == Result(S, "a", evidence={"n": 1})
    assert unmeasurable("a") == Result(S, "a", measurable=False)
    assert errored("a", n=1) == Result(E, "a", evidence={"n": 1})


def test_a_result_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        passed().outcome = F  # type: ignore[misc]
