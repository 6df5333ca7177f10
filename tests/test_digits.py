"""Digits as values: the real ones, the answers that are taken for one, and how they look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grader import digits
from grader.course import Course
from grader.digits import BLANK, Answer, example, picture, read, samples, told
from grader.errors import UsageError

PROBA = [0.0, 0.0, 0.02, 0.97, 0.001, 0.0, 0.0, 0.0, 0.009, 0.0]
GOOD = json.dumps({"digit": 3, "proba": PROBA})


def real(course: Course) -> Path:
    return course.app / "score" / "digits.txt"


def test_the_course_has_real_pictures_of_each_digit(course: Course) -> None:
    found = samples(real(course))
    assert {s.digit for s in found} == set(range(10))
    assert all(len(s.pixels) == 64 and set(s.pixels) <= set(range(17)) for s in found)
    assert example(real(course), 3) == example(real(course), 3)
    assert {example(real(course), n).digit for n in range(10)} == set(range(10))
    assert digits.some(real(course)) in found


@pytest.mark.parametrize("digit", [10, -1, "3"])
def test_a_digit_that_is_none_is_told(course: Course, digit: int) -> None:
    with pytest.raises(UsageError, match="from 0 to 9"):
        example(real(course), digit)


@pytest.mark.parametrize("text", ["7 0", "7", f"7 {'z' * 64}", "\x00", f"x {'0' * 64}"])
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(UsageError, match="cannot be read"):
        samples(tmp_path / "x")
    with pytest.raises(UsageError, match="cannot be read"):
        samples(tmp_path / "no")


def test_a_services_answer_is_read() -> None:
    assert read(GOOD, 0.5) == Answer(3, tuple(PROBA), 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "[]",
        "<html>",
        "[" * 100_000,
        json.dumps({"digit": 3}),
        json.dumps({"digit": True, "proba": PROBA}),
        json.dumps({"digit": "3", "proba": PROBA}),
        json.dumps({"digit": 10, "proba": PROBA}),
        json.dumps({"digit": -1, "proba": PROBA}),
        json.dumps({"digit": 3, "proba": PROBA[1:]}),
        json.dumps({"digit": 3, "proba": [*PROBA, 0.0]}),
        json.dumps({"digit": 3, "proba": [*PROBA[1:], float("nan")]}),
        json.dumps({"digit": 3, "proba": [*PROBA[1:], 10**400]}),
        json.dumps({"digit": 3, "proba": [*PROBA[1:], "<b>"]}),
        json.dumps({"digit": 3, "proba": [*PROBA[1:], 1.5]}),
        '{"digit": ' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_answer_is_none(text: str) -> None:
    assert read(text, 0) is None


def test_it_is_drawn_as_wide_as_high_and_by_five_shades() -> None:
    assert picture(BLANK) == ["·" * 16] * 8
    assert picture((0, 4, 8, 12, 16, 0, 0, 0, *BLANK[8:]))[0] == "··░░▒▒▓▓██······"


def test_the_answer_is_told_in_bars_and_in_words() -> None:
    cell = told(BLANK, Answer(3, tuple(PROBA), 0.0123))
    assert cell.text.startswith("It says 3 (97% sure).\n················   0 ")
    assert "3 ███████████████████████   97% ◀" in cell.text
    assert len(cell.text.splitlines()) == 11
    assert (
        'aria-label="Probabilities. 3: 97%, 2: 2%, 8: 1%, the others less than 1 %."' in cell.html
    )


def test_only_the_page_tells_the_time() -> None:
    """The plain text of two runs must read the same."""
    quick, slow = (told(BLANK, Answer(3, tuple(PROBA), s)) for s in (0.0123, 2))
    assert "in 12 ms" in quick.html
    assert "in 2000 ms" in slow.html
    assert quick.text == slow.text
