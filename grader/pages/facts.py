"""Every fact that a check may ask for by name: what it is, and what it needs."""

from __future__ import annotations

import inspect

from grader.course import Course
from grader.pages.markdown import table
from grader.pages.needs import need
from grader.registry import FACTS, load_checks


def text(_: Course) -> str:
    """A table of all of them."""
    load_checks()
    rows = (_row(name) for name in sorted(FACTS))
    return table(("fact", "module", "what it is", "needs"), rows)


def _row(name: str) -> tuple[str, str, str, str]:
    work = FACTS[name].work
    doc = (inspect.getdoc(work) or "").partition("\n\n")[0]
    module = work.__module__.replace("grader.", "").replace(".", "/")
    return f"`{name}`", f"`{module}.py`", doc.replace("``", "`"), need([name]).value.split(":")[0]
