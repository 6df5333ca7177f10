"""What all tests share: waiting without sleeping, the engine, and small courses of their own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.course import Course
from grader.errors import EngineError
from grader.host.connection import Connection, connect

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stops engines, counts what is left or drives a browser has the machine to itself."""
    for item in items:
        if item.path.parent.name in ("browser", "launch", "live"):
            item.add_marker(pytest.mark.alone)


def wait_until(predicate: Callable[[], object], timeout: float = 10, every: float = 0.05) -> object:
    """Ask until the answer is true, and give it; fails after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > end:
            pytest.fail(f"not within {timeout} s: {predicate}")
        time.sleep(every)
    return value


@pytest.fixture(scope="session")
def connection() -> Connection:
    """The engine of this machine. Without one: skipped, or failed where REQUIRE_DOCKER=1."""
    try:
        return connect()
    except EngineError as err:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"REQUIRE_DOCKER=1, and {err}")
        pytest.skip(f"no Docker Engine: {err}")


@pytest.fixture(scope="session")
def course() -> Course:
    """The real course of this checkout."""
    return Course(ROOT)


@pytest.fixture
def small_course(tmp_path: Path) -> Callable[[str], Course]:
    """Makes a course with one lab, 90-small, from the text of its lab.toml."""

    def make(lab_toml: str, name: str = "90-small") -> Course:
        root = tmp_path / "course"
        folder = root / "labs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lab.toml").write_text(lab_toml)
        for shared in ("labs/app", "images"):
            if not (root / shared).exists():
                (root / shared).symlink_to(ROOT / shared)
        (root / "grader").mkdir(exist_ok=True)
        return Course(root)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Makes a submission's folder from ``{name: text or bytes}``."""
    made = []

    def make(**files: str | bytes) -> Path:
        place = tmp_path / f"submission{len(made)}"
        place.mkdir()
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (place / name).write_bytes(data)
        made.append(place)
        return place

    yield make
    for place in made:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def spare_home(
    connection: Connection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path], Connection]]:
    """Starts a private engine of the test's own under another LAB_HOME; stopped at the end."""
    from grader.host import engine, packages
    from grader.host.connection import connection as describe
    from grader.host.connection import private
    from grader.host.home import Home, home

    if os.geteuid() != 0:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail("REQUIRE_DOCKER=1, and a second engine needs root")
        pytest.skip("a second engine needs root")
    started: list[Home] = []

    def start(root: Path) -> Connection:
        place = Home(root)
        shared = home()
        root.mkdir(parents=True, exist_ok=True)
        packages.fetch_engine(shared, print)
        for name in ("client", "engine"):  # the configuration points into its own LAB_HOME
            if not (root / name).exists():
                (root / name).symlink_to(shared.root / name)
        started.append(place)
        engine.start(place, print)
        return describe(place, "given", private(place))

    yield start
    for place in started:
        engine.stop(place)
