"""The report as plain text for a terminal: one row a check, the same words as in a notebook."""

from __future__ import annotations

from grader.opinion import in_words
from grader.results import Outcome, Report, Result


def render(report: Report, *, seconds: bool = True) -> str:
    """``seconds=False`` leaves out what differs from run to run."""
    lines = [f"{report.lab}/{report.exercise}"]
    lines += [line for result in report.results for line in _rows(result)]
    lines += [f"  {printable(line)}" for line in in_words(report.opinions)]
    lines.append(summary(report) + (f"  ({report.seconds:.1f} s)" if seconds else ""))
    return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    """One sentence: the points, and what they do not cover."""
    points = f"{report.points:g} of {report.max_points:g} points"
    if not report.gradable:
        return f"{points} so far; the machine failed, so this is no grade. Try again."
    left = [r for r in report.results if not r.measurable]
    if left:
        rest = sum(r.max_points for r in left)
        checks = "1 check" if len(left) == 1 else f"{len(left)} checks"
        return f"{points}; {checks} ({rest:g} points) cannot be measured here."
    return points


def _rows(result: Result) -> list[str]:
    first, *rest = (printable(result.message) or "").split("\n")
    line = f"  {result.outcome.mark} {_points(result)}  {result.title}"
    if result.outcome is Outcome.PASS:
        return [line + (f": {first}" if first else ""), *(f"        {r}" for r in rest)]
    return [line, *(f"        {r}" for r in (first, *rest) if r)]


def _points(result: Result) -> str:
    if not result.measurable:
        return f"{'–/' + format(result.max_points, 'g'):>7}"
    return f"{format(result.points, 'g') + '/' + format(result.max_points, 'g'):>7}"


def printable(text: str) -> str:
    """A submission's output without the control characters that would drive a terminal."""
    return "".join(c if c in "\n\t" or c.isprintable() else "�" for c in text)
