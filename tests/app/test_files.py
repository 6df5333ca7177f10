"""The shared application's files: pins, data, and the build steps that many Dockerfiles share.

Nothing is built here; what the service answers is tests/app/test_service.py's business.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader.course import Course

LISTS = ("requirements.txt", "requirements-train.txt", "score/requirements.txt")
SHARES_THE_BASELINES_BUILD = (
    "labs/01-multi-stage/no-shell",
    "labs/01-multi-stage/train-serve",
    "labs/01-multi-stage/two-stages",
    "solutions/01-multi-stage/two-stages",
)


def lines(path: Path) -> list[str]:
    """What is not comment and not blank."""
    return [s for s in path.read_text().splitlines() if s.strip() and not s.startswith("#")]


def pins(path: Path) -> dict[str, str]:
    return dict(line.split("==") for line in lines(path))


def expensive_part(folder: Path) -> list[str]:
    """A Dockerfile up to its pip install, without the name of the stage."""
    every = [re.sub(r" AS \w+$", "", line) for line in lines(folder / "Dockerfile")]
    start = next(n for n, line in enumerate(every) if line.startswith("FROM"))
    end = next(n for n, line in enumerate(every) if "pip install" in line)
    return every[start : end + 1]


@pytest.mark.parametrize("name", LISTS)
def test_every_requirement_has_one_exact_version_and_no_address(course: Course, name: str) -> None:
    every = lines(course.app / name)
    assert every == sorted(every, key=lambda line: line.split("==")[0])
    for line in every:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*", line)


def test_a_package_has_the_same_version_in_every_list(course: Course) -> None:
    known: dict[str, str] = {}
    for name in LISTS:
        for package, version in pins(course.app / name).items():
            assert known.setdefault(package, version) == version, package


def test_the_training_script_has_its_tag_on_a_line_of_its_own(course: Course) -> None:
    text = (course.app / "train.py").read_text()
    assert text.splitlines().count('TAG = "course"') == 1


def test_the_lightgbm_data_are_1347_whole_pictures(course: Course) -> None:
    rows = lines(course.app / "score/digits.txt")
    assert len(rows) == 1347
    assert all(re.fullmatch(r"[0-9] [0-9a-g]{64}", row) for row in rows)
    assert {row[0] for row in rows} == set("0123456789")


@pytest.mark.parametrize("name", SHARES_THE_BASELINES_BUILD)
def test_the_long_steps_are_the_baselines_so_that_they_are_built_once(
    course: Course, name: str
) -> None:
    assert expensive_part(course.root / name) == expensive_part(course.root / "images/baseline")
