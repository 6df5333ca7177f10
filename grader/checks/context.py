"""Which files a build is sent: all that it needs, and nothing else.

A line is one of the .dockerignore; reports show lines of the Dockerfile, so it stands in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from grader.ignore import Ignore, Pattern
from grader.registry import check
from grader.results import Result, failed, passed
from grader.sent import Planted, Sent

SHOWN = 5
_TRAILING = re.compile(r"\s#")


@check
def patterns(ignored: Ignore) -> Result:
    """Each line of .dockerignore is a pattern or a comment"""
    if ignored.problem:
        return failed(f"Line {ignored.line} of .dockerignore: {ignored.problem}. No build starts.")
    for pattern in ignored.patterns:
        if _TRAILING.search(pattern.raw) or pattern.raw.startswith("#"):
            return failed(
                f"Line {pattern.line} of .dockerignore is the pattern {pattern.raw!r}, to its end,"
                " and no file is called so. A comment has a line of its own,"
                " and the # is its first character."
            )
    return passed(f"{len(ignored.patterns)} patterns")


@check
def needed(planted: Planted, arrived: Sent, ignored: Ignore) -> Result:
    """Every file that the service needs is sent"""
    missing = sorted(planted.needed - arrived.files)
    if not missing:
        return passed(f"{len(planted.needed)} files, by {arrived.by}", by=arrived.by)
    return failed(
        f"Not sent: {_some(missing)}.{_why(missing[0], ignored)} Bring it back with a line that"
        " begins with !, below the one that keeps it out, or name less there.",
        missing=missing,
        by=arrived.by,
    )


@check
def nothing_else(planted: Planted, arrived: Sent, ignored: Ignore) -> Result:
    """Nothing else is sent"""
    extra = sorted(arrived.files - planted.needed)
    told: dict[str, Any] = {"by": arrived.by, "bytes": arrived.size, "files": len(arrived.files)}
    if not extra:
        kept = len(planted.litter)
        size = f"; {arrived.size / 1e3:.0f} kB" if arrived.size else ""
        return passed(f"{kept} files kept out, by {arrived.by}{size}", **told)
    return failed(
        f"{len(extra)} files are sent that no build needs: {_some(extra)}.{_why(extra[0], ignored)}"
        " A pattern without **/ in front of it holds for the top folder only.",
        extra=extra,
        **told,
    )


@check
def both_builders(arrived: Sent, classic: Sent) -> Result:
    """The classic builder (DOCKER_BUILDKIT=0) is sent the same"""
    missing = sorted(arrived.files - classic.files)
    extra = sorted(classic.files - arrived.files)
    if not missing and not extra:
        return passed(f"{len(classic.files)} files, by {classic.by}", by=classic.by)
    what = f"not sent {_some(missing)}" if missing else f"sent {_some(extra)}, too"
    return failed(
        f"The classic builder is {what}. It does not look into a folder that is kept out, unless a"
        " line with ! begins with that folder's name: stars don't count. Bring back the folder"
        " itself, and keep out what lies around in it below that line.",
        by=classic.by,
        missing=missing,
        extra=extra,
    )


def _why(path: str, ignored: Ignore) -> str:
    """Which line decided about a file."""
    line: Pattern | None = ignored.deciding(path)
    if line is None:
        return f" No line says anything about {path}."
    does = "brings back" if line.back else "keeps out"
    return f" Line {line.line} of .dockerignore ({line.raw}) {does} {path}."


def _some(paths: Iterable[str]) -> str:
    every = list(paths)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
