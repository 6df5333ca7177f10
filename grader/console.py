"""How long steps show themselves: a spinner on a terminal, plain lines elsewhere.

Not here: reports of a grade. The only `import rich`, and without it the lines are plain too.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TextIO

Say = Callable[[str], None]


class Console:
    """Where a person is told what goes on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """One long step; what is said in it is shown while it lasts, the seconds when it ends."""
        started = time.monotonic()
        mark = "✗"
        try:
            with self._progress(title) as say:
                yield say
            mark = "✓"
        finally:
            self.line(f"{mark} {title} ({time.monotonic() - started:.1f} s)")

    def line(self, text: str) -> None:
        """One line, at once: somebody may be reading a log. A terminal that is gone is no error."""
        with contextlib.suppress(OSError):
            print(text, file=self._stream, flush=True)

    def _progress(self, title: str) -> AbstractContextManager[Say]:
        spinner = _spinner(self._stream, title) if self._stream.isatty() else None
        return spinner or self._plain(title)

    @contextlib.contextmanager
    def _plain(self, title: str) -> Iterator[Say]:
        yield lambda text: self.line(f"  {title}: {text}")


def _spinner(stream: TextIO, title: str) -> AbstractContextManager[Say] | None:
    try:
        from rich.console import Console as RichConsole
        from rich.markup import escape
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    except ImportError:
        return None

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    progress = Progress(*columns, console=RichConsole(file=stream), transient=True)

    @contextlib.contextmanager
    def running() -> Iterator[Say]:
        with progress:
            task = progress.add_task(escape(title))
            yield lambda text: progress.update(task, description=escape(f"{title}: {text}"))

    return running()
