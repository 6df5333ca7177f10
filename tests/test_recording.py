"""The file of what was recorded: what is written can be read, and what can't be read is named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader import recording
from grader.errors import SpecError
from grader.recording import PNG, Measured, Picture, Recording, Text

KEY = recording.key("# needs docker\n!docker ps")
GOOD = base64.b64encode(PNG).decode()
WHOLE = Recording(
    "01-a",
    "2026-01-31",
    "26.1.5",
    "simulated",
    {KEY: (Text("a\nb"), Picture(PNG, "a bar", 500), Measured("size", "5 MB"), Text("ä")), "x": ()},
    {KEY: "!docker ps", "x": ""},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "01-a.json"
    path.write_text(str(WHOLE), "utf-8")
    return path


def test_what_is_written_is_read_again(file: Path) -> None:
    assert recording.load(file) == WHOLE
    assert str(recording.load(file)) == str(WHOLE)


def test_the_key_changes_with_the_text_and_not_with_the_space_around_it() -> None:
    assert recording.key("# needs docker\n!docker ps\n\n") == KEY
    assert recording.key("# needs docker\n!docker ps -a") != KEY


def test_the_cells_keep_the_notebooks_order(file: Path) -> None:
    assert list(recording.load(file).cells) == [KEY, "x"]


def test_no_file_is_not_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        recording.load(tmp_path / "01-a.json")


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda table: table.pop(name)


def shows(value: object) -> Callable[[dict[str, Any]], object]:
    return lambda table: table["cells"][KEY].update(shows=value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (without("date"), "date is missing"),
        (without("cells"), "cells is missing"),
        (lambda t: t.update(version=2), "version is 2"),
        (lambda t: t.update(version=True), "version is no int"),
        (lambda t: t.update(lab="02-b"), "lab is '02-b'"),
        (lambda t: t.update(date="soon"), "date is no day"),
        (lambda t: t.update(gpu="yes"), "gpu is 'yes'"),
        (lambda t: t.update(cells=[]), "cells is no dict"),
        (lambda t: t.update(cells={KEY: 1}), f"cells.{KEY}.shows is missing"),
        (lambda t: t["cells"][KEY].pop("cell"), f"cells.{KEY}.cell is missing"),
        (shows("x"), f"cells.{KEY}.shows is no list"),
        (shows([{}]), f"cells.{KEY}.shows[0].text is missing"),
        (shows([{"text": []}, 5]), f"cells.{KEY}.shows[1].text is missing"),
        (shows([{"png": "AAAA", "alt": "", "width": 1}]), f"cells.{KEY}.shows[0].png is no pict"),
        (shows([{"png": "ä", "alt": "", "width": 1}]), f"cells.{KEY}.shows[0].png is no pict"),
        (shows([{"png": GOOD, "alt": "", "width": "1"}]), f"cells.{KEY}.shows[0].width is no int"),
        (shows([{"measured": "1"}]), f"cells.{KEY}.shows[0].id is missing"),
    ],
)
def test_a_broken_file_is_named_with_its_key(
    file: Path, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    table = json.loads(file.read_text("utf-8"))
    change(table)
    file.write_text(json.dumps(table), "utf-8")
    with pytest.raises(SpecError) as caught:
        recording.load(file)
    assert f"01-a.json: {named}" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\udcff"])
def test_what_is_no_json_object_is_named(file: Path, text: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SpecError, match=r"01-a\.json"):
        recording.load(file)
