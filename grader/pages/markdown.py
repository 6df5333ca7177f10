"""Small pieces of Markdown: headings that can be linked to, tables, links. No content."""

from __future__ import annotations

import re
from collections.abc import Iterable


def anchor(heading: str) -> str:
    """What a heading is linked to by, as GitHub makes it."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return plain.replace(" ", "-")


def link(text: str, page: str, heading: str = "") -> str:
    return f"[{text}]({page}{'#' + anchor(heading) if heading else ''})"


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a bar within a cell is escaped, and a line break becomes a blank."""
    lines = [_row(head := list(head)), _row("---" for _ in head)]
    return "\n".join([*lines, *(_row(map(_cell, row)) for row in rows)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
