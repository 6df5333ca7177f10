"""Ends a submission's container that fills the engine's disk; builds have a limit of their own.

The storage drivers know no limit for one container. So the free space is watched, which costs
nothing, and only when it falls is Docker asked who wrote.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from grader.engine import Engine
from grader.errors import EngineError

TICK = 0.25  # seconds between two looks


@contextmanager
def guarded(engine: Engine | None, most_mb: float) -> Iterator[None]:
    """Watch while the block runs; nothing to do where the engine's disk cannot be seen."""
    folder = _folder(engine)
    if engine is None or folder is None:
        yield
        return
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(engine, folder, most_mb * 1e6, done), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _folder(engine: Engine | None) -> Path | None:
    with suppress(EngineError):
        return engine.data_root if engine else None
    return None


def _watch(engine: Engine, folder: Path, most: float, done: threading.Event) -> None:
    before = _free(folder)
    while not done.wait(TICK):
        free = _free(folder)
        before = max(before, free)
        if before - free > most:
            with suppress(EngineError):
                _end(engine, most)


def _free(folder: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0


def _end(engine: Engine, most: float) -> None:
    """End who wrote too much. Others may fill the same disk: then it is none of ours."""
    for container, size in engine.written().items():
        if size > most and container not in engine.too_big:
            engine.too_big.add(container)
            engine.signal(container, "SIGKILL")
