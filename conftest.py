"""Holds every notebook's cell to the time that its lab.toml allows, and keeps a lab's two apart."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from grader.spec import Lab

# Given to learners, who run them inside an image that has what they import.
collect_ignore = ["labs/app/flavours"]


def cell_seconds(notebook: Path) -> float:
    """What the lab of this name allows; its solutions' notebook has the same name."""
    lab = Path(__file__).parent / "labs" / notebook.stem / "lab.toml"
    return Lab.load(lab).cell_seconds if lab.is_file() else Lab.cell_seconds


class _LabByLab(LoadScopeScheduling):
    """A lab's two notebooks tag the same images: these go one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return Path(nodeid.partition("::")[0]).stem


@pytest.hookimpl(optionalhook=True)  # xdist need not be loaded
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return _LabByLab(config, log) if config.option.nbval or config.option.nbval_lax else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if not isinstance(item, IPyNbCell):
        return (yield)
    most = item.config.option.nbval_cell_timeout = cell_seconds(item.path)
    began = time.monotonic()
    said = yield
    # A check that is interrupted says so and raises nothing: the time-out alone would be green.
    if (took := time.monotonic() - began) > most:
        pytest.fail(f"{took:.1f} s, and cell_seconds in lab.toml is {most:g}", pytrace=False)
    return said
