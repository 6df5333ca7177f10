"""The line of a Dockerfile that names its frontend (# syntax=), as text.

Whether the builder heard it is ``frontends``'.
"""

from __future__ import annotations

import re

SYNTAX = re.compile(
    r"^(?P<head>[ \t]*(?:#|//)[ \t]*syntax[ \t]*=[ \t]*)(?P<name>\S.*?)?[ \t\r]*$(?P<end>\n?)",
    re.M | re.I,
)
_DOCKERS_OWN = re.compile(r"(docker\.io/)?docker/dockerfile(:1(\.\d+){0,2})?")
_UNRESOLVED = re.compile(r"failed to resolve source metadata for (?P<name>[^\s]+): ")


def neutral(text: str) -> str:
    """A Dockerfile that asks for no frontend; the lines keep their numbers if they can.

    A plain comment would end the directives, so that an escape below it were none.
    """
    others = re.search(r"^\s*#\s*escape\s*=", text, re.M | re.I)
    return SYNTAX.sub("" if others else r"#\g<end>", text)


def unresolved(message: str) -> str:
    """The image that a failed build could not find, by its last word; "" when it was not that."""
    match = _UNRESOLVED.search(message)
    return match["name"] if match else ""


def is_dockers_own(name: str) -> bool:
    """Whether it is the frontend that an engine has inside: no laboratory one, no stranger's."""
    return bool(_DOCKERS_OWN.fullmatch(name))
