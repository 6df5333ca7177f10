"""A real Chromium, and a JupyterLab on a copy of the course, so that nobody's work is touched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect, sync_playwright

from grader.host import jupyter
from grader.host.connection import Connection
from grader.host.home import home
from tests.browser.page import NOTEBOOK, PANEL, SETUP, Lab, button
from tests.conftest import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without a network of its own; the last four keep it from asking its maker's machines for things.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NOT_COPIED = (".git", ".venv", "work", "build", "__pycache__", ".*_cache", "*.egg-info")


@pytest.fixture(scope="package")
def chromium() -> str:
    """Its path. Without one: skipped, or installed and else failed where REQUIRE_BROWSER=1."""
    required = os.environ.get("REQUIRE_BROWSER") == "1"
    found = _find() or (_install() if required else "")
    if not found and required:
        pytest.fail("REQUIRE_BROWSER=1, and there is no Chromium and apt gives none")
    if not found:
        pytest.skip("no Chromium: `apt install chromium`")
    return found


def _find() -> str:
    return next(filter(None, map(shutil.which, NAMES)), "")


def _install() -> str:
    """Debian's, as root; a machine that only runs the tests has nobody to ask."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return ""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run(["apt-get", "-qq", *words], env=quiet, capture_output=True, text=True)
        if done.returncode:
            pytest.fail(f"apt-get {words[0]}: {done.stderr[-600:]}")
    return _find()


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(scope="package")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course without anybody's work in it."""
    place = tmp_path_factory.mktemp("browser") / "course"
    shutil.copytree(ROOT, place, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return place


@pytest.fixture(scope="package")
def address(copy: Path, connection: Connection) -> Iterator[str]:
    """What `make up` prints: JupyterLab on the copy, with this machine's engine."""
    env = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", "grader", "up", "--port", "8950"]
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=600)
    found = re.search(r"http://\S+", done.stdout)
    assert found, done.stdout + done.stderr
    yield found[0]
    jupyter.stop(home(), copy)


@pytest.fixture
def lab(browser: Browser, address: str, copy: Path) -> Iterator[Lab]:
    """One window, on an untouched workplace."""
    shutil.rmtree(copy / "work", ignore_errors=True)
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    window = Lab(page, address, copy)
    yield window
    window.end_kernels()
    page.close()


@pytest.fixture
def panel(lab: Lab) -> Locator:
    """The panel of two-stages, in a notebook of which only the first cell was run."""
    lab.open(NOTEBOOK)
    lab.run(SETUP)
    cell = lab.run(PANEL)
    expect(button(cell, "Check")).to_be_enabled(timeout=30_000)
    return cell


@pytest.fixture
def shot(lab: Lab) -> Callable[[str], None]:
    """Keeps a picture of the window in build/screenshots, which git ignores."""
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        lab.page.screenshot(path=folder / f"{name}.png")

    return take
