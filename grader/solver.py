"""Proves an exercise whose answers are drawn anew each time, in the lint and the selftest only.

A reference or a wrong answer may be a ``solve.py`` in place of the answers: it is told the names of
fresh patients, asks the engine with plain `docker` as a learner would, and prints what it would
hand in. What a learner hands in is never run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.course import Course
from grader.engine import Engine
from grader.errors import SpecError
from grader.host.connection import Connection
from grader.patients import FILE
from grader.ward import admit

SOLVER = "solve.py"
SECONDS = 90


@contextmanager
def solved(folder: Path, connection: Connection, course: Course) -> Iterator[Path]:
    """The folder to grade: as it is, or one with what its solver says of patients of its own.

    They are gone afterwards. Raises SpecError for a solver that fails, EngineError as ``admit``.
    """
    solver = folder / SOLVER
    if not solver.is_file():
        yield folder
        return
    with Engine.open(connection) as engine, tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        said = _run(solver, admit(engine, course), connection)
        (Path(scratch) / FILE).write_text(said, encoding="utf-8")
        yield Path(scratch)


def _run(solver: Path, names: tuple[str, ...], connection: Connection) -> str:
    done = subprocess.run(
        [sys.executable, str(solver), *names],
        env={**os.environ, **connection.environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode:
        raise SpecError(f"{solver}: {done.stderr.strip()[-300:]}")
    return done.stdout
