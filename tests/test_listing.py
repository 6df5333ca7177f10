"""The list of labs and exercises, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from grader.course import Course
from grader.listing import listing

TEXT = """\
title = "Small"
summary = "For tests."
minutes = 5
needs = ["engine", "network"]

[[exercise]]
name = "one"
title = "One"
task = "Do it."
minutes = 3

[[exercise.check]]
use = "dockerfile.parses"
points = 1

[[exercise.check]]
use = "image.size"
id = "small"
max_ratio = 0.5
points = 1.5
"""


@pytest.fixture(autouse=True)
def _small(small_course: Callable[..., Course], monkeypatch: pytest.MonkeyPatch) -> None:
    small_course(TEXT.replace('needs = ["engine", "network"]\n', ""), "91-later")
    monkeypatch.setenv("LAB_COURSE", str(small_course(TEXT).root))


def test_as_text() -> None:
    assert listing(as_json=False).splitlines() == [
        "90-small  Small (5 min, needs engine, network)",
        "  90-small/one  One (2.5 points)",
        "91-later  Small (5 min)",
        "  91-later/one  One (2.5 points)",
    ]


def test_as_json() -> None:
    data = json.loads(listing(as_json=True))
    assert data["version"] == 1
    assert [lab["name"] for lab in data["labs"]] == ["90-small", "91-later"]
    assert data["labs"][0] == {
        "name": "90-small",
        "title": "Small",
        "minutes": 5,
        "needs": ["engine", "network"],
        "exercises": [
            {
                "id": "90-small/one",
                "title": "One",
                "points": 2.5,
                "minutes": 3,
                "checks": [
                    {
                        "id": "dockerfile.parses",
                        "title": "The Dockerfile can be read, line by line",
                        "points": 1,
                    },
                    {
                        "id": "small",
                        "title": "The image is at most 50% of the size of the baseline",
                        "points": 1.5,
                    },
                ],
            }
        ],
    }


def test_both_end_with_one_newline() -> None:
    for text in (listing(as_json=True), listing(as_json=False)):
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
