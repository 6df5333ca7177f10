"""The sizes of lab 01's ladder as values: reading, writing and comparing what is kept of them.

Not here: measuring (drift). Figures of different bases say nothing of each other, so each kind of
base has a table of its own in ladder.toml.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from grader.errors import SpecError

KEPT = Path(__file__).with_name("ladder.toml")
MOST = 0.10  # a rung may have moved by this share
HEAD = """\
# What each rung of lab 01's ladder takes, in MB: the sum of `docker history`. A table for each kind
# of base, since a stand-in is not as big as the real image. Written by
# `python -m tests.bench.drift --renew`; without --renew it says how far a rung has moved since.
"""


@dataclass(frozen=True)
class Ladder:
    """One measurement: on what, when, and the MB of each rung from the top."""

    base: str
    base_mb: float
    engine: str
    date: dt.date
    mb: Mapping[str, float]


@dataclass(frozen=True)
class Step:
    """A rung that was measured again; ``was`` or ``now`` is 0 where it was not there."""

    rung: str
    was: float
    now: float

    @property
    def moved(self) -> float:
        """By which share; what is new or gone has moved by all of it."""
        return round(self.now / self.was - 1, 4) if self.was else 1.0

    @property
    def off(self) -> bool:
        return abs(self.moved) > MOST

    def __str__(self) -> str:
        mark = f"  more than {MOST:.0%}" if self.off else ""
        return f"  {self.rung:12} {self.was:8.1f} → {self.now:8.1f} MB {self.moved:+8.1%}{mark}"


def steps(kept: Ladder, now: Ladder) -> list[Step]:
    """Both ladders side by side; a rung that only one of them has is in it, too."""
    return [Step(r, kept.mb.get(r, 0), now.mb.get(r, 0)) for r in {**now.mb, **kept.mb}]


def load(path: Path = KEPT) -> dict[str, Ladder]:
    """Every table of the file, none without a file. SpecError names file, table and key."""
    try:
        tables = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except tomllib.TOMLDecodeError as err:
        raise SpecError(f"{path}: {err}") from err
    return {kind: _ladder(f"{path}, [{kind}]", table) for kind, table in tables.items()}


def _ladder(where: str, table: Any) -> Ladder:
    names = {one.name for one in fields(Ladder)}
    given = set(table) if isinstance(table, dict) else set()
    if wrong := sorted(names ^ given):
        raise SpecError(f"{where}: {'missing' if wrong[0] in names else 'unknown'}: {wrong[0]}")
    if not isinstance(table["mb"], dict):
        raise SpecError(f"{where}: mb is no table of rungs")
    for rung, mb in ("base_mb", table["base_mb"]), *table["mb"].items():
        if not isinstance(mb, int | float) or mb <= 0:
            raise SpecError(f"{where}: {rung} is {mb!r}, and MB are a number above 0")
    return Ladder(**table)


def save(ladders: Mapping[str, Ladder], path: Path = KEPT) -> None:
    path.write_text(HEAD + "".join(text(kind, ladders[kind]) for kind in sorted(ladders)), "utf-8")


def text(kind: str, ladder: Ladder) -> str:
    """One table, as it stands in the file."""
    return "\n".join(["", *_lines(kind, ladder), ""])


def _lines(kind: str, ladder: Ladder) -> Iterator[str]:
    yield f"[{kind}]"
    yield f'base = "{ladder.base}"'
    yield f"base_mb = {ladder.base_mb:.1f}"
    yield f'engine = "{ladder.engine}"'
    yield f"date = {ladder.date}"
    yield f"[{kind}.mb]"
    yield from (f"{rung} = {mb:.1f}" for rung, mb in ladder.mb.items())
