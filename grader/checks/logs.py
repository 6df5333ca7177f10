"""Whether what a service says reaches ``docker logs``, and in time.

What the lines say is nobody's business here but for a random word that we sent ourselves: a line
that was prepared proves nothing.
"""

from __future__ import annotations

from grader.observed import Spoken
from grader.registry import check
from grader.results import Result, failed, passed
from grader.stopping import Interrupted

BUFFERED = (
    "Python keeps what it prints when nobody watches: set PYTHONUNBUFFERED=1. If it writes to a"
    " file, let it write to standard output or standard error."
)


@check
def on_stdout(spoken: Spoken, *, max_seconds: float) -> Result:
    """`docker logs` is not empty {max_seconds} s after the service is ready"""
    if spoken.first is None:
        return failed(
            f"`docker logs` was still empty {max_seconds:g} s after it was ready. {BUFFERED}"
        )
    if spoken.first > max_seconds:
        return failed(
            f"The first line came {spoken.first:.1f} s after it was ready; {max_seconds:g} s are"
            f" allowed. {BUFFERED}",
            seconds=round(spoken.first, 2),
        )
    return passed(f"{spoken.first:.1f} s after it was ready", seconds=round(spoken.first, 2))


@check
def requests(spoken: Spoken, *, max_seconds: float) -> Result:
    """A request is in `docker logs` within {max_seconds} s"""
    if spoken.marked is None:
        return failed(
            f"We sent GET /ready?WORD, and {spoken.waited:g} s later no line of `docker logs` had"
            f" that word. {BUFFERED}",
            last_line=spoken.last_line[:200],
        )
    if spoken.marked > max_seconds:
        return failed(
            f"Its line came {spoken.marked:.1f} s after the request; {max_seconds:g} s are allowed."
            f" {BUFFERED}",
            seconds=round(spoken.marked, 2),
        )
    return passed(f"after {spoken.marked:.1f} s", seconds=round(spoken.marked, 2))


@check
def last(interrupted: Interrupted) -> Result:
    """The request that it answered last, while it stopped, is in `docker logs`"""
    if interrupted.logged:
        return passed("it is there", exit_code=interrupted.exit_code)
    return failed(
        "We sent POST /predict?WORD while it was told to stop, and no line of `docker logs` has"
        f" that word: what it did last is lost. {BUFFERED}",
        exit_code=interrupted.exit_code,
    )
