"""The report as JSON, the contract that other programs read. Version 1."""

from __future__ import annotations

import json as encoder
from typing import Any

from grader.results import Opinion, Report, Result

VERSION = 1


def as_dict(report: Report) -> dict[str, Any]:
    """The contract's keys. Points are numbers, ``line`` is 1-based or null, seconds are floats."""
    return {
        "version": VERSION,
        "lab": report.lab,
        "exercise": report.exercise,
        "points": report.points,
        "max_points": report.max_points,
        "gradable": report.gradable,
        "engine": dict(report.engine),
        "seconds": round(report.seconds, 3),
        "checks": [_row(result) for result in report.results],
        "second_opinion": [_opinion(one) for one in report.opinions],
    }


def _opinion(one: Opinion) -> dict[str, Any]:
    return {
        "tool": "hadolint",
        "rule": one.rule,
        "level": one.level,
        "line": one.line,
        "message": one.message,
        "measured_by": one.check or None,
        "outcome": one.outcome.value if one.outcome else None,
    }


def _row(result: Result) -> dict[str, Any]:
    left_out = {} if result.measurable else {"points_not_measured": result.max_points}
    return {
        "id": result.id,
        "title": result.title,
        "outcome": result.outcome.value,
        "points": result.points,
        "max_points": result.max_points if result.measurable else 0,
        "message": result.message,
        "file": result.file if result.line else None,
        "line": result.line,
        "seconds": result.seconds,
        "evidence": {**result.evidence, **left_out},
    }


def render(report: Report) -> str:
    text = encoder.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
    # A file's name may be no text; as an escape it is still JSON.
    return text.encode("utf-8", "backslashreplace").decode()
