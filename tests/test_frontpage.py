"""The page that a learner begins on: a table that can be read aloud, links, and one next thing."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from grader import standing as standings
from grader.course import Course
from grader.frontpage import CAPTION, HEADER, page
from grader.here import Here
from grader.progress import Progress
from grader.standing import AGAIN, standing
from tests.sample_course import ID, LAB, LAB_TOML, make_course


class Table(HTMLParser):
    """The words of each row, the scopes of its header cells, and where the links go."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.scopes: list[str] = []
        self.links: list[str] = []
        self.bars: list[dict[str, str | None]] = []
        self.caption, self.open = "", [""]
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.scopes += [str(found.get("scope"))] if tag == "th" else []
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag == "progress":
            self.bars.append(found)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "caption" in self.open:
            self.caption += data
        elif {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    course = make_course(tmp_path)
    monkeypatch.chdir(course.root / "labs")
    here(monkeypatch)
    return course


def here(monkeypatch: pytest.MonkeyPatch, **missing: str) -> None:
    monkeypatch.setattr(standings, "look", lambda _: Here(missing))


def html(course: Course) -> str:
    return page(standing(course))._repr_mimebundle_()["text/html"]


def test_the_table_has_a_caption_and_headers_that_say_of_what(course: Course) -> None:
    table = Table(html(course))
    assert table.caption == CAPTION
    assert tuple(table.rows[0]) == HEADER
    assert table.scopes == ["col"] * len(HEADER) + ["row"]


def test_a_row_says_all_in_words(course: Course) -> None:
    Progress.of(course).add(ID, "check", "7/7 pass")
    about = "SampleA lab for tests."
    assert Table(html(course)).rows[1] == [LAB, about, "7 of 7", "1 of 1", "5", "all of it"]


def test_the_bar_says_what_the_words_say(course: Course) -> None:
    Progress.of(course).add(ID, "check", "3/7 fail:image.size")
    (bar,) = Table(html(course)).bars
    assert (bar["value"], bar["max"], bar["aria-hidden"]) == ("3", "7", "true")


def test_a_lab_without_points_has_no_bar(course: Course) -> None:
    gate = LAB_TOML.replace('teaches = ["image.size"]\n', "").replace("points = ", "points = 0 #")
    (course.root / "labs" / LAB / "lab.toml").write_text(gate)
    table = Table(html(course))
    assert (table.bars, table.rows[1][2]) == ([], "none")


@pytest.mark.parametrize("place", ["labs", f"labs/{LAB}", "."])
def test_the_links_lead_to_the_notebook_from_where_the_page_is(
    course: Course, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(course.root / place)
    links = Table(html(course)).links
    assert len(links) == 2, "the lab's name, and the next thing to do"
    wanted = str(course.root / "labs" / LAB / f"{LAB}.ipynb")
    assert {os.path.abspath(link) for link in links} == {wanted}  # noqa: PTH100 links are text


def test_what_is_missing_is_said_with_its_reason(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, engine="no answer from <x>. Start one with `make up`.")
    shown = page(standing(course))
    assert "only in part: no Docker engine" in shown.html
    assert "No Docker engine: no answer from &lt;x&gt;." in shown.html
    assert "<code>make up</code>" in shown.html
    assert "No Docker engine: no answer from <x>." in shown.text


def test_there_is_one_next_thing_and_what_was_changed_since(course: Course) -> None:
    shown = page(standing(course))
    assert f"Begin with {ID}: Make it slim" in shown.text
    assert AGAIN not in shown.text
    assert re.search(rf"<b>Begin with <a [^>]*>{ID}</a>: Make it slim", shown.html)


def test_when_all_is_passed_no_link_is_left(course: Course) -> None:
    Progress.of(course).add(ID, "check", "7/7 pass")
    shown = page(standing(course))
    assert "<b>All is passed.</b>" in shown.html
    assert shown.text.endswith("All is passed.")


def test_colour_means_nothing(course: Course) -> None:
    assert "color:" not in html(course).replace("rgba(128,128,128,.35)", "")


def test_two_looks_at_the_same_state_read_the_same(course: Course) -> None:
    assert page(standing(course)) == page(standing(course))
