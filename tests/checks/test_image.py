"""The size of an image, against a reference: the edge itself still passes."""

from __future__ import annotations

from typing import Any

import pytest

from grader.checks import image
from grader.engine import Image, Layer
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
WHOLE = 1_000_000_000


class Reference:
    """Both references have a size of their own."""

    def size(self, of: str) -> int:
        return {"baseline": WHOLE, "reference": WHOLE // 2}[of]


def sized(*layers: int) -> Image:
    history = tuple(Layer(f"RUN /bin/sh -c step {n} # buildkit", s) for n, s in enumerate(layers))
    return Image("sha256:1", (), history, {})


def size(made: Image, **settings: Any) -> Any:
    return image.size(made, Reference(), **settings)  # type: ignore[arg-type]


SIZES = [
    ("well below", (100_000_000,), 0.7, "baseline", P),
    ("exactly the limit", (700_000_000,), 0.7, "baseline", P),
    ("one byte more", (700_000_001,), 0.7, "baseline", F),
    ("the sum of the layers", (400_000_000, 300_000_000), 0.7, "baseline", P),
    ("the sum of the layers, one byte more", (400_000_000, 300_000_001), 0.7, "baseline", F),
    ("deleted later is still shipped", (900_000_000, 0), 0.7, "baseline", F),
    ("of the reference solution", (520_000_000,), 1.04, "reference", P),
    ("of the reference solution, one byte more", (520_000_001,), 1.04, "reference", F),
    ("as large as the baseline", (WHOLE,), 1.0, "baseline", P),
    ("empty", (0,), 0.7, "baseline", P),
]


@pytest.mark.parametrize(
    ("layers", "ratio", "of", "outcome"), [s[1:] for s in SIZES], ids=[s[0] for s in SIZES]
)
def test_size(layers: tuple[int, ...], ratio: float, of: str, outcome: Outcome) -> None:
    result = size(sized(*layers), max_ratio=ratio, of=of)
    assert result.outcome is outcome
    assert result.evidence["bytes"] == sum(layers)
    assert result.evidence["of_bytes"] == Reference().size(of)


def test_size_tells_the_biggest_layer_without_noise() -> None:
    said = size(sized(10_000_000, 700_000_000, 20_000_000), max_ratio=0.7).message
    assert "730 MB is 73.0% of the baseline's 1000 MB; at most 70% are allowed" in said
    assert "The biggest layer has 700 MB: step 1." in said
    assert "buildkit" not in said


def test_size_cuts_a_long_line() -> None:
    made = Image("x", (), (Layer("RUN " + "x" * 1000, WHOLE),), {})
    assert len(size(made, max_ratio=0.7).message) < 300


@pytest.mark.parametrize("too_much", [1, 400_000])
def test_a_failure_never_reads_as_if_it_had_passed(too_much: int) -> None:
    """70.0% is not more than 70%, whatever was rounded away."""
    said = size(sized(700_000_000 + too_much), max_ratio=0.7).message
    assert "is 70.0% of" not in said
