"""Lab 01 in a real browser, against the engine of docker-compose.yml."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.learner import through_lab_01
from tests.browser.page import Lab
from tests.conftest import ROOT
from tests.launch.conftest import Project

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_lab_01_from_top_to_bottom(project: Project, browser: Browser) -> None:
    project.prepared()
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    lab = Lab(page, project.address(), Path("/nowhere"))

    def shot(name: str) -> None:
        page.screenshot(path=folder / f"compose-{name}.png")

    try:
        through_lab_01(lab, shot)
    finally:
        lab.end_kernels()
        page.close()
