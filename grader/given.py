"""Which files an exercise gives: paths of ``labs/app``, laid under what the learner writes.

``app`` is that folder as ``app``; ``lite/`` is what is in that folder, at the root, as rsync means
it. It copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from grader.errors import SpecError

JUNK = ("__pycache__", "*.pyc", ".ipynb_checkpoints", ".DS_Store")


def files(app: Path, given: Iterable[str]) -> dict[str, Path]:
    """Every given file's name in the exercise's folder, and where it is copied from.

    Raises SpecError when one is not there.
    """
    return {name: source for entry in given for name, source in _entry(app, entry)}


def is_given(name: str, app: Path, given: Iterable[str]) -> bool:
    """Whether a file of this name is the course's: what is added to a given folder is, too."""
    whole = [g for g in given if not g.endswith("/")]
    if any(name == g or name.startswith(f"{g}/") for g in whole):
        return True
    return name in files(app, (g for g in given if g.endswith("/")))


def is_junk(name: str) -> bool:
    """Whether a file or folder of that name is something that a program left behind."""
    return any(Path(name).match(pattern) for pattern in JUNK)


def _entry(app: Path, entry: str) -> Iterator[tuple[str, Path]]:
    root = app / entry
    if root.is_file():
        yield entry, root
    elif not root.is_dir():
        raise SpecError(f"given {entry!r} is not in {app}")
    base = root if entry.endswith("/") else app
    for path in sorted(root.rglob("*")):
        if path.is_file() and not any(map(is_junk, path.relative_to(app).parts)):
            yield path.relative_to(base).as_posix(), path
