"""Recording: what a cell showed becomes a file that tells nothing of the machine it was made on."""

from __future__ import annotations

import base64
import io
import random
import re
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from grader import record, recording
from grader.course import Course
from grader.errors import EngineError, SpecError, UsageError
from grader.kernel import MARKER
from grader.recording import MEASURED, Measured, Picture, Recording, Shown, Text, key
from grader.scrub import LOGIN, Scrubber, scrubber
from tests.conftest import ROOT
from tests.sample_course import LAB, make_course

NOTHING = Scrubber({})
PS, RUN = f"{MARKER}\n!docker ps", f"{MARKER}\n\n!docker run x  # y"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    return make_course(tmp_path)


def book(*sources: str) -> Any:
    return new_notebook(cells=[new_markdown_cell("# A"), *map(new_code_cell, sources)])


def put(course: Course, *sources: str) -> None:
    import nbformat

    nbformat.write(book(*sources), course.root / "labs" / LAB / f"{LAB}.ipynb")


def keep(course: Course, *sources: str) -> None:
    cells: dict[str, tuple[Shown, ...]] = {key(source): () for source in sources}
    record.write(course, Recording(LAB, "2026-01-31", "26", cells=cells))


def stream(text: str, name: str = "stdout") -> Any:
    return new_output("stream", name=name, text=text)


def shown(data: Mapping[str, str], **metadata: object) -> Any:
    return new_output("display_data", dict(data), metadata=metadata)


def png(width: int, height: int = 10, *, noise: bool = False) -> bytes:
    image = Image.new("RGBA", (width, height), (0, 114, 178, 128))
    if noise:
        image.putdata([(random.randrange(256), 0, 0, 255) for _ in range(width * height)])
    file = io.BytesIO()
    image.save(file, format="png")
    return file.getvalue()


def page(data: bytes, more: str = "") -> dict[str, str]:
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    html = f'<img style="width:500px;height:auto" alt="A &lt;bar&gt;" src="{source}">{more}'
    return {"text/html": html, "text/plain": "A <bar>"}


# -- outputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([stream("a\n"), stream("b\n", "stderr")], "a\nb\n"),
        ([stream("\x1b[31mred\x1b[0m\r\nnext\n")], "red\nnext\n"),
        ([stream(" 10 %\r 50 %\r100 %\ndone\n")], "100 %\ndone\n"),
        ([shown({"text/html": "<b>x</b>", "text/plain": "✓ x"})], "✓ x"),
        ([shown({"application/vnd.widget+json": "{}", "text/plain": "A pad"})], "A pad"),
        ([new_output("execute_result", {"text/plain": "4"}, execution_count=1)], "4"),
        ([new_output("error", ename="ValueError", evalue="no", traceback=["x"])], "ValueError: no"),
    ],
)
def test_what_was_shown_is_kept_as_plain_text(found: list[Any], text: str) -> None:
    assert record.outputs(found, NOTHING) == (Text(text),)


def test_what_says_nothing_is_not_kept() -> None:
    assert record.outputs([stream("\n"), shown({"text/plain": ""})], NOTHING) == ()


def test_a_picture_in_a_page_is_kept_with_its_sentence_between_the_texts() -> None:
    found = record.outputs([stream("a"), shown(page(png(900))), stream("b")], NOTHING)
    first, picture, last = found
    assert (first, last) == (Text("a"), Text("b"))
    assert isinstance(picture, Picture)
    assert (picture.alt, picture.width) == ("A <bar>", 500)


def test_a_picture_of_its_own_is_kept_too() -> None:
    data = base64.b64encode(png(9)).decode()
    (picture,) = record.outputs([shown({"image/png": data, "text/plain": "<Figure>"})], NOTHING)
    assert isinstance(picture, Picture)


def test_a_picture_from_elsewhere_is_none() -> None:
    data = {"text/html": '<img src="http://x/a.png"><img src="data:image/png;base64,AAAA">'}
    assert record.outputs([shown({**data, "text/plain": "p"})], NOTHING) == (Text("p"),)


def test_a_big_picture_becomes_a_modest_one_that_is_still_to_be_seen_through() -> None:
    large = png(2 * record.PIXELS, 400, noise=True)
    (picture,) = record.outputs([shown(page(large))], NOTHING)
    assert isinstance(picture, Picture)
    assert len(picture.png) < len(large) / 4
    with Image.open(io.BytesIO(picture.png)) as image:
        assert image.size == (record.PIXELS, 200)
    (small,) = record.outputs([shown(page(png(20)))], NOTHING)
    assert isinstance(small, Picture)
    with Image.open(io.BytesIO(small.png)) as image:
        assert image.size == (20, 10)
        assert image.convert("RGBA").getpixel((0, 0))[3] == 128  # type: ignore[index]


def test_an_answer_to_a_prediction_is_kept_as_one() -> None:
    about = {"id": "size", "value": "5 MB"}
    output = shown({"text/plain": "You made no prediction."}, **{MEASURED: about})
    assert record.outputs([output], NOTHING) == (Measured("size", "5 MB"),)


def test_an_endless_output_is_cut_and_says_so() -> None:
    (one,) = record.outputs([stream("x" * 2 * record.LONGEST)], NOTHING)
    assert isinstance(one, Text)
    assert len(one.text) < record.LONGEST + 100
    assert one.text.endswith("(the rest was not recorded)")


# -- a whole notebook -----------------------------------------------------------------------------


def recorded(one: Any, clean: Scrubber = NOTHING) -> Recording:
    return record.recorded(one, LAB, clean, version="26.1.5", gpu="simulated")


def test_only_the_cells_that_need_an_engine_are_recorded_in_their_order() -> None:
    one = book("1 + 1", RUN, PS)
    for cell in one.cells[1:]:
        cell.outputs = [stream(cell.source[-4:])]
    made = recorded(one)
    assert list(made.cells.items()) == [(key(RUN), (Text(" # y"),)), (key(PS), (Text("r ps"),))]
    assert list(made.titles.values()) == ["!docker run x  # y", "!docker ps"]
    assert (made.lab, made.engine, made.gpu) == (LAB, "26.1.5", "simulated")


def test_two_cells_that_are_alike_are_refused_with_their_number() -> None:
    with pytest.raises(SpecError, match=f"{LAB}: cell 4"):
        recorded(book(PS, "1", PS))


def test_nothing_of_the_machine_is_in_the_file() -> None:
    clean = Scrubber({"janes-laptop": "machine", "/home/jane": "/home/learner"})
    one = book(PS)
    one.cells[1].outputs = [
        stream("on janes-laptop in /home/jane/x"),
        shown({"text/plain": "x"}, **{MEASURED: {"id": "a", "value": "janes-laptop"}}),
        shown(page(png(5)).copy() | {"text/plain": "janes-laptop"}),
    ]
    text = str(recorded(one, clean))
    assert "jane" not in text
    assert "on machine in /home/learner/x" in text


def test_what_the_scrubber_misses_is_not_written() -> None:
    class Lazy(Scrubber):
        def __call__(self, text: str) -> str:
            return text

    one = book(PS)
    one.cells[1].outputs = [stream("on janes-laptop")]
    with pytest.raises(SpecError, match=f"{LAB}: cell 2") as caught:
        recorded(one, Lazy({"janes-laptop": "machine"}))
    assert "jane" not in str(caught.value)


def test_a_file_that_is_too_large_is_refused(course: Course) -> None:
    many = {str(n): (Text("x" * record.LONGEST),) for n in range(30)}
    with pytest.raises(SpecError, match=rf"{LAB}\.json: \d+ kB"):
        record.write(course, Recording(LAB, "2026-01-31", "26", cells=many))
    assert not recording.path(course, LAB).exists()


# -- on an engine ---------------------------------------------------------------------------------


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One that answers, and tells which runs were cleaned up."""
    cleaned: list[str] = []

    @contextmanager
    def opened() -> Any:
        yield SimpleNamespace(
            info={"Name": "janes-laptop"},
            cleanup=cleaned.append,
            facts=lambda: {"version": "26.1.5", "gpu": "none"},
        )

    monkeypatch.setattr(record, "Engine", SimpleNamespace(open=opened))
    return cleaned


def test_a_lab_is_run_in_a_copy_and_what_it_made_is_removed(
    course: Course, engine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_STATIC", "1")
    put(
        course,
        "import os",
        f"{MARKER}\nprint(os.environ['LAB_COURSE'], repr(os.getenv('LAB_STATIC')))",
    )
    (course.root / "work").mkdir()
    (course.root / "work" / "mine").touch()
    assert record.record_command([LAB]) == 0
    made = recording.load(recording.path(course, LAB))
    assert list(made.cells.values()) == [(Text("/course ''"),)]
    assert str(course.root) not in str(made)
    assert len(engine) == 1
    assert engine[0].endswith(LAB)
    assert engine[0] != course.run(LAB)


def test_a_cell_that_fails_is_named_and_nothing_is_left(course: Course, engine: list[str]) -> None:
    put(course, f"{MARKER}\n1 / 0")
    with pytest.raises(SpecError, match="cell 2: ZeroDivisionError"):
        record.record(course, LAB)
    assert len(engine) == 1
    assert not recording.path(course, LAB).exists()


def test_without_an_engine_nothing_is_recorded(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Any:
        raise EngineError("gone")

    put(course, PS)
    keep(course, RUN)
    monkeypatch.setattr(record, "Engine", SimpleNamespace(open=gone))
    with pytest.raises(EngineError):
        record.record_command([LAB])
    assert list(recording.load(recording.path(course, LAB)).cells) == [key(RUN)]


def test_a_lab_that_is_not_there_is_named(course: Course) -> None:
    with pytest.raises(UsageError, match="99-none"):
        record.record_command(["99-none"])


# -- what is stale --------------------------------------------------------------------------------


def test_a_recording_of_every_cell_is_not_stale(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    put(course, "1 + 1", PS, RUN)
    keep(course, PS, RUN)
    assert record.record_command(check=True) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("kept", "line"),
    [
        ((), "nothing for cell 3"),
        ((PS,), "nothing for cell 4"),
        ((PS, f"{RUN} changed"), "nothing for cell 4"),
        ((PS, RUN, "gone"), f"cells.{key('gone')} is of no cell any more"),
    ],
)
def test_a_changed_cell_makes_it_stale(
    course: Course, capsys: pytest.CaptureFixture[str], kept: tuple[str, ...], line: str
) -> None:
    put(course, "1 + 1", PS, RUN)
    keep(course, *kept)
    assert record.record_command(check=True) == 1
    assert f"stale: binder/recorded/{LAB}.json: {line}" in capsys.readouterr().out


def test_a_lab_without_a_recording_is_stale_and_a_broken_file_is_too(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    put(course, PS)
    assert record.record_command([LAB], check=True) == 1
    keep(course, PS)
    recording.path(course, LAB).write_text("{", "utf-8")
    assert record.record_command([LAB], check=True) == 1
    assert f"{LAB}.json: can't be read as JSON" in capsys.readouterr().out


def test_a_broken_notebook_is_named(course: Course) -> None:
    (course.root / "labs" / LAB / f"{LAB}.ipynb").write_text("{")
    with pytest.raises(SpecError, match=rf"labs/{LAB}/{LAB}\.ipynb"):
        record.record_command(check=True)


# -- the recordings of this repository ------------------------------------------------------------


LABS = sorted(path.parent.name for path in ROOT.glob("labs/*/lab.toml"))


@pytest.mark.parametrize("lab", LABS)
def test_each_cell_that_needs_an_engine_has_its_recording(lab: str) -> None:
    """Red after a change of a notebook: `grader record NN-name` on an engine mends it."""
    assert record.stale(Course(ROOT), lab) == []


@pytest.mark.parametrize("lab", LABS)
def test_no_recording_has_an_address_or_a_folder_of_this_machine(lab: str) -> None:
    found = recording.load(recording.path(Course(ROOT), lab))
    text = str(replace(found, cells={key: _words(shown) for key, shown in found.cells.items()}))
    clean = scrubber((ROOT,))
    assert [word for word in clean.left(text) if "." in word or "/" in word] == []
    assert not LOGIN.search(text)
    assert not re.search(r"notebook-(?!00000000)[0-9a-f]{8}-|/tmp/lab-course-", text)


def _words(shown: tuple[Shown, ...]) -> tuple[Shown, ...]:
    """Of a picture only what it says."""
    return tuple(Text(one.alt) if isinstance(one, Picture) else one for one in shown)
