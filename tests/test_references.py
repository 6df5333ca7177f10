"""What submissions are compared with: questions that only the model itself can answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grader import references
from grader.course import Course
from grader.references import MARKED, References

DIGITS = [((8,) * 64, 3)]


class FakeEngine:
    """Every container starts; nothing is asked of it but by the fake probe."""

    def image_id(self, name: str) -> str:
        return "sha256:0123456789abcdef0123456789abcdef"

    def create(self, *_: object, **__: object) -> str:
        return "c1"

    def start(self, _: str) -> str:
        return ""

    def remove(self, _: str) -> None:
        pass


@pytest.mark.parametrize(("moved", "kept"), [(MARKED, 0), (MARKED + 0.01, references.POOL)])
def test_a_question_whose_plain_picture_gives_the_same_answer_is_not_asked(
    course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moved: float, kept: int
) -> None:
    """Else a table of the public pictures, the nearest one looked up, gets all of them right."""

    def talk(*_: object, bodies: list[dict[str, Any]], **__: object) -> dict[str, Any]:
        plain = list(DIGITS[0][0])
        answers = []
        for body in bodies:
            p = 0.5 if body["pixels"] == plain else 0.5 + moved
            answers.append([200, json.dumps({"digit": 3, "proba": [p, 1 - p]})])
        return {"answers": answers, "error": ""}

    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.setattr(references.probe, "talk", talk)
    one = References(FakeEngine(), course)  # type: ignore[arg-type]
    monkeypatch.setattr(one, "image", lambda _: "lab/x:1")
    monkeypatch.setattr(one, "held_out", lambda: DIGITS)
    assert len(one.answers("baseline")) == kept


def test_noise_keeps_a_pixel_in_its_range_and_empty_ones_empty() -> None:
    for _ in range(50):
        noisy = references._noisy([0, 1, 8, 16])
        assert noisy[0] == 0
        assert all(0 <= v <= 16 for v in noisy)
