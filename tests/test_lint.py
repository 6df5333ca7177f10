"""The course lint: a healthy course is left alone, and each fault is found and named."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from grader import lint as lint_module
from grader.course import Course
from grader.errors import EngineError, UsageError
from grader.lint import Done, lint, lint_command
from grader.lint_files import TELLING, Fault, tracked
from grader.registry import FACTS
from grader.results import Outcome, Report
from grader.spec import Exercise
from grader.sync import COMPARED, pair, sources
from tests.sample_course import ANSWER, LAB, STARTER, make_course, report, write

FAIL, SKIP, PASS, ERROR = Outcome.FAIL, Outcome.SKIP, Outcome.PASS, Outcome.ERROR
SIZE = {"image.size": FAIL, "service.ready": SKIP}
TOML, SOLVED = f"labs/{LAB}/lab.toml", f"solutions/{LAB}"


def notebooks(course: Course) -> None:
    """Both notebooks, with an output wherever one is compared."""
    for source in sources(course):
        made = pair(course, source)
        made.write()
        book = nbformat.read(made.solution, 4)
        for cell in book.cells:
            if COMPARED in cell.metadata.get("tags", ()):
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="4\n")]
        nbformat.write(book, made.solution)
        pair(course, source).write()


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    made = make_course(tmp_path)
    notebooks(made)
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    return made


def honest(_: Exercise, folder: Path) -> Report:
    """What a healthy course's folders give."""
    good = folder.parts[-3:] == ("solutions", LAB, "slim") or "slim.right" in folder.parts
    return report() if good else report(SIZE)


def edit(course: Course, path: str, old: str, new: str) -> None:
    text = (course.root / path).read_text()
    assert old in text
    (course.root / path).write_text(text.replace(old, new))


def files_only(course: Course) -> list[str]:
    return [str(f) for f in lint(course, grade=None)]


def test_a_healthy_course_has_no_fault(course: Course) -> None:
    assert lint(course, grade=honest) == []


def test_every_folder_is_graded_and_the_reference_twice(course: Course) -> None:
    seen: list[str] = []

    def grade(exercise: Exercise, folder: Path) -> Report:
        seen.append(folder.relative_to(course.root).as_posix())
        return honest(exercise, folder)

    lint(course, grade=grade)
    assert sorted(seen) == [
        f"labs/{LAB}/slim",
        f"{SOLVED}/slim",
        f"{SOLVED}/slim",
        f"{SOLVED}/slim.right/one-run",
        f"{SOLVED}/slim.wrong/purge-later",
    ]


def test_static_grades_nothing(course: Course) -> None:
    def never(*_: object) -> Report:
        raise AssertionError("graded")

    assert lint(course, grade=never, static=True) == []


# -- what the files tell ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        (TOML, 'title = "Sample"', 'titel = "Sample"', "title: is missing"),
        (TOML, "teaches = [", "teach = [", "unknown key"),
        (TOML, 'teaches = ["image.size"]', "", "teaches nothing"),
        (TOML, "points = 4", "points = 0", "teaches image.size for no points"),
        (TOML, '"Which layer is biggest?"', '" "', "image.size: hint 1 is empty"),
        (TOML, '"Multi-stage: the docs."', f'"{ANSWER.splitlines()[3].upper()}"', "answer away"),
        (TOML, 'given = ["app"', 'given = ["nothing"', "slim.given: there is no 'nothing'"),
        (f"{SOLVED}/wrong.toml", "image.size", "image.sise", "has no check 'image.sise'"),
        (f"{SOLVED}/wrong.toml", "purge-later", "purge-never", "purge-later is not in wrong.toml"),
        (f"{SOLVED}/wrong.toml", "purge-later", "purge-never", "slim.purge-never has no folder"),
        (f"{SOLVED}/wrong.toml", "[slim]", "[slimmer]", "no exercise 'slimmer'"),
        (f"{SOLVED}/wrong.toml", '"image.size"', "3", "must map each wrong answer"),
        (f"{SOLVED}/wrong.toml", "[slim]", "[slim", "not valid TOML"),
        (f"{SOLVED}/{LAB}.md", "2 + 2", "2 + 3", "cell 2 is tagged nbval-check-output"),
        (f"{SOLVED}/{LAB}.md", "# Sample", "# Simple", "stale: "),
        (f"{SOLVED}/{LAB}.md", "order = [", "order = [(", "is not Python"),
        (f"{SOLVED}/{LAB}.md", "    # END SOLUTION\n", "", "without its other half"),
    ],
)
def test_a_fault_in_a_file_is_named(
    course: Course, path: str, old: str, new: str, words: str
) -> None:
    edit(course, path, old, new)
    assert words in "\n".join(files_only(course))


def test_two_hints_are_not_three(course: Course) -> None:
    edit(course, TOML, '"Which layer is biggest?", ', "")
    assert "3 steps, not 2" in files_only(course)[0]


def test_no_hints_at_all_are_a_fault(course: Course) -> None:
    text = (course.root / TOML).read_text().splitlines()
    (course.root / TOML).write_text("\n".join(x for x in text if not x.startswith("hints")))
    assert sum("0 hints instead of 3" in f for f in files_only(course)) == 3


def test_a_hint_for_what_is_seen_gives_nothing_away_either(course: Course) -> None:
    lines = (course.root / TOML).read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "Which layer" in line)
    line = next(x for x in ANSWER.splitlines() if x not in STARTER and len(x) > TELLING)
    seen = f"seen = [{{ words = 'x', hints = ['{line}', 'b', 'c'] }}]"
    (course.root / TOML).write_text("\n".join([*lines[: at + 1], seen, *lines[at + 1 :]]))
    assert any("seen 'x': hint 1 gives the answer away" in f for f in files_only(course))


def test_a_hint_may_quote_what_the_learner_was_given(course: Course) -> None:
    edit(course, TOML, '"Multi-stage: the docs."', f'"{STARTER.splitlines()[0]} again"')
    assert files_only(course) == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({f"labs/{LAB}/slim/Dockerfile": ANSWER}, "the starter is the solution"),
        ({f"{SOLVED}/slim.wrong/other/Dockerfile": "x"}, "other is not in wrong.toml"),
        ({f"{SOLVED}/slim/requirements.txt": "x"}, "slim holds requirements.txt, which is given"),
        ({f"{SOLVED}/slim.right/one-run/app/a.py": "x"}, "one-run holds app/a.py, which is given"),
        ({f"labs/{LAB}/notes.txt": "x"}, f"labs/{LAB}/notes.txt: is a stray"),
        ({f"labs/{LAB}/slimm/Dockerfile": "x"}, f"labs/{LAB}/slimm/Dockerfile: is a stray"),
        ({f"{SOLVED}/old.ipynb": "x"}, f"{SOLVED}/old.ipynb: is a stray"),
        ({f"{SOLVED}/slim.wron/a/Dockerfile": "x"}, "is a stray"),
        ({"labs/02-gone/x.txt": "x"}, "labs/02-gone/x.txt: belongs to no lab"),
        ({"solutions/x.md": "x"}, "solutions/x.md: belongs to no lab"),
        ({f"labs/{LAB}/slim/.ipynb_checkpoints/Dockerfile": "x"}, "left over"),
        ({f"labs/{LAB}/slim/Dockerfile.orig": "x"}, "left over"),
        ({"labs/app/app/big.bin": "x" * 1_000_001}, "bigger than 1 MB"),
    ],
)
def test_a_file_that_should_not_be_there_is_named(
    course: Course, files: dict[str, str], words: str
) -> None:
    write(course.root, files)
    assert words in "\n".join(files_only(course))


@pytest.mark.parametrize(
    "path", ["labs/README.ipynb", "labs/README.md", f"labs/{LAB}/README.md", "labs/app/more.py"]
)
def test_a_file_with_a_place_is_no_stray(course: Course, path: str) -> None:
    write(course.root, {path: "x", f"labs/{LAB}/slim/notes.txt": "x" * 1_000_000})
    assert files_only(course) == []


def test_samples_belong_to_a_lab_whose_notebook_speaks_of_them(course: Course) -> None:
    write(course.root, {f"labs/{LAB}/samples/one/Dockerfile": "x"})
    assert any("is a stray" in f for f in files_only(course))
    edit(course, f"{SOLVED}/{LAB}.md", "# Sample", "# Sample\n\nSee samples/one.")
    notebooks(course)
    assert files_only(course) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"labs/{LAB}/slim/Dockerfile", "has no starter"),
        (f"{SOLVED}/slim/Dockerfile", "has no reference solution"),
        (f"{SOLVED}/{LAB}.md", "has no notebook source"),
        (f"labs/{LAB}/{LAB}.ipynb", "is not there: run grader sync"),
        (f"{SOLVED}/wrong.toml", "purge-later is not in wrong.toml"),
    ],
)
def test_a_file_that_is_missing_is_named(course: Course, path: str, words: str) -> None:
    (course.root / path).unlink()
    assert words in "\n".join(files_only(course))


def test_what_git_ignores_is_no_stray(course: Course) -> None:
    write(course.root, {".gitignore": "*.log\n", f"labs/{LAB}/x.log": "x", f"labs/{LAB}/y": "y"})
    subprocess.run(["git", "init", "-q", str(course.root)], check=True)
    assert f"labs/{LAB}/x.log" not in tracked(course.root)
    assert f"labs/{LAB}/y" in tracked(course.root)
    assert [f for f in files_only(course) if "stray" in f] == [f"labs/{LAB}/y: is a stray"]


# -- what grading tells ----------------------------------------------------------------------------


def graded(**by_folder: Callable[[], Report]) -> lint_module.Grade:
    """``honest``, but for folders whose name is given (``_`` for ``-``)."""

    def grade(exercise: Exercise, folder: Path) -> Report:
        other = by_folder.get(folder.name.replace("-", "_"))
        if folder.name == "slim":
            other = by_folder.get("starter" if "labs" in folder.parts else "reference")
        return other() if other else honest(exercise, folder)

    return grade


@pytest.mark.parametrize(
    ("grade", "words"),
    [
        (graded(starter=report), "starter: passes image.size, which it is to teach"),
        (graded(reference=lambda: report(SIZE)), "reference: does not pass image.size (fail: saw"),
        (graded(one_run=lambda: report(SIZE)), "right/one-run: does not pass image.size"),
        (graded(purge_later=report), "wrong/purge-later: does not fail image.size (it is a pass)"),
        (
            graded(purge_later=lambda: report({**SIZE, "dockerfile.parses": FAIL})),
            "wrong/purge-later: also fails dockerfile.parses (fail: saw",
        ),
        (
            graded(purge_later=lambda: report({"image.size": SKIP, "service.ready": FAIL})),
            "does not fail image.size (it is a skip)",
        ),
    ],
)
def test_a_folder_that_is_graded_otherwise_is_named(
    course: Course, grade: lint_module.Grade, words: str
) -> None:
    faults = lint(course, grade=grade)
    assert words in "\n".join(map(str, faults))
    assert not any(f.machine for f in faults)


def test_a_reference_that_passes_only_once_is_found(course: Course) -> None:
    turns = iter([report(), report(SIZE)])
    (first, *_) = lint(course, grade=graded(reference=lambda: next(turns)))
    assert "reference (time 2): does not pass image.size" in str(first)


def test_a_starter_may_be_skipped_over_what_it_teaches(course: Course) -> None:
    edit(course, TOML, 'teaches = ["image.size"]', 'teaches = ["image.size", "service.ready"]')
    assert lint(course, grade=honest) == []


def raising(err: BaseException) -> Callable[[], Report]:
    def report() -> Report:
        raise err

    return report


@pytest.mark.parametrize(
    "one",
    [
        lambda: report({"image.size": ERROR}),
        lambda: report(measurable=False),
        raising(EngineError("gone")),
    ],
)
@pytest.mark.parametrize("who", ["starter", "reference", "one_run", "purge_later"])
def test_the_machines_fault_is_not_the_courses(
    course: Course, one: Callable[[], Report], who: str
) -> None:
    faults = lint(course, grade=graded(**{who: one}))
    assert faults
    assert all(f.machine for f in faults)


LACKING = {"lacks": "gpu"}


@pytest.mark.parametrize("id_", ["image.size", "build.succeeds"])
def test_what_this_machine_lacks_is_left_out_of_the_proof(course: Course, id_: str) -> None:
    """The wrong answer fails image.size, or that can't be seen here: both are no fault."""

    def lacking(full: Report) -> Report:
        rows = tuple(
            replace(r, outcome=Outcome.SKIP, measurable=False, evidence=LACKING)
            if r.id == id_
            else r
            for r in full.results
        )
        return replace(full, results=rows)

    assert lint(course, grade=lambda *asked: lacking(honest(*asked))) == []


def test_a_wrong_answer_must_fail_nothing_else_where_its_own_row_is_left_out(
    course: Course,
) -> None:
    def grade(exercise: Exercise, folder: Path) -> Report:
        full = honest(exercise, folder)
        if folder.name != "purge-later":
            return full
        rows = tuple(
            replace(r, outcome=Outcome.SKIP, measurable=False, evidence=LACKING)
            if r.id == "image.size"
            else replace(r, outcome=Outcome.FAIL)
            for r in full.results
        )
        return replace(full, results=rows)

    faults = lint(course, grade=grade)
    assert faults
    assert all("also fails" in str(fault) for fault in faults)


def test_what_the_machine_failed_is_tried_once_more_and_alone(course: Course) -> None:
    turns, order = iter([report({"image.size": ERROR}), report(SIZE)]), list[object]()
    faults = lint(course, grade=graded(purge_later=lambda: next(turns)), tell=order.append)
    assert faults == []
    done = [d.job.name for d in order if isinstance(d, Done)]
    assert (done[-1], done.count("wrong/purge-later")) == ("wrong/purge-later", 1)


def test_what_the_course_failed_is_not_tried_again(course: Course) -> None:
    turns = iter([report(SIZE), report()])
    assert lint(course, grade=graded(one_run=lambda: next(turns)))
    assert len(list(turns)) == 1


@pytest.mark.parametrize(
    ("timed", "first", "twice"),
    [
        (True, report(), True),  # the wrong answer was not found out
        (False, report(), False),
        (True, report({**SIZE, "dockerfile.parses": FAIL}), False),  # that takes no time
    ],
)
def test_what_time_may_have_spoilt_is_tried_once_more_and_told_so(
    course: Course, monkeypatch: pytest.MonkeyPatch, timed: bool, first: Report, twice: bool
) -> None:
    monkeypatch.setitem(FACTS, "image", replace(FACTS["image"], timed=timed))
    turns, told = iter([first, report(SIZE)]), list[object]()
    faults = lint(course, grade=graded(purge_later=lambda: next(turns)), tell=told.append)
    (done,) = (d for d in told if isinstance(d, Done) and d.job.name == "wrong/purge-later")
    assert (faults == []) == done.again == twice
    assert ("alone, after it was off beside another" in str(done)) == twice


def test_a_crash_is_a_fault_and_the_rest_goes_on(course: Course) -> None:
    done: list[object] = []
    crash = raising(ValueError("boom"))
    faults = lint(course, grade=graded(reference=crash), tell=done.append)
    assert [str(f) for f in faults] == [
        f"{LAB}/slim reference: the grader crashed: ValueError: boom"
    ]
    assert len([d for d in done if isinstance(d, Done)]) == 4


SEEN = """
[[exercise.check.seen]]
words = "Permission denied"
hints = ["Whose is it?", "A USER line counts for what stands below it.", "The reference: USER."]

[[exercise.check]]
use = "service.ready"
"""


@pytest.mark.parametrize(
    ("message", "by_hand", "met"),
    [
        ("cp: permission denied", "", True),
        ("cp: no such file", "", False),
        ("cp: no such file", "echo Permission denied", False),  # our own words are no sight
    ],
)
def test_hints_for_what_is_seen_must_be_shown_by_a_wrong_answer(
    course: Course, message: str, by_hand: str, met: bool
) -> None:
    edit(course, TOML, '\n[[exercise.check]]\nuse = "service.ready"\n', SEEN)

    def grade(exercise: Exercise, folder: Path) -> Report:
        told = honest(exercise, folder)
        evidence = {"by_hand": [by_hand]}
        rows = [
            replace(r, message=message, evidence=evidence) if r.outcome is FAIL else r
            for r in told.results
        ]
        return replace(told, results=tuple(rows))

    found = [str(f) for f in lint(course, grade=grade)]
    unseen = "no wrong answer shows 'Permission denied', for which image.size has hints"
    assert found == ([] if met else [f"{LAB}/slim: {unseen}"])


def test_the_command_tells_its_faults_again_at_the_end(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad(exercise: Exercise, folder: Path) -> Report:
        return report(SIZE) if folder.name == "slim" else honest(exercise, folder)

    monkeypatch.setattr(lint_module, "live", lambda *_: bad)
    assert lint_command() == 1
    *_, fault, _, last = capsys.readouterr().out.splitlines()
    assert fault.startswith(f"✗ {LAB}/slim reference: does not pass image.size")
    assert last.startswith("2 faults of the course")


def test_a_gate_is_its_own_solution(course: Course) -> None:
    text = (course.root / TOML).read_text()
    for points in "124":
        text = text.replace(f"points = {points}", "points = 0")
    (course.root / TOML).write_text(text.replace('teaches = ["image.size"]', ""))
    for name in ("slim", "slim.right", "slim.wrong"):
        shutil.rmtree(course.root / SOLVED / name)
    write(course.root, {f"{SOLVED}/wrong.toml": ""})
    seen: list[str] = []

    def grade(_: Exercise, folder: Path) -> Report:
        seen.append(folder.relative_to(course.root).as_posix())
        return report()

    assert lint(course, grade=grade) == []
    assert seen == [f"labs/{LAB}/slim"]
    assert "does not pass" in str(lint(course, grade=lambda *_: report(SIZE))[0])


def test_a_gate_may_have_answers_too(course: Course) -> None:
    text = (course.root / TOML).read_text()
    for points in "124":
        text = text.replace(f"points = {points}", "points = 0")
    (course.root / TOML).write_text(text.replace('teaches = ["image.size"]', ""))
    seen: list[str] = []

    def grade(exercise: Exercise, folder: Path) -> Report:
        seen.append(folder.relative_to(course.root).as_posix())
        return report() if "labs" in folder.parts else honest(exercise, folder)

    assert lint(course, grade=grade) == []
    assert sorted(set(seen)) == [
        f"labs/{LAB}/slim",
        f"{SOLVED}/slim",
        f"{SOLVED}/slim.right/one-run",
        f"{SOLVED}/slim.wrong/purge-later",
    ]


def test_only_the_named_lab_is_judged(course: Course) -> None:
    write(course.root, {"labs/02-broken/lab.toml": "x", f"labs/{LAB}/stray": "x"})
    assert len(lint(course, grade=None)) == 2
    assert [f.where for f in lint(course, grade=None, labs=[LAB])] == [f"labs/{LAB}/stray"]
    with pytest.raises(UsageError, match="03-none"):
        lint(course, grade=None, labs=["03-none"])


@pytest.mark.parametrize(
    "end",
    [
        (honest, 0, "0 faults of the course, 0 of the machine"),
        (graded(starter=report), 1, "1 faults of the course"),
        (graded(starter=raising(EngineError("gone"))), 3, "1 of the machine"),
        (graded(starter=report, one_run=raising(EngineError("gone"))), 1, "1 of the machine"),
    ],
)
def test_the_command_tells_whose_fault_it_is(
    course: Course,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    end: tuple[lint_module.Grade, int, str],
) -> None:
    grade, status, words = end
    monkeypatch.setattr(lint_module, "live", lambda *_: grade)
    assert lint_command() == status
    out = capsys.readouterr().out
    assert words in out
    assert f"{LAB}/slim reference" in out


def test_a_row_shows_mark_points_and_what_is_wrong() -> None:
    job = lint_module.Job(None, "starter", Path(), lambda _: [])  # type: ignore[arg-type]
    object.__setattr__(job, "exercise", type("E", (), {"id": "01-a/b"}))
    assert str(Done(job, (), 1.5, "7/7")).startswith("✓ 01-a/b starter")
    assert str(Done(job, (Fault("x", "why", machine=True),), 1, "-")).startswith("! ")
    assert str(Done(job, (Fault("x", "why"),), 1, "-")).endswith("\n    why")
