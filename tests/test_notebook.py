"""The learner's notebook API: it shows, it writes down, it never raises."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from grader import notebook
from grader.buildlog import BuildEvent
from grader.course import Course
from grader.errors import EngineError, UsageError
from grader.fingerprint import fingerprint
from grader.kernel import NOT_RUN
from grader.notebook import NotebookExercise, home, lab
from grader.panel import VIEW
from grader.progress import Progress
from grader.recording import MEASURED
from grader.results import Outcome, Report
from tests.sample_course import ID, LAB, STARTER, make_course, report

OTHER = "99-another"
FAIL = {"image.size": Outcome.FAIL, "service.ready": Outcome.SKIP}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    monkeypatch.setenv("LAB_STATIC", "1")
    monkeypatch.setattr("grader.notebook.reach_engine", lambda: False)
    return make_course(tmp_path)


def graded(outcomes: dict[str, Outcome] | None = None) -> Callable[..., Report]:
    return lambda *_, **__: report(outcomes)


def raising(err: BaseException) -> Callable[..., Report]:
    def grade(*_: object, **__: object) -> Report:
        raise err

    return grade


def open_exercise(grade: Callable[..., Report]) -> NotebookExercise:
    return lab(LAB, grade=grade)["slim"]


def test_the_first_access_makes_the_work_folder(course: Course) -> None:
    ex = open_exercise(graded())
    assert ex.folder == course.root / "work" / LAB / "slim"
    assert "Dockerfile" in ex.files
    assert (ex.folder / "Dockerfile").read_text() == STARTER


@pytest.mark.parametrize("name", ["99-nothing", "../labs", ""])
def test_a_lab_that_is_not_there_says_which_there_are(course: Course, name: str) -> None:
    with pytest.raises(UsageError, match=LAB) as caught:
        lab(name)
    assert caught.value._render_traceback_() == [str(caught.value)]  # type: ignore[attr-defined]


def test_an_exercise_that_is_not_there_says_which_there_are(course: Course) -> None:
    with pytest.raises(UsageError, match="slim"):
        lab(LAB)["slimmer"]


def test_check_shows_the_table_and_writes_it_down(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    ex = open_exercise(graded(FAIL))
    (ex.folder / "Dockerfile").write_text("FROM scratch\n")
    ex.check()
    out = capsys.readouterr().out
    assert "1 of 7 points" in out
    assert notebook.UNTOUCHED not in out
    assert Progress.of(course).summary(ID).failed_tries == 1
    assert ex.report is not None


def test_checking_the_untouched_starter_does_not_count(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    open_exercise(graded(FAIL)).check()
    assert notebook.UNTOUCHED in capsys.readouterr().out
    assert Progress.of(course).summary(ID).tries == 0


def test_a_pass_is_one_for_what_lay_there_when_the_check_began(course: Course) -> None:
    def grade(*_: object, **__: object) -> Report:
        (ex.folder / "Dockerfile").write_text("FROM saved-meanwhile\n")
        return report()

    ex = open_exercise(grade)
    (ex.folder / "Dockerfile").write_text("FROM mine\n")
    before = fingerprint(course, ex.exercise)
    ex.check()
    summary = Progress.of(course).summary(ID, fingerprint(course, ex.exercise))
    assert Progress.of(course).summary(ID, before).state == "passed"
    assert summary.state == "passed, then you changed it"


def test_check_grades_the_work_folder(course: Course) -> None:
    seen: list[Any] = []

    def grade(exercise: Any, folder: Path, **more: Any) -> Report:
        seen.extend((exercise.id, folder, more["course"].root))
        return report()

    ex = open_exercise(grade)
    ex.check()
    assert seen == [ID, ex.folder, course.root]


def test_check_brings_a_deleted_folder_back(course: Course) -> None:
    ex = open_exercise(graded())
    (ex.folder / "Dockerfile").unlink()
    for path in sorted(ex.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    ex.folder.rmdir()
    ex.check()
    assert (ex.folder / "Dockerfile").is_file()


@pytest.mark.parametrize(
    ("err", "words"),
    [
        (EngineError("The daemon is gone. Run: make up"), "! The daemon is gone"),
        (KeyboardInterrupt(), "Stopped. Nothing was counted."),
        (RuntimeError("boom"), "not in your work: RuntimeError: boom. Details: "),
        (RecursionError("deep"), "RecursionError"),
    ],
)
def test_check_never_raises(
    course: Course, capsys: pytest.CaptureFixture[str], err: BaseException, words: str
) -> None:
    ex = open_exercise(raising(err))
    ex.check()
    captured = capsys.readouterr()
    assert words in captured.out
    assert "Traceback" not in captured.out + captured.err
    assert Progress.of(course).tries(ID) == ()
    assert ex.report is None


def test_a_check_that_broke_leaves_no_old_report(course: Course) -> None:
    ex = open_exercise(graded(FAIL))
    ex.check()
    ex.grade = raising(RuntimeError("boom"))
    ex.check()
    assert ex.report is None


def test_a_surprise_leaves_its_details_in_a_log(course: Course) -> None:
    open_exercise(raising(RuntimeError("boom"))).check()
    log = (course.work / ".log" / "notebook.log").read_text()
    assert "Traceback" in log
    assert "boom" in log


def test_a_full_disk_does_not_cost_the_table(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ex = open_exercise(graded())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("grader.progress.os.fsync", full)
    ex.check()
    out = capsys.readouterr().out
    assert "7 of 7 points" in out
    assert "No space left" in out


def test_build_steps_are_printed_where_there_is_no_jupyter(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    def grade(*_: object, on_event: Callable[[BuildEvent], None], **__: object) -> Report:
        on_event(BuildEvent("RUN one", "running", 0, 2))
        on_event(BuildEvent("RUN one", "done", 1.5, 2))
        return report()

    open_exercise(grade).check()
    out = capsys.readouterr().out
    assert out.count("RUN one") == 1
    assert out.index("RUN one") < out.index("7 of 7 points")


def test_progress_can_be_switched_off(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PROGRESS", "off")

    def grade(*_: object, on_event: Callable[[BuildEvent], None], **__: object) -> Report:
        on_event(BuildEvent("RUN one", "done", 1.5, 2))
        return report()

    open_exercise(grade).check()
    assert "RUN one" not in capsys.readouterr().out


def test_what_was_cancelled_is_not_counted(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    cancel = threading.Event()

    def grade(*_: object, **__: object) -> Report:
        cancel.set()
        return report(FAIL)

    ex = open_exercise(grade)
    (ex.folder / "Dockerfile").write_text("FROM scratch\n")
    ex.check(cancel=cancel)
    assert "Nothing was counted" in capsys.readouterr().out
    assert Progress.of(course).tries(ID) == ()


def test_what_is_only_read_is_shown_and_not_counted(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    ex = open_exercise(graded(FAIL))
    (ex.folder / "Dockerfile").write_text("FROM scratch\n")
    ex.read()
    assert notebook.READ in capsys.readouterr().out
    assert Progress.of(course).tries(ID) == ()


def test_outside_jupyterlab_nothing_is_watched(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    open_exercise(graded()).watch()
    assert "grader check" in capsys.readouterr().out


def test_a_hint_follows_the_check(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    ex = open_exercise(graded(FAIL))
    ex.hint()
    ex.check()
    ex.hint()
    out = capsys.readouterr().out
    assert out.index("Check your work first") < out.index("Which layer is biggest?")


def test_reset_and_solution_say_what_they_did(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    ex = open_exercise(graded())
    (ex.folder / "Dockerfile").write_text("mine")
    ex.solution()
    ex.reset()
    ex.check()
    (ex.folder / "Dockerfile").write_text("mine again")
    ex.check()
    ex.solution()
    out = capsys.readouterr().out
    assert "5 checks to go" in out
    assert ".kept" in out
    assert f"# solutions/{LAB}/slim/Dockerfile" in out


def test_the_exercise_introduces_itself(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course.root / "labs" / LAB)
    bundle = open_exercise(graded()).introduction()._repr_mimebundle_()
    assert "Split the Dockerfile." in bundle["text/plain"]
    assert f'href="../../work/{LAB}/slim/Dockerfile"' in bundle["text/html"]
    assert "main.py" not in bundle["text/html"], "given files are not the learner's to edit"


def test_a_prediction_is_kept_and_shown_beside_the_measurement(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    page, choices = lab(LAB), ["faster", "the same", "slower"]
    page.reflect("start-up", "0.83 s")
    page.predict("start-up", "Does it start faster?", choices)
    page.predict("start-up", "Does it start faster?", choices, answer="faster")
    page.predict("start-up", "Does it start faster?", choices, answer="the same")
    page.predict("start", "Another one?", choices, answer="slower")
    page.predict("start-up-2", "A third?", choices, answer="faster")
    page.reflect("start-up", "0.83 s")
    out = capsys.readouterr().out
    assert "no prediction" in out
    assert "(•) the same" in out
    assert out.endswith("You predicted: the same\nMeasured: 0.83 s\n")


def test_a_prediction_outside_the_choices_is_refused_not_raised(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    lab(LAB).predict("a", "Q?", ["x", "y"], answer="z")
    assert "'z' is none of the answers: x, y" in capsys.readouterr().out
    assert Progress.of(course).facts() == ()


def test_a_workplace_of_its_own_leaves_the_learners_alone(course: Course) -> None:
    mine = open_exercise(graded())
    other = lab(LAB, work="solutions", grade=graded(FAIL))["slim"]
    (other.folder / "Dockerfile").write_text("the answer")
    other.check()
    assert other.folder == course.root / "work" / "solutions" / LAB / "slim"
    assert (mine.folder / "Dockerfile").read_text() == STARTER
    assert Progress.of(course).facts() == ()


def test_the_labs_folder_is_where_its_samples_are(course: Course) -> None:
    assert lab(LAB).folder == course.root / "labs" / LAB
    assert lab(LAB, work="solutions").folder == course.root / "labs" / LAB


def test_the_standing_shows_exercises_and_predictions(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    page = lab(LAB)
    page.predict("a", "Q?", ["x y", "z"], answer="x y")
    page.predict("b", "Q?", ["x", "z"], answer="z")
    for measured in ("1 MB", "1 MB", "2  MB"):
        page.reflect("a", measured)
    capsys.readouterr()
    page.progress()
    out = capsys.readouterr().out
    assert f"{ID}  not attempted  0/7" in out
    assert out.endswith("a: predicted x y; measured 2 MB\nb: predicted z; measured nothing yet\n")
    assert len(Progress.of(course).about(LAB, "measure")) == 2


STATIC = {"mode": "static"}


def test_a_static_check_says_what_was_graded_and_where_the_rest_can_be(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_CODESPACES", "https://codespaces.test/x")
    first, *rest = report().results
    rows = (first, *(replace(row, measurable=False) for row in rest))
    open_exercise(lambda *_, **__: replace(report(), results=rows, engine=STATIC)).check()
    out = capsys.readouterr().out
    assert "1 of 3 checks were graded here" in out
    assert "https://codespaces.test/x" in out


def test_a_live_check_sends_nobody_elsewhere(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    open_exercise(graded(FAIL)).check()
    assert "Codespaces" not in capsys.readouterr().out


def test_a_measurement_goes_with_its_output_for_a_recording(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(notebook, "show", lambda cell, about: seen.append(about))
    lab(LAB).reflect("size", 5)
    assert seen == [{MEASURED: {"id": "size", "value": "5"}}]


def test_a_lab_tells_the_kernel_what_to_replay(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(notebook, "replay_with", asked.append)
    lab(LAB, work="solutions")
    asked[0]("a key")
    assert capsys.readouterr().out == f"{NOT_RUN}\n"


def test_home_shows_the_labs_and_what_is_next_without_an_engine(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    home()
    out = capsys.readouterr().out
    assert "only in part: no Docker engine" in out
    assert "static mode was chosen" in out
    assert f"Begin with {ID}" in out


def test_home_without_a_course_is_one_line(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_COURSE", "/no/where")
    home()
    assert capsys.readouterr().out.startswith("! LAB_COURSE is /no/where")


def test_home_never_raises(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (course.root / "labs" / LAB / "lab.toml").write_text("title = 1")
    home()
    assert "lab.toml" in capsys.readouterr().out


def test_cleanup_says_what_it_freed(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = MagicMock()
    fake.__enter__.return_value.cleanup.return_value = 123_400_000
    monkeypatch.setattr("grader.engine.Engine.open", classmethod(lambda _: fake))
    lab(LAB).cleanup()
    assert "123 MB freed" in capsys.readouterr().out


def test_each_lab_cleans_up_what_its_own_notebook_made(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(course.root / "labs" / LAB, course.root / "labs" / OTHER)
    fake = MagicMock()
    clean = fake.__enter__.return_value.cleanup
    clean.return_value = 0
    monkeypatch.setattr("grader.engine.Engine.open", classmethod(lambda _: fake))
    for name in (LAB, OTHER):
        here = lab(name)
        assert os.environ["LAB_RUN"] == here.run
        here.cleanup()
    assert [call.args[0] for call in clean.call_args_list] == list(course.runs)
    assert len(set(course.runs)) == len((LAB, OTHER))


def test_cleanup_without_an_engine_is_one_line(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object) -> None:
        raise EngineError("No Docker engine answers. Run: make up")

    monkeypatch.setattr("grader.engine.Engine.open", classmethod(gone))
    lab(LAB).cleanup()
    assert capsys.readouterr().out == "! No Docker engine answers. Run: make up\n"


SETUP = (
    "import threading\n"
    "from sample_course import report\n"
    "from grader.buildlog import BuildEvent\n"
    "from grader.notebook import lab\n"
    "def grade(*a, on_event, **k):\n"
    "    t = threading.Thread(target=on_event, args=(BuildEvent('RUN <b>', 'done', 1.5, 2),))\n"
    "    t.start(); t.join()\n"
    "    return report()\n"
    "page = lab('01-sample', grade=grade)\n"
    "ex = page['slim']"
)
CELLS = [
    "import sys; sys.path[:0] = {paths!r}",
    SETUP,
    "ex.check()",
    "ex",
    "page.predict('a', 'Q?', ['x', 'y'])",
    "def broken(*a, **k): raise ValueError('boom')\nlab('01-sample', grade=broken)['slim'].check()",
]


@pytest.mark.parametrize("progress", ["on", "off"])
def test_in_a_real_kernel_each_cell_has_the_outputs_that_it_should(
    course: Course, monkeypatch: pytest.MonkeyPatch, progress: str
) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("LAB_PROGRESS", progress)
    paths = [str(Path(__file__).parent), str(Path(notebook.__file__).parent.parent)]
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(c.replace("{paths!r}", repr(paths))) for c in CELLS]
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    outputs = [c.outputs for c in book.cells[2:]]
    assert [len(o) for o in outputs] == [1, 2, 1, 1], sys.executable
    table, itself, question, broken = (o[0]["data"] for o in outputs)
    assert VIEW in outputs[1][1]["data"]
    assert "7 of 7 points" in table["text/plain"]
    assert "<table" in table["text/html"]
    assert "RUN" not in table["text/html"]
    assert "Split the Dockerfile." in itself["text/html"]
    assert question["text/plain"].startswith("Q?")
    assert VIEW in question
    assert "ValueError: boom" in broken["text/plain"]
