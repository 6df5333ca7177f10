"""Reads the submissions with a known verdict in ``tests/``: cheats and hostile ones, one a folder.

It grades nothing: ``selftest`` and the tests do. What no repository can hold (a named pipe, a file
of two gigabytes, a name with a newline) is written down in ``expect.toml`` and made for each run.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.errors import SpecError, UsageError
from grader.making import make
from grader.results import Outcome
from grader.spec import Exercise, Limits

EXPECT, MORE = "expect.toml", "Dockerfile.more"
KINDS = {"cheat": "redteam", "hostile": "hostile"}  # the folder in tests/ of each kind
SECONDS = 180  # how long grading one may take, on a machine that is busy with others


@dataclass(frozen=True)
class Case:
    """One folder: what is handed in, and the whole verdict that it must get.

    ``outcomes`` has each row of the exercise. ``open`` is "" or why the grader does not give that
    verdict yet; ``says`` must stand in a message of the report. ``reference`` says that the files
    lie on top of the reference solution's; ``alone``, that nothing else may be built meanwhile.
    """

    kind: str
    name: str
    folder: Path
    story: str
    exercise: Exercise
    outcomes: Mapping[str, Outcome]
    says: str = ""
    open: str = ""
    quick: bool = False
    alone: bool = False
    seconds: float = SECONDS
    reference: Path | None = None
    made: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def laid_out(self) -> Iterator[Path]:
        """The submission's folder, complete; gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="lab-case-") as scratch:
            place = Path(scratch, self.name)
            if self.reference:
                shutil.copytree(self.reference, place)
            shutil.copytree(self.folder, place, symlinks=True, dirs_exist_ok=True)
            (place / EXPECT).unlink()
            _append(place)
            make(place, self.made)
            yield place


def cases(course: Course, kind: str) -> list[Case]:
    """All of one kind, by name. Raises SpecError for one that can't be right."""
    found = sorted((course.root / "tests" / KINDS[kind]).glob(f"*/{EXPECT}"))
    return [read(course, kind, path) for path in found]


def there(course: Course) -> bool:
    """Whether this checkout has them at all: an installed package comes without tests."""
    return any((course.root / "tests" / name).is_dir() for name in KINDS.values())


def read(course: Course, kind: str, path: Path) -> Case:
    """One ``expect.toml``; each key is used, and each row of the exercise has its verdict."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        exercise = course.exercise(data.pop("exercise"))
        case = Case(
            kind=kind,
            name=path.parent.name,
            folder=path.parent,
            story=data.pop("story"),
            exercise=_limited(exercise, data.pop("limits", {})),
            outcomes={k: Outcome(v) for k, v in data.pop("outcomes").items()},
            reference=course.solution(exercise) if data.pop("reference", False) else None,
            made=data.pop("make", {}),
            **data,
        )
    except (tomllib.TOMLDecodeError, UsageError, KeyError, TypeError, ValueError) as err:
        raise SpecError(f"{path}: {type(err).__name__}: {err}") from err
    if list(case.outcomes) != [i.id for i in exercise.items]:
        raise SpecError(f"{path}: outcomes: must name each check of {exercise.id}, in its order")
    return case


def _limited(exercise: Exercise, limits: Mapping[str, Any]) -> Exercise:
    """The exercise with lower limits, so that what meets them takes seconds."""
    if unknown := set(limits) - {f.name for f in fields(Limits)}:
        raise ValueError(f"limits: unknown {sorted(unknown)[0]!r}")
    return replace(exercise, limits=replace(exercise.limits, **limits))


def _append(place: Path) -> None:
    """Put the lines of ``Dockerfile.more`` behind those of the reference."""
    more = place / MORE
    if more.is_file():
        with (place / "Dockerfile").open("a", encoding="utf-8") as file:
            file.write("\n" + more.read_text(encoding="utf-8"))
        more.unlink()
