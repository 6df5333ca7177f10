"""The panel without a browser: what its buttons do, and what can be pressed when."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.buildlog import BuildEvent
from grader.course import Course
from grader.notebook import READ, lab
from grader.panel import STATIC, VIEW, Area, Panel
from grader.progress import Progress
from grader.results import Outcome, Report
from tests.conftest import wait_until
from tests.sample_course import ID, LAB, make_course, report

FAIL = {"image.size": Outcome.FAIL, "service.ready": Outcome.SKIP}
SECONDS = 10


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    monkeypatch.setattr("grader.notebook.reach_engine", lambda: False)
    return make_course(tmp_path)


def panel(grade: Callable[..., Report], *, edited: bool = True) -> Panel:
    one = lab(LAB, grade=grade)["slim"]
    if edited:
        (one.folder / "Dockerfile").write_text("FROM scratch\n")
    return one.panel()


def shown(area: Area) -> str:
    return "\n".join(o["data"]["text/plain"] for o in area.widget.outputs)


def test_a_gate_speaks_of_no_points(course: Course) -> None:
    toml = course.root / "labs" / LAB / "lab.toml"
    text = re.sub(r"points = \d+", "points = 0", toml.read_text())
    toml.write_text(re.sub(r"teaches = .*", "teaches = []", text))
    rows = tuple(replace(row, max_points=0) for row in report().results)
    one = panel(lambda *_, **__: replace(report(), results=rows))
    assert "minutes, no points" in str(one.one.introduction())
    assert one.best.value == "Not checked yet."
    one.check.click()
    one.wait(SECONDS)
    wait_until(lambda: one.best.value == "Passed: 1 try.")


def words(one: Panel) -> str:
    """All that the panel says in widgets of its own."""
    return " ".join(getattr(child, "value", "") for child in one.widget.children)


def test_in_static_mode_the_panel_says_so_and_where_the_rest_can_be_graded(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert STATIC not in words(panel(lambda *_, **__: report()))
    monkeypatch.setenv("LAB_STATIC", "1")
    monkeypatch.setenv("LAB_CODESPACES", "https://codespaces.test/x")
    said = words(panel(lambda *_, **__: report()))
    assert STATIC in said
    assert '<a href="https://codespaces.test/x" target="_blank"' in said


def test_a_check_shows_the_table_and_the_new_best(course: Course) -> None:
    one = panel(lambda *_, **__: report(FAIL))
    assert "Not attempted yet" in one.best.value
    one.check.click()
    one.wait(SECONDS)
    assert "1 of 7 points" in shown(one.table)
    assert "best 1 of 7 points, 1 try" in one.best.value
    assert shown(one.status) == ""


def test_while_a_check_is_under_way_only_cancel_can_be_pressed(course: Course) -> None:
    go, calls = threading.Event(), list[Any]()

    def grade(*_: object, on_event: Any, **__: object) -> Report:
        calls.append(1)
        on_event(BuildEvent("RUN pip install", "running", 1.5, 7))
        assert go.wait(SECONDS)
        return report(FAIL)

    one = panel(grade)
    assert (one.check.disabled, one.stop.disabled) == (False, True)
    one.check.click()
    wait_until(lambda: "RUN pip" in one.status.widget.outputs[0]["data"]["text/html"])
    assert (one.check.disabled, one.reset.disabled, one.stop.disabled) == (True, True, False)
    one.check.click()  # a second one does nothing
    go.set()
    one.wait(SECONDS)
    assert (one.check.disabled, one.stop.disabled) == (False, True)
    assert calls == [1]


def test_a_pass_before_a_change_is_called_one(course: Course) -> None:
    one = panel(lambda *_, **__: report())
    one.check.click()
    one.wait(SECONDS)
    assert one.best.value.startswith("Passed: best 7 of 7")
    (one.one.folder / "Dockerfile").write_text("FROM changed\n")
    again = panel(lambda *_, **__: report(), edited=False)
    assert again.best.value.startswith("Passed, then you changed it: best 7 of 7")


def test_cancel_stops_it_and_nothing_is_counted(course: Course) -> None:
    def grade(*_: object, cancel: threading.Event, **__: object) -> Report:
        assert cancel.wait(SECONDS)
        return report(FAIL)

    one = panel(grade)
    one.check.click()
    one.stop.click()
    one.wait(SECONDS)
    assert "Nothing was counted" in shown(one.table)
    assert "1 of 7" not in shown(one.table)
    assert Progress.of(course).tries(ID) == ()
    one.one.grade = lambda *_, **__: report()
    one.check.click()
    one.wait(SECONDS)
    assert "7 of 7 points" in shown(one.table), "it can be checked again"


def test_a_crash_leaves_the_buttons_usable(course: Course) -> None:
    def grade(*_: object, **__: object) -> Report:
        raise ValueError("boom")

    one = panel(grade)
    one.check.click()
    one.wait(SECONDS)
    assert "boom" in shown(one.table)
    assert not one.check.disabled


def test_hint_reset_solution_and_files_speak_in_the_panel(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    one = panel(lambda *_, **__: report(FAIL))
    one.check.click()
    one.wait(SECONDS)
    one.hint.click()
    assert "Hint 1 of 3" in shown(one.table)
    assert ", 1 hint." in one.best.value
    one.solution.click()
    assert "4 checks to go" in shown(one.table)
    one.files.click()
    assert "Dockerfile" in shown(one.table)
    one.reset.click()
    assert ".kept" in shown(one.table)
    assert capsys.readouterr().out == ""


def test_a_save_is_read_at_once_and_then_built(course: Course) -> None:
    seen, go = list[str](), threading.Event()

    def grade(*_: object, static: bool | None = None, **__: object) -> Report:
        seen.append("read" if static else "built")
        if not static:
            assert go.wait(SECONDS)
        return report(FAIL)

    one = panel(grade)
    one.watch.value = True
    (one.one.folder / "Dockerfile").write_text("FROM scratch\nUSER 1\n")
    wait_until(lambda: READ in shown(one.table))
    wait_until(lambda: seen == ["read", "built"])
    go.set()
    one.wait(SECONDS)
    assert READ not in shown(one.table)
    one.watch.value = False
    assert one.watching is None


def test_a_save_during_a_check_stops_the_old_one(course: Course) -> None:
    first = list[threading.Event]()

    def grade(*_: object, cancel: threading.Event | None = None, **__: object) -> Report:
        if cancel and not first:
            first.append(cancel)
            assert cancel.wait(SECONDS)
        return report(FAIL)

    one = panel(grade)
    one.check.click()
    wait_until(lambda: first)
    one.watch.value = True
    (one.one.folder / "Dockerfile").write_text("FROM scratch\nUSER 1\n")
    wait_until(first[0].is_set)
    wait_until(lambda: len(Progress.of(course).tries(ID)) == 1 and not one.running)
    one.watch.value = False
    assert "1 of 7 points" in shown(one.table)


def test_its_bundle_is_a_view_and_the_same_panel_each_time(course: Course) -> None:
    one = panel(lambda *_, **__: report())
    assert one.bundle("words")["text/plain"] == "words"
    assert one.bundle("")[VIEW]["model_id"] == one.widget.model_id
    assert one.one.panel() is one
