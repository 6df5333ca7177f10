"""Sets a Jupyter kernel up so that plain ``docker`` in a cell reaches the engine in use.

Where there is no engine, cells that begin with ``# needs docker`` show what was recorded for them,
or say so, instead of running. Nothing is started here, and what is shown is ``replay``'s.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from grader.errors import EngineError
from grader.host.connection import connect
from grader.host.home import static_chosen
from grader.recording import key

MARKER = "# needs docker"
NOT_RUN = "Not run: this cell needs a Docker engine. `grader doctor` says how to get one."
AGAIN = "_lab_replay"  # the kernel's name of what is called in place of a cell


def in_jupyter() -> bool:
    """Whether a Jupyter kernel runs this, so that HTML has somewhere to go."""
    return type(_shell()).__name__ == "ZMQInteractiveShell"


def reach_engine(environ: MutableMapping[str, str] = os.environ) -> bool:
    """Give the kernel's children the engine and the course's own programs; whether there is one."""
    environ.setdefault("BUILDKIT_PROGRESS", "plain")  # a cell is no terminal to repaint
    found = _engine(environ)
    environ.update(found)
    programs, path = str(Path(sys.executable).parent), environ.get("PATH", "")
    if programs not in path.split(os.pathsep):
        environ["PATH"] = os.pathsep.join(p for p in (programs, path) if p)
    if in_jupyter():
        transformers = _shell().input_transformers_cleanup
        transformers[:] = [t for t in transformers if t is not pass_over]
        transformers += [] if found else [pass_over]
        _shell().user_ns.setdefault(AGAIN, lambda _: print(NOT_RUN))
    return bool(found)


def name_run(run: str) -> None:
    """``$LAB_RUN`` for a cell's commands, in the environment and as a variable.

    IPython expands ``$NAME`` and ``{name}`` of a line together, or, where one is unknown, none.
    """
    os.environ["LAB_RUN"] = run
    if in_jupyter():
        _shell().user_ns["LAB_RUN"] = run


def replay_with(again: Callable[[str], None]) -> None:
    """What a cell that can't run shows from here on; it is called with the cell's key."""
    if in_jupyter():
        _shell().user_ns[AGAIN] = again


def pass_over(lines: list[str]) -> list[str]:
    """A cell that needs an engine becomes a call for its recording; any other stays as it is."""
    return [f"{AGAIN}({key(''.join(lines))!r})\n"] if marked("".join(lines)) else lines


def marked(source: str) -> bool:
    """Whether a cell needs an engine: its first line says so."""
    return source.strip().partition("\n")[0].strip() == MARKER


def _engine(environ: MutableMapping[str, str]) -> dict[str, str]:
    if static_chosen(environ):
        return {}
    try:
        return dict(connect().environment)
    except EngineError:
        return {}


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell: Any = get_ipython  # IPython has no types here
    return shell()
