"""What a cell shows: complete, harmless, and the same each time."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest

from grader import cells
from grader.buildlog import BuildEvent
from grader.results import Outcome, Report, Result
from tests.sample_course import report

EVIL = (
    '</td><script>alert(1)</script><img src=x onerror="alert(2)">\x1b[31mred\x1b]0;t\x07\u202eback'
)
ALLOWED = {"div", "b", "table", "tr", "td", "span", "details", "summary", "pre", "code", "a"}
ALLOWED |= {"progress", "br", "img"}
PNG = b"\x89PNG\r\n\x1a\n"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources |= {value for name, value in attrs if name == "src"}


def evil_report() -> Report:
    row = Result(
        Outcome.FAIL,
        EVIL,
        line=3,
        evidence={EVIL: [EVIL, "x"], "log": f"a\n{EVIL}"},
        id=EVIL,
        title=EVIL,
        max_points=1,
    )
    return Report(EVIL, EVIL, (row,))


@pytest.mark.parametrize(
    "cell",
    [
        cells.report(evil_report(), EVIL),
        cells.message(EVIL, Outcome.ERROR),
        cells.building(EVIL, [BuildEvent(EVIL, "error", 1, 2, EVIL)]),
        cells.files({Path(EVIL): EVIL}),
        cells.exercise(EVIL, EVIL, EVIL, [EVIL]),
        cells.reflection(EVIL, EVIL, EVIL),
        cells.replay(EVIL, [cells.printed(EVIL), cells.image(PNG, EVIL, 9)]),
        cells.standing(EVIL, [(EVIL, EVIL, EVIL)]),
    ],
)
def test_what_a_build_says_cannot_become_a_page(cell: cells.Cell) -> None:
    tags = _Tags()
    tags.feed(cell.html)
    assert tags.found <= ALLOWED
    assert tags.attributes <= {"style", "title", "href", "alt", "src"}
    assert tags.sources <= {f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}
    for bad in ("\x1b", "\x07", "\u202e"):
        assert bad not in cell.html


def test_plain_text_cannot_steer_a_terminal() -> None:
    for text in (cells.report(evil_report()).text, cells.message(EVIL).text):
        assert "\x1b" not in text
        assert "[31m" not in text
        assert "\u202e" not in text
        assert "red" in text


def test_an_address_in_a_note_can_be_clicked_and_nothing_else() -> None:
    html = cells.linked("go to https://a.test/x?y=1&z=2 <b> javascript:alert(1)")
    assert '<a href="https://a.test/x?y=1&amp;z=2" target="_blank"' in html
    assert html.count("<") == 2


def test_a_replay_is_marked_above_and_below() -> None:
    lines = cells.replay("MARK", [cells.printed("one\ntwo\n"), cells.printed("three")]).text
    assert lines.splitlines() == ["MARK", "one", "two", "three", cells.REPLAYED]


def test_a_long_output_is_replayed_whole() -> None:
    long = "x" * (2 * cells.LONGEST)
    cell = cells.replay("MARK", [cells.printed(long)])
    assert long in cell.text
    assert long in cell.html


def test_the_table_has_every_check_with_points_and_words() -> None:
    found = report({"image.size": Outcome.FAIL, "service.ready": Outcome.SKIP})
    cell = cells.report(found, "a note")
    assert cell.text.splitlines() == [
        "01-sample/slim: 1 of 7 points",
        "a note",
        "✓ 1/1 title of dockerfile.parses",
        "    saw dockerfile.parses",
        "✗ 0/4 title of image.size",
        "    saw image.size",
        "– 0/2 title of service.ready",
        "    saw service.ready",
    ]
    assert cell.html.count("<tr") == 3
    for words in ("passed", "to fix", "skipped", "a note"):
        assert words in cell.html


def test_the_text_is_the_same_however_long_it_took() -> None:
    assert cells.report(report(seconds=1.0)) == cells.report(report(seconds=9.9))


def test_a_check_without_points_shows_none() -> None:
    row = Result(Outcome.PASS, title="It builds")
    assert cells.report(Report("a", "b", (row,))).text.splitlines()[1] == "✓ It builds"


def test_a_line_is_a_link_that_opens_it_where_it_counts_from_0() -> None:
    html = cells.report(report(line=7, file="a b.yaml"), folder="../../work/01/x").html
    assert '<a href="../../work/01/x/a%20b.yaml#line=6">a b.yaml:7</a>' in html
    assert "<a" not in cells.report(report(line=7)).html
    assert "<a" not in cells.report(report(), folder="x").html


def test_a_line_of_the_dockerfile_is_named() -> None:
    assert "(Dockerfile:7)" in cells.report(report(line=7)).text
    assert "line" not in cells.report(report()).text


def test_the_machines_fault_gives_no_score() -> None:
    text = cells.report(report({"image.size": Outcome.ERROR})).text
    assert "nothing is counted" in text
    assert "points" not in text.splitlines()[0]


def test_what_cannot_be_measured_here_is_told_and_costs_nothing() -> None:
    found = Report("a", "b", (Result(Outcome.SKIP, "no GPU", max_points=3, measurable=False),))
    text = cells.report(found).text
    assert "0 of 0 points" in text
    assert "1 of 1 checks cannot be measured here" in text
    assert "0/3" not in text


def test_output_is_folded_away_below_a_failure_only() -> None:
    log = {"log": ["one", "two"], "count": 3, "ids": []}
    assert "<details" in cells.report(report({"image.size": Outcome.FAIL}, evidence=log)).html
    assert "<details" not in cells.report(report(evidence=log)).html


def test_a_very_long_message_is_cut() -> None:
    assert len(cells.clean("x" * 10_000)) < 5000
    assert cells.clean("x" * 4000) == "x" * 4000


def test_a_build_shows_its_last_steps() -> None:
    events = [BuildEvent(f"RUN step {n}", "cached", 0, n + 1) for n in range(20)]
    shown = cells.building("a/b", events)
    assert "RUN step 19" in shown.html
    assert "RUN step 2<" not in shown.html
    assert shown.text == "Checking a/b"
    assert "line 3: RUN step 2" in cells.step_line(events[2])


def test_the_choice_is_marked() -> None:
    assert cells.question("Q?", ["a", "b"], "b").splitlines() == ["Q?", "  ( ) a", "  (•) b"]
    assert "no prediction" in cells.reflection(None, 3).text


def test_a_task_shows_its_code_and_paragraphs() -> None:
    shown = cells.exercise("T", "Use `FROM a`\nand <b>.\n\nThen\ntest.", "w", ["D"]).html
    assert "Use <code>FROM a</code> and &lt;b&gt;.<br><br>Then test." in shown
