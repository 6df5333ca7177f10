"""The parts of the docs that are made from the code, so that the two can't tell different stories.

Such a part stands between two comments, `<!-- made: NAME -->` and `<!-- end: NAME -->`; the rest of
a page is written by hand and left alone. ``grader sync docs`` renews them. What a part says is
written in the modules of this package, and nothing of it here.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from grader.course import Course
from grader.errors import SpecError

# A part's name, and the module of this package whose ``text`` makes it.
PARTS = ("cards", "checks", "commands", "facts", "labs", "targets")
NAME = "docs"  # what they are called for `grader sync`
PART = re.compile(r"^<!-- made: (\S+) -->\n(.*?)^<!-- end: \1 -->$", re.M | re.S)
EDGE = re.compile(r"^<!-- (?:made|end): (\S+) -->$", re.M)


def pages(course: Course) -> list[Path]:
    """Every page that may have such parts."""
    tops = (course.root / name for name in ("README.md", "CONTRIBUTING.md"))
    return [*(p for p in tops if p.is_file()), *sorted(course.root.glob("docs/*.md"))]


def stale(course: Course) -> list[str]:
    """A sentence for each page with a part that is not as the code has it."""
    found = {page.relative_to(course.root): _stale_parts(course, page) for page in pages(course)}
    return [f"{page}: {', '.join(parts)}" for page, parts in found.items() if parts]


def write(course: Course) -> list[Path]:
    """Renew every part; gives the pages that were written."""
    written = [page for page in pages(course) if _stale_parts(course, page)]
    for page in written:
        page.write_text(renewed(course, page), encoding="utf-8")
    return written


def renewed(course: Course, page: Path) -> str:
    """The page as it should be. Raises SpecError for a part that nobody makes, or half of one."""
    text = _read(page)
    whole = [m[1] for m in PART.finditer(text)]
    for name in EDGE.findall(text):
        if name not in PARTS:
            raise SpecError(f"{page}: nobody makes a part {name!r} (there are: {', '.join(PARTS)})")
        if EDGE.findall(text).count(name) != 2 * whole.count(name):
            raise SpecError(f"{page}: the part {name!r} has no beginning or no end")
    return PART.sub(lambda m: _part(course, m[1]), text)


def _part(course: Course, name: str) -> str:
    made = importlib.import_module(f"grader.pages.{name}").text(course)
    return f"<!-- made: {name} -->\n\n{made.strip()}\n\n<!-- end: {name} -->"


def _stale_parts(course: Course, page: Path) -> list[str]:
    old, new = _read(page), renewed(course, page)
    both = zip(PART.finditer(old), PART.finditer(new), strict=True)
    return [a[1] for a, b in both if a[0] != b[0]]


def _read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise SpecError(f"{page}: cannot be read: {err}") from err
