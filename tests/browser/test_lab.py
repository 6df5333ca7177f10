"""A learner goes through lab 01 in a real browser, on a real engine."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.learner import ANSWER, CHECKED_MS, Shot, through_lab_01
from tests.browser.page import MINE, SETUP, Lab, button
from tests.conftest import ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]
LABS = sorted(path.parent.name for path in (ROOT / "labs").glob("*/lab.toml"))


def test_lab_01_from_top_to_bottom(lab: Lab, shot: Shot) -> None:
    through_lab_01(lab, shot)


def test_the_address_leads_to_a_page_that_knows_where_to_begin(lab: Lab, shot: Shot) -> None:
    lab.page.goto(lab.address)
    # What was open in the last window is opened again, behind it.
    title = lab.page.get_by_role("heading", name="Docker for machine learning")
    expect(title).to_be_visible(timeout=60_000)
    lab.ready()
    cell = lab.run("home()")
    expect(cell).to_contain_text("Begin with 00-start-here/preflight", timeout=30_000)
    expect(cell.get_by_role("table", name="The labs")).to_be_visible()
    assert cell.get_by_role("row").count() == len(LABS) + 1
    shot("home")
    cell.get_by_role("link", name="00-start-here", exact=True).click()
    expect(lab.page.locator(".jp-Notebook h1", has_text="Start here")).to_be_visible(timeout=15_000)


def test_a_digit_is_drawn_and_read_by_a_container(lab: Lab, shot: Shot) -> None:
    notebook = lab.make(
        "pad",
        f"{SETUP}\ncourse = lab('00-start-here')\n%cd -q {{course.folder}}",
        "!docker build -q -t lab00/pad --label lab.run=$LAB_RUN"
        " -f ../../images/digits/Dockerfile ../app",
        "box = !docker run -d -p 127.0.0.1::8000 --label lab.run=$LAB_RUN lab00/pad",
        "course.draw(box[-1][:12])",
        "course.cleanup()",
    )
    lab.open(notebook)
    for source in (SETUP, "docker build", "docker run"):
        lab.run(source)
    pad = lab.run("course.draw(")
    expect(button(pad, "Send")).to_be_visible(timeout=CHECKED_MS)
    field = pad.locator("button[title='row 3, column 5: 0 of 16']")
    field.focus()
    lab.page.keyboard.press("Space")
    expect(pad.locator("button[title='row 3, column 5: 8 of 16']")).to_have_text("○")
    button(pad, "A real digit").click()
    expect(pad).to_contain_text("Send it, or change it first.")
    button(pad, "Send").click()
    expect(pad).to_contain_text("It says", timeout=15_000)
    shot("digit")
    expect(lab.run("course.cleanup()")).to_contain_text("Cleaned up", timeout=30_000)
    button(pad, "Send").click()
    expect(pad).to_contain_text("There is no container", timeout=15_000)


def test_a_prediction_is_kept_and_shown_beside_what_was_measured(lab: Lab) -> None:
    lab.open("labs/00-start-here/00-start-here.ipynb")
    lab.run_all(within=120)
    asked = lab.cell("course.predict(")
    asked.get_by_role("radio", name="Debian's").check()
    again = lab.run("course.reflect(")
    expect(again).to_contain_text("You predicted: Debian's")
    assert "00-start-here predict kernel Debian's" in lab.progress()


def test_the_panel_is_reached_by_keyboard_alone(lab: Lab, panel: Locator) -> None:
    button(panel, "Check").focus()
    reached = []
    for _ in range(5):
        lab.page.keyboard.press("Tab")
        reached.append(lab.page.evaluate("document.activeElement.textContent").strip())
    assert reached == ["Watch", "Hint", "Open files", "Reset", "Solution"]
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("The solution is shown after full marks")


def test_watching_reads_a_saved_file_and_then_builds_it(lab: Lab, panel: Locator) -> None:
    button(panel, "Watch").click()
    expect(panel).to_contain_text("Watching: save a file")
    (lab.root / MINE).write_text(ANSWER, "utf-8")
    expect(panel).to_contain_text("Read, not built", timeout=3000)
    expect(panel).to_contain_text("10 of 10 points", timeout=CHECKED_MS)


def test_dark_is_readable_too(lab: Lab, shot: Shot, panel: Locator) -> None:
    """For eyes: the two pictures of one panel; here only that both have the same words."""
    button(panel, "Check").click()
    expect(panel).to_contain_text("of 10 points", timeout=CHECKED_MS)
    light = panel.inner_text()
    shot("panel-light")
    lab.menu("Settings", "Theme", "JupyterLab Dark")
    expect(lab.page.locator("body[data-jp-theme-light=false]")).to_be_attached(timeout=15_000)
    shot("panel-dark")
    assert panel.inner_text() == light
    lab.menu("Settings", "Theme", "JupyterLab Light")
    expect(lab.page.locator("body[data-jp-theme-light=true]")).to_be_attached(timeout=15_000)


@pytest.mark.parametrize("name", LABS)
def test_the_first_screen_of_each_lab(lab: Lab, shot: Shot, name: str) -> None:
    lab.open(f"labs/{name}/{name}.ipynb")
    expect(lab.page.locator(".jp-Notebook h1").first).to_be_visible()
    lab.page.wait_for_timeout(1500)  # what pops up, does so by then
    expect(lab.page.locator(".jp-Dialog, .Toastify__toast")).to_have_count(0)
    shot(f"{name}-first-screen")
