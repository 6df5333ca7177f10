"""Reads a student's YAML, knowing on which line each key stands.

Bad YAML is a SubmissionError with file and line. What the keys mean is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from grader.errors import SubmissionError

MOST_BYTES = 200_000
MOST_NODES = 20_000  # counted with every alias followed: a few lines can stand for billions
Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Doc:
    """A YAML file. ``documents`` are its parts between ``---`` lines, ``data`` is the first one."""

    name: str
    documents: tuple[Any, ...]
    lines: Mapping[tuple[int, Where], int] = field(default_factory=dict, repr=False)

    @property
    def data(self) -> Any:
        return self.documents[0] if self.documents else None

    def line(self, *where: str | int, document: int = 0) -> int | None:
        """The 1-based line of a key or list item, else of the nearest one around it."""
        for end in range(len(where), -1, -1):
            if found := self.lines.get((document, where[:end])):
                return found
        return None


def read(path: Path) -> Doc:
    """Read one file. Raises SubmissionError with the file's name and the line."""
    try:
        raw = path.read_bytes()[: MOST_BYTES + 1]
    except OSError as err:
        raise SubmissionError(f"{path.name} cannot be read: {err.strerror}.") from err
    if len(raw) > MOST_BYTES:
        raise SubmissionError(f"{path.name} has more than {MOST_BYTES / 1000:.0f} kB.")
    return parse(raw, path.name)


def parse(raw: bytes, name: str) -> Doc:
    """The same for bytes that were read already."""
    try:
        nodes = list(yaml.compose_all(raw.decode("utf-8-sig"), Loader=yaml.SafeLoader))
        documents, lines = [], dict[tuple[int, Where], int]()
        for at, node in enumerate(n for n in nodes if n is not None):
            reader = _Reader(name)
            documents.append(reader.value(node, ()))
            lines |= {(at, where): line for where, line in reader.lines}
    except UnicodeDecodeError as err:
        raise SubmissionError(f"{name} is not UTF-8 text.") from err
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        line = mark.line + 1 if mark else None
        text = f"{name}, line {line}: not valid YAML: {err.problem}."
        raise SubmissionError(text, line=line, file=name) from err
    except yaml.YAMLError as err:
        raise SubmissionError(f"{name}: not valid YAML: {' '.join(str(err).split())}.") from err
    except RecursionError as err:
        raise SubmissionError(f"{name} is nested too deeply.") from err
    return Doc(name, tuple(documents), lines)


class _Reader:
    """Turns nodes into values, as SafeLoader does, and counts what it makes."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self.lines: list[tuple[Where, int]] = []
        self.maker = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, where: Where) -> Any:
        self.count += 1
        line = node.start_mark.line + 1
        if self.count > MOST_NODES:
            raise SubmissionError(f"{self.name} stands for more than {MOST_NODES} values.")
        if not where:
            self.lines.append((where, line))
        if isinstance(node, yaml.MappingNode):
            return dict(self.pairs(node, where))
        if isinstance(node, yaml.SequenceNode):
            return [self.item(child, (*where, at)) for at, child in enumerate(node.value)]
        return self.maker.construct_object(node)

    def item(self, node: yaml.Node, where: Where) -> Any:
        self.lines.append((where, node.start_mark.line + 1))
        return self.value(node, where)

    def pairs(self, node: yaml.MappingNode, where: Where) -> Iterator[tuple[str, Any]]:
        self.no_twins(node)
        self.maker.flatten_mapping(node)  # the merge key <<
        for key_node, child in node.value:
            key = str(key_node.value)
            self.lines.append(((*where, key), key_node.start_mark.line + 1))
            yield key, self.value(child, (*where, key))

    def no_twins(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key_node, _ in node.value:
            line, why = key_node.start_mark.line + 1, ""
            if not isinstance(key_node, yaml.ScalarNode):
                why = "a key must be plain text"
            elif key_node.value in seen:
                why = f"the key {key_node.value!r} stands twice"
            if why:
                text = f"{self.name}, line {line}: {why}."
                raise SubmissionError(text, line=line, file=self.name)
            seen.add(key_node.value)
