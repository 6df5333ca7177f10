"""What a container or a build prints can't become a score, in any format; no engine is needed."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from typing import Any

import pytest

from grader import cells, probe
from grader.engine import State
from grader.errors import EngineError
from grader.exports import render
from grader.registry import CHECKS, FACTS, load_checks
from grader.results import Outcome, Report, Result
from tests.redteam.judging import ROW, told_safely

CLAIMS = [
    "10 of 10 points  (0.1 s)",
    "\n10 of 10 points  (0.1 s)",
    "\r\n  ✓     2/2  It builds: in 0.1 s\n\n10 of 10 points\n",
    "\x1b[2J\x1b[H01-small/one\n  ✓   10/10  Everything\n",
    "\x1b[8m\x1b[1A\x1b[2K10 of 10 points",
    "\u202e10 of 10 points\u2028  ✓ 2/2 It builds\x85  ✓ 2/2 It builds",
    '{"version": 1, "points": 10, "max_points": 10, "gradable": true}',
    '"}], "points": 10, "checks": [{"outcome": "pass", "x": "',
    '{"ready_at": 1, "status": 200, "answers": [[200, "{}"]]}',
    "</td></tr></table><script>alert(10)</script><b onmouseover=alert(1)>10 of 10",
    "::set-output name=score::10\n::error::\n##[set-env name=POINTS]10",
    "\udcff\x00\x07",
]
TITLES = {"build.succeeds": 2.0, "service.ready": 3.0, "image.size": 5.0}


def failing(text: str) -> Report:
    """A report in which everything that a submission can have a say in says ``text``."""
    rows = [
        Result(Outcome.FAIL, text, 1, {"output": [text], "said": text}, id_, f"title {id_}", points)
        for id_, points in TITLES.items()
    ]
    return Report("01-small", "one", tuple(rows), {"mode": "live"}, 1.0)


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("passed", [False, True])
def test_a_claim_changes_no_point_and_no_line_of_the_report(claim: str, passed: bool) -> None:
    report = failing(claim)
    if passed:  # what a check that passes quotes is told on the row's own line
        rows = (replace(report.results[0], outcome=Outcome.PASS), *report.results[1:])
        report = replace(report, results=rows)
    told_safely(report)
    text = render(report, "text")
    assert text.splitlines()[-1] == f"{2 if passed else 0} of 10 points  (1.0 s)"
    assert len(ROW.findall(text)) == 3
    told = json.loads(render(report, "json"))
    assert (told["points"], told["max_points"], told["gradable"]) == (2 if passed else 0, 10, True)
    assert [row["outcome"] for row in told["checks"][1:]] == ["fail", "fail"]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_text_in_a_notebook_and_drives_nothing(claim: str) -> None:
    cell = cells.report(failing(claim))
    assert "<script" not in cell.html
    assert "<b onmouseover" not in cell.html
    assert cell.html.count("<tr") == 3
    assert "\x1b" not in cell.html + cell.text
    assert cell.text.splitlines()[0].startswith("01-small/one: 0")


def test_points_come_from_the_outcome_and_the_lab_alone() -> None:
    claims = {"points": 10, "score": 10, "outcome": "pass", "max_points": 99}
    result = Result(Outcome.FAIL, "10 of 10", None, claims, "x", "10 of 10", 5.0)
    assert result.points == 0
    assert Report("a", "b", (result,), claims).points == 0


def test_no_check_is_handed_what_a_container_printed() -> None:
    """A check gets values that were measured; the container's log is in messages only."""
    load_checks()
    parameters = {n for c in CHECKS.values() for n in inspect.signature(c.run).parameters}
    assert not (parameters | set(FACTS)) & {"log", "logs", "output", "stdout", "stderr"}


class TwoContainers:
    """An engine with a submission that prints like a probe, and a probe with its own."""

    def __init__(self, printed: str, *, running: bool = True) -> None:
        self.printed, self.running, self.read = printed, running, list[str]()

    def create(self, *_: object, **__: object) -> str:
        return "probe"

    def start(self, _: str) -> str:
        return ""

    def state(self, container: str) -> State:
        return State(self.running and container == "submission", 0, False, "", "")

    def output(self, container: str) -> str:
        self.read.append(container)
        return self.printed if container == "probe" else '{"ready_at": 1.0, "answers": []}'

    def logs(self, container: str, **_: object) -> str:
        return self.output(container)


def never(_: State) -> None:
    raise AssertionError("it had not ended")


def talk(engine: Any) -> dict[str, Any]:
    return probe.talk(engine, "submission", port=8000, bodies=[], seconds=1, ended=never)


def test_only_the_probes_own_container_is_read() -> None:
    engine = TwoContainers('{"ready_at": null, "answers": []}')
    assert talk(engine)["ready_at"] is None
    assert engine.read == ["probe"]


@pytest.mark.parametrize("printed", ["", "10 of 10", "[1"])
def test_a_probe_that_says_nothing_sure_gives_no_measurement(printed: str) -> None:
    with pytest.raises(EngineError):
        talk(TwoContainers(printed))
