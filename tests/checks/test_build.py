"""How the build went, told of a build that worked; a failed one never gets here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from grader.build import Build
from grader.buildlog import BuildLog, Step
from grader.checks import build
from grader.context import Context
from grader.results import Outcome

STEPS = (
    Step("[internal] load .dockerignore", "", None, True, 0.1, 0, "", ()),
    Step("[1/3] FROM a:1", "", 1, True, 0, 0, "", ()),
    Step("[2/3] RUN b", "", 2, True, 0, 0, "", ()),
    Step("[3/3] RUN " + "c" * 500, "", 3, False, 1.234, 0, "", ()),
)


def made(*, replaced: tuple[str, ...] = ()) -> tuple[Build, Context]:
    one = Build("sha256:1", STEPS, 2.345, BuildLog(None), context_bytes=99)
    return one, Context(Path("/x"), 10, replaced=replaced)


def test_succeeds_tells_seconds_and_what_was_cached() -> None:
    result = build.succeeds(*made())
    assert result.outcome is Outcome.PASS
    assert result.message == "in 2.3 s, 2 steps cached"
    assert result.evidence["seconds"] == 2.35 or result.evidence["seconds"] == 2.34
    assert result.evidence["context_bytes"] == 99


def test_succeeds_tells_that_another_frontend_stood_in() -> None:
    one, context = made()
    assert "own frontend" not in build.succeeds(one, context).message
    stood_in = build.succeeds(replace(one, frontend="own"), context)
    assert stood_in.outcome is Outcome.PASS
    assert "with the engine's own frontend" in stood_in.message


def test_succeeds_tells_each_step_that_has_a_line() -> None:
    steps = build.succeeds(*made()).evidence["steps"]
    assert isinstance(steps, list)
    assert [s["line"] for s in steps] == [1, 2, 3]
    assert steps[2]["seconds"] == 1.23
    assert len(steps[2]["step"]) <= 120


def test_succeeds_tells_that_changed_files_of_the_course_were_not_built() -> None:
    result = build.succeeds(*made(replaced=("train.py", "app/main.py")))
    assert "the course's own train.py, app/main.py" in result.message
    assert result.evidence["replaced"] == ["train.py", "app/main.py"]
