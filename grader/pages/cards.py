"""The troubleshooting cards, as ``grader doctor`` and every error message have them."""

from __future__ import annotations

from collections.abc import Iterator

from grader.course import Course
from grader.host.cards import Card, cards


def text(_: Course) -> str:
    """One heading a card: how it is worded, what it means, the way out."""
    return "\n\n".join(part for one in cards() for part in _card(one))


def _card(one: Card) -> Iterator[str]:
    yield f"### {one.name}"
    if one.says:
        yield f"“{one.says}”"
    yield f"{one.means} {one.do}"
