"""A save is told once, when it is over."""

from __future__ import annotations

import os
from pathlib import Path

from grader.watching import Watching, stamp
from tests.conftest import wait_until


def watch(path: Path, saved: list[str]) -> Watching:
    look = lambda: stamp([path])  # noqa: E731
    return Watching(look, lambda: saved.append(path.read_text()), pause=0.02).start()


def test_each_save_is_told_with_the_content_that_is_there_then(tmp_path: Path) -> None:
    path, saved = tmp_path / "Dockerfile", list[str]()
    path.write_text("one")
    watching = watch(path, saved)
    path.write_text("three")
    wait_until(lambda: saved == ["three"])
    path.write_text("seven")
    wait_until(lambda: saved == ["three", "seven"])
    watching.stop()
    path.write_text("not seen")
    assert not watching.thread.is_alive()
    assert saved == ["three", "seven"]


def test_a_file_that_is_still_being_written_is_told_once() -> None:
    saved, looks = list[int](), list[int]()
    states = [stamp([]), *(frozenset({("f", n, n)}) for n in (1, 2, 3, 3, 3, 3))]

    def look() -> frozenset[tuple[str, int, int]]:
        looks.append(1)
        return states[min(len(looks) - 1, len(states) - 1)]

    watching = Watching(look, lambda: saved.append(len(looks)), pause=0.001).start()
    wait_until(lambda: len(looks) > 10)
    watching.stop()
    assert saved == [5], "told at the first look that found nothing new"


def test_a_save_by_renaming_and_a_removal_are_changes(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("x")
    before = stamp([path])
    other.write_text("y")
    os.utime(other, ns=(1, 1))
    other.replace(path)
    assert stamp([path]) != before
    path.unlink()
    assert stamp([path]) == frozenset()


def test_stopping_from_within_a_call_does_not_wait_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    done: list[int] = []

    def saved() -> None:
        watching.stop()
        done.append(1)

    watching = Watching(lambda: stamp([path]), saved, pause=0.01).start()
    path.write_text("longer")
    wait_until(lambda: done)
    wait_until(lambda: not watching.thread.is_alive())
