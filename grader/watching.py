"""Tells when a learner has saved a file, by looking again and again.

Looking works on every file system, mounted folders of a container included, where the kernel's
own news of changes do not arrive. A handful of files costs microseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

PAUSE = 0.1  # seconds between two looks: what is saved is seen within two of them

Stamp = frozenset[tuple[str, int, int]]


def stamp(files: Iterable[Path]) -> Stamp:
    """Name, time of change in nanoseconds and bytes of each file that is there."""
    rows = set()
    for path in files:
        with suppress(OSError):  # removed between the list and the look: that is a change, too
            found = path.stat()
            rows.add((str(path), found.st_mtime_ns, found.st_size))
    return frozenset(rows)


class Watching:
    """Calls ``saved`` in a thread of its own after each change of what ``look`` gives.

    Not before two looks agree: an editor that writes in several steps is one save.
    """

    def __init__(
        self, look: Callable[[], Stamp], saved: Callable[[], None], *, pause: float = PAUSE
    ) -> None:
        self.look, self.saved, self.pause = look, saved, pause
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="lab-watch", daemon=True)
        self.known = look()

    def start(self) -> Watching:
        self.thread.start()
        return self

    def stop(self) -> None:
        """No call begins after this one returns, unless it is asked by a call itself."""
        self.stopped.set()
        if threading.current_thread() is not self.thread and self.thread.is_alive():
            self.thread.join()

    def _run(self) -> None:
        seen = self.known
        while not self.stopped.wait(self.pause):
            now = self.look()
            if now == seen and now != self.known:
                self.known = now
                self.saved()
            seen = now
