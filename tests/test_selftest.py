"""The selftest and its corpus: every kind is graded, and one verdict that is off is noticed."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader import selftest as module
from grader.corpus import Case, cases, there
from grader.course import Course
from grader.errors import EngineError, SpecError
from grader.making import make
from grader.results import Outcome, Report
from grader.selftest import Trial, selftest, selftest_command, table, trials
from grader.spec import Exercise
from tests.sample_course import ANSWER, CHECKS, ID, STARTER, make_course, report, write

PASS, FAIL, SKIP, ERROR = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.ERROR
TOO_BIG = {"image.size": FAIL, "service.ready": SKIP}
UNREAD = {"dockerfile.parses": FAIL, "image.size": SKIP, "service.ready": SKIP}
CHEAT = f"""
exercise = "{ID}"
story = "Claims to be small."
quick = true
[outcomes]
"dockerfile.parses" = "pass"
"image.size" = "fail"
"service.ready" = "skip"
"""
HOSTILE = f"""
exercise = "{ID}"
story = "A pipe."
[limits]
build_seconds = 3
[make]
pipes = ["pipe"]
[outcomes]
"dockerfile.parses" = "fail"
"image.size" = "skip"
"service.ready" = "skip"
"""
Graded = Callable[[Exercise, Path], Report]


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    files = {
        "tests/redteam/claims/expect.toml": CHEAT,
        "tests/redteam/claims/Dockerfile": STARTER,
        "tests/hostile/pipe/expect.toml": HOSTILE,
        "tests/hostile/pipe/Dockerfile": "FROM scratch\n",
    }
    return make_course(tmp_path, **files)


def honest(**other: Report) -> Graded:
    """A grader that is right about the small course, but for the folders named (``_`` for -)."""

    def grade(_: Exercise, folder: Path) -> Report:
        if one := other.get(folder.name.replace("-", "_")):
            return one
        if folder.name in ("slim", "one-run"):
            return report()
        return report(UNREAD if folder.name == "pipe" else TOO_BIG)

    return grade


def run(course: Course, grade: Graded, only: str = "") -> tuple[int, str]:
    told: list[object] = []
    verdicts = selftest(trials(course, only), grade, jobs=2, tell=told.append)
    rows = [*told, *table(verdicts), *verdicts.off, *verdicts.machine, *verdicts.closed]
    return verdicts.exit_status, "\n".join(map(str, [*rows, *verdicts.open]))


def edit(course: Course, path: str, old: str, new: str) -> None:
    text = (course.root / path).read_text()
    assert old in text
    (course.root / path).write_text(text.replace(old, new))


# -- the verdicts ---------------------------------------------------------------------------------


def test_a_grader_that_is_right_gets_status_0_and_a_row_for_every_check(course: Course) -> None:
    status, text = run(course, honest())
    assert status == 0, text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if "." in line[:20]}
    assert rows["dockerfile.parses"] == ["4", "1", "0", "–"]
    assert rows["image.size"] == ["2", "2", "1", "–"]
    assert rows["service.ready"] == ["2", "0", "3", "–"]


def test_every_kind_is_graded(course: Course) -> None:
    assert sorted((t.kind, t.name) for t in trials(course)) == [
        ("cheat", "claims"),
        ("good", "one-run"),
        ("good", "reference"),
        ("hostile", "pipe"),
        ("wrong", "purge-later"),
    ]
    for kind in ("good", "wrong", "cheat", "hostile"):
        assert {t.kind for t in trials(course, kind)} == {kind}


def test_the_quick_ones_are_the_first_answers_of_a_lab_and_the_cases_that_say_so(
    course: Course,
) -> None:
    quick = {t.name for t in trials(course) if t.quick}
    assert quick == {"reference", "purge-later", "claims"}


PLANTED: list[tuple[str, Report, str]] = [
    ("claims", report(), "cheat 01-sample/slim claims: image.size must be fail and is pass"),
    ("claims", report({"image.size": FAIL}), "claims: service.ready must be skip and is pass"),
    ("pipe", report({**UNREAD, "image.size": ERROR}), "image.size must be skip and is error"),
    ("slim", report({"service.ready": FAIL}), "reference: service.ready must be pass and is fail"),
    ("slim", report({"service.ready": SKIP}), "reference: service.ready must be pass and is skip"),
    ("one_run", report(TOO_BIG), "good 01-sample/slim one-run: image.size must be pass and is"),
    ("purge_later", report(), "purge-later: image.size must be fail and is pass"),
    (
        "purge_later",
        report({**TOO_BIG, "dockerfile.parses": FAIL}),
        "purge-later: dockerfile.parses must be pass/skip and is fail",
    ),
]


@pytest.mark.parametrize(("folder", "wrong", "says"), PLANTED)
def test_one_verdict_that_is_off_gives_status_1_and_is_named(
    course: Course, folder: str, wrong: Report, says: str
) -> None:
    status, text = run(course, honest(**{folder: wrong}))
    assert status == 1
    assert says in text
    assert text.count("must be") >= 1


def test_a_row_that_is_missing_is_off(course: Course) -> None:
    whole = report()
    status, text = run(course, honest(slim=Report(whole.lab, "slim", whole.results[:2])))
    assert status == 1
    assert "service.ready must be pass and is no row" in text


def test_a_pair_that_is_off_stands_in_its_checks_row(course: Course) -> None:
    _, text = run(course, honest(claims=report({"service.ready": SKIP})))
    row = next(line for line in text.splitlines() if line.startswith("image.size"))
    assert row.split() == ["image.size", "2", "1", "1", "fail→pass", "1"]


def test_nothing_graded_is_no_success(course: Course) -> None:
    assert selftest([], honest(), tell=print).exit_status == 1


def test_the_machines_failure_is_status_3_and_no_verdict(course: Course) -> None:
    def lost(_: Exercise, __: Path) -> Report:
        raise EngineError("the daemon was lost")

    status, text = run(course, lost)
    assert status == 3
    assert "the daemon was lost" in text
    rows = {"image.size": ERROR, "service.ready": SKIP}
    status, text = run(course, honest(slim=report(rows)))
    assert (status, "must be" in text) == (3, False)


@pytest.mark.parametrize("mode", ["none", "lost"])
def test_a_report_without_an_engine_is_the_machines_failure(course: Course, mode: str) -> None:
    rows = report(dict.fromkeys(CHECKS, ERROR)).results
    gone = Report("01-sample", "slim", rows, {"mode": mode, "why": "no daemon"})
    status, text = run(course, honest(claims=gone), "cheat")
    assert status == 3
    assert "no daemon" in text


def test_an_error_that_a_hostile_one_brings_about_is_off(course: Course) -> None:
    assert run(course, honest(pipe=report({"dockerfile.parses": ERROR})), "hostile")[0] == 1


def test_a_known_gap_is_told_and_is_not_off_until_it_is_closed(course: Course) -> None:
    path = "tests/redteam/claims/expect.toml"
    edit(course, path, "quick = true", 'open = "nobody looks"')
    status, text = run(course, honest(claims=report()))
    assert (status, "nobody looks" in text) == (0, True)
    status, text = run(course, honest())
    assert (status, "remove `open`" in text) == (1, True)


def test_who_must_be_alone_comes_last_and_alone(course: Course) -> None:
    edit(course, "tests/redteam/claims/expect.toml", "quick = true", "alone = true")
    now, most = list[str](), list[tuple[str, int]]()

    def grade(exercise: Exercise, folder: Path) -> Report:
        now.append(folder.name)
        most.append((folder.name, len(now)))
        try:
            return honest()(exercise, folder)
        finally:
            now.remove(folder.name)

    selftest(trials(course), grade, jobs=4, tell=print)
    assert most[-1] == ("claims", 1)


def test_a_broken_grader_is_no_success(course: Course) -> None:
    def crash(_: Exercise, __: Path) -> Report:
        raise ZeroDivisionError

    assert run(course, crash)[0] != 0


# -- the command ----------------------------------------------------------------------------------


def command(monkeypatch: pytest.MonkeyPatch, grade: Graded, **how: Any) -> int:
    monkeypatch.setattr(module, "live", lambda *_: grade)
    return selftest_command(**how)


def test_the_command_prints_the_matrix_and_gives_the_status(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, honest()) == 0
    text = capsys.readouterr().out
    assert "2 good, 1 wrong, 1 cheat, 1 hostile: 15 verdicts, 0 off" in text
    assert command(monkeypatch, honest(claims=report())) == 1
    assert "image.size must be fail and is pass" in capsys.readouterr().out
    assert command(monkeypatch, honest(), only="cheat", quick=True) == 0
    assert "1 cheat: 3 verdicts" in capsys.readouterr().out


def test_without_tests_it_says_so_and_runs_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    assert not there(make_course(tmp_path))
    assert command(monkeypatch, honest()) == 0
    text = capsys.readouterr().out
    assert "no cheats" in text
    assert "2 good, 1 wrong: 9 verdicts" in text


# -- the corpus -----------------------------------------------------------------------------------


def only_case(course: Course, kind: str) -> Case:
    (case,) = cases(course, kind)
    return case


def test_a_case_has_its_limits_and_its_files_laid_out(course: Course) -> None:
    case = only_case(course, "hostile")
    assert case.exercise.limits.build_seconds == 3
    assert case.exercise.limits.context_mb == course.exercise(ID).limits.context_mb
    with case.laid_out() as place:
        assert sorted(p.name for p in place.iterdir()) == ["Dockerfile", "pipe"]
        assert stat.S_ISFIFO((place / "pipe").stat().st_mode)
    assert not place.exists()


def test_a_case_may_lie_on_top_of_the_reference(course: Course) -> None:
    edit(course, "tests/redteam/claims/expect.toml", "quick = true", "reference = true")
    (course.root / "tests/redteam/claims/Dockerfile").unlink()
    write(course.root, {"tests/redteam/claims/Dockerfile.more": "USER 0\n"})
    with only_case(course, "cheat").laid_out() as place:
        assert (place / "Dockerfile").read_text() == f"{ANSWER}\nUSER 0\n"
        assert [p.name for p in place.iterdir()] == ["Dockerfile"]


BROKEN = [
    ("exercise =", "exercize =", "exercise"),
    (ID, "01-sample/fat", "No exercise"),
    ("story =", "tale =", "story"),
    ("quick = true", "quik = true", "quik"),
    ('"fail"', '"fails"', "fails"),
    ('"image.size" = "fail"\n', "", "must name each check"),
    ('"image.size"', '"image.sise"', "must name each check"),
    ("[outcomes]", "[limits]\nbuild_second = 1\n[outcomes]", "build_second"),
    ("[outcomes]", "[outcomes", "TOML"),
]


@pytest.mark.parametrize(("old", "new", "says"), BROKEN)
def test_a_mistake_in_an_expect_toml_is_found_when_it_is_read(
    course: Course, old: str, new: str, says: str
) -> None:
    edit(course, "tests/redteam/claims/expect.toml", old, new)
    with pytest.raises(SpecError, match=says):
        cases(course, "cheat")


# -- what is made for a run -----------------------------------------------------------------------


def test_each_maker_makes_what_its_name_says(tmp_path: Path) -> None:
    wanted = {
        "files": {"a/b": "x", "\\xff": "\\x00y\\x0a"},
        "folders": ["d"],
        "links": {"l": "/nowhere"},
        "pipes": ["p"],
        "sockets": ["s"],
        "sparse": {"big": 5_000_000_000},
        "many": {"m": 7},
        "lines": {"t": ["n{n}", 3]},
        "deep": 4,
    }
    make(tmp_path, wanted)
    assert (tmp_path / "a/b").read_text() == "x"
    assert (tmp_path / "\udcff").read_bytes() == b"\0y\n"
    assert (tmp_path / "l").readlink() == Path("/nowhere")
    assert stat.S_ISFIFO((tmp_path / "p").stat().st_mode)
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)
    assert (tmp_path / "big").stat().st_size == 5_000_000_000
    assert (tmp_path / "big").stat().st_blocks == 0
    assert len(list((tmp_path / "m").iterdir())) == 7
    assert (tmp_path / "t").read_text() == "n0\nn1\nn2\n"
    assert (tmp_path / "d/d/d/d").is_dir()


def test_a_device_is_a_device_or_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, {"devices": ["one"]})
    assert not stat.S_ISREG((tmp_path / "one").stat().st_mode)

    def denied(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.mknod", denied)
    make(tmp_path, {"devices": ["two"]})
    assert stat.S_ISFIFO((tmp_path / "two").stat().st_mode)


def test_an_archive_holds_what_no_packer_would_put_in(tmp_path: Path) -> None:
    import tarfile

    make(tmp_path, {"archives": {"a.tar": {"../up": "x", "/top": "yy", "l": "-> ../.."}}})
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = [(m.name, m.size, m.linkname) for m in tar]
    assert members == [("../up", 1, ""), ("/top", 2, ""), ("l", 0, "../..")]


def test_a_bomb_is_small(tmp_path: Path) -> None:
    make(tmp_path, {"bombs": {"b.tgz": 50_000_000}})
    assert (tmp_path / "b.tgz").stat().st_size < 1_000_000


def test_an_unknown_maker_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nonsense"):
        make(tmp_path, {"nonsense": []})


def test_the_trial_of_a_case_is_named_by_its_kind(course: Course) -> None:
    (trial,) = trials(course, "cheat")
    assert isinstance(trial, Trial)
    assert trial.job.where == f"{ID} cheat/claims"
