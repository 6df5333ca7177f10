"""What a learner does in JupyterLab's window, by what can be seen there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Locator, Page, expect

NOTEBOOK = "labs/01-multi-stage/01-multi-stage.ipynb"
SETUP = "from grader.notebook import lab"
PANEL = 'two_stages = course["two-stages"]'
MINE = "work/01-multi-stage/two-stages/Dockerfile"
BUSY = ".jp-InputPrompt:text-is('[*]:')"
START_MS = 60_000


@dataclass(frozen=True)
class Lab:
    """One window on the course in ``root``; times are in seconds."""

    page: Page
    address: str
    root: Path

    def url(self, route: str) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}/{route}?{parts.query}"

    def open(self, notebook: str) -> None:
        """A notebook and nothing else on the screen, with a kernel that is ready."""
        self.page.goto(f"{self.url(f'lab/tree/{notebook}')}&reset", timeout=START_MS)
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=START_MS)
        self.ready()

    def ready(self) -> None:
        # What is run before there is a kernel asks which one is wanted.
        idle = self.page.get_by_role("button", name="| Idle")
        expect(idle).to_be_visible(timeout=START_MS)

    def make(self, name: str, *cells: str) -> str:
        """A notebook of these cells, beside that of lab 00; gives its path in the course."""
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        code = [new_code_cell(cell) for cell in cells]
        path = f"labs/00-start-here/{name}.ipynb"
        nbformat.write(new_notebook(cells=code, metadata={"kernelspec": spec}), self.root / path)
        return path

    def end_kernels(self) -> None:
        """So that the next window begins with a fresh one."""
        for kernel in self.page.request.get(self.url("api/kernels")).json():
            self.page.request.delete(self.url(f"api/kernels/{kernel['id']}"))

    def menu(self, name: str, *entries: str) -> None:
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        for entry in entries:
            whole = re.compile(f"^{re.escape(entry)}$")
            self.page.locator(".lm-Menu-itemLabel", has_text=whole).click()

    def run_all(self, *, within: float) -> None:
        self.menu("Run", "Run All Cells")
        expect(self.page.locator(BUSY).first).to_be_attached()
        expect(self.page.locator(BUSY)).to_have_count(0, timeout=within * 1000)

    def cell(self, source: str) -> Locator:
        """The code cell in which this stands."""
        text = self.page.locator(".jp-InputArea", has_text=source)
        return self.page.locator(".jp-CodeCell", has=text).first

    def run(self, source: str) -> Locator:
        """Run one cell, and come back at once."""
        found = self.cell(source)
        found.locator(".jp-InputArea .cm-content").click()
        self.page.keyboard.press("Control+Enter")
        return found

    def write(self, text: str) -> None:
        """Replace all that stands in the open editor, and save."""
        content = self.page.locator(".jp-FileEditor:visible .cm-content")
        content.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+s")

    def tab(self, title: str) -> None:
        """Bring a document to the front."""
        self.page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text=title).first.click()

    def text(self, path: str) -> str:
        """A file of the course as JupyterLab reads it, wherever that runs; "" for none."""
        answer = self.page.request.get(f"{self.url(f'api/contents/{path}')}&type=file&format=text")
        return str(answer.json()["content"]) if answer.ok else ""

    def progress(self) -> str:
        """All that was written down about this learner."""
        return self.text("work/progress.txt")

    def saved(self, notebook: str) -> dict[str, Any]:
        """The notebook as it is on disk after a save."""
        before = self.text(notebook)
        self.menu("File", "Save Notebook")
        for _ in range(100):
            if (after := self.text(notebook)) != before:
                break
            self.page.wait_for_timeout(100)
        found: dict[str, Any] = json.loads(after)
        return found


def button(where: Locator, name: str) -> Locator:
    return where.get_by_role("button", name=name, exact=True)


def errors(notebook: dict[str, Any]) -> list[str]:
    """What cells raised."""
    outputs = (o for cell in notebook["cells"] for o in cell.get("outputs", ()))
    return [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]


def not_run(notebook: dict[str, Any]) -> list[str]:
    code = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return ["".join(c["source"]) for c in code if c["source"] and c["execution_count"] is None]
