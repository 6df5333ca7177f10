"""What two images have that the other has not: packages, programs, variables, files.

For the picture in the notebook; no mark hangs on it. What is in one image is ``flavours``'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grader.flavours import Flavour

DEEP = 2  # folders by which files are counted: /opt/venv, /usr/share
MOST = 8  # rows of one kind


@dataclass(frozen=True)
class Difference:
    """One thing that differs: ``one`` and ``other`` are what each image has, "" for nothing."""

    kind: str
    name: str
    one: str
    other: str


@dataclass(frozen=True)
class Differences:
    """``same`` counts what both have, by kind; ``more`` what found no room in ``rows``."""

    rows: tuple[Difference, ...]
    same: Mapping[str, int]
    more: int = 0


def compare(one: Flavour, other: Flavour) -> Differences:
    """All that differs, kind by kind, the first few of each."""
    kinds = {
        "package": (dict(one.packages), dict(other.packages)),
        "program": (dict.fromkeys(one.programs, "yes"), dict.fromkeys(other.programs, "yes")),
        "variable": (_environment(one), _environment(other)),
    }
    rows, more = list[Difference](), 0
    for kind, (first, second) in kinds.items():
        found = list(_differing(kind, first, second))
        rows += found[:MOST]
        more += len(found[MOST:])
    files = list(_folders(one.paths - other.paths, other.paths - one.paths))
    same = {
        f"{kind}s": len(first.items() & second.items()) for kind, (first, second) in kinds.items()
    }
    same["files"] = len(one.paths & other.paths)
    return Differences((*rows, *files[:MOST]), same, more + len(files[MOST:]))


def _differing(kind: str, one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted({*one, *other}):
        first, second = one.get(name, ""), other.get(name, "")
        if first != second:
            yield Difference(kind, name, first, second)


def _folders(one: frozenset[str], other: frozenset[str]) -> Iterator[Difference]:
    first, second = (Counter(map(_folder, paths)) for paths in (one, other))
    for name, _ in (first + second).most_common():
        yield Difference("files only here, below", name, _count(first[name]), _count(second[name]))


def _folder(path: str) -> str:
    return (
        "/".join(path.split("/")[: DEEP + 1]) if path.count("/") > DEEP else path.rpartition("/")[0]
    )


def _count(files: int) -> str:
    return str(files) if files else ""


def _environment(flavour: Flavour) -> dict[str, str]:
    pairs = (str(row).partition("=") for row in flavour.image.config.get("Env") or ())
    return {name: value for name, _, value in pairs}
