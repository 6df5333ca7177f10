"""The progress file: lines in, lines out, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.errors import UsageError
from grader.progress import Fingerprint, Progress, Try
from grader.results import Outcome
from tests.sample_course import ID, LAB, report

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
FAIL = {"image.size": Outcome.FAIL, "service.ready": Outcome.SKIP}
NOW, BEFORE = Fingerprint("11111111", "aaaaaaaa"), Fingerprint("22222222", "aaaaaaaa")
OTHER = Fingerprint("11111111", "bbbbbbbb")  # what was asked has changed


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "work" / "progress.txt")


def text(progress: Progress) -> str:
    return progress.path.read_text(encoding="utf-8")


def test_a_fact_is_one_readable_line(progress: Progress) -> None:
    progress.add(ID, "check", "3/7 fail:image.size", now=NOON)
    assert text(progress) == f"2026-11-24T12:00:00Z {ID} check 3/7 fail:image.size\n"


def test_a_fact_stays_one_line_whatever_it_holds(progress: Progress) -> None:
    progress.add(LAB, "predict", "start-up a\nb\r\n  c", now=NOON)
    assert text(progress).count("\n") == 1
    assert progress.facts()[0].text == "start-up a b c"


def test_two_equal_facts_in_one_second_are_both_kept(progress: Progress) -> None:
    for _ in range(3):
        progress.add(ID, "check", "3/7 fail:image.size", now=NOON)
    assert len(progress.facts()) == 3


def test_the_lines_are_sorted_by_time(progress: Progress) -> None:
    progress.add(ID, "check", "7/7 pass", now=NOON.replace(hour=13))
    progress.add(ID, "check", "3/7 fail:image.size", now=NOON)
    assert text(progress).splitlines() == sorted(text(progress).splitlines())
    assert [t.verdict for t in progress.tries(ID)] == ["fail", "pass"]


@pytest.mark.parametrize(
    ("outcomes", "untouched", "line", "counted"),
    [
        ({}, False, "7/7 pass", True),
        (FAIL, False, "1/7 fail:image.size", True),
        (FAIL, True, "1/7 untouched:image.size", False),
        ({"image.size": Outcome.ERROR}, False, "3/7 error:image.size", False),
    ],
)
def test_a_check_is_written_down(
    progress: Progress,
    outcomes: dict[str, Outcome],
    untouched: bool,
    line: str,
    counted: bool,
) -> None:
    outcome = progress.record(report(outcomes), untouched=untouched)
    assert (str(outcome), outcome.counted) == (line, counted)
    assert progress.tries(ID) == (outcome,)


def test_what_this_machine_cannot_measure_is_not_a_pass(progress: Progress) -> None:
    progress.record(report(measurable=False, message=""))
    assert progress.tries(ID)[0].verdict == "incomplete"
    assert not progress.summary(ID).passed


def test_the_summary_takes_the_best_and_counts_only_attempts(progress: Progress) -> None:
    for outcomes in (FAIL, {}, FAIL, {"service.ready": Outcome.ERROR}):
        progress.record(report(outcomes))
    progress.record(report(FAIL), untouched=True)
    progress.add(ID, "hint", "image.size 1")
    progress.add(ID, "hint", "image.size 1", now=NOON)
    progress.add(ID, "hint", "image.size 2")
    summary = progress.summary(ID)
    assert (summary.best, summary.tries, summary.failed_tries) == (7, 3, 2)
    assert (summary.hints, summary.passed, summary.state) == (2, True, "passed")


def test_nothing_but_untouched_checks_is_not_attempted(progress: Progress) -> None:
    progress.record(report(FAIL), untouched=True)
    assert progress.summary(ID).state == "not attempted"
    assert progress.summary(ID).best == 0


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "2026-11-24 no clock", "\x00\xff binary", "word"])
def test_a_broken_line_is_kept_and_told(progress: Progress, line: str) -> None:
    progress.add(ID, "check", "7/7 pass", now=NOON)
    progress.path.write_text(f"{line}\n{text(progress)}", encoding="utf-8")
    progress.add(ID, "hint", "image.size 1", now=NOON)
    assert progress.broken() == (line,)
    assert line in text(progress).splitlines()
    assert len(progress.facts()) == 2


@pytest.mark.parametrize("points", ["1.2.3/7 pass", "x/7 pass", "", "7 pass"])
def test_a_check_line_with_a_broken_score_counts_for_nothing(
    progress: Progress, points: str
) -> None:
    progress.add(ID, "check", points, now=NOON)
    assert progress.tries(ID) == ()


def test_two_files_merge_like_sort_u(progress: Progress, tmp_path: Path) -> None:
    other = Progress(tmp_path / "other.txt")
    for one in (progress, other):
        one.add(ID, "check", "1/7 fail:image.size", now=NOON)
    other.add(ID, "check", "7/7 pass", now=NOON.replace(hour=14))
    progress.add(ID, "hint", "image.size 1", now=NOON.replace(hour=13))
    both = sorted({*text(progress).splitlines(), *text(other).splitlines()})
    assert progress.merge(other.path) == 1
    assert text(progress).splitlines() == both
    assert progress.merge(other.path) == 0


def test_merging_a_file_that_is_not_there_says_which(progress: Progress, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.txt"):
        progress.merge(tmp_path / "nowhere.txt")


def test_a_failed_write_leaves_the_old_file(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress.add(ID, "check", "7/7 pass", now=NOON)
    before = text(progress)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("grader.progress.os.fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        progress.add(ID, "hint", "image.size 1")
    assert text(progress) == before
    left = {p.name for p in progress.path.parent.iterdir()}
    assert left == {"progress.txt", ".progress.lock"}


def test_several_programs_can_write_at_once(progress: Progress) -> None:
    code = (
        "import sys; from pathlib import Path; from grader.progress import Progress\n"
        "p = Progress(Path(sys.argv[1]))\n"
        "for n in range(20): p.add('01-a/b', 'check', f'{sys.argv[2]}{n}/99 fail')"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(progress.path), str(n)])
        for n in (1, 2, 3)
    ]
    assert [p.wait(timeout=60) for p in running] == [0, 0, 0]
    assert len(progress.facts()) == 60


@pytest.mark.parametrize(
    ("outcomes", "line"),
    [({}, "7/7 pass 11111111-aaaaaaaa"), (FAIL, "1/7 fail:image.size 11111111-aaaaaaaa")],
)
def test_a_check_is_written_down_with_what_was_checked(
    progress: Progress, outcomes: dict[str, Outcome], line: str
) -> None:
    outcome = progress.record(report(outcomes), fingerprint=NOW)
    assert str(outcome) == line
    assert progress.tries(ID) == (outcome,)


@pytest.mark.parametrize("more", ["", " 11111111-aaaaaaaa more", " what a later version adds"])
def test_older_and_later_lines_still_count(progress: Progress, more: str) -> None:
    progress.add(ID, "check", f"7/7 pass{more}")
    assert progress.tries(ID) == (Try(7, 7, "pass"),)


@pytest.mark.parametrize(
    ("passes", "now", "state"),
    [
        ([NOW], NOW, "passed"),
        ([BEFORE], NOW, "passed, then you changed it"),
        ([OTHER], NOW, "passed, then the exercise changed"),
        ([NOW, BEFORE], NOW, "passed"),
        ([OTHER, BEFORE], NOW, "passed, then you changed it"),
        ([None], NOW, "passed"),
        ([None, BEFORE], NOW, "passed, then you changed it"),
        ([BEFORE], None, "passed"),
    ],
)
def test_a_pass_before_a_change_is_one_and_is_told(
    progress: Progress, passes: list[Fingerprint | None], now: Fingerprint | None, state: str
) -> None:
    for at, one in enumerate(passes):
        outcome = Try(7, 7, "pass", fingerprint=one)
        progress.add(ID, "check", outcome, now=NOON.replace(minute=at))
    progress.record(report(FAIL), fingerprint=now)
    summary = progress.summary(ID, now)
    assert (summary.passed, summary.best, summary.state) == (True, 7, state)
    assert summary.last == "fail"
