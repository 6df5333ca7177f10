"""Whether the machine is busy, and not only the one who asks for that excuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from grader import busy
from grader.errors import EngineError, SubmissionError

LATE = SubmissionError("It was late.")


class Fake:
    """An engine on which a container named ``hog`` takes all there is, while it may run."""

    def __init__(self) -> None:
        self.runs = {"hog"}

    @contextmanager
    def paused(self, container: str) -> Iterator[None]:
        self.runs -= {container}
        yield
        self.runs |= {container}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(busy, "slowdown", lambda e: busy.BUSY + (0.1 if e.runs else 0))
    return Fake()


def test_what_somebody_else_takes_is_an_excuse(engine: Any) -> None:
    assert isinstance(busy.unless_busy(engine, LATE), EngineError)
    assert isinstance(busy.unless_busy(engine, LATE, "quiet"), EngineError)


def test_what_a_submission_takes_itself_is_none(engine: Any) -> None:
    assert busy.unless_busy(engine, LATE, "hog") is LATE
    assert engine.runs == {"hog"}
