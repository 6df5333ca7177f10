"""Runs a notebook from top to bottom, each cell in a real kernel.

Which notebook, and what becomes of its outputs, is ``sync``'s and ``record``'s.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.errors import SpecError, UsageError

CELL_SECONDS = 600.0
# Let checks in the kernel show their end only, as nbval will see it.
PLAIN = {"LAB_PROGRESS": "off"}
NOT_COPIED = (".git", ".venv", "work", "build", "__pycache__", ".*_cache", "*.egg-info")

Notebook = Any  # nbformat has no types


def execute(
    book: Notebook, source: Path, *, folder: Path | None = None, environ: Mapping[str, str] = PLAIN
) -> None:
    """Run all of it, in the notebook's folder. Raises SpecError naming the cell that failed."""
    nbclient = tool("nbclient")
    where = {"metadata": {"path": str(folder or source.parent)}}
    client = nbclient.NotebookClient(book, timeout=CELL_SECONDS, resources=where)
    try:
        with _environment(environ):
            client.execute()
    except nbclient.exceptions.CellExecutionError as err:
        raise SpecError(f"{source}: {_failed_cell(book)}: {err.ename}: {err.evalue}") from err
    except nbclient.exceptions.CellTimeoutError as err:
        raise SpecError(f"{source}: a cell ran longer than {CELL_SECONDS:g} s") from err


@contextmanager
def copied(course: Course) -> Iterator[Course]:
    """The course without anybody's work in it: what a notebook does there touches no learner's."""
    with tempfile.TemporaryDirectory(prefix="lab-course-", ignore_cleanup_errors=True) as place:
        root = Path(place) / "course"
        ignore = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(course.root, root, symlinks=True, ignore=ignore)
        yield Course(root)


def tool(name: str) -> Any:
    """A library that only developers have."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as err:
        raise UsageError(f"{name} is not installed: run make venv-dev, then try again.") from err


def _failed_cell(book: Notebook) -> str:
    for number, cell in enumerate(book.cells, 1):
        if any(o["output_type"] == "error" for o in cell.get("outputs", ())):
            return f"cell {number}"
    return "a cell"


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
