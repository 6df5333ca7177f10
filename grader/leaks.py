"""Where a build's secret turns up: in which layer, which file, which line of the history.

It searches and words, and never repeats the token. How a token is recognised is ``needles``'; the
verdict is the checks'.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from grader.archive import Reader as ArchiveReader
from grader.build import Build
from grader.dockerfile import Dockerfile
from grader.engine import Engine, Image
from grader.errors import SubmissionError
from grader.facts import Canary, Facts
from grader.layers import Base, Layers, Step, joined
from grader.needles import WINDOW, Needle
from grader.registry import fact

MOST_FINDS = 200
# What a text of the configuration is called in a message, by the key above it.
_CONFIG = {
    "Env": "the image's environment (docker inspect)",
    "Labels": "a label (docker inspect)",
    "Cmd": "the CMD (docker inspect)",
    "Entrypoint": "the ENTRYPOINT (docker inspect)",
    "Healthcheck": "the HEALTHCHECK (docker inspect)",
    "OnBuild": "an ONBUILD (docker inspect)",
}


@dataclass(frozen=True)
class Leak:
    """One place where the token was found. ``what`` is a path or a name, without the token."""

    place: str
    what: str
    form: str
    line: int | None = None
    step: str = ""

    def __str__(self) -> str:
        step = ": ".join(s for s in (f"line {self.line}" if self.line else "", self.step) if s)
        place = ", ".join(s for s in (self.place, self.what) if s)
        return f"{place}{f' ({step})' if step else ''}, {self.form}"


@dataclass(frozen=True)
class Leaks:
    """All the places; ``layers`` is how many were searched, ``clipped`` whether a bound was met."""

    found: tuple[Leak, ...]
    layers: int
    clipped: bool = False


@dataclass
class Search:
    """Visits an archive's entries, and then its texts, with one needle."""

    needle: Needle
    found: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    def visit(self, layer: str, member: tarfile.TarInfo, data: IO[bytes] | None) -> None:
        """Look at one entry of one layer: its name, what it points to, its bytes."""
        words = [member.name, member.linkname, member.uname, member.gname]
        words += [f"{k}={v}" for k, v in member.pax_headers.items()]
        if form := self.needle.inside(_bytes("\0".join(words))):
            self._note(layer, "a name in a layer", member.name, form)
        elif data and (form := self._content(data)):
            self._note(layer, "a layer", member.name, form)

    def _content(self, data: IO[bytes]) -> str:
        before = b""
        while window := data.read(WINDOW):
            if form := self.needle.inside(before + window):
                return form
            before = window[-self.needle.overlap :]
        return ""

    def _note(self, layer: str, place: str, name: str, form: str) -> None:
        rows = self.found.setdefault(layer, [])
        if len(rows) < MOST_FINDS:
            rows.append((place, f"/{self.needle.redacted(name).removeprefix('./')}", form))


def strings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text in a JSON value with the keys that lead to it; keys are texts, too."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield path, str(key)
            yield from strings(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, path)


def of_layers(search: Search, names: tuple[str, ...], layers: Layers) -> Iterator[Leak]:
    """What was found in the layers above the base, with the step that made each."""
    own = names[len(layers.base.layers) :]
    for name, layer in zip(own, layers.layers, strict=True):
        step = search.needle.redacted(short(layer.created_by))
        for place, what, form in search.found.get(name, ()):
            yield Leak(place, what, form, layer.line, step)


def of_history(search: Search, steps: tuple[Step, ...]) -> Iterator[Leak]:
    for step in steps:
        if form := search.needle.inside(_bytes(step.created_by)):
            shown = search.needle.redacted(short(step.created_by))
            yield Leak("the history (docker history)", "", form, step.line, shown)


def of_config(
    search: Search, config: Mapping[str, Any], dockerfile: Dockerfile | None
) -> list[Leak]:
    """Environment, labels, commands … and whatever else an image's description holds."""
    rows = {k: v for k, v in config.items() if k not in ("history", "rootfs")}
    found = dict[tuple[str, str], Leak]()
    for path, text in strings(rows):
        form = search.needle.inside(_bytes(text))
        if not form:
            continue
        key = next((k for k in path if k in _CONFIG), path[-1] if path else "")
        name = _name(key, path, text)
        what = search.needle.redacted(name)
        line = _line_of(dockerfile, key, name)
        place = _CONFIG.get(key, f"the image's configuration ({key})")
        found.setdefault((place, what), Leak(place, what, form, line))
    return list(found.values())


def of_output(search: Search, build: Build) -> Iterator[Leak]:
    """What the build printed: it is kept by whoever ran it, as in a CI system's log."""
    for step in build.steps:
        text = "\n".join(step.output)
        if step.line and (form := search.needle.inside(_bytes(text))):
            shown = search.needle.redacted(short(step.name))
            yield Leak("what the build prints", "", form, step.line, shown)


def _name(key: str, path: tuple[str, ...], text: str) -> str:
    if key == "Env":
        return text.partition("=")[0]
    return path[-1] if key == "Labels" and path[-1] != "Labels" else ""


def _line_of(dockerfile: Dockerfile | None, key: str, name: str) -> int | None:
    """The last stage's line that sets it, where one is easily told."""
    wanted = {"Env": "ENV", "Labels": "LABEL", "Cmd": "CMD"}.get(key, key.upper())
    if not dockerfile or not dockerfile.stages:
        return None
    lines = [
        i.line
        for i in dockerfile.stages[-1].instructions
        if i.name == wanted and (not name or name in i.text)
    ]
    return lines[-1] if lines else None


def short(created_by: str) -> str:
    text = " ".join(created_by.split()).replace("/bin/sh -c ", "").removesuffix(" # buildkit")
    return text if len(text) <= 90 else text[:89] + "…"


# -- facts -----------------------------------------------------------------------------------------


def saved(
    engine: Engine, image: Image, base: Base, dockerfile: Dockerfile | None, needle: Needle | None
) -> tuple[Layers, Search, tuple[str, ...]]:
    """One pass over ``docker save``: the layers above the base, searched on the way."""
    search = Search(needle or Needle("\0" * 40))
    reader = ArchiveReader(frozenset(base.layers), search.visit if needle else None)
    with engine.saved(image.id) as stream:
        archive = reader.read(stream)
    return joined(archive, base, dockerfile), search, archive.names


@dataclass(frozen=True)
class Saved:
    layers: Layers
    leaks: Leaks


@fact
def saved_image(image: Image, base: Base, engine: Engine, canary: Canary, facts: Facts) -> Saved:
    """The saved image, read once for all who ask."""
    dockerfile = _dockerfile(facts)
    needle = Needle(canary.token) if canary.id else None
    layers, search, names = saved(engine, image, base, dockerfile, needle)
    if not needle:
        return Saved(layers, Leaks((), len(layers.layers)))
    build: Build = facts.get("build")
    found = [
        *of_layers(search, names, layers),
        *of_history(search, layers.steps),
        *of_config(search, layers.config, dockerfile),
        *_of_rest(search, layers),
        *of_output(search, build),
    ]
    return Saved(layers, Leaks(tuple(found), len(layers.layers), needle.clipped))


def _of_rest(search: Search, layers: Layers) -> Iterator[Leak]:
    """Annotations, which lie beside the configuration in the archive."""
    for document in layers.texts:
        for path, text in strings(document):
            form = search.needle.inside(_bytes(text)) if "annotations" in path else ""
            if form:
                what = search.needle.redacted(path[-1])
                yield Leak("an annotation of the image", what, form)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _dockerfile(facts: Facts) -> Dockerfile | None:
    """To name lines with; an image of the course's own has none here."""
    try:
        found: Dockerfile = facts.get("dockerfile")
    except SubmissionError:
        return None
    return found


@fact
def layers(saved_image: Saved) -> Layers:
    """The image's own layers: files, deletions, the lines that made them."""
    return saved_image.layers


@fact
def leaks(saved_image: Saved) -> Leaks:
    """Every place where this run's secret was found."""
    return saved_image.leaks
