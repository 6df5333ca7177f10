"""Replays: marked as such, harmless, and worth nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grader import cells, recording, replay
from grader.course import Course
from grader.kernel import NOT_RUN
from grader.progress import Progress
from grader.recording import PNG, Measured, Picture, Recording, Text, key
from tests.sample_course import LAB, make_course

CELL = key("# needs docker\n!docker ps")
MARK = "Replay: recorded on 2026-01-31 with Docker Engine 26.1.5; not your own result."
MADE = Recording(LAB, "2026-01-31", "26.1.5", "none", {CELL: (Text("CONTAINER ID"),)})


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path)


def keep(course: Course, made: Recording) -> Path:
    file = recording.path(course, LAB)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(made), "utf-8")
    return file


def shown(course: Course, capsys: pytest.CaptureFixture[str], cell: str = CELL) -> list[str]:
    replay.again(course, LAB, cell)
    return capsys.readouterr().out.splitlines()


def test_a_replay_stands_between_two_marks(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(course, MADE)
    assert shown(course, capsys) == [MARK, "CONTAINER ID", cells.REPLAYED]


def test_without_a_recording_the_cell_was_not_run(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(course, capsys) == [NOT_RUN]


def test_a_cell_that_has_changed_since_was_not_run(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(course, MADE)
    assert shown(course, capsys, key("# needs docker\n!docker ps -a")) == [NOT_RUN]


def test_a_broken_file_is_a_line_that_names_file_and_key(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    file = keep(course, MADE)
    file.write_text(file.read_text("utf-8").replace('"date"', '"day"'), "utf-8")
    first, second = shown(course, capsys)
    assert first == NOT_RUN
    assert second.endswith(f"{LAB}.json: date is missing")


def test_a_cell_that_showed_nothing_says_so(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(course, replace(MADE, cells={CELL: ()}))
    assert replay.QUIET in shown(course, capsys)


@pytest.mark.parametrize(
    ("prediction", "line"),
    [("small", "You predicted: small"), (None, "You made no prediction.")],
)
def test_a_prediction_is_compared_with_the_recorded_answer_and_nothing_is_noted(
    course: Course, capsys: pytest.CaptureFixture[str], prediction: str | None, line: str
) -> None:
    keep(course, replace(MADE, cells={CELL: (Measured("size", "5 MB"),)}))
    progress = Progress.of(course)
    for choice in ("huge", prediction) if prediction else ():
        progress.add(LAB, "predict", f"size {choice}")
    before = progress.facts()
    lines = shown(course, capsys)
    assert lines == [MARK, line, "Measured when it was recorded: 5 MB", cells.REPLAYED]
    assert progress.facts() == before


def test_a_progress_that_cant_be_read_does_not_stop_a_replay(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(course, MADE)
    (course.work / "progress.txt").mkdir(parents=True)
    assert shown(course, capsys)[0] == MARK


@pytest.mark.parametrize(
    ("gpu", "text", "said"),
    [
        ("simulated", "two GPUs", "26.1.5 and simulated GPUs;"),
        ("nvidia", "two GPUs", "26.1.5 and nvidia GPUs;"),
        ("none", "two GPUs", "26.1.5;"),
        ("simulated", "no such device", "26.1.5;"),
    ],
)
def test_of_what_kind_the_gpus_were_is_said_where_there_is_talk_of_them(
    gpu: str, text: str, said: str
) -> None:
    made = replace(MADE, gpu=gpu, cells={CELL: (Text(text),)})
    assert said in replay.replayed(made, CELL).text


def test_a_picture_is_shown_with_its_sentence_and_the_text_around_it() -> None:
    made = replace(MADE, cells={CELL: (Text("above"), Picture(PNG, "a bar", 500), Text("below"))})
    cell = replay.replayed(made, CELL)
    assert cell.text.splitlines() == [MARK, "above", "[picture: a bar]", "below", cells.REPLAYED]
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in cell.html
    assert 'alt="a bar"' in cell.html
    assert "width:500px" in cell.html


def test_a_recorded_text_is_no_page() -> None:
    evil = '</pre></div><script>alert(1)</script>\x1b[31m<img src="http://x">'
    parts = (Text(evil), Picture(PNG, f'"{evil}', 5), Measured("a", evil))
    cell = replay.replayed(replace(MADE, date=evil, cells={CELL: parts}), CELL)
    assert "<script" not in cell.html
    assert "http://x&quot;" in cell.html
    assert 'src="http' not in cell.html
    assert "\x1b" not in cell.html + cell.text
    assert cell.html.startswith("<div")
    assert cell.html.endswith(f"{cells.REPLAYED}</div></div>")
