"""Shows what a cell did on an engine when it was recorded, for where there is none.

A replay is marked as one, counts for nothing and writes nothing down. The file is ``recording``'s.
"""

from __future__ import annotations

from collections.abc import Iterable

from grader import cells, recording
from grader.cells import Cell
from grader.course import Course
from grader.errors import GraderError, SpecError
from grader.kernel import NOT_RUN
from grader.live import show
from grader.progress import Progress
from grader.recording import Measured, Picture, Recording, Shown, Text

QUIET = "It ran, and showed nothing."


def again(course: Course, lab: str, key: str) -> None:
    """Show the recording of the cell with this key, or the line that it was not run."""
    try:
        found = recording.load(recording.path(course, lab))
    except FileNotFoundError:
        print(NOT_RUN)
    except SpecError as err:
        print(f"{NOT_RUN}\nIts recording can't be shown: {cells.clean(err)}")
    else:
        if key in found.cells:
            show(replayed(found, key, _predictions(course, lab)))
        else:
            print(NOT_RUN)


def replayed(found: Recording, key: str, predicted: dict[str, str] | None = None) -> Cell:
    """One cell's recording in its frame."""
    shown = found.cells[key] or (Text(QUIET),)
    return cells.replay(_mark(found, shown), [_part(one, predicted or {}) for one in shown])


def _mark(found: Recording, shown: Iterable[Shown]) -> str:
    """Whose result it is; of what kind its GPUs were, where it speaks of them."""
    gpus = f" and {found.gpu} GPUs" if found.gpu != "none" and _speaks_of_gpus(shown) else ""
    engine = f"Docker Engine {found.engine}{gpus}"
    return f"Replay: recorded on {found.date} with {engine}; not your own result."


def _speaks_of_gpus(shown: Iterable[Shown]) -> bool:
    return any("gpu" in str(one.as_json()).casefold() for one in shown if isinstance(one, Text))


def _part(one: Shown, predicted: dict[str, str]) -> Cell:
    if isinstance(one, Picture):
        return cells.image(one.png, one.alt, one.width)
    if isinstance(one, Measured):
        mine = predicted.get(one.id)
        return cells.reflection(mine, one.value, "Measured when it was recorded")
    return cells.printed(one.text)


def _predictions(course: Course, lab: str) -> dict[str, str]:
    """What this learner has predicted; nothing where the progress can't be read."""
    try:
        facts = Progress.of(course).about(lab, "predict")
    except GraderError:
        return {}
    words = (fact.text.partition(" ") for fact in facts)
    return {id_: choice for id_, _, choice in words}
