"""One module a format: a Report in, text out. None of them measures or writes a file."""

from __future__ import annotations

import importlib

from grader.results import Report


def render(report: Report, name: str) -> str:
    """The report in the format ``name``, a module of this package."""
    module = importlib.import_module(f"grader.exports.{name}")
    return str(module.render(report))
