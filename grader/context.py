"""What a submission's folder holds, and the copy of it that is built.

It never follows a link, never reads a special file and never writes into the submission.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import EngineError, SubmissionError
from grader.given import files as given_files

MAX_FILES = 20_000  # folders counted in
MAX_DEPTH = 100  # folders inside one another


@dataclass(frozen=True)
class Context:
    """A folder ready to be sent to BuildKit.

    ``size`` is in bytes, of regular files. ``replaced`` names the given files that the submission
    had changed: the course's own are built. ``own`` are the submission's paths, ``/``-separated.
    """

    folder: Path
    size: int
    own: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    outside_links: tuple[str, ...] = field(default=())


def measure(folder: Path, *, max_mb: float) -> tuple[int, list[Path]]:
    """Bytes and paths below ``folder``. Raises SubmissionError when it cannot be a context."""
    if not folder.is_dir():
        raise SubmissionError(f"There is no folder {folder.name}.")
    size, paths = 0, []
    for count, (path, info) in enumerate(_walk(folder, folders=True), 1):
        if count > MAX_FILES:
            raise SubmissionError(f"The folder holds more than {MAX_FILES} files. Remove some.")
        if stat.S_ISDIR(info.st_mode):
            continue
        if not stat.S_ISREG(info.st_mode) and not stat.S_ISLNK(info.st_mode):
            raise SubmissionError(
                f"{path.relative_to(folder)} is a {_kind(info.st_mode)}: only files, folders and"
                " links can be built from. Remove it."
            )
        size += info.st_size
        paths.append(path)
        if size > max_mb * 1e6:
            raise SubmissionError(_too_big(folder, max_mb))
    return size, paths


def assemble(
    submission: Path,
    app: Path,
    given: tuple[str, ...],
    target: Path,
    *,
    max_mb: float,
    planted: Mapping[str, str] | None = None,
) -> Context:
    """Copy the submission to ``target`` with the course's given files laid over it.

    ``planted`` maps the name of a file of ours to what it holds.
    """
    size, paths = measure(submission, max_mb=max_mb)
    own = tuple(str(p.relative_to(submission)) for p in paths)
    try:
        shutil.copytree(submission, target, symlinks=True, dirs_exist_ok=True)
        laid = given_files(app, given)
        replaced = [n for name, source in laid.items() for n in _lay(source, target, name)]
        for name, text in (planted or {}).items():
            plant(target, name, text)
        size = sum(i.st_size for _, i in _walk(target))
    except (OSError, shutil.Error) as err:
        raise EngineError(f"The submission could not be copied: {err}") from err
    return Context(target, size, own, tuple(sorted(replaced)), tuple(_outside(target)))


def plant(target: Path, name: str, text: str) -> None:
    """Write one file of ours into a copy of a submission, whatever lies in its way there."""
    goal = target / name
    for _ in _make_way(target, goal):
        pass
    if goal.is_dir() and not goal.is_symlink():
        shutil.rmtree(goal)
    goal.unlink(missing_ok=True)
    goal.write_text(text)


def _lay(source: Path, target: Path, name: str) -> Iterator[str]:
    """Copy one given file; yields its name when the submission had it otherwise."""
    goal = target / name
    yield from _make_way(target, goal)
    if goal.is_symlink() or goal.is_dir():
        yield name
        goal.unlink() if goal.is_symlink() else shutil.rmtree(goal)
    elif goal.exists() and goal.read_bytes() != source.read_bytes():
        yield name
    shutil.copyfile(source, goal)
    shutil.copymode(source, goal)


def _make_way(target: Path, goal: Path) -> Iterator[str]:
    """Make the folders above ``goal`` real ones: a link there would let us write elsewhere.

    Yields what had to go for that.
    """
    parent = target
    for part in goal.relative_to(target).parts[:-1]:
        parent = parent / part
        if parent.is_symlink() or parent.is_file():
            yield str(parent.relative_to(target))
            parent.unlink()
        parent.mkdir(exist_ok=True)


def _walk(folder: Path, *, folders: bool = False) -> Iterator[tuple[Path, os.stat_result]]:
    stack = [(folder, 0)]
    while stack:
        here, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise SubmissionError(f"The folder is more than {MAX_DEPTH} folders deep. Flatten it.")
        try:
            entries = sorted(os.scandir(here), key=lambda e: e.name)
        except OSError as err:
            raise SubmissionError(f"{folder.name} cannot be read: {err.strerror}.") from err
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder:
                stack.append((Path(entry.path), depth + 1))
            if folders or not is_folder:
                yield Path(entry.path), entry.stat(follow_symlinks=False)


def _outside(folder: Path) -> Iterator[str]:
    root = folder.resolve()
    for path, info in _walk(folder):
        if not stat.S_ISLNK(info.st_mode):
            continue
        goal = Path(os.path.normpath(path.parent.resolve() / path.readlink()))
        if not goal.is_relative_to(root):
            yield f"{path.relative_to(folder)} -> {path.readlink()}"


def _too_big(folder: Path, max_mb: float) -> str:
    sizes = sorted(((i.st_size, p) for p, i in _walk(folder)), reverse=True)[:3]
    total = sum(i.st_size for _, i in _walk(folder))
    biggest = ", ".join(f"{p.relative_to(folder)} ({size / 1e6:.0f} MB)" for size, p in sizes)
    return (
        f"The folder holds {total / 1e6:.0f} MB; at most {max_mb:g} MB are built here. The biggest:"
        f" {biggest}. Take them out; a .dockerignore keeps them out of your own builds."
    )


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "named pipe"
    if stat.S_ISSOCK(mode):
        return "socket"
    return "device"
