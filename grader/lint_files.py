"""What can be said of a lab from its files alone: hints, points, folders, strays, notebooks.

Nothing is built and no report is judged here: that is ``lint``'s.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.errors import SpecError
from grader.given import is_given, is_junk
from grader.spec import HINT_STEPS, Exercise, Item, Lab
from grader.work import names, same

TELLING = 12  # characters from which on a line of the solution in a hint gives it away
BIGGEST_FILE = 1_000_000  # bytes
JUNK_ENDINGS = (".orig", ".rej", ".swp", ".bak", "~")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with the course; ``machine`` when it may be the machine instead."""

    where: str
    what: str
    machine: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def wrong_answers(course: Course, lab: Lab) -> Mapping[str, Mapping[str, str]]:
    """``wrong.toml``: exercise → wrong answer → the check it fails. Raises SpecError."""
    path = course.root / "solutions" / lab.name / "wrong.toml"
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SpecError(f"{path}: not valid TOML: {err}") from err
    for name, rows in table.items():
        if not isinstance(rows, dict) or not all(isinstance(v, str) for v in rows.values()):
            raise SpecError(f"{path}: {name}: must map each wrong answer to a check's id")
    return table


def lab_faults(course: Course, lab: Lab) -> Iterator[Fault]:
    """Everything that can be seen in one lab's files."""
    for exercise in lab.exercises:
        for what in _exercise_faults(course, exercise):
            yield Fault(exercise.id, what)
    for what in (*_wrong_faults(course, lab), *_notebook_faults(course, lab)):
        yield Fault(lab.name, what)


def stray_faults(course: Course) -> Iterator[Fault]:
    """Files in labs/ and solutions/ that belong to nothing, or that nobody meant to keep."""
    for path in tracked(course.root):
        if what := _stray(course, path):
            yield Fault(path, what)


def tracked(root: Path) -> list[str]:
    """What git has, or would take, of labs/ and solutions/; every file where there is no git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    command += ["--exclude-standard", "--", "labs", "solutions"]
    try:
        found = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
        paths = [p for p in found.decode("utf-8", "replace").split("\0") if p]
    except (OSError, subprocess.SubprocessError):
        tops = (root / "labs", root / "solutions")
        paths = [str(p.relative_to(root)) for top in tops for p in top.rglob("*")]
    return sorted(p for p in paths if (root / p).is_file() or (root / p).is_symlink())


def _exercise_faults(course: Course, exercise: Exercise) -> Iterator[str]:
    points = {i.id: i.points for i in exercise.items}
    if not exercise.max_points and not exercise.is_gate:
        yield "gives no points"
    if exercise.max_points and not exercise.teaches:
        yield "teaches nothing: name the checks that the untouched starter must not pass"
    yield from (f"teaches {t} for no points" for t in exercise.teaches if not points[t])
    yield from _folder_faults(course, exercise)
    answer = [] if exercise.is_gate else _telling_lines(course, exercise)
    for item in exercise.items:
        yield from (f"{item.id}: {what}" for what in _hint_faults(item, answer))


def _hint_faults(item: Item, answer: list[str]) -> Iterator[str]:
    if len(item.hints) != HINT_STEPS:
        yield f"{len(item.hints)} hints instead of {HINT_STEPS}"
    yield from _giving(item.hints, answer)
    for seen in item.seen:
        yield from (f"seen {seen.words!r}: {what}" for what in _giving(seen.hints, answer))


def _giving(hints: Sequence[str], answer: list[str]) -> Iterator[str]:
    for number, hint in enumerate(hints, 1):
        if not hint.strip():
            yield f"hint {number} is empty"
        plain = _plain(hint)
        yield from (f"hint {number} gives the answer away: {a!r}" for a in answer if a in plain)


def _telling_lines(course: Course, exercise: Exercise) -> list[str]:
    """Lines of the reference answer that the learner was not given."""
    solution, starter = course.solution(exercise), course.starter(exercise)
    given = {line for path in _texts(starter) for line in _lines(path)}
    lines = {line for path in _texts(solution) for line in _lines(path)} - given
    return sorted(line for line in lines if len(line) >= TELLING and not line.startswith("#"))


def _folder_faults(course: Course, exercise: Exercise) -> Iterator[str]:
    starter, solution = course.starter(exercise), course.solution(exercise)
    if not names(starter):
        yield "has no starter"
    if exercise.is_gate:
        return
    if not names(solution):
        yield "has no reference solution"
    elif _twins(starter, solution):
        yield "the starter is the solution"
    for folder in (starter, solution, *_answers(solution, ".wrong"), *_answers(solution, ".right")):
        if clash := [n for n in names(folder) if is_given(n, course.app, exercise.given)]:
            yield f"{folder.name} holds {clash[0]}, which is given and would replace it"


def _twins(one: Path, other: Path) -> bool:
    files = names(one)
    return files == names(other) and all(same(one / n, other / n) for n in files)


def _wrong_faults(course: Course, lab: Lab) -> Iterator[str]:
    try:
        table = wrong_answers(course, lab)
    except SpecError as err:
        yield str(err)
        return
    known = {e.name: e for e in lab.exercises}
    yield from (f"wrong.toml: no exercise {n!r}" for n in table if n not in known)
    for name, exercise in known.items():
        folders = {p.name for p in _answers(course.solution(exercise), ".wrong")}
        named = table.get(name, {})
        ids = [i.id for i in exercise.items]
        yield from (f"{name}.wrong/{f} is not in wrong.toml" for f in sorted(folders - set(named)))
        for answer, check in named.items():
            if answer not in folders:
                yield f"wrong.toml: {name}.{answer} has no folder"
            if check not in ids:
                yield f"wrong.toml: {name}.{answer}: {name} has no check {check!r}"


def _notebook_faults(course: Course, lab: Lab) -> Iterator[str]:
    from grader import sync

    source = course.root / "solutions" / lab.name / f"{lab.name}.md"
    if not source.is_file():
        yield f"has no notebook source {source.name}"
        return
    try:
        pair = sync.pair(course, source)
    except SpecError as err:
        yield str(err)
        return
    yield from (f"stale: {what}: run grader sync" for what in pair.stale())
    for number in pair.without_output:
        yield f"{source.name}: cell {number} is tagged {sync.COMPARED} and has no output"
    for number, why in _unparsable(pair.student_cells()):
        yield f"{source.name}: cell {number} of the student's notebook is not Python: {why}"


def _unparsable(cells: list[Any]) -> Iterator[tuple[int, str]]:
    from IPython.core.inputtransformer2 import TransformerManager

    manager: Callable[[], Any] = TransformerManager  # IPython has no types here
    for number, cell in enumerate(cells, 1):
        if cell.cell_type != "code":
            continue
        try:
            ast.parse(manager().transform_cell(cell.source))
        except SyntaxError as err:
            yield number, str(err)


def _stray(course: Course, path: str) -> str:
    """Why a file should not be there, "" when it should."""
    parts = Path(path).parts
    if any(map(is_junk, parts)) or path.endswith(JUNK_ENDINGS):
        return "looks like something left over"
    if (course.root / path).stat().st_size > BIGGEST_FILE:
        return f"is bigger than {BIGGEST_FILE / 1e6:g} MB"
    top, lab, *inside = parts
    if not inside:
        return "" if lab in ("README.md", "README.ipynb") else "belongs to no lab"
    if (top, lab) == ("labs", "app"):
        return ""
    if not (course.root / "labs" / lab / "lab.toml").is_file():
        return f"belongs to no lab: there is no labs/{lab}/lab.toml"
    known = _known(course, top, lab)
    return "" if inside[0] in known or _is_mentioned(course, top, lab, inside[0]) else "is a stray"


def _known(course: Course, top: str, lab: str) -> set[str]:
    try:
        exercises = {e.name for e in course.lab(lab).exercises}
    except SpecError:
        exercises = {p.name for p in (course.root / top / lab).iterdir()}  # told elsewhere
    if top == "labs":
        return {"lab.toml", "README.md", f"{lab}.ipynb", *exercises}
    answers = {f"{e}{kind}" for e in exercises for kind in ("", ".wrong", ".right")}
    return {"wrong.toml", "README.md", f"{lab}.md", f"{lab}.ipynb", *answers}


def _is_mentioned(course: Course, top: str, lab: str, name: str) -> bool:
    """A lab may bring samples and pictures along, as long as its notebook speaks of them."""
    source = course.root / "solutions" / lab / f"{lab}.md"
    if top != "labs" or not source.is_file():
        return False
    slash = "/" if (course.root / top / lab / name).is_dir() else r"(?![\w-])"
    return bool(
        re.search(rf"(?<![\w.-]){re.escape(name)}{slash}", source.read_text("utf-8", "replace"))
    )


def _answers(solution: Path, kind: str) -> list[Path]:
    folder = solution.with_name(solution.name + kind)
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def other_answers(solution: Path) -> list[Path]:
    """The other right answers beside a reference solution."""
    return _answers(solution, ".right")


def _texts(folder: Path) -> Iterator[str]:
    for name in names(folder):
        try:
            yield (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # a picture or a model gives no hint away


def _lines(text: str) -> set[str]:
    return {_plain(line).rstrip("\\ ") for line in text.splitlines()}


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
