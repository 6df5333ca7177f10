"""The docs: each thing has its heading, each link leads somewhere, each command is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from grader.course import Course
from grader.pages.markdown import anchor
from grader.registry import CHECKS, load_checks
from grader.spec import Lab
from tests import docs
from tests.conftest import ROOT
from tests.docs import ELSEWHERE, FAST, LIVE, PAGES, Shown

DOCS = ROOT / "docs"
ADDRESS = "OWNER/REPOSITORY"
LABS = Course(ROOT).labs()
load_checks()


def named(page: str, pattern: str) -> list[str]:
    """The headings of a page that fit, in order."""
    return [h for h in docs.headings(DOCS / page) if re.fullmatch(pattern, h)]


# -- each thing has its heading --------------------------------------------------------------------


def test_every_check_has_its_heading_and_no_other_has_one() -> None:
    assert named("checks.md", r"[a-z]+\.[a-z_]+") == sorted(CHECKS)


def test_every_family_of_checks_has_its_heading() -> None:
    families = sorted({name.partition(".")[0] for name in CHECKS})
    assert named("checks.md", r"[a-z]+") == families


def test_every_lab_and_exercise_has_its_heading_and_no_other_has_one() -> None:
    wanted = [name for lab in LABS for name in (lab.name, *(e.id for e in lab.exercises))]
    assert named("labs.md", r"\d\d-.*") == wanted


def test_every_command_has_its_heading_and_no_other_has_one() -> None:
    command = [sys.executable, "-m", "grader", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60).stdout
    wanted = [f"grader {name}" for name in re.findall(r"^    ([a-z-]+)\b", told, re.M)]
    assert len(wanted) > 10
    assert named("commands.md", r"grader .+") == wanted


def test_every_make_target_has_its_heading_and_no_other_has_one() -> None:
    """By .PHONY, not by the comments that the page is made from; venv is only for other targets."""
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert phony
    wanted = {f"make {t}" for t in phony[1].split() if not t.startswith("venv")}
    assert set(named("commands.md", r"make .+")) == wanted


def test_every_page_is_named_in_the_readme() -> None:
    targets = {target.partition("#")[0] for _, target in docs.links(ROOT / "README.md")}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} - targets == set()


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_the_readmes_table_has_each_lab_with_its_minutes(lab: Lab) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[([\w-]+)\]\(.*\| (\d+) \| [\w ]+ \|$", text, re.M))
    assert set(rows) == {one.name for one in LABS}
    assert rows[lab.name] == str(lab.minutes)


# -- links -----------------------------------------------------------------------------------------


def dead(page: Path) -> list[str]:
    """Links of a page that lead to no file, or to no heading of a page."""
    found = []
    for _, target in docs.links(page):
        path, _, heading = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (heading and heading not in docs.anchors(there)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead(page) == []


def test_a_link_to_nothing_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n\n[a](#here) [b](#there) [c](no.md) [d](page.md#here) [e](https://x)\n"
    )
    assert dead(page) == ["#there", "no.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_one_title_and_no_heading_twice(page: Path) -> None:
    found = [anchor(h) for h in docs.headings(page)]
    assert sorted(found) == sorted(set(found))
    assert len(re.findall(r"^# ", docs.prose(page), re.M)) == 1


def test_this_repositorys_address_stands_in_one_place() -> None:
    """It is not known yet: whoever knows it has one paragraph to change."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    assert [page.name for page, text in texts.items() if ADDRESS in text] == ["README.md"]
    last = texts[ROOT / "README.md"].rpartition("<!-- The one place")[2]
    assert last.count(ADDRESS) == texts[ROOT / "README.md"].count(ADDRESS) == 3
    assert last.count("\n\n") == 1


# -- commands --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", docs.commands(), ids=lambda s: f"{s.page}: {s.command}")
def test_every_command_in_a_block_is_run_by_a_test(shown: Shown) -> None:
    assert shown.command in FAST.keys() | LIVE.keys() | ELSEWHERE.keys()


def test_no_command_is_kept_that_no_page_shows_any_more() -> None:
    shown = {one.command for one in docs.commands()}
    assert (FAST.keys() | LIVE.keys() | ELSEWHERE.keys()) - shown == set()


@pytest.mark.parametrize(("command", "where"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_what_is_run_elsewhere_is_run_there(command: str, where: str) -> None:
    path, _, name = where.partition("::")
    assert (ROOT / path).is_file()
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8") or not name


def test_commands_are_found_without_what_is_said_about_them() -> None:
    found = {one.command for one in docs.commands()}
    assert "make up" in found
    assert not any("#" in command for command in found)
