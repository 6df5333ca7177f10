"""A learner's own copy of an exercise: makes it, brings it back, gives hints and the solution.

Grading it is ``grade``'s; what the learner has done so far is ``progress``'s.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from grader.course import Course
from grader.errors import SpecError, UsageError
from grader.given import JUNK, is_given, is_junk
from grader.given import files as given_files
from grader.progress import Progress
from grader.results import Outcome, Report
from grader.spec import HINT_STEPS, Exercise

TRIES_BEFORE_SOLUTION = 5


@dataclass(frozen=True)
class Started:
    """``made`` is False when the folder was there already."""

    folder: Path
    made: bool
    files: tuple[str, ...]

    def __str__(self) -> str:
        if not self.made:
            return f"{near(self.folder)} is there already; nothing was changed."
        return f"Made {near(self.folder)} with {', '.join(self.files)}."


@dataclass(frozen=True)
class Restored:
    """``kept`` is the copy of what was replaced; None when there was nothing to lose."""

    folder: Path
    kept: Path | None

    def __str__(self) -> str:
        if self.kept is None:
            return f"{near(self.folder)} is as it was at the start."
        return f"{near(self.folder)} is back at the start. What you had is in {near(self.kept)}."


@dataclass(frozen=True)
class Hint:
    """One step of one check's hints; ``step`` is 0 where there is nothing to give."""

    text: str
    check: str = ""
    step: int = 0

    @property
    def left(self) -> int:
        return HINT_STEPS - self.step if self.step else 0

    def __str__(self) -> str:
        if not self.step:
            return self.text
        more = f"{self.left} more to ask for" if self.left else "the last one"
        return f"Hint {self.step} of {HINT_STEPS} for {self.check} ({more}): {self.text}"


@dataclass(frozen=True)
class Solution:
    """``allowed`` False: ``left`` more failed checks are wanted first, and there are no files."""

    allowed: bool
    left: int = 0
    files: dict[Path, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.allowed:
            checks = "check" if self.left == 1 else "checks"
            return (
                "The solution is shown after full marks, or after "
                f"{TRIES_BEFORE_SOLUTION} checks of your own work: {self.left} {checks} to go."
            )
        return "\n".join(f"# {near(p)}\n{text.rstrip()}\n" for p, text in self.files.items())


def near(path: Path) -> str:
    """The path as it is shorter to read and to type: from the current folder."""
    return os.path.relpath(path)


def own_files(course: Course, exercise: Exercise) -> tuple[str, ...]:
    """What is the learner's to edit: all that is in the work folder and was not given."""
    inside = names(course.workplace(exercise))
    return tuple(n for n in inside if not is_given(n, course.app, exercise.given))


def start(course: Course, exercise: Exercise) -> Started:
    """Make the work folder: the given files, and the starter on top. Leaves one that is there."""
    folder = course.workplace(exercise)
    if folder.is_dir() and any(folder.iterdir()):
        return Started(folder, made=False, files=tuple(names(folder)))
    fresh = folder.with_name(f".{folder.name}-{os.getpid()}")
    with _disk(f"{folder} cannot be made"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        _lay(course, exercise, fresh)
        fresh.replace(folder)
    return Started(folder, made=True, files=tuple(names(folder)))


def reset(course: Course, exercise: Exercise) -> Restored:
    """Bring the starter back, in the same folder: a terminal that stands in it stays there."""
    folder = course.workplace(exercise)
    if start(course, exercise).made or not _differs(course, exercise):
        return Restored(folder, kept=None)
    with _disk(f"No copy of {folder} could be made, so nothing was changed"):
        kept = _keep(course, exercise)
    with _disk(f"{folder} could not be brought back; a copy of it is in {kept}"):
        for child in folder.iterdir():
            _remove(child)
        _lay(course, exercise, folder)
    return Restored(folder, kept)


def is_untouched(course: Course, exercise: Exercise) -> bool:
    """Whether the learner has written nothing yet. Given files don't count: nobody edits them.

    A gate is never untouched, for there is nothing to write in it.
    """
    folder, starter = course.workplace(exercise), course.starter(exercise)
    if exercise.is_gate:
        return False
    if not folder.is_dir():
        return True
    given = exercise.given
    mine = {n for n in names(folder) if not is_given(n, course.app, given)}
    theirs = {n for n in names(starter) if not is_given(n, course.app, given)}
    return mine == theirs and all(same(folder / n, starter / n) for n in mine)


def hint(exercise: Exercise, report: Report | None, progress: Progress) -> Hint:
    """The next step for the first check that failed, and a note that it was given.

    Without a report the last check in ``progress`` tells what failed.
    """
    failed = _failed(exercise, report, progress)
    if isinstance(failed, Hint):
        return failed
    items = [i for i in exercise.items if i.id in failed and i.hints]
    said = {r.id: r.observed for r in report.results} if report else {}
    if not items:
        return Hint("There is no hint for what failed; the report says what was seen.")
    given = {f.text for f in progress.about(exercise.id, "hint")}
    item = items[0]
    step = next((n for n in range(1, HINT_STEPS) if f"{item.id} {n}" not in given), HINT_STEPS)
    if f"{item.id} {step}" not in given:
        progress.add(exercise.id, "hint", f"{item.id} {step}")
    return Hint(item.hints_for(said.get(item.id, ""))[step - 1], item.id, step)


def solution(course: Course, exercise: Exercise, progress: Progress) -> Solution:
    """The reference answer, once it is earned: its own files, as text."""
    summary = progress.summary(exercise.id)
    left = max(0, TRIES_BEFORE_SOLUTION - summary.failed_tries)
    if left and not summary.passed:
        return Solution(allowed=False, left=left)
    folder = course.solution(exercise)
    if not folder.is_dir():
        raise UsageError(f"No solution of {exercise.id} is here ({folder}).")
    files = {folder / n: (folder / n).read_text("utf-8", "replace") for n in names(folder)}
    if not summary.solution_seen:
        progress.add(exercise.id, "solution", "shown")
    return Solution(allowed=True, files=files)


def start_command(exercise_id: str) -> int:
    """``grader start``."""
    course = Course.find()
    print(start(course, course.exercise(exercise_id)))
    return 0


def check_command(exercise_id: str) -> int:
    """``grader check``: grades the work folder, prints the report and writes it down."""
    from grader.elsewhere import left_out
    from grader.exports import render
    from grader.fingerprint import fingerprint
    from grader.grade import grade

    course = Course.find()
    exercise = course.exercise(exercise_id)
    if (started := start(course, exercise)).made:
        print(started)
    untouched, found = is_untouched(course, exercise), fingerprint(course, exercise)
    report = grade(exercise, course.workplace(exercise), course=course)
    print(render(report, "text"), end="")
    if untouched:
        print("This is the starter as it was given: nothing is counted yet.")
    if left := left_out(report):
        print(left)
    Progress.of(course).record(report, untouched=untouched, fingerprint=found)
    return report.exit_status


def reset_command(exercise_id: str) -> int:
    """``grader reset``."""
    course = Course.find()
    print(reset(course, course.exercise(exercise_id)))
    return 0


def hint_command(exercise_id: str) -> int:
    """``grader hint``."""
    course = Course.find()
    print(hint(course.exercise(exercise_id), None, Progress.of(course)))
    return 0


def solution_command(exercise_id: str) -> int:
    """``grader solution``: exit status 1 while it is not earned."""
    course = Course.find()
    found = solution(course, course.exercise(exercise_id), Progress.of(course))
    print(found)
    return 0 if found.allowed else 1


def _failed(exercise: Exercise, report: Report | None, progress: Progress) -> Hint | set[str]:
    """The ids of what failed last, or the sentence that says why there are none."""
    if report is not None:
        verdict = "error" if not report.gradable else ""
        ids = {r.id for r in report.results if r.outcome is Outcome.FAIL}
    elif tries := progress.tries(exercise.id):
        verdict, ids = tries[-1].verdict, set(tries[-1].failed)
    else:
        return Hint("Check your work first: a hint is for the first check that fails.")
    if verdict == "error" and (report is None or not ids):
        return Hint("The machine could not measure your work last time. Check it again.")
    return ids or Hint("Nothing failed in the last check: there is nothing to hint at.")


def _lay(course: Course, exercise: Exercise, folder: Path) -> None:
    """Copy the given files, then the starter over them."""
    folder.mkdir(exist_ok=True)
    for name, source in given_files(course.app, exercise.given).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, folder / name)
    if not course.starter(exercise).is_dir():
        raise SpecError(f"{exercise.id}: no starter in {course.starter(exercise)}")
    _copy(course.starter(exercise), folder)


def _copy(source: Path, target: Path) -> None:
    ignore = shutil.ignore_patterns(*JUNK)
    shutil.copytree(source, target, symlinks=True, ignore=ignore, dirs_exist_ok=True)


def _keep(course: Course, exercise: Exercise) -> Path:
    """A whole copy beside the others, under a name of its own."""
    shelf = course.work / ".kept" / exercise.lab
    shelf.mkdir(parents=True, exist_ok=True)
    stamp = f"{exercise.name}-{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}"
    names = (shelf / (stamp if n == 1 else f"{stamp}-{n}") for n in range(1, 1000))
    kept = next(p for p in names if not os.path.lexists(p))
    try:
        shutil.copytree(course.workplace(exercise), kept, symlinks=True)
    except OSError:
        shutil.rmtree(kept, ignore_errors=True)  # half a copy would look like a whole one
        raise
    return kept


def _differs(course: Course, exercise: Exercise) -> bool:
    """Whether the work folder holds anything that laying it anew would lose."""
    folder, starter = course.workplace(exercise), course.starter(exercise)
    want = given_files(course.app, exercise.given) | {n: starter / n for n in names(starter)}
    if set(names(folder)) != want.keys():
        return True
    return not all(same(folder / name, source) for name, source in want.items())


def names(folder: Path) -> list[str]:
    """Every file and link below ``folder``, as sorted relative names, without the junk."""
    found = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        links = [f for f in folders if (here / f).is_symlink()]
        folders[:] = [f for f in folders if not is_junk(f)]
        found += [here / f for f in (*files, *links) if not is_junk(f)]
    return sorted(p.relative_to(folder).as_posix() for p in found)


def same(one: Path, other: Path) -> bool:
    """Whether two files are the same: their bytes, whether they can be run, where they point."""
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    if not one.is_file() or not other.is_file():
        return False
    try:
        modes = one.stat().st_mode ^ other.stat().st_mode
        return not modes & 0o100 and one.read_bytes() == other.read_bytes()
    except OSError:
        return False  # whatever cannot be read is not known to be the same


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def _disk(what: str) -> Iterator[None]:
    """Turn what the file system refuses into one sentence for the learner."""
    try:
        yield
    except shutil.Error as err:
        path, _, why = err.args[0][0]
        raise UsageError(f"{what}: {path}: {why}") from err
    except OSError as err:
        raise UsageError(f"{what}: {err.strerror or err}") from err
