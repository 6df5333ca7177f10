"""A notebook that is run from top to bottom, in a course that is nobody's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grader.course import Course
from grader.errors import SpecError, UsageError
from grader.execution import copied, execute, tool
from tests.sample_course import LAB, make_course


def test_it_runs_in_its_folder_with_the_settings_that_were_asked_for(tmp_path: Path) -> None:
    lines = "import os; print(os.getcwd(), os.environ['LAB_PROGRESS'])"
    book = new_notebook(cells=[new_code_cell(lines)])
    before = dict(os.environ)
    execute(book, tmp_path / "a.ipynb")
    assert book.cells[0].outputs[0].text == f"{tmp_path} off\n"
    assert dict(os.environ) == before


def test_a_cell_that_fails_is_named_with_its_notebook(tmp_path: Path) -> None:
    book = new_notebook(cells=[new_code_cell("1"), new_code_cell("1 / 0")])
    before = dict(os.environ)
    with pytest.raises(SpecError, match=r"a\.ipynb: cell 2: ZeroDivisionError"):
        execute(book, tmp_path / "a.ipynb")
    assert dict(os.environ) == before


def test_a_copy_of_the_course_has_nobodys_work_and_goes_again(tmp_path: Path) -> None:
    course = make_course(tmp_path)
    (course.root / "work").mkdir()
    with copied(course) as copy:
        assert copy.lab(LAB).name == LAB
        assert not copy.work.exists()
        (copy.root / "labs" / "more").touch()
        assert copy.root != course.root
    assert not copy.root.exists()
    assert not (Course(tmp_path).root / "labs" / "more").exists()


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no_such_library is not installed"):
        tool("no_such_library")
