"""An exercise's panel in JupyterLab: buttons, the build as it goes on, and the table.

Everything it does is ``NotebookExercise``'s, with the same words as in a cell and in a terminal.
Only this and ``digitpad`` know ipywidgets. A check runs in a thread, so that the kernel can hear
the other buttons meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ipywidgets

from grader import cells, elsewhere, work
from grader.cells import Cell
from grader.errors import GraderError
from grader.fingerprint import fingerprint
from grader.host.home import static_chosen
from grader.live import Live
from grader.progress import Progress
from grader.results import Outcome
from grader.watching import Stamp, Watching, stamp

if TYPE_CHECKING:
    from grader.notebook import NotebookExercise

VIEW = "application/vnd.jupyter.widget-view+json"
NARROW = {"width": "auto", "min_width": "5.5em"}  # all of them in one row
STATIC = "There is no Docker Engine here: only what the files alone tell is graded."
STOPPING = "Stopping: the build and the containers are ended."


class Area:
    """A part of the panel that is replaced as a whole; links in it open files in JupyterLab."""

    def __init__(self) -> None:
        self.widget: Any = ipywidgets.Output()

    def update(self, cell: Cell | str) -> None:
        shown = cells.message(cell) if isinstance(cell, str) else cell
        bundle = shown._repr_mimebundle_()
        row = {"output_type": "display_data", "data": bundle, "metadata": {}}
        self.widget.outputs = (row,)

    def clear(self) -> None:
        self.widget.outputs = ()


class Panel:
    """The widgets of one exercise. A check, a hint and so on may come from a click or a save."""

    def __init__(self, one: NotebookExercise) -> None:
        self.one, self.cancel = one, threading.Event()
        self.thread: threading.Thread | None = None
        self.watching: Watching | None = None
        self.lock, self.pressed = threading.Lock(), False  # Cancel, by hand
        self.status, self.table, self.best = Area(), Area(), ipywidgets.HTML()
        self.check = button("Check", "Build and measure what is in the folder now", self._check)
        self.check.button_style = "primary"
        self.stop = button("Cancel", "Stop the build; nothing is counted", self._stop)
        self.hint = button("Hint", "The next step for the first check that fails", self._hint)
        self.reset = button("Reset", "Bring the starter back, and keep a copy", self._reset)
        self.solution = button("Solution", "The reference answer, once earned", self._solution)
        self.files = button("Open files", "Links that open them beside this", self._files)
        self.watch = ipywidgets.ToggleButton(
            description="Watch",
            tooltip="Check again whenever a file is saved",
            layout=NARROW,
        )
        self.watch.observe(lambda change: self._watch(change["new"]), names="value")
        buttons = [self.check, self.stop, self.watch, self.hint, self.files]
        row = ipywidgets.HBox(
            [*buttons, self.reset, self.solution], layout={"flex_flow": "row wrap"}
        )
        shown = [row, self.best, *_static(), self.status.widget, self.table.widget]
        self.widget: Any = ipywidgets.VBox(shown, layout={"max_width": "70em"})
        self._idle()

    @property
    def running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def bundle(self, text: str) -> dict[str, Any]:
        """For Jupyter's display: the widget, and the plain text for where there is none."""
        return bundle(self.widget, text)

    def wait(self, seconds: float | None = None) -> None:
        """Until no check is under way."""
        if self.thread is not None:
            self.thread.join(seconds)

    # -- the buttons -------------------------------------------------------------------------------

    def _check(self) -> None:
        with self.lock:
            if self.running:
                return
            self.cancel, self.pressed = threading.Event(), False
            self.thread = threading.Thread(target=self._work, name="lab-check", daemon=True)
            self.check.disabled = self.reset.disabled = True
            self.stop.disabled = False
            self.thread.start()

    def _work(self) -> None:
        cancel = self.cancel
        try:
            self.one.check(live=self._live(cancel), cancel=cancel)
        finally:
            self.status.clear()
            self._idle()

    def _live(self, cancel: threading.Event) -> Live:
        def end(cell: Cell | str) -> None:
            if self.pressed or not cancel.is_set():  # after a save, the newer check shows its own
                self.table.update(cell)

        return Live(self.one.exercise.id, self.status, end=end)

    def _stop(self) -> None:
        self.stop.disabled = self.pressed = True
        self.table.update(cells.message(STOPPING, Outcome.SKIP))
        self.cancel.set()

    def _hint(self) -> None:
        self.one.hint(show=self.table.update)
        self._idle()

    def _reset(self) -> None:
        self.one.reset(show=self.table.update)

    def _solution(self) -> None:
        self.one.solution(show=self.table.update)

    def _files(self) -> None:
        self.table.update(self.one.introduction())

    def _idle(self) -> None:
        self.check.disabled = self.reset.disabled = False
        self.stop.disabled = True
        with suppress(GraderError):  # a progress file that can't be read is told by a check
            self.best.value = cells.safe(_standing(self.one))

    # -- watching ----------------------------------------------------------------------------------

    def _watch(self, on: bool) -> None:
        if on and self.watching is None:
            self.watching = Watching(self._look, self._saved).start()
            self.table.update("Watching: save a file, and it is checked.")
        elif not on and self.watching is not None:
            self.watching.stop()
            self.watching = None

    def _look(self) -> Stamp:
        one = self.one
        return stamp(one.folder / name for name in work.own_files(one.course, one.exercise))

    def _saved(self) -> None:
        """What can be read at once is shown at once; then the build. An older one is stopped."""
        if self.running:
            self.cancel.set()
        self.one.read(show=self.table.update)
        self.wait()
        self._check()


def ask(
    text: str,
    question: str,
    choices: Sequence[str],
    chosen: str | None,
    choose: Callable[[str], None],
) -> dict[str, Any]:
    """Radio buttons for a prediction, as a bundle for Jupyter's display."""
    value = chosen if chosen in choices else None
    wide = {"width": "max-content"}
    radio = ipywidgets.RadioButtons(options=list(choices), value=value, layout=wide)
    radio.observe(lambda change: _quietly(choose, change["new"]), names="value")
    box = ipywidgets.VBox([ipywidgets.HTML(cells.safe(question)), radio])
    return bundle(box, text)


def bundle(widget: Any, text: str) -> dict[str, Any]:
    """A widget for Jupyter's display, and the plain text for where there is none."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"text/plain": text, VIEW: view}


def _quietly(choose: Callable[[str], None], choice: str | None) -> None:
    with suppress(GraderError):  # there is no cell to show it in; the choice stays visible
        if choice is not None:
            choose(choice)


def button(text: str, tip: str, do: Callable[[], None]) -> Any:
    """One with words on it; the tip says what it is for."""
    made = ipywidgets.Button(description=text, tooltip=tip, layout=NARROW)
    made.on_click(lambda _: do())
    return made


def _static() -> list[Any]:
    """In static mode, what can't be had here and where it can."""
    said = f"{STATIC} {elsewhere.where()}"
    return [ipywidgets.HTML(f"<div>{cells.linked(said)}</div>")] if static_chosen() else []


def _standing(one: NotebookExercise) -> str:
    now, most = fingerprint(one.course, one.exercise), one.exercise.max_points
    summary = Progress.of(one.course).summary(one.exercise.id, now)
    if not summary.tries:
        return f"Not attempted yet: {most:g} points to earn." if most else "Not checked yet."
    tries = "1 try" if summary.tries == 1 else f"{summary.tries} tries"
    hints = f", {summary.hints} hint{'s' * (summary.hints > 1)}" if summary.hints else ""
    best = f"best {summary.best:g} of {most:g} points, " if most else ""
    return f"{summary.state.capitalize()}: {best}{tries}{hints}."
