"""Reads a .dockerignore and tells which files a build is sent, by Docker's own rules.

It sends nothing. Rules: moby/patternmatcher (New, MatchesUsingParentResults) and its ignorefile,
which BuildKit and the classic client share; what they do to odd patterns is done here, too.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grader.errors import SubmissionError

MOST_BYTES = 100_000
ESCAPED = ".+()|{}$"  # mean something in a regular expression, and nothing in a pattern
_WILD = {"*": "[^/]*", "?": "[^/]", "[": "[", "]": "]"}
_STARS = {True: ".*", False: "(.*/)?"}  # by whether nothing comes behind it
_CLASS = re.compile(r"\[\^?(?:\\.|[^\\\]-])(?:-?(?:\\.|[^\\\]-]))*\]")


@dataclass(frozen=True)
class Pattern:
    """One line: ``text`` is what Docker makes of it, ``back`` whether it brings files back (!)."""

    text: str
    back: bool
    line: int
    raw: str

    def matches(self, path: str) -> bool:
        """Whether it names this path itself; a folder that it names holds what is in it."""
        return _compiled(self.text)(path)


@dataclass(frozen=True)
class Ignore:
    """A .dockerignore: its patterns in order. ``problem`` is "" or why Docker refuses it."""

    patterns: tuple[Pattern, ...]
    problem: str = ""
    line: int | None = None  # of the problem

    def sent(self, files: Iterable[str]) -> frozenset[str]:
        """Which of these paths (no folders) a build is sent."""
        known: dict[str, tuple[bool, ...]] = {"": ()}
        return frozenset(path for path in files if not self._excluded(path, known))

    def sent_by_classic(self, files: Iterable[str]) -> frozenset[str]:
        """The same by the classic builder.

        It does not look into a folder that is kept out, unless a ! line begins with that folder's
        path, letter by letter: a star in its place does not do.
        """
        known: dict[str, tuple[bool, ...]] = {"": ()}
        return frozenset(
            path
            for path in self.sent(files)
            if not any(self._passed_over(folder, known) for folder in _above(path))
        )

    def _passed_over(self, folder: str, known: dict[str, tuple[bool, ...]]) -> bool:
        back = (p.text for p in self.patterns if p.back)
        entered = any(f"{text}/".startswith(f"{folder}/") for text in back)
        return not entered and self._excluded(folder, known)

    def deciding(self, path: str) -> Pattern | None:
        """The pattern that decides about a path: the last that matches it or a folder above it."""
        _, deciding = self._judged(path, {"": ()})
        return deciding

    def _excluded(self, path: str, known: dict[str, tuple[bool, ...]]) -> bool:
        deciding = self._judged(path, known)[1]
        return deciding is not None and not deciding.back

    def _judged(
        self, path: str, known: dict[str, tuple[bool, ...]]
    ) -> tuple[tuple[bool, ...], Pattern | None]:
        """What each pattern says to it, and which one decides.

        A pattern that would change nothing is not even tried, in Docker neither; that matters to
        what is below a folder.
        """
        folder = posixpath.dirname(path)
        if folder not in known:
            known[folder] = self._judged(folder, known)[0]
        above = known[folder]
        said: list[bool] = []
        deciding: Pattern | None = None
        for at, pattern in enumerate(self.patterns):
            excluded = deciding is not None and not deciding.back
            match = bool(above) and above[at]
            if not match and pattern.back == excluded:
                match = pattern.matches(path)
            said.append(match)
            if match:
                deciding = pattern
        return tuple(said), deciding


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def parse(data: bytes) -> Ignore:
    """Raises SubmissionError when it can't be read as text at all."""
    if len(data) > MOST_BYTES:
        raise SubmissionError(f"The .dockerignore is larger than {MOST_BYTES // 1000} kB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise SubmissionError("The .dockerignore is not UTF-8 text. Save it as UTF-8.") from err
    patterns: list[Pattern] = []
    for number, line in enumerate(text.split("\n"), 1):
        pattern = _pattern(line, number)
        if pattern is None:
            continue
        if why := _why_refused(pattern):
            return Ignore(tuple(patterns), why, number)
        patterns.append(pattern)
    return Ignore(tuple(patterns))


def _pattern(line: str, number: int) -> Pattern | None:
    """A # is a comment at the very start of a line and nowhere else."""
    text = line.strip()
    if line.startswith("#") or not text:
        return None
    back = text.startswith("!")
    name = text[1:].strip() if back else text
    name = _cleaned(name) if name else ""
    if len(name) > 1 and name.startswith("/"):
        name = name[1:]
    return Pattern(name, back, number, text)


def _cleaned(name: str) -> str:
    """As Go's filepath.Clean: no ``./``, no ``a/../``, no slash at the end."""
    cleaned = posixpath.normpath(name)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _why_refused(pattern: Pattern) -> str:
    if not pattern.text:
        return "a ! with nothing behind it"
    try:
        _compiled(pattern.text)
        valid = _is_valid(pattern.text)
    except re.error:
        valid = False
    return "" if valid else f"{pattern.raw!r} is no valid pattern"


def _is_valid(text: str) -> bool:
    """As Go's filepath.Match sees it: every [ is closed, and every backslash has a character."""
    at = 0
    while at < len(text):
        if text[at] == "[":
            found = _CLASS.match(text, at)
            if not found:
                return False
            at = found.end()
        elif text[at] == "\\":
            at += 2
            if at > len(text):
                return False
        else:
            at += 1
    return True


@functools.cache
def _compiled(text: str) -> Callable[[str], bool]:
    """A pattern as moby compiles it: ``**`` crosses slashes, ``*`` and ``?`` do not.

    One that has its ``**`` only at the start is any path that ends so, and one that has it only at
    the end any that begins so.
    """
    kind, regex = _translated(text)
    if kind == "exact":
        return lambda path: path == text
    if kind == "prefix":
        return lambda path: path.startswith(text[:-2])
    if kind == "suffix":
        end = text[2:]
        return lambda path: path.endswith(end) or path == end.removeprefix("/")
    whole = re.compile(regex)
    return lambda path: bool(whole.fullmatch(path))


def _translated(text: str) -> tuple[str, str]:
    kind, out = "exact", ""
    for token in re.finditer(r"\*\*/?|\\.|.", text, re.S):
        word = token[0]
        if word.startswith("**"):
            last = token.end() == len(text)
            fits = last and kind == "exact"
            kind, out = ("prefix", out) if fits else ("regex", out + _STARS[last])
            kind = kind if token.start() else "suffix"
        elif word in _WILD or len(word) > 1:  # or a backslash with what it stands before
            kind, out = "regex", out + _WILD.get(word, word)
        else:
            out += f"\\{word}" if word in ESCAPED else word
    return kind, out
