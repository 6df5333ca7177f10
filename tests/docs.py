"""Reads the Markdown pages of the docs for the tests: blocks, headings, links, commands.

Each command that a page shows in a block is in one of three lists here. What is run, and where, is
looked up by ``tests/test_docs.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.pages.markdown import anchor
from tests.conftest import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^(```|~~~)(\w*)\n(.*?)^\1$", re.M | re.S)
LINK = re.compile(r"(?<!\\)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) (.+)$", re.M)
NAMED = re.compile(r"^`([\w./-]+)`[^\n]*:\n\n(```|~~~)\w*\n(.*?)^\2$", re.M | re.S)

# By tests/test_docs_commands.py, in this order in one workplace, with the status that it ends with.
# No engine is asked there, so that only what files can tell is graded.
FAST = {
    "grader list": 0,
    "grader start 01-multi-stage/two-stages": 0,
    "grader check 03-build-optimization/context": 1,
    "grader hint 03-build-optimization/context": 0,
    "grader solution 03-build-optimization/context": 1,
    "grader progress": 0,
    "grader check --stale": 0,
    "grader progress --merge other-progress.txt": 0,
    "grader reset 03-build-optimization/context": 0,
}
# By tests/live/test_docs_commands.py, on a real engine.
LIVE = {
    "grader doctor": 0,
    "grader grade 01-multi-stage/two-stages work/01-multi-stage/two-stages": 1,
    "grader sync 12-layers --execute": 0,
    "grader lint-course 12-layers": 0,
}
# By another test or program; a test looks whether it is there.
ELSEWHERE = {
    "make up": ".ci/run",  # `make test` begins with what it does
    "make test": ".ci/run",
    "grader sync docs": "tests/test_pages.py::test_a_stale_part_is_told_and_renewed",
    ".venv/bin/hadolint images/greeting/Dockerfile": (
        "tests/test_docs_examples.py::test_hadolint_is_content_with_the_authors_image"
    ),
    ".venv/bin/pytest tests/redteam -k NAME": "tests/redteam/test_redteam.py",
    "docker compose up --build --wait": "tests/launch/conftest.py::project",
    "docker compose logs lab": "tests/launch/conftest.py::address",
    "docker compose down": "tests/launch/test_zz_down.py::test_down_leaves_nothing",
    "docker compose down --volumes": "tests/launch/test_zz_down.py::test_down_leaves_nothing",
}


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it."""

    page: str
    command: str


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    return [text for _, text in HEADING.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """What a link may name; a heading that stands twice gets a number."""
    found: list[str] = []
    for heading in map(anchor, headings(page)):
        before = sum(one == heading for one in found)
        found.append(f"{heading}-{before}" if before else heading)
    return set(found)


def links(page: Path) -> Iterator[tuple[str, str]]:
    """(text, target) of each link that does not leave the repository."""
    for text, target in LINK.findall(prose(page)):
        if not re.match(r"[a-z]+:", target):
            yield text, target


def commands() -> list[Shown]:
    """Each line of each block that holds commands, without what is said about it."""
    return [
        Shown(page.name, line.partition("  #")[0].strip())
        for page in PAGES
        for _, language, block in FENCE.findall(page.read_text(encoding="utf-8"))
        if language in ("", "bash", "console", "sh", "shell")
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def examples() -> dict[str, str]:
    """The author's guide: each file that it shows, by the path that stands above the block."""
    text = (ROOT / "docs" / "author.md").read_text(encoding="utf-8")
    return {path: block for path, _, block in NAMED.findall(text)}
