"""The pad without a browser: what its fields and buttons do, and what they say."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from grader import published
from grader.course import Course
from grader.digitpad import Pad, after, sign
from grader.digits import BLANK, Answer, Pixels, Sample
from grader.errors import UsageError
from grader.live import Show
from grader.notebook import NO_PAD, lab
from grader.panel import VIEW
from tests.conftest import wait_until
from tests.sample_course import LAB, make_course

SECONDS = 10
PROBA = (0.0,) * 7 + (1.0, 0.0, 0.0)
SEVEN = Sample(7, (16, 9, 4, *BLANK[3:]))


def pad(send: Any = lambda *_: None, **how: Any) -> Pad:
    return Pad(send, lambda use, _: use(SEVEN), **how)


def shown(one: Pad) -> str:
    return "\n".join(o["data"]["text/plain"] for o in one.said.widget.outputs)


def test_there_are_64_fields_row_by_row_and_each_says_where_it_is() -> None:
    one = pad()
    tips = [field.tooltip for field in one.fields]
    assert len(set(tips)) == 64
    assert tips[0] == "row 1, column 1: 0 of 16"
    assert tips[2 * 8 + 4] == "row 3, column 5: 0 of 16"
    assert all(field.description for field in one.fields), "an empty one keeps its old sign"


def test_a_click_goes_through_three_shades_and_tells_them_by_more_than_the_shade() -> None:
    one, seen = pad(), []
    for _ in range(4):
        field = one.fields[9]
        seen.append((one.pixels[9], field.description, field.style.button_color))
        field.click()
    assert [level for level, _, _ in seen] == [0, 8, 16, 0]
    assert [s for _, s, _ in seen] == ["·", "○", "●", "·"]
    assert len({color for _, _, color in seen}) == 3
    assert one.fields[9].tooltip == "row 2, column 2: 8 of 16"
    assert sum(one.pixels) == 8, "no other field"


@pytest.mark.parametrize(("level", "then"), [(0, 8), (1, 8), (8, 16), (15, 16), (16, 0)])
def test_what_a_click_makes_of_a_shade(level: int, then: int) -> None:
    assert after(level) == then


def test_a_sign_can_be_read_on_its_field() -> None:
    def luminance(color: str) -> float:
        red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)

    for style in pad().styles.values():
        light, dark = sorted(
            (luminance(style.button_color), luminance(style.text_color)), reverse=True
        )
        assert (light + 0.05) / (dark + 0.05) > 4.5, style
    assert len({sign(level) for level in range(17)}) == 3


def test_a_real_digit_is_put_on_the_fields_and_clear_takes_it_off() -> None:
    one = pad()
    one.take.click()
    assert one.pixels == SEVEN.pixels
    assert [f.description for f in one.fields[:4]] == ["●", "○", "○", "·"]
    assert "Meant as a 7" in shown(one)
    one.clear.click()
    assert one.pixels == BLANK
    assert {f.description for f in one.fields} == {"·"}


def test_send_sends_what_is_drawn_once_and_does_not_hold_the_kernel() -> None:
    go, sent = threading.Event(), list[Pixels]()

    def send(pixels: Pixels, show: Show) -> None:
        sent.append(pixels)
        assert go.wait(SECONDS)
        show("It says 7.")

    one = pad(send, pixels=SEVEN.pixels)
    one.send.click()
    assert one.send.disabled
    assert "Asking" in shown(one)
    one.send.click()
    go.set()
    one.wait(SECONDS)
    assert sent == [SEVEN.pixels]
    assert shown(one) == "It says 7."
    assert not one.send.disabled
    one.send.click()
    one.wait(SECONDS)
    assert len(sent) == 2, "it can be sent again"


# -- course.draw -----------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path))
    monkeypatch.setattr("grader.notebook.reach_engine", lambda: False)
    made = make_course(tmp_path)
    (made.app / "score").mkdir(parents=True)
    rows = (f"{n} {n:x}{'0' * 63}" for n in range(10))
    (made.app / "score" / "digits.txt").write_text("# some\n" + "\n".join(rows))
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Pixels, int]]:
    seen: list[tuple[str, Pixels, int]] = []

    def ask(container: str, pixels: Pixels, port: int) -> Answer:
        seen.append((container, pixels, port))
        if container == "gone":
            raise UsageError("There is no container 'gone'.")
        if container == "odd":
            raise RuntimeError("boom")
        return Answer(7, PROBA)

    monkeypatch.setattr(published, "ask", ask)
    return seen


def test_outside_jupyter_a_given_digit_is_sent(
    course: Course, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lab(LAB).draw("mine", 80, digit=3)
    assert asked == [("mine", (3, *BLANK[1:]), 80)]
    assert capsys.readouterr().out.startswith("It says 7 (100% sure).\n")
    lab(LAB).draw("mine")
    assert capsys.readouterr().out == f"{NO_PAD}\n"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("gone", 3), "! There is no container 'gone'.\n"),
        (("odd", 3), "RuntimeError: boom"),
        (("mine", 11), "from 0 to 9"),
    ],
)
def test_what_goes_wrong_is_one_line(
    course: Course,
    asked: list[Any],
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, int],
    words: str,
) -> None:
    lab(LAB).draw(given[0], digit=given[1])
    said = capsys.readouterr()
    assert words in said.out
    assert "Traceback" not in said.out + said.err


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is displayed, as in JupyterLab."""
    seen: list[Any] = []
    monkeypatch.setattr("grader.notebook.in_jupyter", lambda: True)
    monkeypatch.setattr("grader.notebook.display", lambda what, **_: seen.append(what))
    return seen


def test_in_jupyter_it_is_a_pad_with_the_text_for_where_it_cannot_be_shown(
    course: Course, asked: list[Any], bundles: list[Any]
) -> None:
    lab(LAB).draw("mine")
    lab(LAB).draw("mine", digit=3)
    lab(LAB).draw("gone", digit=3)
    empty, answered, failed = bundles
    assert all(VIEW in bundle for bundle in bundles)
    assert empty["text/plain"] == NO_PAD
    assert answered["text/plain"].startswith("It says 7")
    assert failed["text/plain"].startswith("! There is no container")


def test_the_pads_buttons_reach_the_container_and_the_samples(
    course: Course, asked: list[Any], monkeypatch: pytest.MonkeyPatch, bundles: list[Any]
) -> None:
    pads: list[Pad] = []
    real = Pad.__init__

    def kept(self: Pad, *args: Any) -> None:
        pads.append(self)
        real(self, *args)

    monkeypatch.setattr(Pad, "__init__", kept)
    lab(LAB).draw("odd")
    (one,) = pads
    one.take.click()
    assert sum(one.pixels) in range(10)
    one.send.click()
    wait_until(lambda: "boom" in shown(one))
    assert asked == [("odd", one.pixels, 8000)]
    (course.app / "score" / "digits.txt").unlink()
    one.take.click()
    assert "cannot be read" in shown(one)
