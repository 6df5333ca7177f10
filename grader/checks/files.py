"""What is in the image's final file system, read from outside: nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from grader.look import HARD_LINK, REGULAR, SYMLINK, File
from grader.registry import check
from grader.results import Result, failed, passed

_DISTRIBUTION = re.compile(r"/([^/]+?)(?:-\d[^/-]*(?:-py[\d.]+)?)?\.(?:dist-info|egg-info)(?:/|$)")
# x86_64-linux-gnu-gcc-12 is gcc too
_DECORATION = re.compile(r"^(?:\w+-(?:\w+-)?linux-\w+-)?(?P<name>.+?)(?:-[0-9.]+)?$")
SHOWN = 5


@check
def absent(files: tuple[File, ...], *, names: list[str], what: str = "program") -> Result:
    """No {what} in the final image ({names})"""
    wanted = set(names)
    found = sorted(f.path for f in files if _is_program(f) and _plain_name(f.path) & wanted)
    if not found:
        return passed(f"none of {len(files)} paths")
    return failed(
        f"The final image has {_some(found)}. It is there to build with, not to run with: leave it"
        " in a stage that is not shipped.",
        found=found[:50],
    )


@check
def no_packages(files: tuple[File, ...], *, names: list[str]) -> Result:
    """The final image has no Python package of these: {names}"""
    wanted = {_normal(n) for n in names}
    found: dict[str, str] = {}
    for file in files:
        match = _DISTRIBUTION.search(file.path)
        if match and _normal(match[1]) in wanted:
            found.setdefault(_normal(match[1]), file.path[: match.end()].rstrip("/"))
    if not found:
        return passed("none of them")
    return failed(
        f"The final image has {', '.join(sorted(found))} ({_some(sorted(found.values()))}). They"
        " train the model; serving it needs none of them.",
        found=found,
    )


@check
def no_apt_lists(files: tuple[File, ...]) -> Result:
    """No package lists or archives of apt are left in the final image"""
    left = [f for f in files if f.kind == REGULAR and f.size and _is_apt(f.path)]
    size = sum(f.size for f in left)
    if not left:
        return passed("none left")
    return failed(
        f"{size / 1e6:.1f} MB of apt's files are left: {_some([f.path for f in left])}. Remove them"
        " in the RUN that fetched them.",
        bytes=size,
        found=[f.path for f in left[:50]],
    )


def _is_program(file: File) -> bool:
    if file.kind in (SYMLINK, HARD_LINK):
        return True
    return file.kind == REGULAR and bool(file.mode & 0o111)


def _plain_name(path: str) -> set[str]:
    """The base name as it is, and without a target triplet in front and a version behind."""
    name = path.rpartition("/")[2]
    match = _DECORATION.match(name)
    return {name, match["name"]} if match else {name}


def _is_apt(path: str) -> bool:
    if path.startswith("/var/lib/apt/lists/"):
        return not path.endswith(("/lock", "/partial"))
    return path.startswith("/var/cache/apt/") and path.endswith((".deb", ".bin"))


def _normal(name: str) -> str:
    """As PyPI compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _some(paths: Iterable[str]) -> str:
    every = list(paths)
    rest = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + rest
