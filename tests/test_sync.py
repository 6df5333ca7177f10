"""One source, two notebooks: the same each time, and never a stale output."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grader import sync
from grader.course import Course
from grader.errors import SpecError, UsageError
from tests.sample_course import LAB, SOURCE, make_course, write

OUTPUT = nbformat.v4.new_output("execute_result", {"text/plain": "4"}, execution_count=99)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    return make_course(tmp_path)


def solution_path(course: Course) -> Path:
    return course.root / "solutions" / LAB / f"{LAB}.ipynb"


def student_path(course: Course) -> Path:
    return course.root / "labs" / LAB / f"{LAB}.ipynb"


def rewrite(course: Course, old: str, new: str) -> None:
    path = course.root / "solutions" / LAB / f"{LAB}.md"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def pair(course: Course) -> sync.Pair:
    (source,) = sync.sources(course)
    return sync.pair(course, source)


def code(path: Path) -> list[Any]:
    return [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]


def give_output(course: Course) -> None:
    """Store an output in each cell of the solution, as if all had been run."""
    book = nbformat.read(solution_path(course), 4)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [OUTPUT]
    nbformat.write(book, solution_path(course))


def test_both_notebooks_are_written_and_valid(course: Course) -> None:
    assert sync.sync_command() == 0
    for path in (solution_path(course), student_path(course)):
        nbformat.validate(nbformat.read(path, 4))
        assert path.read_text().endswith("}\n")


def test_the_student_gets_no_answers_and_no_outputs(course: Course) -> None:
    sync.sync_command()
    give_output(course)
    sync.sync_command()
    text = student_path(course).read_text()
    for secret in ("secret answer", "only for the teacher", "BEGIN", "END SOLUTION"):
        assert secret not in text
    assert sync.TODO in text
    assert [(c.outputs, c.execution_count) for c in code(student_path(course))] == [([], None)] * 2


def test_a_todo_stands_as_deep_as_the_answer_stood(course: Course) -> None:
    sync.sync_command()
    assert code(student_path(course))[1].source == f"order = [\n    {sync.TODO}\n]"


def test_two_regions_in_one_cell_are_two_todos(course: Course) -> None:
    rewrite(
        course,
        '    "the secret answer",\n    # END SOLUTION\n',
        "    1,\n    # END SOLUTION\n    2,\n    # BEGIN SOLUTION\n    3,\n    # END SOLUTION\n",
    )
    sync.sync_command()
    todo = f"    {sync.TODO}\n"
    assert code(student_path(course))[1].source == f"order = [\n{todo}    2,\n{todo}]"


@pytest.mark.parametrize("word", [sync.BEGIN, sync.END])
def test_half_a_region_is_refused_with_its_cell(course: Course, word: str) -> None:
    rewrite(course, f"    {word}\n", "")
    with pytest.raises(SpecError, match=r"cell 3: '# (BEGIN|END) SOLUTION'"):
        sync.sync_command()


def test_the_solution_keeps_outputs_only_where_they_are_compared(course: Course) -> None:
    sync.sync_command()
    give_output(course)
    sync.sync_command()
    cells = code(solution_path(course))
    assert [len(c.outputs) for c in cells] == [1, 0, 0]
    assert [c.execution_count for c in cells] == [1, 2, 3]
    assert cells[0].outputs[0].execution_count == 1


def test_an_output_goes_when_its_source_changes(course: Course) -> None:
    sync.sync_command()
    give_output(course)
    rewrite(course, "2 + 2", "2 + 3")
    assert pair(course).without_output == (2,)
    sync.sync_command()
    assert code(solution_path(course))[0].outputs == []


def test_an_output_stays_when_another_cell_changes(course: Course) -> None:
    sync.sync_command()
    give_output(course)
    rewrite(course, "# Sample\n", "# Sample\n\n```{code-cell}\nimport os\n```\n")
    assert pair(course).without_output == ()
    sync.sync_command()
    assert [len(c.outputs) for c in code(solution_path(course))] == [0, 1, 0, 0]


def test_an_output_of_an_edited_notebook_is_not_believed(course: Course) -> None:
    sync.sync_command()
    give_output(course)
    book = nbformat.read(solution_path(course), 4)
    book.cells[1].source = "2 + 40"
    nbformat.write(book, solution_path(course))
    assert pair(course).without_output == (2,)


def test_running_it_twice_changes_nothing(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    sync.sync_command()
    before = solution_path(course).read_bytes(), student_path(course).read_bytes()
    capsys.readouterr()
    assert sync.sync_command() == 0
    assert "wrote" not in capsys.readouterr().out
    assert before == (solution_path(course).read_bytes(), student_path(course).read_bytes())


def test_another_machine_makes_the_same_bytes(course: Course, tmp_path: Path) -> None:
    other = make_course(tmp_path / "elsewhere")
    assert pair(course).texts == pair(other).texts


def test_cell_ids_are_unique_even_for_equal_cells(course: Course) -> None:
    rewrite(course, "# Sample\n", "# Sample\n" + "\n```{code-cell}\nex.check()\n```\n" * 3)
    sync.sync_command()
    ids = [c["id"] for c in json.loads(solution_path(course).read_text())["cells"]]
    assert len(ids) == len(set(ids))
    assert pair(course).texts == pair(course).texts


def test_check_is_content_with_fresh_notebooks(course: Course) -> None:
    sync.sync_command()
    assert sync.sync_command(check=True) == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2 + 2", "2 + 3", "cell 2 differs (source"),
        ("# Sample\n", "# Another\n", "cell 1 differs (source"),
        ("[nbval-check-output]", "[nbval-check-output, x]", "cell 2 differs (metadata"),
        ("```{code-cell}\n:tags: [sol", "more\n\n```{code-cell}\n:tags: [sol", "cell 4 differs"),
    ],
)
def test_check_names_the_stale_file_and_its_first_cell(
    course: Course, capsys: pytest.CaptureFixture[str], old: str, new: str, words: str
) -> None:
    sync.sync_command()
    rewrite(course, old, new)
    assert sync.sync_command(check=True) == 1
    assert f"{LAB}.ipynb: {words}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is not there"), ("no json", "is not a notebook"), ("{}", "is not a notebook")],
)
def test_check_tells_a_missing_or_broken_notebook(
    course: Course, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    sync.sync_command()
    student_path(course).unlink()
    if content is not None:
        student_path(course).write_text(content)
    assert sync.sync_command(check=True) == 1
    assert words in capsys.readouterr().out


def test_check_writes_nothing(course: Course) -> None:
    assert sync.sync_command(check=True) == 1
    assert not solution_path(course).exists()
    assert not student_path(course).exists()


def test_only_the_named_lab_is_made(course: Course) -> None:
    write(course.root, {"solutions/02-more/02-more.md": SOURCE, "solutions/02-more/notes.md": "x"})
    assert [p.stem for p in sync.sources(course)] == [LAB, "02-more"]
    assert sync.sync_command(["02-more"]) == 0
    assert not solution_path(course).exists()
    with pytest.raises(UsageError, match="02-more"):
        sync.sources(course, ["03-none"])


HOME = "solutions/README.md"


def test_the_first_page_has_a_source_too_and_no_lab(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    write(course.root, {HOME: SOURCE})
    assert [p.stem for p in sync.sources(course)] == ["README", LAB]
    assert sync.sync_command(["README"]) == 0
    assert "wrote labs/README.ipynb" in capsys.readouterr().out
    assert "secret answer" in (course.root / "solutions/README.ipynb").read_text()
    assert "secret answer" not in (course.root / "labs/README.ipynb").read_text()
    assert not student_path(course).exists()


@pytest.mark.parametrize("name", ["labs/README.ipynb", "solutions/README.ipynb"])
def test_a_stale_first_page_is_told(
    course: Course, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    write(course.root, {HOME: SOURCE})
    sync.sync_command()
    assert sync.sync_command(check=True) == 0
    (course.root / name).write_text("{}")
    assert sync.sync_command(check=True) == 1
    assert f"stale: {name}: is not a notebook" in capsys.readouterr().out


def test_executing_fills_the_outputs(course: Course) -> None:
    assert sync.sync_command(execute=True) == 0
    (output,) = code(solution_path(course))[0].outputs
    assert output.data == {"text/plain": "4"}
    assert pair(course).without_output == ()
    assert sync.sync_command(check=True) == 0


def test_it_runs_in_the_notebooks_folder_and_quietly(course: Course) -> None:
    rewrite(
        course, "2 + 2", "import os; (os.path.basename(os.getcwd()), os.getenv('LAB_PROGRESS'))"
    )
    sync.sync_command(execute=True)
    assert code(solution_path(course))[0].outputs[0].data["text/plain"] == f"('{LAB}', 'off')"


def test_a_cell_that_fails_is_named(course: Course) -> None:
    rewrite(course, 'print("only for the teacher")', "1 / 0")
    with pytest.raises(SpecError, match=r"cell 4: ZeroDivisionError"):
        sync.sync_command(execute=True)
    assert not solution_path(course).exists()


def test_pieces_of_one_stream_are_joined() -> None:
    pieces = [nbformat.v4.new_output("stream", name=n, text=t) for n, t in ("aA", "aB", "bC", "aD")]
    assert [(o.name, o.text) for o in sync._merged(pieces)] == [("a", "AB"), ("b", "C"), ("a", "D")]


def test_without_jupytext_it_says_what_to_install(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def without(name: str, *more: Any) -> Any:
        if name == "jupytext":
            raise ModuleNotFoundError(name)
        return real(name, *more)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UsageError, match="jupytext is not installed"):
        sync.sync_command()
    assert len(list(course.root.glob("**/*.ipynb"))) == 0
