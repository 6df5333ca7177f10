"""A short print of what a check finds: the learner's own files, and what the exercise asks.

It tells whether a pass still stands for what is there now. What is only said, as a task or a hint,
does not count; it judges nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from grader import work
from grader.course import Course
from grader.given import files as given_files
from grader.progress import Fingerprint
from grader.spec import Exercise, Item

LENGTH = 8


def fingerprint(course: Course, exercise: Exercise) -> Fingerprint | None:
    """None where nothing here is the learner's: a gate, an untouched starter, no folder at all."""
    if exercise.is_gate or work.is_untouched(course, exercise):
        return None
    folder = course.workplace(exercise)
    mine = {name: folder / name for name in work.own_files(course, exercise)}
    return Fingerprint(_digest(_files(mine)), _digest(_asked(course, exercise)))


def _asked(course: Course, exercise: Exercise) -> Iterator[str]:
    """All that can change a verdict: the rows, the way it is run, the files under it."""
    one = exercise
    yield _words([_row(item) for item in one.items])
    yield _words([one.given, one.port, vars(one.limits), one.secret, one.image])
    yield from _files(given_files(course.app, one.given))
    image = course.root / "images" / one.image
    yield from _files({n: image / n for n in work.names(image)} if one.image else {})


def _row(item: Item) -> list[Any]:
    return [item.id, item.check.name, dict(item.settings), item.points, item.needs]


def _files(files: Mapping[str, Path]) -> Iterator[str]:
    for name, path in sorted(files.items()):
        yield _words([name, *_content(path)])


def _content(path: Path) -> list[str]:
    """What is in a file. A pipe or a device is never opened: it might not end."""
    try:
        if path.is_symlink():
            return ["link", str(path.readlink())]
        if not path.is_file():
            return ["no file"]
        kind = "program" if path.stat().st_mode & 0o100 else "file"
        with path.open("rb") as file:
            return [kind, hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError:
        return ["unreadable"]


def _words(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _digest(parts: Iterable[str]) -> str:
    """Each part is one line of JSON, so that no two lists of parts read the same."""
    text = "\n".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:LENGTH]
