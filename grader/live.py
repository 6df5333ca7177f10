"""The output of one check: tells what the build does, then becomes the table.

Shared by a cell's output and the panel, so that both say the same. It grades nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from grader import cells
from grader.buildlog import BuildEvent
from grader.cells import Cell
from grader.kernel import in_jupyter

Show = Callable[[Cell | str], None]


class Handle(Protocol):
    """A place on the page whose content can be replaced."""

    def update(self, cell: Cell, /) -> object: ...


def show(what: Cell | str, about: Mapping[str, Any] | None = None) -> None:
    """A new output of the cell that runs; plain text where there is no notebook.

    ``about`` goes with it unseen, for a program that reads the output.
    """
    if in_jupyter():
        display(cells.message(what) if isinstance(what, str) else what, metadata=about)
    else:
        print(what)


def display(what: object, **how: Any) -> Any:
    """IPython's own, which has no types."""
    from IPython.display import display as typeless

    typed: Callable[..., Any] = typeless
    return typed(what, **how)


class Live:
    """What a check calls as it goes on, and at its end.

    Builds report from threads of their own. ``LAB_PROGRESS=off`` shows the end only, for runs
    that are compared with stored outputs. Without ``handle`` it is an output of the cell that runs;
    with one, ``end`` is where the table goes.
    """

    def __init__(self, name: str, handle: Handle | None = None, *, end: Show | None = None) -> None:
        self.name, self.events, self.ended = name, dict[str, BuildEvent](), False
        self.lock, self.handle, self.last = threading.Lock(), handle, end
        self.shows = os.environ.get("LAB_PROGRESS") != "off"
        if self.shows and handle is None and in_jupyter():
            self.handle = display(cells.building(name, ()), display_id=True)
        elif handle is not None:
            handle.update(cells.building(name, ()))

    def __call__(self, event: BuildEvent) -> None:
        with self.lock, suppress(Exception):  # a picture of progress is never worth a failure
            if self.ended or not self.shows:
                return
            self.events[f"{event.stage} {event.step}"] = event
            if self.handle is not None:
                self.handle.update(cells.building(self.name, self.events.values()))
            elif event.status != "running":
                print(cells.step_line(event), flush=True)

    def end(self, cell: Cell | str) -> None:
        """Nothing that still reports changes the output from here on."""
        last = cells.message(cell) if isinstance(cell, str) else cell
        with self.lock:
            self.ended = True
            if self.last is not None:
                self.last(last)
            elif self.handle is None:
                show(cell)
            else:
                self.handle.update(last)
