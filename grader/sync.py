"""One text source per lab, two notebooks: ``solutions/NN/NN.md`` becomes both ``NN.ipynb``.

So does ``solutions/README.md``, the page that a learner begins on. It knows no exercise and grades
nothing; what the docs take from the code is made in ``grader.pages``. Two strip rules make the
student's notebook: a cell tagged ``solution`` goes, and a region ``# BEGIN SOLUTION`` …
``# END SOLUTION`` becomes a TODO. A cell's id comes from its text: so ids are the same each time,
and an output is only ever carried over to the very text that gave it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from grader import pages
from grader.course import Course
from grader.errors import SpecError, UsageError
from grader.execution import Notebook, tool
from grader.execution import execute as run_notebook

COMPARED = "nbval-check-output"  # cells with this tag keep their outputs
SOLUTION = "solution"
TODO = "# TODO: your work here"
BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
REGION = re.compile(rf"^([ \t]*){BEGIN}[ \t]*\n.*?^[ \t]*{END}[ \t]*$", re.M | re.S)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class Pair:
    """The notebooks of one lab as they should be; ``without_output`` are cells to be executed."""

    root: Path
    solution: Path
    student: Path
    texts: tuple[str, str]
    without_output: tuple[int, ...]

    def student_cells(self) -> list[Notebook]:
        """The cells of the student's notebook."""
        return list(tool("nbformat").reads(self.texts[1], 4).cells)

    def stale(self) -> list[str]:
        """A sentence for each file that is not as it should be, with the first cell that isn't."""
        both = zip((self.solution, self.student), self.texts, strict=True)
        found = [(path, _difference(path, text)) for path, text in both]
        return [f"{path.relative_to(self.root)}: {why}" for path, why in found if why]

    def write(self) -> list[Path]:
        """Write what changed; gives the paths that were written."""
        both = zip((self.solution, self.student), self.texts, strict=True)
        changed = [(path, text) for path, text in both if _difference(path, text)]
        for path, text in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [path for path, _ in changed]


def sources(course: Course, labs: Sequence[str] = ()) -> list[Path]:
    """The source of each lab and of README, or of the named ones. UsageError for one without."""
    labs_ = (p for p in sorted(course.root.glob("solutions/[0-9]*/*.md")) if _is_source(p))
    found = {p.stem: p for p in (*course.root.glob("solutions/README.md"), *labs_)}
    if missing := [name for name in labs if name not in found]:
        known = ", ".join((*found, pages.NAME))
        raise UsageError(f"No source for {missing[0]!r}. There are: {known}.")
    return [path for name, path in found.items() if not labs or name in labs]


def pair(course: Course, source: Path, *, execute: bool = False) -> Pair:
    """Both notebooks of one source, in memory."""
    solution = source.with_suffix(".ipynb")
    student = course.root / "labs" / solution.relative_to(course.root / "solutions")
    book = _read(source)
    if execute:
        run_notebook(book, source)
    else:
        _carry_over(book, _outputs(solution))
    _number(book)
    nbformat = tool("nbformat")
    texts = tuple(nbformat.writes(b) + "\n" for b in (book, _for_students(book)))
    missing = tuple(n for n, c in enumerate(book.cells, 1) if _compared(c) and not c.outputs)
    return Pair(course.root, solution, student, (texts[0], texts[1]), missing)


def sync_command(labs: Sequence[str] = (), *, check: bool = False, execute: bool = False) -> int:
    """``grader sync [--check] [--execute] [LAB…]``: exit status 1 when a checked file is stale."""
    course = Course.find()
    named = [name for name in labs if name != pages.NAME]
    stale = pages.stale(course) if check and _docs_too(labs) else []
    written = pages.write(course) if not check and _docs_too(labs) else []
    print("".join(f"wrote {path.relative_to(course.root)}\n" for path in written), end="")
    for source in sources(course, named) if named or not labs else ():
        made = pair(course, source, execute=execute)
        stale += made.stale() if check else []
        for path in () if check else made.write():
            print(f"wrote {path.relative_to(course.root)}")
        if made.without_output:
            cells = ", ".join(map(str, made.without_output))
            print(f"{made.solution.name}: no output in cell {cells}: run grader sync --execute")
    for line in stale:
        print(f"stale: {line}")
    return 1 if stale else 0


def _docs_too(labs: Sequence[str]) -> bool:
    return not labs or pages.NAME in labs


def _is_source(path: Path) -> bool:
    return path.stem == path.parent.name


def _read(source: Path) -> Notebook:
    """The source as a notebook with ids and metadata that depend on nothing but its text."""
    try:
        text = source.read_text(encoding="utf-8")
        book = tool("jupytext").reads(text, fmt="md:myst")
    except (OSError, ValueError) as err:
        raise SpecError(f"{source}: not a MyST notebook: {err}") from err
    book.nbformat, book.nbformat_minor = 4, 5
    for cell, id_ in zip(book.cells, _ids(book.cells), strict=True):
        cell.id = id_
    _check_regions(book, source)
    return book


def _ids(cells: Iterable[Notebook]) -> list[str]:
    seen: dict[str, int] = {}
    ids = []
    for cell in cells:
        text = f"{cell.cell_type}\n{cell.source}".encode()
        digest = hashlib.sha256(text).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        ids.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return ids


def _check_regions(book: Notebook, source: Path) -> None:
    for number, cell in enumerate(book.cells, 1):
        left = _blank(cell.source) if cell.cell_type == "code" else cell.source
        for word in (BEGIN, END):
            if word in left:
                raise SpecError(f"{source}: cell {number}: {word!r} without its other half")


def _outputs(path: Path) -> dict[str, list[Notebook]]:
    """The outputs that stand in a solution notebook, by cell id; none where it is broken."""
    if not path.is_file():
        return {}
    nbformat = tool("nbformat")
    try:
        book = nbformat.read(path, 4)
        cells = [c for c in book.cells if c.cell_type == "code"]
        return {c.id: c.outputs for c, id_ in zip(cells, _ids(cells), strict=True) if c.id == id_}
    except Exception:  # noqa: BLE001 (nbformat raises many kinds, all for the same reason)
        return {}


def _carry_over(book: Notebook, outputs: dict[str, list[Notebook]]) -> None:
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = outputs.get(cell.id, [])


def _number(book: Notebook) -> None:
    """Keep outputs where they are compared, and number the cells: nbval skips one without."""
    kernel = book.metadata.get("kernelspec", KERNEL)  # executing adds this machine's versions
    book.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    code = [c for c in book.cells if c.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        cell.metadata.pop("execution", None)
        cell.execution_count = number
        cell.outputs = _merged(cell.outputs) if _compared(cell) else []
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = number


def _merged(outputs: Sequence[Notebook]) -> list[Notebook]:
    """Join pieces of one stream: where it was cut depends on the machine's mood."""
    merged: list[Notebook] = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] += output["text"]
        else:
            merged.append(output)
    return merged


def _for_students(book: Notebook) -> Notebook:
    nbformat = tool("nbformat")
    student = nbformat.from_dict(book)
    student.cells = [c for c in student.cells if SOLUTION not in _tags(c)]
    for cell in student.cells:
        if cell.cell_type == "code":
            cell.source = _blank(cell.source)
            cell.outputs, cell.execution_count = [], None
    return student


def _blank(text: str) -> str:
    return REGION.sub(rf"\g<1>{TODO}", text)


def _tags(cell: Notebook) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _compared(cell: Notebook) -> bool:
    return cell.cell_type == "code" and COMPARED in _tags(cell)


def _difference(path: Path, text: str) -> str:
    """What is different on disk, "" when nothing is."""
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "is not there"
    except (OSError, UnicodeDecodeError) as err:
        return f"cannot be read: {err}"
    return "" if there == text else _first_cell(there, text)


def _first_cell(there: str, text: str) -> str:
    nbformat = tool("nbformat")
    try:
        old, new = nbformat.reads(there, 4), nbformat.reads(text, 4)
    except Exception:  # noqa: BLE001 (nbformat raises many kinds, all for the same reason)
        return "is not a notebook"
    both: Iterable[tuple[Notebook, Notebook]] = zip_longest(old.cells, new.cells, fillvalue={})
    for number, (a, b) in enumerate(both, 1):
        keys = [k for k in ("cell_type", "source", "metadata", "outputs") if a.get(k) != b.get(k)]
        if a != b:
            return f"cell {number} differs ({', '.join(keys) or 'id or number'})"
    return "its metadata or format differ"
