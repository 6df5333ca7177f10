"""What the cells of one lab showed on a real engine: the file ``binder/recorded/NN-name.json``.

Made by ``record``, shown by ``replay``. Nothing is executed and nothing is shown here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.errors import SpecError

VERSION = 1
GPUS = ("none", "simulated", "nvidia")
PNG = b"\x89PNG\r\n\x1a\n"
MEASURED = "lab.measured"  # in an output's metadata: the answer to a prediction
WIDTH = 760  # of a picture on the page, where nothing else is known


@dataclass(frozen=True)
class Text:
    """What a program printed, or the plain text of what was shown as a page."""

    text: str

    def as_json(self) -> dict[str, Any]:
        return {"text": self.text.splitlines()}


@dataclass(frozen=True)
class Picture:
    """A PNG, and the sentence for those who can't see it."""

    png: bytes
    alt: str = ""
    width: int = WIDTH

    def as_json(self) -> dict[str, Any]:
        return {"png": base64.b64encode(self.png).decode(), "alt": self.alt, "width": self.width}


@dataclass(frozen=True)
class Measured:
    """The answer to a prediction, as the engine gave it on that day."""

    id: str
    value: str

    def as_json(self) -> dict[str, Any]:
        return {"measured": self.value, "id": self.id}


Shown = Text | Picture | Measured


@dataclass(frozen=True)
class Recording:
    """``cells`` maps the key of a cell to what it showed, in the notebook's order.

    ``titles`` has the first line of each cell: it is there for those who read the file.
    """

    lab: str
    date: str
    engine: str
    gpu: str = "none"
    cells: Mapping[str, tuple[Shown, ...]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = {
            key: {"cell": self.titles.get(key, ""), "shows": [one.as_json() for one in shown]}
            for key, shown in self.cells.items()
        }
        head = {"version": VERSION, "lab": self.lab, "date": self.date}
        whole = {**head, "engine": self.engine, "gpu": self.gpu, "cells": rows}
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def key(source: str) -> str:
    """What a cell is found by: it changes with the cell's text, and with nothing else."""
    return hashlib.sha256(source.strip().encode()).hexdigest()[:16]


def path(course: Course, lab: str) -> Path:
    """Where the recording of this lab is, whether there is one or not."""
    return course.root / "binder" / "recorded" / f"{lab}.json"


def load(file: Path) -> Recording:
    """A recording. FileNotFoundError for none; SpecError with file and key for a broken one."""
    try:
        table = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as err:
        raise SpecError(f"{file}: can't be read as JSON: {err}") from err
    reader = _Reader(file.name)
    reader.same("version", reader.take(table, "version", int), VERSION)
    lab, engine = (reader.take(table, name, str) for name in ("lab", "engine"))
    reader.same("lab", lab, file.stem)
    cells = reader.take(table, "cells", dict)
    return Recording(
        lab=lab,
        date=reader.day(reader.take(table, "date", str)),
        engine=engine,
        gpu=reader.one_of("gpu", reader.take(table, "gpu", str), GPUS),
        cells={name: tuple(reader.cell(name, cell)) for name, cell in cells.items()},
        titles={name: reader.take(cell, "cell", str, name) for name, cell in cells.items()},
    )


@dataclass(frozen=True)
class _Reader:
    """Reads one file's values, and names the key of what is wrong."""

    name: str

    def take(self, table: object, key: str, kind: type, where: str = "") -> Any:
        place = f"cells.{where}.{key}" if where else key
        if not isinstance(table, dict) or key not in table:
            raise SpecError(f"{self.name}: {place} is missing")
        value = table[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise SpecError(f"{self.name}: {place} is no {kind.__name__}")
        return value

    def same(self, key: str, value: object, wanted: object) -> None:
        if value != wanted:
            raise SpecError(f"{self.name}: {key} is {value!r}, and must be {wanted!r}")

    def one_of(self, key: str, value: str, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            raise SpecError(f"{self.name}: {key} is {value!r}, and not {' or '.join(allowed)}")
        return value

    def day(self, value: str) -> str:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError as err:
            raise SpecError(f"{self.name}: date is no day: {value!r}") from err

    def cell(self, name: str, cell: object) -> Iterator[Shown]:
        for number, one in enumerate(self.take(cell, "shows", list, name)):
            yield self.shown(f"{name}.shows[{number}]", one)

    def shown(self, where: str, one: object) -> Shown:
        if isinstance(one, dict) and "png" in one:
            png = self.png(where, self.take(one, "png", str, where))
            width = self.take(one, "width", int, where)
            return Picture(png, self.take(one, "alt", str, where), width)
        if isinstance(one, dict) and "measured" in one:
            value = self.take(one, "measured", str, where)
            return Measured(self.take(one, "id", str, where), value)
        lines = self.take(one, "text", list, where)
        return Text("\n".join(map(str, lines)))

    def png(self, where: str, value: str) -> bytes:
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if not data.startswith(PNG):
            raise SpecError(f"{self.name}: cells.{where}.png is no picture")
        return data
