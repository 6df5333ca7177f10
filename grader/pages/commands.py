"""Every command of ``grader`` with its options and exit statuses, from its own parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from grader.course import Course
from grader.pages.markdown import sentence, table


def text(_: Course) -> str:
    """One heading a command."""
    return "\n\n".join(p for name, one in commands().items() for p in _command(name, one))


def commands() -> dict[str, argparse.ArgumentParser]:
    """Each command's parser, in the order of `grader --help`."""
    from grader.__main__ import parser

    for action in parser()._actions:  # noqa: SLF001  argparse tells it in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {}


def _command(name: str, one: argparse.ArgumentParser) -> Iterator[str]:
    rows = [_row(a) for a in one._actions if a.dest != "help"]  # noqa: SLF001
    yield f"### grader {name}"
    yield sentence(one.description or "")
    if rows:
        yield table(("word", "meaning"), rows)
    yield sentence(one.epilog or "")


def _row(action: argparse.Action) -> tuple[str, str]:
    word = str(action.metavar or action.dest.upper())
    if action.choices:
        word = "|".join(map(str, action.choices))
    text = action.help or ""
    if not action.option_strings:
        return f"`{word}`", text
    if action.default:  # not False, not None, not ""
        text += f" ({action.default} when left out)"
    name = action.option_strings[-1]
    return f"`{name if action.nargs == 0 else f'{name} {word}'}`", text
