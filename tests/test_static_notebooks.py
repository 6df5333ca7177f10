"""Every student's notebook without an engine: it runs to its end, and replays are marked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grader import cells, recording, replay
from grader.course import Course
from grader.execution import PLAIN, copied, execute
from grader.kernel import NOT_RUN, marked
from grader.progress import Progress
from grader.recording import Recording, Text, key
from tests.conftest import ROOT
from tests.sample_course import LAB, make_course

NOTEBOOKS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("labs/**/[0-9R]*.ipynb"))
REPLAY = "Replay: recorded on "


@pytest.fixture(scope="module")
def place() -> Iterator[Course]:
    """A copy of the course, so that nobody's work is touched."""
    with copied(Course(ROOT)) as copy:
        yield copy


def run(course: Course, notebook: Path) -> Any:
    """All its cells, in a kernel that looks for no engine."""
    book = nbformat.read(notebook, 4)
    environ = {**PLAIN, "LAB_STATIC": "1", "LAB_COURSE": str(course.root)}
    execute(book, notebook, environ=environ)
    return book


def text(cell: Any) -> str:
    """What it showed, as plain text."""
    shown = (o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs)
    return "".join(shown)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_to_its_end_and_marks_each_replay(place: Course, name: str) -> None:
    notebook = place.root / name
    facts = set(Progress.of(place).facts())
    book = run(place, notebook)
    recorded = recording.path(place, notebook.stem)
    known = recording.load(recorded).cells if recorded.is_file() else {}
    for cell in (c for c in book.cells if c.cell_type == "code"):
        said = text(cell)
        if not marked(cell.source):
            assert REPLAY not in said
        elif key(cell.source) in known:
            assert said.startswith(REPLAY), cell.source
            assert said.endswith(cells.REPLAYED)
        else:
            assert said == f"{NOT_RUN}\n", cell.source
    new = [fact for fact in Progress.of(place).facts() if fact not in facts]
    assert [fact for fact in new if fact.kind == "check" and " pass" in fact.text] == []


def test_a_replay_in_a_real_kernel_has_its_frame_and_notes_nothing(tmp_path: Path) -> None:
    course = make_course(tmp_path)
    source = "# needs docker\n1 / 0"
    made = Recording(LAB, "2026-01-31", "26.1.5", cells={key(source): (Text("<b>5 MB</b>"),)})
    file = recording.path(course, LAB)
    file.parent.mkdir(parents=True)
    file.write_text(str(made), "utf-8")
    first = f"from grader.notebook import lab\ncourse = lab({LAB!r})"
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(line) for line in (first, source, f"{source} + 0")]
    notebook = course.root / "a.ipynb"
    nbformat.write(book, notebook)
    _, replayed, changed = run(course, notebook).cells
    (output,) = replayed.outputs
    assert output.data["text/html"] == replay.replayed(made, key(source)).html
    assert "&lt;b&gt;5 MB" in output.data["text/html"]
    assert text(changed) == f"{NOT_RUN}\n"
    assert Progress.of(course).facts() == ()


def test_the_notebooks_are_all_there() -> None:
    labs = {lab.name for lab in Course(ROOT).labs()}
    assert {Path(name).stem for name in NOTEBOOKS} == {*labs, "README"}
