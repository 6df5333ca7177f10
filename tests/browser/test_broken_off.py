"""A check that is broken off: by its button, by the kernel's, by the death of the daemon."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from playwright.sync_api import Locator, expect

from grader import labels
from grader.host import engine, processes
from grader.host.connection import Connection
from grader.host.home import Home
from tests.browser.page import MINE, SETUP, Lab, button
from tests.conftest import wait_until
from tests.live.conftest import copy_image

pytestmark = [pytest.mark.live, pytest.mark.slow]
SLEEPS = "1234567"  # so long that nothing else on the machine sleeps for as long
IN_BUILD = f"FROM python:3.11-slim\nRUN sleep {SLEEPS}\n"
IN_CONTAINER = f'FROM python:3.11-slim\nUSER 1000\nCMD ["sleep", "{SLEEPS}"]\n'
STOPPED = "Stopped. Nothing was counted."


def sleeping() -> list[int]:
    """The submission's processes; where the engine is elsewhere, none is seen."""
    return [p for p in processes.pids() if processes.command_line(p)[:2] == ["sleep", SLEEPS]]


def containers(connection: Connection) -> list[str]:
    api = docker.APIClient(connection.host, version="auto")
    try:
        found = api.containers(all=True, filters={"label": f"{labels.KIND}=submission"})
    finally:
        api.close()
    return [c["Id"] for c in found]


def write(lab: Lab, dockerfile: str) -> None:
    (lab.root / MINE).write_text(dockerfile, "utf-8")


def nothing_goes_on(connection: Connection) -> None:
    wait_until(lambda: not sleeping() and not containers(connection), 30)


def test_cancel_really_stops_the_build(
    lab: Lab, panel: Locator, connection: Connection, shot: Callable[[str], None]
) -> None:
    write(lab, IN_BUILD)
    button(panel, "Check").click()
    expect(panel).to_contain_text(f"sleep {SLEEPS}", timeout=30_000)
    shot("building")
    button(panel, "Cancel").click()
    expect(panel).to_contain_text(STOPPED, timeout=30_000)
    shot("cancelled")
    nothing_goes_on(connection)
    assert "check" not in lab.progress()
    expect(button(panel, "Check")).to_be_enabled()


@pytest.mark.parametrize(
    ("dockerfile", "goes_on"), [(IN_BUILD, sleeping), (IN_CONTAINER, containers)]
)
def test_interrupting_the_kernel_leaves_nothing(
    lab: Lab,
    panel: Locator,
    connection: Connection,
    dockerfile: str,
    goes_on: Callable[..., list[object]],
) -> None:
    write(lab, dockerfile)
    cell = lab.run("two_stages.check()")
    wanted = (connection,) if goes_on is containers else ()
    wait_until(lambda: goes_on(*wanted), 60)
    lab.menu("Kernel", "Interrupt Kernel")
    expect(cell).to_contain_text(STOPPED, timeout=60_000)
    nothing_goes_on(connection)
    assert "check" not in lab.progress()


@pytest.fixture
def spare(
    spare_home: Callable[[Path], Connection], connection: Connection
) -> Iterator[tuple[Home, Callable[[], Connection]]]:
    """An engine that may be killed; the second value brings it up, also again."""
    with tempfile.TemporaryDirectory(prefix="lab-", dir="/tmp") as folder:
        place = Home(Path(folder))

        def up() -> Connection:
            found = spare_home(place.root)
            for name in ("python:3.11-slim", "distroless-python:3.11"):
                copy_image(connection, found, name)
            return found

        yield place, up
        engine.stop(place)
        for pid in sleeping():  # a daemon that is killed leaves what its builds ran
            os.kill(pid, signal.SIGKILL)


def test_the_daemon_dies_in_the_middle_and_comes_back(
    lab: Lab, spare: tuple[Home, Callable[[], Connection]], shot: Callable[[str], None]
) -> None:
    place, up = spare
    host = up().host
    notebook = lab.make(
        "killed",
        f"import os\nos.environ['DOCKER_HOST'] = {host!r}\n{SETUP}",
        "one = lab('00-start-here')['preflight']\none",
    )
    lab.open(notebook)
    lab.run_all(within=60)
    (lab.root / "work/00-start-here/preflight/Dockerfile").write_text(IN_BUILD, "utf-8")
    panel = lab.cell("one = lab(")
    button(panel, "Check").click()
    expect(panel).to_contain_text(f"sleep {SLEEPS}", timeout=30_000)

    for pid in processes.mine(place, "dockerd"):
        os.kill(pid, signal.SIGKILL)
    expect(panel).to_contain_text("nothing is counted", timeout=60_000)
    expect(panel).not_to_contain_text("Traceback")
    shot("daemon-died")
    button(panel, "Check").click()  # it is still away
    expect(panel).to_contain_text("nothing is counted", timeout=60_000)

    up()
    button(panel, "Reset").click()
    expect(panel).to_contain_text("is back at the start")
    button(panel, "Check").click()
    expect(panel).to_contain_text("0 of 0 points", timeout=60_000)
    expect(panel).not_to_contain_text("✗")
    shot("daemon-back")
