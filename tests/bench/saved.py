"""From a save in the editor to the verdict, as a learner waits for it with Watch on; lab 01, warm.

Each edit adds a variable to the Dockerfile, so that the image is a new one and its container, too.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.cells import Cell
from grader.course import Course
from grader.grade import grade
from grader.host.connection import Connection
from grader.notebook import READ, NotebookExercise
from grader.panel import Panel
from grader.spec import Exercise
from tests.bench.clock import p50

ROUNDS = 5
MOST_READ, MOST_BUILT = 0.3, 5.0  # seconds
PATIENCE = 60


def run(course: Course, _: Connection) -> None:
    """Print both times of each exercise; a budget that is not kept is marked."""
    print(f"save → read, save → built and measured; {ROUNDS} edits each, in seconds")
    for exercise in course.lab("01-multi-stage").exercises:
        with _copied(course) as place:
            _print(exercise, _edits(place, exercise, course.solution(exercise)))


def _print(exercise: Exercise, edits: list[tuple[float, float]]) -> None:
    read, built = zip(*edits, strict=True)
    note = "" if max(read) <= MOST_READ and max(built) <= MOST_BUILT else "  OVER"
    print(
        f"  {exercise.id:32} read p50 {p50(read):5.2f} worst {max(read):5.2f}"
        f"  built p50 {p50(built):5.2f} worst {max(built):5.2f}{note}"
    )


@contextmanager
def _copied(course: Course) -> Iterator[Course]:
    """The same course with a workplace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("labs", "solutions", "images", "grader"):
            (Path(folder) / name).symlink_to(course.root / name)
        yield Course(Path(folder))


def _edits(course: Course, exercise: Exercise, answer: Path) -> list[tuple[float, float]]:
    folder = course.workplace(exercise)
    shutil.copytree(answer, folder)
    panel = NotebookExercise(course, exercise, grade).panel()
    shown: list[tuple[float, str]] = []

    def note(cell: Cell | str) -> None:
        shown.append((time.monotonic(), str(cell)))

    panel.table.update = note  # type: ignore[method-assign]
    panel.watch.value = True
    try:
        times = [_edit(panel, folder / "Dockerfile", at, shown) for at in range(ROUNDS + 1)]
    finally:
        panel.watch.value = False
        panel.wait()
    return times[1:]  # the first one warms up


def _edit(
    panel: Panel, dockerfile: Path, number: int, shown: list[tuple[float, str]]
) -> tuple[float, float]:
    shown.clear()
    began = time.monotonic()
    with dockerfile.open("a", encoding="utf-8") as file:
        file.write(f"ENV EDIT={began}-{number}\n")
    while len(shown) < 2:
        time.sleep(0.005)
        assert time.monotonic() < began + PATIENCE, shown
    panel.wait()
    (read, first), (built, second) = shown
    assert READ in first, first
    assert "points" in second, second
    return read - began, built - began
