"""Reads a Dockerfile into stages and instructions with their lines, as BuildKit's parser does.

It judges nothing and expands only what a FROM needs; the engine's own parse stays the truth.
Rules: https://docs.docker.com/reference/dockerfile/ (parser directives, comments, here-documents).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from grader.errors import SubmissionError

INSTRUCTIONS = frozenset(
    """ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL
    STOPSIGNAL USER VOLUME WORKDIR""".split()  # noqa: SIM905  one a line would hide the code
)
# BuildKit numbers these in "[stage 2/5] RUN …"; the others only change the configuration.
NUMBERED = frozenset(("FROM", "RUN", "COPY", "ADD", "WORKDIR"))
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z]+)\s*=\s*(.+?)\s*$")
_DIRECTIVES = frozenset(("syntax", "escape", "check"))  # any other ends them
MOST_BYTES, MOST_STAGES = 200_000, 100
DEEPEST = 5  # variables inside one another
_BLANK = re.compile(r"[ \t\v\f\r]+")
# A word as a shell sees it, quotes and escapes kept.
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+""", re.S)
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)$")
_FROM = re.compile(r"\s*FROM\s+(?:--platform=\S+\s+)?[\w./:@${}-]+(?:\s+AS\s+(\S+))?\s*$", re.I)
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?$")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?:(:?[-+])([^{}]*))?\}|(\w+))")


@dataclass(frozen=True)
class Instruction:
    """One instruction: ``text`` is what follows its name, joined to one line, here-documents out.

    ``line`` and ``end`` are 1-based and inclusive. ``flags`` holds the leading ``--name=value``;
    ``raw`` is the text with them.
    """

    name: str
    text: str
    line: int
    end: int
    flags: tuple[tuple[str, str], ...] = ()
    heredocs: tuple[str, ...] = ()
    raw: str = ""

    def flag(self, name: str) -> str | None:
        return next((value for key, value in self.flags if key == name), None)

    @property
    def sources(self) -> tuple[str, ...]:
        """The stages or images it takes files from (``--from`` and ``--mount=from=``)."""
        found = [v for k, v in self.flags if k == "from"]
        mounts = (v for k, v in self.flags if k == "mount")
        found += [p[5:] for m in mounts for p in m.split(",") if p.startswith("from=")]
        return tuple(found)


@dataclass(frozen=True)
class Stage:
    """One FROM and what follows it. ``base`` has the ARG defaults filled in.

    ``pulls`` is False for ``FROM scratch`` and for a FROM of an earlier stage.
    """

    index: int
    name: str
    base: str
    line: int
    instructions: tuple[Instruction, ...]
    pulls: bool = True

    def line_of_step(self, number: int, text: str) -> int | None:
        """The line of BuildKit's step ``number`` whose name ends in ``text`` (``RUN pip …``).

        The number alone does not tell: a FROM of an earlier stage has none, and the ONBUILDs of
        the base are counted in. With variables in it the text does not tell either.
        """
        steps = [i for i in self.instructions if i.name in NUMBERED]
        if not self.pulls:
            steps = [i for i in steps if i.name != "FROM"]
        counted = steps[number - 1] if 0 < number <= len(steps) else None
        same = [i for i in steps if _plain(f"{i.name} {i.raw}") == _plain(text)]
        if len(same) == 1:
            return same[0].line
        if counted is None or counted.name != text.split(" ", 1)[0]:
            return None
        told = counted in same or counted.name == "FROM" or counted.heredocs or "$" in counted.raw
        return counted.line if told else None


@dataclass(frozen=True)
class Swallowed:
    """A FROM that became part of the instruction above it, which goes on behind a gap.

    ``gap_line`` is the first of the comments and empty lines above it: they end nothing (E1).
    """

    line: int
    name: str
    gap_line: int
    instruction_line: int


@dataclass(frozen=True)
class Problem:
    line: int
    message: str


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile: ``problems`` is empty when every line could be understood."""

    text: str
    stages: tuple[Stage, ...]
    arguments: Mapping[str, str] = field(default_factory=dict)
    swallowed: tuple[Swallowed, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return tuple(i for stage in self.stages for i in stage.instructions)

    def stage(self, name: str) -> Stage | None:
        """The stage called ``name`` (names ignore case) or numbered so."""
        for stage in self.stages:
            if name.lower() == stage.name.lower() or name == str(stage.index):
                return stage
        return None

    @classmethod
    def parse(cls, data: bytes) -> Dockerfile:
        """Raises SubmissionError when there is nothing to parse: not UTF-8, empty, endless."""
        if len(data) > MOST_BYTES:
            raise SubmissionError(f"The Dockerfile is larger than {MOST_BYTES // 1000} kB.")
        return _Parser(_decoded(data)).parse()


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data[: err.start].count(b"\n") + 1
        raise SubmissionError(
            f"The Dockerfile is not UTF-8 text (line {line}, byte {err.start}). Save it as UTF-8.",
            line=line,
        ) from err
    if "\x00" in text:
        raise SubmissionError("The Dockerfile holds NUL bytes. Save it as plain UTF-8 text.")
    if not text.strip():
        raise SubmissionError("The Dockerfile is empty. Start it with a FROM line.")
    return text


@dataclass(frozen=True)
class _Logical:
    """The physical lines of one instruction: (number, text) pairs, gaps taken out."""

    parts: tuple[tuple[int, str], ...]
    end: int
    gaps: frozenset[int] = frozenset()  # lines with a comment, or empty
    heredocs: tuple[str, ...] = ()
    open_heredoc: str = ""

    @property
    def line(self) -> int:
        return self.parts[0][0]

    @property
    def text(self) -> str:
        return "".join(t for _, t in self.parts).strip()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = [line.rstrip("\r") for line in text.split("\n")]
        self.escape = "`" if self._directives().get("escape") == "`" else "\\"

    def _directives(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.lines:
            match = _DIRECTIVE.match(line.strip())
            name = match[1].lower() if match else ""
            if not match or name in found or name not in _DIRECTIVES:
                break
            found[match[1].lower()] = match[2]
        return found

    def parse(self) -> Dockerfile:
        stages: list[Stage] = []
        arguments: dict[str, str] = {}
        problems: list[Problem] = []
        swallowed: list[Swallowed] = []
        body: list[Instruction] = []  # of the last stage
        for logical in filter(lambda one: one.text, self._logical()):
            swallowed += _swallowed(logical)
            one = _instruction(logical)
            if problem := _problem(one, logical, stages):
                problems.append(problem)
            if one.name == "FROM" and len(stages) == MOST_STAGES:
                raise SubmissionError(f"The Dockerfile has more than {MOST_STAGES} stages.")
            if one.name == "FROM":
                _close(stages, body)
                stages.append(_stage(one, stages, arguments))
                body = [one]
            elif stages:
                body.append(one)
            elif one.name == "ARG":
                arguments |= _defaults(one.text, arguments)
        _close(stages, body)
        if not stages and not problems:
            problems.append(Problem(1, "There is no FROM line."))
        return Dockerfile(self.text, tuple(stages), arguments, tuple(swallowed), tuple(problems))

    def _logical(self) -> Iterator[_Logical]:
        at = 0
        while at < len(self.lines):
            if not self.lines[at].strip() or _is_comment(self.lines[at]):
                at += 1
                continue
            logical, at = self._one(at)
            yield logical

    def _one(self, at: int) -> tuple[_Logical, int]:
        parts: list[tuple[int, str]] = []
        gaps: list[int] = []
        goes_on = True
        while goes_on and at < len(self.lines):
            line = self.lines[at]
            at += 1
            if parts and (_is_comment(line) or not line.strip()):
                gaps.append(at)  # neither ends an instruction that goes on
                continue
            kept = line.rstrip(" \t")
            goes_on = kept.endswith(self.escape) and not kept.endswith(self.escape * 2)
            parts.append((at, kept[:-1] if goes_on else line))
        logical = _Logical(tuple(parts), parts[-1][0], frozenset(gaps))
        return self._with_heredocs(logical, at)

    def _with_heredocs(self, logical: _Logical, at: int) -> tuple[_Logical, int]:
        bodies = []
        for dash, word in _heredocs(logical.text):
            start = at
            while at < len(self.lines):
                line = self.lines[at].lstrip("\t") if dash else self.lines[at]
                at += 1
                if line == word:
                    break
            else:
                return replace(logical, end=at, open_heredoc=word), at
            bodies.append("\n".join(self.lines[start : at - 1]))
        end = at if bodies else logical.end
        return replace(logical, heredocs=tuple(bodies), end=end), at


def _heredocs(text: str) -> list[tuple[bool, str]]:
    """(tabs are stripped, closing word) of each here-document: a word of its own, not in JSON."""
    name, *rest = _BLANK.split(text, maxsplit=1)
    if name.upper() == "ONBUILD" and rest:
        name, *rest = _BLANK.split(rest[0], maxsplit=1)
    if name.upper() not in ("RUN", "COPY", "ADD") or not rest or _is_json(rest[0]):
        return []
    found = (_HEREDOC.match(word) for word in _WORD.findall(rest[0]))
    return [(bool(m[1]), re.sub(r"[\"'\\]", "", m[2])) for m in found if m]


def _is_json(text: str) -> bool:
    """The exec form: a JSON list of strings. ``[ -f x ] && …`` is a command."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(words, list)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _instruction(logical: _Logical) -> Instruction:
    name, rest = _first_word(logical.text)
    name, raw = name.upper(), rest
    flags: list[tuple[str, str]] = []
    while name not in ("ENV", "LABEL") and (match := _FLAG.match(_first_word(rest)[0])):
        flags.append((match[1], match[2] or ""))
        rest = _first_word(rest)[1]
    return Instruction(name, rest, logical.line, logical.end, tuple(flags), logical.heredocs, raw)


def _first_word(text: str) -> tuple[str, str]:
    first, *rest = _BLANK.split(text, maxsplit=1)
    return first, rest[0].strip() if rest else ""


def _plain(text: str) -> str:
    return " ".join(text.split())


def _problem(one: Instruction, logical: _Logical, stages: list[Stage]) -> Problem | None:
    if one.name not in INSTRUCTIONS:
        return Problem(one.line, f"Unknown instruction {one.name[:40]!r}.")
    if not one.text:
        return Problem(one.line, f"{one.name} needs something after it.")
    if logical.open_heredoc:
        return Problem(one.line, f"The here-document {logical.open_heredoc} is never closed.")
    if not stages and one.name not in ("FROM", "ARG"):
        return Problem(one.line, f"{one.name} stands before the first FROM.")
    return None


def _close(stages: list[Stage], body: list[Instruction]) -> None:
    """Give the last stage its instructions, once: one by one a long file takes minutes."""
    if stages:
        stages[-1] = replace(stages[-1], instructions=tuple(body))


def _stage(one: Instruction, earlier: list[Stage], arguments: Mapping[str, str]) -> Stage:
    words = one.text.split()
    named = len(words) >= 3 and words[1].upper() == "AS"
    base = expand(words[0], arguments) if words else ""
    local = base == "scratch" or base.lower() in [s.name.lower() for s in earlier]
    name = words[2] if named else ""
    return Stage(len(earlier), name, base, one.line, (one,), pulls=not local)


def _defaults(text: str, known: Mapping[str, str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in text.split())
    return {name: expand(value.strip("\"'"), known) for name, _, value in pairs}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``$NAME``, ``${NAME}``, ``${NAME:-word}`` and ``${NAME:+word}``; the unknown is empty.

    From the inside out, so that a word may hold a variable.
    """

    def value(match: re.Match[str]) -> str:
        found = variables.get(match[1] or match[4], "")
        operator, word = match[2], match[3] or ""
        if operator and operator.endswith("-"):
            return found or word
        if operator and operator.endswith("+"):
            return word if found else ""
        return found

    for _ in range(DEEPEST):
        text, count = _VARIABLE.subn(value, text)
        if not count:
            break
    return text


def _swallowed(logical: _Logical) -> Iterator[Swallowed]:
    """A line that reads like a FROM, behind a comment or an empty line: SQL has FROMs too."""
    for line, text in logical.parts[1:]:
        match = _FROM.match(text)
        gap = line
        while gap - 1 in logical.gaps:
            gap -= 1
        if match and gap < line:
            yield Swallowed(line, match[1] or "", gap, logical.line)
