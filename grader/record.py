"""Records what the cells that need an engine show on a real one, for ``replay`` to show elsewhere.

The student's notebook of each lab runs in a copy of the course, so that nothing of a learner's is
touched or told. It grades nothing.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from grader import cells, recording
from grader.course import Course
from grader.engine import Engine
from grader.errors import SpecError
from grader.execution import PLAIN, Notebook, copied, execute, tool
from grader.kernel import marked
from grader.recording import MEASURED, PNG, Measured, Picture, Recording, Shown, Text, key
from grader.scrub import Scrubber, scrubber

MOST_BYTES = 1_000_000  # of one file
PIXELS, COLOURS = 1100, 96  # of a picture that is 760 wide on the page
LONGEST = 40_000  # characters of one output


def record_command(labs: Sequence[str] = (), *, check: bool = False) -> int:
    """``grader record [--check] [LAB…]``: exit status 1 where a checked recording is stale."""
    course = Course.find()
    names = _named(course, labs)
    if check:
        found = [line for name in names for line in stale(course, name)]
        for line in found:
            print(f"stale: {line}")
        return 1 if found else 0
    for name in names:
        print(f"recording {name}", flush=True)
        file = write(course, record(course, name))
        print(f"wrote {file.relative_to(course.root)} ({file.stat().st_size / 1e3:.0f} kB)")
    return 0


def stale(course: Course, lab: str) -> list[str]:
    """A sentence for each cell without a recording, and for each recording without a cell."""
    file = recording.path(course, lab)
    where = file.relative_to(course.root)
    try:
        kept = recording.load(file).cells
    except FileNotFoundError:
        kept = {}
    except SpecError as err:
        return [str(err)]
    wanted = {key(source): number for number, source in _marked(_read(course, lab))}
    lost = [f"{where}: nothing for cell {n}" for name, n in wanted.items() if name not in kept]
    extra = [f"{where}: cells.{name} is of no cell any more" for name in kept if name not in wanted]
    return lost + extra


def record(course: Course, lab: str) -> Recording:
    """Run one lab's notebook on the engine in use. What it makes is removed, also when it fails."""
    book = _read(course, lab)
    with copied(course) as place, Engine.open() as engine:
        told = json.dumps(engine.info, default=str)
        clean = scrubber((course.root, place.root), (told,), {str(engine.info.get("Name", ""))})
        run, source = place.run(lab), place.root / "labs" / lab / f"{lab}.ipynb"
        environ = {**PLAIN, "LAB_COURSE": str(place.root), "LAB_STATIC": ""}
        try:
            execute(book, source, environ=environ)
        finally:
            engine.cleanup(run)
        facts = engine.facts()
    return recorded(book, lab, clean, version=str(facts["version"]), gpu=str(facts["gpu"]))


def recorded(book: Notebook, lab: str, clean: Scrubber, *, version: str, gpu: str) -> Recording:
    """The outputs of an executed notebook as a recording. SpecError where two cells are alike."""
    shown: dict[str, tuple[Shown, ...]] = {}
    titles: dict[str, str] = {}
    for number, source in _marked(book):
        name = key(source)
        if name in shown:
            raise SpecError(f"{lab}: cell {number} is the same as an earlier one: make them differ")
        found = outputs(book.cells[number - 1].outputs, clean)
        shown[name], titles[name] = found, _title(source)
        if left := [w for one in found for w in clean.left(_told(one))]:
            raise SpecError(f"{lab}: cell {number} would tell {len(left)} names of this machine")
    today = datetime.now(UTC).date().isoformat()
    return Recording(lab, today, version, gpu, shown, titles)


def write(course: Course, made: Recording) -> Path:
    """Write the file. SpecError where it is larger than a repository should hold."""
    file, text = recording.path(course, made.lab), str(made)
    size = len(text.encode())
    if size > MOST_BYTES:
        raise SpecError(f"{file.name}: {size / 1e3:.0f} kB; {MOST_BYTES / 1e3:.0f} kB are allowed")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def outputs(found: Sequence[Mapping[str, Any]], clean: Scrubber) -> tuple[Shown, ...]:
    """What a cell showed: text that follows on text is one, as it was on the page."""
    joined: list[Shown] = []
    for one in (shown for output in found for shown in _output(output, clean)):
        last = joined[-1] if joined else None
        if isinstance(one, Text) and isinstance(last, Text):
            joined[-1] = Text(f"{last.text.rstrip()}\n{one.text}")
        elif not isinstance(one, Text) or one.text.strip():
            joined.append(one)
    return tuple(_bounded(one) for one in joined)


def _output(output: Mapping[str, Any], clean: Scrubber) -> Iterator[Shown]:
    kind = output["output_type"]
    if kind == "stream":
        yield Text(_plain(output["text"], clean))
    elif kind == "error":
        yield Text(_plain(f"{output['ename']}: {output['evalue']}", clean))
    elif answer := output.get("metadata", {}).get(MEASURED):
        yield Measured(answer["id"], _plain(answer["value"], clean))
    else:
        yield from _displayed(output["data"], clean)


def _displayed(data: Mapping[str, Any], clean: Scrubber) -> Iterator[Shown]:
    """Its pictures, else its plain text: a page and a widget have one for where there is none."""
    images = _Images()
    images.feed(data.get("text/html", ""))
    if not images.found and "image/png" in data:
        images.add(data["image/png"], "", recording.WIDTH)
    for png, alt, width in images.found:
        yield Picture(_modest(png), _plain(alt, clean).strip(), width)
    if not images.found:
        yield Text(_plain(data.get("text/plain", ""), clean))


def _plain(text: str, clean: Scrubber) -> str:
    """Without colours, and of a line that was written over, what stood there last."""
    lines = text.replace("\r\n", "\n").split("\n")
    last = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return clean(cells.clean(last, len(last)))


def _bounded(one: Shown) -> Shown:
    if isinstance(one, Text) and len(one.text) > LONGEST:
        return Text(f"{one.text[:LONGEST]}\n… (the rest was not recorded)")
    return one


def _told(one: Shown) -> str:
    return one.alt if isinstance(one, Picture) else json.dumps(one.as_json(), ensure_ascii=False)


def _modest(png: bytes) -> bytes:
    """The same picture with fewer pixels and colours: a repository keeps it for ever."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        image = picture.convert("RGBA")
    if image.width > PIXELS:
        image = image.resize((PIXELS, round(image.height * PIXELS / image.width)))
    file = io.BytesIO()
    few = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    few.save(file, format="png", optimize=True)
    return min(file.getvalue(), png, key=len)


@dataclass
class _Images(HTMLParser):
    """The pictures that are written out in a page: what they say, and how wide they are."""

    found: list[tuple[bytes, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        kind, _, data = known.get("src", "").partition(",")
        if tag == "img" and kind == "data:image/png;base64":
            width = re.search(r"(?:^|;)\s*width:\s*(\d+)px", known.get("style", ""))
            self.add(data, known.get("alt", ""), int(width[1]) if width else recording.WIDTH)

    def add(self, data: str, alt: str, width: int) -> None:
        try:
            png = base64.b64decode(data)
        except (binascii.Error, ValueError):
            return
        if png.startswith(PNG):
            self.found.append((png, alt, width))


def _named(course: Course, labs: Sequence[str]) -> list[str]:
    """Those that are named, or all. UsageError for one that there is none of."""
    return [course.lab(name).name for name in labs] or [lab.name for lab in course.labs()]


def _read(course: Course, lab: str) -> Notebook:
    nbformat, path = tool("nbformat"), course.root / "labs" / lab / f"{lab}.ipynb"
    try:
        return nbformat.read(path, 4)
    except Exception as err:  # (nbformat raises many kinds, all for the same reason)
        raise SpecError(f"labs/{lab}/{lab}.ipynb can't be read: {err}") from err


def _marked(book: Notebook) -> list[tuple[int, str]]:
    """The cells that need an engine, with their numbers as an editor shows them: from 1."""
    code = ((n, c) for n, c in enumerate(book.cells, 1) if c.cell_type == "code")
    return [(number, cell.source) for number, cell in code if marked(cell.source)]


def _title(source: str) -> str:
    """Its first line behind the mark."""
    lines = source.strip().splitlines()[1:]
    return next((line.strip() for line in lines if line.strip()), "")[:100]
