"""What each line of a Dockerfile knows of its build arguments, by the builder's rules.

For the picture in the notebook; no mark hangs on it. What a RUN really saw, only the build tells.
Rules: https://docs.docker.com/reference/dockerfile/#understand-how-arg-and-from-interact
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from grader.dockerfile import Dockerfile, Instruction, Stage, expand

FOR_CONTAINERS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")  # where no builder replaces anything
_ABOVE = re.compile(r"\s*ARG\s+(.*\S)", re.I)


@dataclass(frozen=True)
class Reading:
    """One line: ``values`` has what it knows, a name that it does not know is not in it.

    ``uses`` are the arguments that it asks for; ``stage`` is -1 above the first FROM.
    """

    line: int
    text: str
    stage: int
    values: Mapping[str, str]
    uses: frozenset[str] = frozenset()

    @property
    def lost(self) -> frozenset[str]:
        """What it asks for and does not know."""
        return self.uses - self.values.keys()


@dataclass
class _Known:
    """The variables at one place of a stage: an ENV hides an ARG of the same name."""

    args: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        return {**self.args, **self.env}


def names(dockerfile: Dockerfile) -> tuple[str, ...]:
    """Every build argument that the file declares, in its order."""
    above = (name for _, text in _above(dockerfile) for name, _ in _pairs(text))
    below = (n for i in dockerfile.instructions if i.name == "ARG" for n, _ in _pairs(i.text))
    return tuple(dict.fromkeys((*above, *below)))


def readings(dockerfile: Dockerfile, given: Mapping[str, str]) -> Iterator[Reading]:
    """Line by line; ``given`` are the values of ``--build-arg``."""
    known, above = names(dockerfile), dict[str, str]()
    for line, text in _above(dockerfile):
        for name, value in _pairs(text):
            above |= {} if value is None else {name: expand(value, above)}
            above |= {name: given[name]} if name in given else {}
        yield Reading(line, f"ARG {text}", -1, dict(above), _uses(text, known))
    ends: list[_Known] = []
    for stage in dockerfile.stages:
        state = _inherited(dockerfile, stage, ends)
        for one in stage.instructions:
            yield _reading(one, stage.index, state, above=above, given=given, known=known)
        ends.append(state)


def _reading(
    one: Instruction,
    stage: int,
    state: _Known,
    *,
    above: Mapping[str, str],
    given: Mapping[str, str],
    known: tuple[str, ...],
) -> Reading:
    text = f"{one.name} {one.text}"
    uses = frozenset() if one.name in FOR_CONTAINERS else _uses(_read(one), known)
    if one.name == "FROM":
        return Reading(one.line, text, stage, dict(above), uses)
    before = state.values
    for name, value in _pairs(one.text) if one.name in ("ARG", "ENV") else ():
        if one.name == "ENV":
            state.env[name] = expand(value or "", before)
        elif name in given or value is not None or name in above:
            default = above.get(name, "") if value is None else expand(value, before)
            state.args[name] = given.get(name, default)
    values = before if one.name == "ENV" else state.values
    return Reading(one.line, text, stage, values, uses)


def _inherited(dockerfile: Dockerfile, stage: Stage, ends: list[_Known]) -> _Known:
    """What a stage begins with: all that the stage had which it goes on from."""
    found = None if stage.pulls else dockerfile.stage(stage.base)
    if found is None or found.index >= len(ends):
        return _Known()
    return _Known(dict(ends[found.index].args), dict(ends[found.index].env))


def _read(one: Instruction) -> str:
    """The text in which variables are looked for: of an ARG and ENV only the values."""
    if one.name in ("ARG", "ENV"):
        return " ".join(value or "" for _, value in _pairs(one.text))
    return "\n".join((one.raw, *one.heredocs))


def _above(dockerfile: Dockerfile) -> Iterator[tuple[int, str]]:
    first = dockerfile.stages[0].line if dockerfile.stages else 0
    for number, line in enumerate(dockerfile.text.split("\n")[: max(0, first - 1)], 1):
        if found := _ABOVE.match(line):
            yield number, found[1]


def _pairs(text: str) -> list[tuple[str, str | None]]:
    """``A=1 B`` as pairs; ``A 1``, the old form of ENV, is the name without its value."""
    try:
        words = shlex.split(text)
    except ValueError:  # a quote that is never closed
        words = text.split()
    split = (word.partition("=") for word in words)
    return [(name, value if sign else None) for name, sign, value in split]


def _uses(text: str, known: tuple[str, ...]) -> frozenset[str]:
    return frozenset(n for n in known if re.search(rf"(?<!\\)\$(?:{n}\b|\{{{n}\b)", text))
