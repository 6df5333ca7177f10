"""A learner's way through lab 01, the same wherever JupyterLab and the engine run."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from grader.notebook import UNTOUCHED
from tests.browser.page import MINE, NOTEBOOK, PANEL, Lab, button, errors, not_run
from tests.conftest import ROOT

ANSWER = (ROOT / "solutions/01-multi-stage/two-stages/Dockerfile").read_text("utf-8")
STARTER = (ROOT / "labs/01-multi-stage/two-stages/Dockerfile").read_text("utf-8")
CHECKED_MS = 90_000
Shot = Callable[[str], None]


def through_lab_01(lab: Lab, shot: Shot) -> None:
    """The whole notebook, a check that fails, a hint, an edit, one that passes, a reset."""
    lab.open(NOTEBOOK)
    lab.run_all(within=600)
    found = lab.saved(NOTEBOOK)
    assert errors(found) == []
    assert not_run(found) == []

    cell = lab.cell(PANEL)
    button(cell, "Check").click()
    expect(cell).to_contain_text(UNTOUCHED, timeout=CHECKED_MS)
    expect(cell).to_contain_text("6 of 10 points")
    assert "pass" not in lab.progress()
    button(cell, "Check").scroll_into_view_if_needed()
    shot("01-starter-checked")

    button(cell, "Hint").click()
    expect(cell).to_contain_text("Hint 1 of 3")
    shot("01-hint")

    button(cell, "Open files").click()
    cell.get_by_role("link", name="Dockerfile", exact=True).first.click()
    keyword = lab.page.locator(".jp-FileEditor:visible .cm-line span", has_text="FROM").first
    expect(keyword).to_be_visible(timeout=15_000)  # highlighted: a word of its own
    lab.write(ANSWER)
    shot("01-editor")
    lab.tab("01-multi-stage.ipynb")

    button(cell, "Check").click()
    expect(cell).to_contain_text("10 of 10 points", timeout=CHECKED_MS)
    expect(cell).to_contain_text("Passed: best 10 of 10 points, 1 try, 1 hint.")
    assert lab.text(MINE) == ANSWER
    assert "01-multi-stage/two-stages check 10/10 pass" in lab.progress()
    button(cell, "Check").scroll_into_view_if_needed()
    shot("01-passed")

    pictures = lab.page.locator(".jp-OutputArea-output img")
    assert pictures.count() >= 4
    for one in pictures.all():
        one.scroll_into_view_if_needed()
        assert one.evaluate("image => image.complete && image.naturalWidth > 300")
        assert len(one.get_attribute("alt") or "") > 40
    shot("01-picture")

    button(cell, "Reset").click()
    expect(cell).to_contain_text("is back at the start")
    assert lab.text(MINE) == STARTER
