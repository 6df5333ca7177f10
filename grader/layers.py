"""What each layer of an image adds and hides, and the bytes that are shipped for nothing.

Only the image's own layers: those of the base that was promised are nobody's doing. It reads no
Docker archive (that is ``archive``) and judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader.archive import Archive, Blob, Entry
from grader.dockerfile import Dockerfile, Instruction
from grader.engine import Engine, Image
from grader.look import HARD_LINK, File
from grader.registry import fact
from grader.spec import Exercise


@dataclass(frozen=True)
class Base:
    """The promised base that an image stands on; ``name`` is "" when it stands on none of them."""

    name: str
    layers: tuple[str, ...] = ()
    steps: int = 0  # lines of its history
    size: int = 0  # bytes, unpacked


@dataclass(frozen=True)
class LayerFiles:
    """One layer above the base. ``line`` is 1-based in the Dockerfile, None when it isn't known."""

    diff_id: str
    created_by: str
    line: int | None
    files: tuple[Entry, ...] = ()
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.files)


@dataclass(frozen=True)
class Waste:
    """Bytes that are shipped and can't be seen: the file at ``path`` of layer number ``layer``.

    ``how`` is ``deleted``, ``overwritten`` or ``hidden`` (by an opaque folder), in layer ``by``.
    """

    path: str
    size: int
    layer: int
    by: int
    how: str


@dataclass(frozen=True)
class Step:
    """One line of an image's history above the base; ``layer`` is None when it changed no file."""

    created_by: str
    line: int | None
    layer: int | None


@dataclass(frozen=True)
class Layers:
    """An image's own layers, from the base up; ``config`` is its whole configuration."""

    base: Base
    layers: tuple[LayerFiles, ...]
    steps: tuple[Step, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[Mapping[str, Any], ...] = ()

    @property
    def waste(self) -> tuple[Waste, ...]:
        return reclaimable(self.layers)


# -- what is shipped for nothing -------------------------------------------------------------------


@dataclass
class _Content:
    """The bytes of one file; with hard links it goes by more than one name."""

    path: str
    size: int
    layer: int
    names: int = 1


@dataclass
class _Node:
    """One path of the file system as it grows, layer by layer."""

    content: _Content | None = None
    children: dict[str, _Node] = field(default_factory=dict)

    def at(self, path: str, *, make: bool = False) -> _Node | None:
        node: _Node | None = self
        for part in path.strip("/").split("/"):
            if node is None:
                return None
            if part:
                node = node.children.setdefault(part, _Node()) if make else node.children.get(part)
        return node

    def emptied(self) -> Iterator[_Content]:
        """Every content at and below this path, which is gone then."""
        stack = [self]
        while stack:
            node = stack.pop()
            if node.content:
                yield node.content
            stack += node.children.values()
            node.content, node.children = None, {}


def reclaimable(layers: Sequence[LayerFiles]) -> tuple[Waste, ...]:
    """Every file that a later layer deletes, overwrites or hides: each one once."""
    root, found = _Node(), list[Waste]()
    for at, layer in enumerate(layers):
        for how, paths in (("hidden", layer.opaque), ("deleted", layer.whiteouts)):
            for path in paths:
                found += _gone(root.at(path), at, how)
        names = dict[str, _Content]()  # of this layer: hard links point to nothing else
        for entry in layer.files:
            node = root.at(entry.path, make=True)
            assert node is not None
            found += _gone(node if entry.kind != "5" else _file_only(node), at, "overwritten")
            if entry.kind == HARD_LINK and entry.link in names:
                node.content = names[entry.link]
                node.content.names += 1
            elif entry.kind != "5":
                node.content = names[entry.path] = _Content(entry.path, entry.size, at)
    return tuple(found)


def _file_only(node: _Node) -> _Node | None:
    """A folder replaces a file of its name, and keeps what is in a folder of its name."""
    return node if node.content else None


def _gone(node: _Node | None, by: int, how: str) -> Iterator[Waste]:
    for content in node.emptied() if node else ():
        content.names -= 1
        if not content.names and content.size:
            yield Waste(content.path, content.size, content.layer, by, how)


# -- which line made it ----------------------------------------------------------------------------


def own_steps(config: Mapping[str, Any], base: Base, dockerfile: Dockerfile | None) -> list[Step]:
    """The history above the base, each with its line and the number of its layer."""
    history = list(config.get("history") or ())[base.steps :]
    lines = _lines([str(row.get("created_by") or "") for row in history], dockerfile)
    steps, layer = list[Step](), 0
    for row, line in zip(history, lines, strict=True):
        empty = bool(row.get("empty_layer"))
        steps.append(Step(str(row.get("created_by") or ""), line, None if empty else layer))
        layer += not empty
    return steps


def _lines(created: list[str], dockerfile: Dockerfile | None) -> list[int | None]:
    """One instruction, one line of history; if it is otherwise, nobody is blamed."""
    written = _chain(dockerfile) if dockerfile else []
    if len(written) != len(created) or not all(map(_matches, written, created)):
        return [None] * len(created)
    return [one.line for one in written]


def _chain(dockerfile: Dockerfile) -> list[Instruction]:
    """The instructions of the last stage, after those of the stages that it is built on."""
    stage, found = (dockerfile.stages[-1] if dockerfile.stages else None), list[Instruction]()
    while stage:
        found = [i for i in stage.instructions if i.name != "FROM"] + found
        below = None if stage.pulls else dockerfile.stage(stage.base)
        stage = below if below and below.index < stage.index else None
    return found


def _matches(one: Instruction, created: str) -> bool:
    return one.name == "MAINTAINER" or created.lstrip("/").startswith((one.name, "bin/sh"))


# -- facts -----------------------------------------------------------------------------------------


@fact
def base(image: Image, engine: Engine, exercise: Exercise) -> Base:
    """Which of the bases that the lab promises the image stands on: the one with most layers."""
    found = Base("")
    for name in exercise.images:
        one = engine.image(name) if engine.has_image(name) else None
        under = one is not None and image.layers[: len(one.layers)] == one.layers
        if one and under and len(one.layers) > len(found.layers):
            found = Base(name, one.layers, len(one.history), one.size)
    return found


def joined(archive: Archive, base: Base, dockerfile: Dockerfile | None) -> Layers:
    """The archive's layers above the base, with the lines that made them."""
    steps = own_steps(archive.config, base, dockerfile)
    made = {step.layer: step for step in steps if step.layer is not None}
    own = list(archive.config["rootfs"]["diff_ids"])[len(base.layers) :]
    layers = tuple(
        _layer(diff, archive.layers.get(diff, Blob()), made.get(at)) for at, diff in enumerate(own)
    )
    return Layers(base, layers, tuple(steps), archive.config, archive.texts)


def _layer(diff: str, blob: Blob, step: Step | None) -> LayerFiles:
    return LayerFiles(
        diff,
        step.created_by if step else "",
        step.line if step else None,
        tuple(blob.entries),
        tuple(blob.whiteouts),
        tuple(blob.opaque),
    )


@fact
def base_files(base: Base, engine: Engine) -> tuple[File, ...]:
    """Every path of the base; none when the image stands on none of the promised ones."""
    return engine.files(base.name) if base.name else ()
