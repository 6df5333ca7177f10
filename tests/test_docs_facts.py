"""What the docs say in words and the code knows better: numbers, buttons, outcomes, variables."""

from __future__ import annotations

import re

import pytest

from grader.host.bootstrap import OLDEST_PYTHON
from grader.host.connection import OLDEST_ENGINE
from grader.results import Outcome
from grader.spec import HINT_STEPS
from grader.work import TRIES_BEFORE_SOLUTION
from tests.conftest import ROOT

WORDS = {3: "three", 5: "five"}


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_column(name: str, heading: str) -> list[str]:
    """The first cells of the table below a heading, without marks."""
    below = page(name).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", below, re.M)
    return [row.strip("*`") for row in rows[2:]]


def test_the_hints_are_counted_right() -> None:
    assert f"Each check has {WORDS[HINT_STEPS]} hints" in page("docs/learner.md")
    assert f"after {WORDS[TRIES_BEFORE_SOLUTION]} checks" in page("docs/learner.md")


def test_the_table_of_buttons_has_those_of_the_panel_in_their_order() -> None:
    source = page("grader/panel.py")
    made = set(re.findall(r'button\("([A-Z][\w ]+)"', source))
    made |= set(re.findall(r'description="(\w+)"', source))
    assert set(first_column("docs/learner.md", "The panel")) == made


def test_the_table_of_outcomes_has_each_with_its_mark() -> None:
    below = page("docs/learner.md").partition("\n## What the report says\n")[2]
    rows = re.findall(r"^\| (\S) \| (\w+) \|", below, re.M)
    assert rows == [(one.mark, one.value) for one in Outcome]


def test_the_oldest_python_is_the_one_that_is_asked_for() -> None:
    version = ".".join(map(str, OLDEST_PYTHON))
    assert f"Python {version};" in page("README.md")
    assert f"`make` needs Python {version}" in page("docs/commands.md")


def test_the_oldest_engine_is_the_one_that_is_asked_for() -> None:
    assert f"a Docker Engine from {OLDEST_ENGINE} on" in page("README.md")


@pytest.mark.parametrize("name", ["LAB_HOME", "LAB_COURSE", "LAB_STATIC", "LAB_GPU"])
def test_a_variable_of_the_learners_has_its_line(name: str) -> None:
    assert any(name in one for one in first_column("docs/commands.md", "Variables"))


def test_every_variable_that_has_a_line_is_asked_for_somewhere() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for top in ("grader", "tests")
        for path in (ROOT / top).rglob("*.py")
        if path.name != "test_docs_facts.py"
    )
    told = " ".join(first_column("docs/commands.md", "Variables"))
    names = re.findall(r"[A-Z]+_[A-Z_]+", told)
    assert len(names) > 5
    assert [name for name in names if name not in code] == []


def test_no_size_that_was_measured_once_stands_in_the_readme() -> None:
    assert re.findall(r"\d+ [MG]B", page("README.md")) == []


def test_the_picture_is_small_and_says_in_words_what_it_shows() -> None:
    """And it is one that the test in the browser takes."""
    assert (ROOT / "docs/panel.png").stat().st_size < 100_000
    found = re.search(r"!\[(.+?)\]\(docs/panel\.png\)", page("README.md"))
    assert found
    assert len(found[1]) > 40
    named = re.search(r"build/screenshots/([\w-]+)\.png", page("docs/author.md"))
    assert named
    taken = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests/browser").glob("*.py"))
    assert f'shot("{named[1]}")' in taken
