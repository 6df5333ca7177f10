"""Where the course is: finds labs, exercises, solutions and the shared application.

It reads no submission and grades nothing; ``lint`` judges what is found here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from grader.errors import UsageError
from grader.spec import Exercise, Lab


def _around() -> list[Path]:
    """The current folder and those above it; none when it was removed meanwhile."""
    try:
        here = Path.cwd().resolve()
    except OSError:
        return []
    return [here, *here.parents]


@dataclass(frozen=True)
class Course:
    """A checkout of the course: ``labs/``, ``solutions/``, ``images/``, ``work/``."""

    root: Path

    @classmethod
    def find(cls) -> Course:
        """The course around the current folder, else the one this package stands in.

        ``LAB_COURSE`` names another one. Raises UsageError when there is none.
        """
        if named := os.environ.get("LAB_COURSE"):
            root = Path(named).resolve()
            if not (root / "labs").is_dir():
                raise UsageError(f"LAB_COURSE is {named}, and there is no labs/ in it.")
            return cls(root)
        for folder in (*_around(), Path(__file__).resolve().parent.parent):
            if (folder / "labs").is_dir() and (folder / "grader").is_dir():
                return cls(folder)
        raise UsageError("No course here: run it in the folder that holds labs/.")

    @property
    def _tables(self) -> list[Path]:
        return sorted(self.root.glob("labs/[0-9]*/lab.toml"))

    @property
    def app(self) -> Path:
        """The shared ML application that exercises name in ``given``."""
        return self.root / "labs" / "app"

    def run(self, lab: str) -> str:
        """The ``lab.run`` of what this lab's notebook makes.

        An engine may be shared by checkouts, and two notebooks may be open: each cleans up its own.
        """
        return f"notebook-{hashlib.sha256(str(self.root).encode()).hexdigest()[:8]}-{lab}"

    @property
    def runs(self) -> tuple[str, ...]:
        """Those of all labs, broken ones too."""
        return tuple(self.run(p.parent.name) for p in self._tables)

    @property
    def work(self) -> Path:
        """Where learners edit."""
        return self.root / "work"

    def labs(self) -> list[Lab]:
        """All labs in order. Raises SpecError for the first broken lab.toml."""
        return [Lab.load(p) for p in self._tables]

    def lab(self, name: str) -> Lab:
        """One lab by its name. Raises UsageError naming the labs there are."""
        paths = {p.parent.name: p for p in self._tables}
        if name not in paths:
            raise UsageError(f"No lab {name[:80]!r}. There are: {', '.join(paths)}.")
        return Lab.load(paths[name])

    def exercise(self, id_: str) -> Exercise:
        """One exercise by ``NN-name/exercise``. Raises UsageError naming those there are."""
        lab_name, _, name = id_.strip("/").partition("/")
        lab = self.lab(lab_name)
        try:
            return lab[name]
        except KeyError:
            known = ", ".join(e.id for e in lab.exercises)
            raise UsageError(f"No exercise {id_!r}. There are: {known}.") from None

    def starter(self, exercise: Exercise) -> Path:
        return exercise.folder

    def solution(self, exercise: Exercise) -> Path:
        return self.root / "solutions" / exercise.lab / exercise.name

    def workplace(self, exercise: Exercise) -> Path:
        return self.work / exercise.lab / exercise.name
