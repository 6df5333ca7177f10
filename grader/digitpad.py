"""A pad to draw a digit on, in JupyterLab: 64 buttons, and what a container says of the drawing.

Beside ``panel`` the only place that knows ipywidgets. What is sent where is the caller's. It is
sent in a thread, so that the kernel goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from grader.cells import Cell
from grader.digits import BLANK, DARKEST, SIDE, Pixels, Sample
from grader.live import Show
from grader.panel import Area, bundle, button

MIDDLE = DARKEST // 2
SIGNS = "·○●"  # white, grey, dark: to be told apart without the shade
SIZE = "2.3em"
WHITE = 255
HOW = "A click makes a field grey, then dark, then white again (or use Tab and Space)."
ASKING = "Asking the container …"

Send = Callable[[Pixels, Show], None]


class Pad:
    """The widgets of one pad. ``send`` shows what comes of it, and raises nothing."""

    def __init__(
        self,
        send: Send,
        sample: Callable[[Callable[[Sample], None], Show], None],
        pixels: Pixels = BLANK,
        said: Sequence[Cell | str] = (),
    ) -> None:
        self.send_away, self.sample = send, sample
        self.thread: threading.Thread | None = None
        self.said = Area()
        self.styles = {level: _style(level) for level in range(DARKEST + 1)}
        self.fields = [self._field(at) for at in range(len(BLANK))]
        self.send = button("Send", "Send the drawing to the container", self._send)
        self.send.button_style = "primary"
        self.clear = button("Clear", "Make all fields white", lambda: self.draw(BLANK))
        tip = "One of the pictures that the model has learnt from"
        self.take = button("A real digit", tip, self._take)
        columns = f"repeat({SIDE}, {SIZE})"
        grid = ipywidgets.GridBox(
            self.fields, layout={"grid_template_columns": columns, "grid_gap": "1px"}
        )
        row = ipywidgets.HBox([self.send, self.clear, self.take])
        beside = ipywidgets.VBox([ipywidgets.HTML(HOW), row, self.said.widget])
        self.widget: Any = ipywidgets.HBox([grid, beside], layout={"flex_flow": "row wrap"})
        self.draw(pixels)
        for cell in said:
            self.said.update(cell)

    def draw(self, pixels: Pixels) -> None:
        """Put a whole picture on the fields."""
        self.pixels = pixels
        for at, level in enumerate(pixels):
            self._paint(at, level)

    def bundle(self, text: str) -> dict[str, Any]:
        """For Jupyter's display: the widget, and the plain text for where there is none."""
        return bundle(self.widget, text)

    def wait(self, seconds: float | None = None) -> None:
        """Until nothing is being asked."""
        if self.thread is not None:
            self.thread.join(seconds)

    def _field(self, at: int) -> Any:
        field = ipywidgets.Button(
            description=sign(0),
            tooltip=_tip(at, 0),
            style=self.styles[0],
            layout={"width": SIZE, "height": SIZE, "padding": "0", "margin": "0"},
        )
        field.on_click(lambda _: self._click(at))
        return field

    def _click(self, at: int) -> None:
        level = after(self.pixels[at])
        self.pixels = (*self.pixels[:at], level, *self.pixels[at + 1 :])
        self._paint(at, level)

    def _paint(self, at: int, level: int) -> None:
        field = self.fields[at]
        with field.hold_sync():  # one message and not three
            field.description, field.tooltip = sign(level), _tip(at, level)
            field.style = self.styles[level]

    def _take(self) -> None:
        self.sample(self._taken, self.said.update)

    def _taken(self, sample: Sample) -> None:
        self.draw(sample.pixels)
        self.said.update(f"Meant as a {sample.digit}. Send it, or change it first.")

    def _send(self) -> None:
        if self.thread is not None and self.thread.is_alive():
            return
        self.send.disabled = True
        self.said.update(ASKING)
        self.thread = threading.Thread(target=self._work, name="lab-pad", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            self.send_away(self.pixels, self.said.update)
        finally:
            self.send.disabled = False


def after(level: int) -> int:
    """The shade that a click makes of one: white, grey, dark, and white again."""
    if level >= DARKEST:
        return 0
    return MIDDLE if level < MIDDLE else DARKEST


def sign(level: int) -> str:
    """What stands on a field, for whoever can't tell its shade."""
    return SIGNS[(level > 0) + (level > DARKEST * 0.6)]


def _tip(at: int, level: int) -> str:
    row, column = divmod(at, SIDE)
    return f"row {row + 1}, column {column + 1}: {level} of {DARKEST}"


def _style(level: int) -> Any:
    """Ink on paper in both of JupyterLab's themes, so its sign brings a colour of its own."""
    grey = round(WHITE * (1 - level / DARKEST))
    ink = "#000000" if grey > WHITE * 0.45 else "#ffffff"
    return ipywidgets.ButtonStyle(button_color=f"#{grey:02x}{grey:02x}{grey:02x}", text_color=ink)
