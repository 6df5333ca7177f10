"""What a learner uses in a notebook: ``lab("01-multi-stage")["two-stages"].check()``.

It shows and never raises; what is measured is ``grade``'s, the files are ``work``'s. The only
place that imports ipywidgets.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader import cells, work
from grader.buildlog import BuildEvent
from grader.cells import Cell
from grader.course import Course
from grader.errors import GraderError, UsageError
from grader.kernel import in_jupyter, name_run, reach_engine
from grader.progress import Progress, table
from grader.results import Outcome, Report
from grader.spec import Exercise, Lab

Grade = Callable[..., Report]
UNTOUCHED = "This is the starter as it was given: nothing is counted yet."
WIDGET = "application/vnd.jupyter.widget-view+json"


class NotHereError(UsageError):
    """A lab or an exercise that is not there: shown in a notebook without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class _Elsewhere(Course):
    """The course with a workplace of its own, so that a learner's is not touched."""

    place: str = ""

    @property
    def work(self) -> Path:
        return self.root / "work" / self.place


def lab(name: str, *, work: str = "", grade: Grade | None = None) -> NotebookLab:
    """A lab by its name, from a notebook in labs/, solutions/ or anywhere in the course.

    ``work`` names a workplace of its own, for the solutions' notebooks. From here on plain
    ``docker`` in a cell reaches the engine in use; where there is none, cells that begin with
    ``# needs docker`` say so.
    """
    reach_engine()
    try:
        course = Course.find()
        course = _Elsewhere(course.root, work) if work else course
        name_run(course.run)
        return NotebookLab(course, course.lab(name), grade or _grade)
    except GraderError as err:
        raise NotHereError(str(err)) from None


@dataclass(frozen=True)
class NotebookLab:
    """One lab: its exercises by name, predictions, and the clean-up of its last cell."""

    course: Course
    lab: Lab
    grade: Grade = field(repr=False)

    @property
    def folder(self) -> Path:
        """The lab's own folder: samples and starters, not the learner's work."""
        return self.lab.folder

    @property
    def run(self) -> str:
        """The value of the label ``lab.run`` for all that a cell makes; ``$LAB_RUN`` in a shell."""
        return self.course.run

    def __getitem__(self, name: str) -> NotebookExercise:
        """The exercise; its work folder is made the first time."""
        try:
            exercise = self.lab[name]
            work.start(self.course, exercise)
        except KeyError:
            known = ", ".join(e.name for e in self.lab.exercises)
            raise NotHereError(f"No exercise {name!r} in {self.lab.name}: {known}.") from None
        except GraderError as err:
            raise NotHereError(str(err)) from None
        return NotebookExercise(self.course, exercise, self.grade)

    def predict(
        self, id_: str, question: str, choices: Sequence[str], *, answer: str | None = None
    ) -> None:
        """Ask what will happen, before it is measured. The last choice is kept.

        Where there are no radio buttons, ``answer`` gives the choice.
        """
        with _never_raises(self.course):
            if answer is not None:
                self._choose(id_, answer, choices)
            chosen = self._last("predict", id_)
            text = cells.question(question, choices, chosen)
            _ask(text, question, choices, chosen, lambda c: self._choose(id_, c, choices))

    def reflect(self, id_: str, measured: object) -> None:
        """Show the prediction beside what was measured."""
        with _never_raises(self.course):
            predicted = self._last("predict", id_)
            _show(cells.reflection(predicted, measured))
            self._note("measure", id_, measured)

    def progress(self) -> None:
        """Show each exercise's state, and each prediction beside what was measured."""
        with _never_raises(self.course):
            progress = Progress.of(self.course)
            facts = progress.about(self.lab.name, "predict")
            ids = dict.fromkeys(f.text.partition(" ")[0] for f in facts)
            rows = [(id_, self._last("predict", id_), self._last("measure", id_)) for id_ in ids]
            _show(cells.standing(table(self.lab.exercises, progress), rows))

    def cleanup(self) -> None:
        """Remove what this checkout's notebooks made, by its label; say what it freed."""
        with _never_raises(self.course):
            from grader.engine import Engine

            with Engine.open() as engine:
                freed = engine.cleanup(self.run)
            _show(cells.message(f"Cleaned up: {freed / 1e6:.0f} MB freed.", Outcome.PASS))

    def _choose(self, id_: str, choice: str, choices: Sequence[str]) -> None:
        if choice not in choices:
            raise UsageError(f"{choice!r} is none of the answers: {', '.join(choices)}")
        self._note("predict", id_, choice)

    def _note(self, kind: str, id_: str, text: object) -> None:
        """Write it down, unless that is what was written last."""
        if " ".join(str(text).split()) != self._last(kind, id_):
            Progress.of(self.course).add(self.lab.name, kind, f"{id_} {text}")

    def _last(self, kind: str, id_: str) -> str | None:
        facts = Progress.of(self.course).about(self.lab.name, kind)
        mine = [f.text.partition(" ")[2] for f in facts if f.text.partition(" ")[0] == id_]
        return mine[-1] if mine else None


@dataclass
class NotebookExercise:
    """One exercise; ``report`` is what the last check here said."""

    course: Course
    exercise: Exercise
    grade: Grade = field(repr=False)
    report: Report | None = None

    @property
    def folder(self) -> Path:
        """Where to edit."""
        return self.course.workplace(self.exercise)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files in the folder."""
        return work.start(self.course, self.exercise).files

    def check(self) -> None:
        """Build and measure the folder as it is now, and show a table."""
        live, self.report = _Live(self.exercise.id), None
        with _never_raises(self.course, live.end):
            work.start(self.course, self.exercise)
            untouched = work.is_untouched(self.course, self.exercise)
            report = self.grade(self.exercise, self.folder, course=self.course, on_event=live)
            self.report = report
            live.end(cells.report(report, UNTOUCHED if untouched else ""))
            with _never_raises(self.course):  # a full disk must not cost the table
                Progress.of(self.course).record(report, untouched=untouched)

    def hint(self) -> None:
        """Show the next step of the hints for the first check that fails."""
        with _never_raises(self.course):
            found = work.hint(self.exercise, self.report, Progress.of(self.course))
            _show(cells.message(found))

    def reset(self) -> None:
        """Bring the starter back; what was there is kept beside it."""
        with _never_raises(self.course):
            _show(cells.message(work.reset(self.course, self.exercise)))
            self.report = None

    def solution(self) -> None:
        """Show the reference answer, once it is earned."""
        with _never_raises(self.course):
            found = work.solution(self.course, self.exercise, Progress.of(self.course))
            named = {p.relative_to(self.course.root): text for p, text in found.files.items()}
            _show(cells.files(named) if found.allowed else cells.message(found))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        one, folder = self.exercise, work.near(self.folder)
        mine = work.own_files(self.course, one)
        effort = f"{one.minutes} minutes, {one.max_points:g} points"
        cell = cells.exercise(f"{one.title} ({effort})", one.task, folder, mine)
        return cell._repr_mimebundle_()


class _Live:
    """The one output of a check: tells what the build does, then becomes the table.

    Builds report from threads of their own. ``LAB_PROGRESS=off`` shows the end only, for runs
    that are compared with stored outputs.
    """

    def __init__(self, name: str) -> None:
        self.name, self.events, self.ended = name, dict[str, BuildEvent](), False
        self.lock, self.handle = threading.Lock(), None
        self.shows = os.environ.get("LAB_PROGRESS") != "off"
        if self.shows and in_jupyter():
            self.handle = _display(cells.building(name, ()), display_id=True)

    def __call__(self, event: BuildEvent) -> None:
        with self.lock, suppress(Exception):  # a picture of progress is never worth a failure
            if self.ended or not self.shows:
                return
            self.events[f"{event.stage} {event.step}"] = event
            if self.handle is not None:
                self.handle.update(cells.building(self.name, self.events.values()))
            elif event.status != "running":
                print(cells.step_line(event), flush=True)

    def end(self, cell: Cell) -> None:
        with self.lock:
            self.ended = True
            if self.handle is None:
                _show(cell)
            else:
                self.handle.update(cell)


@contextmanager
def _never_raises(course: Course, show: Callable[[Cell], None] | None = None) -> Iterator[None]:
    """Whatever goes wrong becomes one line in the notebook; a surprise goes into a log too."""
    show = show or _show
    try:
        yield
    except KeyboardInterrupt:
        show(cells.message("Stopped. Nothing was counted.", Outcome.SKIP))
    except GraderError as err:
        show(cells.message(err, Outcome.ERROR))
    except Exception as err:  # noqa: BLE001 (a notebook never shows a traceback of ours)
        kind = type(err).__name__
        text = f"This went wrong in the course itself, not in your work: {kind}: {err}."
        show(cells.message(f"{text}{_log(course)}", Outcome.ERROR))


def _log(course: Course) -> str:
    """Append the current exception to the log; say where, or nothing where there is no disk."""
    path = course.work / ".log" / "notebook.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}\n{traceback.format_exc()}\n")
    except OSError:
        return ""
    return f" Details: {work.near(path)}"


def _ask(
    text: str,
    question: str,
    choices: Sequence[str],
    chosen: str | None,
    choose: Callable[[str], None],
) -> None:
    """Radio buttons in JupyterLab, the plain text anywhere else."""
    if not in_jupyter():
        _show(text)
        return
    import ipywidgets

    value = chosen if chosen in choices else None
    wide = {"width": "max-content"}
    radio = ipywidgets.RadioButtons(options=list(choices), value=value, layout=wide)
    radio.observe(lambda change: _quietly(choose, change["new"]), names="value")
    box = ipywidgets.VBox([ipywidgets.HTML(cells.safe(question)), radio])
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    _display({"text/plain": text, WIDGET: view}, raw=True)


def _quietly(choose: Callable[[str], None], choice: str | None) -> None:
    with suppress(GraderError):  # there is no cell to show it in; the choice stays visible
        if choice is not None:
            choose(choice)


def _show(what: object) -> None:
    if in_jupyter():
        _display(cells.message(what) if isinstance(what, str) else what)
    else:
        print(what)


def _display(what: object, **how: Any) -> Any:
    from IPython.display import display

    typed: Callable[..., Any] = display
    return typed(what, **how)


def _grade(*args: Any, **kwargs: Any) -> Report:
    from grader.grade import grade

    return grade(*args, **kwargs)
