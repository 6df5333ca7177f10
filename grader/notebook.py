"""What a learner uses in a notebook: ``lab("01-multi-stage")["two-stages"].check()``.

It shows and never raises; what is measured is ``grade``'s, the files are ``work``'s, the buttons
are ``panel``'s.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader import cells, digits, elsewhere, replay, work
from grader.cells import Cell
from grader.course import Course
from grader.digits import Pixels, Sample
from grader.errors import GraderError, UsageError
from grader.fingerprint import fingerprint
from grader.frontpage import page
from grader.kernel import in_jupyter, name_run, reach_engine, replay_with
from grader.live import Live, Show, display, show
from grader.progress import Progress
from grader.recording import MEASURED
from grader.results import Outcome, Report
from grader.spec import Exercise, Lab
from grader.standing import exercises, standing, table

if TYPE_CHECKING:
    from grader.panel import Panel

Grade = Callable[..., Report]
UNTOUCHED = "This is the starter as it was given: nothing is counted yet."
NO_PAD = "The pad needs JupyterLab. Here, digit=3 sends a picture of a 3."
READ = "Read, not built: what the files alone tell."


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
    ``# needs docker`` show what was recorded for them, marked as such.
    """
    reach_engine()
    try:
        course = Course.find()
        course = _Elsewhere(course.root, work) if work else course
        name_run(course.run(name))
        replay_with(partial(replay.again, course, name))
        return NotebookLab(course, course.lab(name), grade or _grade)
    except GraderError as err:
        raise NotHereError(str(err)) from None


def home() -> None:
    """Show all labs: how far each is, what this machine can run, and what comes next."""
    reach_engine()
    try:
        course = Course.find()
    except GraderError as err:
        show(cells.message(err, Outcome.ERROR))
        return
    with _never_raises(course):
        show(page(standing(course)))


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
        return self.course.run(self.lab.name)

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
            if in_jupyter():
                from grader.panel import ask

                keep = partial(self._choose, id_, choices=choices)
                display(ask(text, question, choices, chosen, keep), raw=True)
            else:
                show(text)

    def reflect(self, id_: str, measured: object) -> None:
        """Show the prediction beside what was measured."""
        with _never_raises(self.course):
            predicted = self._last("predict", id_)
            about = {MEASURED: {"id": id_, "value": str(measured)}}
            show(cells.reflection(predicted, measured), about)
            self._note("measure", id_, measured)

    def draw(self, container: str, port: int = 8000, *, digit: int | None = None) -> None:
        """A pad to draw a digit on, for a container of your own that runs with its port published.

        ``digit`` sends a real picture of it at once; where there are no buttons, that is all.
        """
        with _never_raises(self.course):
            pixels, said = digits.BLANK, list[Cell | str]()
            send = partial(self._send, container, port)
            if digit is not None:
                pixels = digits.example(self._digits, digit).pixels
                send(pixels, said.append)
            if not in_jupyter():
                show(said[0] if said else NO_PAD)
                return
            from grader.digitpad import Pad

            pad = Pad(send, self._sample, pixels, said)
            display(pad.bundle(str(said[0]) if said else NO_PAD), raw=True)

    def progress(self) -> None:
        """Show each exercise's state, and each prediction beside what was measured."""
        with _never_raises(self.course):
            progress = Progress.of(self.course)
            facts = progress.about(self.lab.name, "predict")
            ids = dict.fromkeys(f.text.partition(" ")[0] for f in facts)
            rows = [(id_, self._last("predict", id_), self._last("measure", id_)) for id_ in ids]
            done = exercises(self.course, self.lab.exercises)
            show(cells.standing(table(self.course, done), rows))

    def cleanup(self) -> None:
        """Remove what this lab's notebook made, by its label; say what it freed."""
        with _never_raises(self.course):
            from grader.engine import Engine

            with Engine.open() as engine:
                freed = engine.cleanup(self.run)
            show(cells.message(f"Cleaned up: {freed / 1e6:.0f} MB freed.", Outcome.PASS))

    @property
    def _digits(self) -> Path:
        return self.course.app / "score" / "digits.txt"

    def _sample(self, use: Callable[[Sample], None], show: Show) -> None:
        with _never_raises(self.course, show):
            use(digits.some(self._digits))

    def _send(self, container: str, port: int, pixels: Pixels, show: Show) -> None:
        with _never_raises(self.course, show):
            from grader import published

            show(digits.told(pixels, published.ask(container, pixels, port)))

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
    _panel: Panel | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """Where to edit."""
        return self.course.workplace(self.exercise)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files in the folder."""
        return work.start(self.course, self.exercise).files

    def check(self, *, live: Live | None = None, cancel: threading.Event | None = None) -> None:
        """Build and measure the folder as it is now, and show a table.

        ``live`` is where, if not here; what was cancelled is neither shown nor counted.
        """
        live, self.report = live or Live(self.exercise.id), None
        cancel = cancel or threading.Event()
        with _never_raises(self.course, live.end):
            work.start(self.course, self.exercise)
            untouched = work.is_untouched(self.course, self.exercise)
            found = fingerprint(self.course, self.exercise)
            report = self.grade(
                self.exercise, self.folder, course=self.course, on_event=live, cancel=cancel
            )
            if cancel.is_set():
                raise KeyboardInterrupt
            self.report = report
            notes = (UNTOUCHED if untouched else "", elsewhere.left_out(report))
            live.end(cells.report(report, " ".join(filter(None, notes)), work.near(self.folder)))
            with _never_raises(self.course):  # a full disk must not cost the table
                progress = Progress.of(self.course)
                progress.record(report, untouched=untouched, fingerprint=found)

    def read(self, *, show: Show = show) -> None:
        """Show what the files alone tell, at once; nothing is built and nothing is counted."""
        with _never_raises(self.course, show):
            report = self.grade(self.exercise, self.folder, course=self.course, static=True)
            show(cells.report(_read(report), READ, work.near(self.folder)))

    def hint(self, *, show: Show = show) -> None:
        """Show the next step of the hints for the first check that fails."""
        with _never_raises(self.course, show):
            found = work.hint(self.exercise, self.report, Progress.of(self.course))
            show(cells.message(found))

    def reset(self, *, show: Show = show) -> None:
        """Bring the starter back; what was there is kept beside it."""
        with _never_raises(self.course, show):
            show(cells.message(work.reset(self.course, self.exercise)))
            self.report = None

    def solution(self, *, show: Show = show) -> None:
        """Show the reference answer, once it is earned."""
        with _never_raises(self.course, show):
            found = work.solution(self.course, self.exercise, Progress.of(self.course))
            named = {p.relative_to(self.course.root): text for p, text in found.files.items()}
            show(cells.files(named) if found.allowed else cells.message(found))

    def watch(self) -> None:
        """Show the panel, and check again whenever a file is saved."""
        with _never_raises(self.course):
            if not in_jupyter():
                raise UsageError("Only JupyterLab can watch. Here `grader check` does it once.")
            self.panel().watch.value = True
            display(self)

    def introduction(self) -> Cell:
        """What is to be done, and the files as links."""
        one, folder = self.exercise, work.near(self.folder)
        mine = work.own_files(self.course, one)
        points = f"{one.max_points:g}" if one.max_points else "no"
        effort = f"{one.minutes} minutes, {points} points"
        return cells.exercise(f"{one.title} ({effort})", one.task, folder, mine)

    def panel(self) -> Panel:
        """The one panel of this exercise, however often it is shown."""
        if self._panel is None:
            from grader.panel import Panel

            self._panel = Panel(self)
        return self._panel

    def _ipython_display_(self) -> None:
        introduction = self.introduction()
        show(introduction)
        if in_jupyter():
            display(self.panel().bundle(""), raw=True)


def _read(report: Report) -> Report:
    """Without the rows that nothing could be read for."""
    rows = tuple(r for r in report.results if r.measurable)
    return replace(report, results=rows)


@contextmanager
def _never_raises(course: Course, show: Show = show) -> Iterator[None]:
    """Whatever goes wrong becomes one line in the notebook; a surprise goes into a log too."""
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


def _grade(*args: Any, **kwargs: Any) -> Report:
    from grader.grade import grade

    return grade(*args, **kwargs)
