"""Handwritten digits as values: eight by eight shades, real ones, and what a service says of one.

Nothing is sent or shown here: ``published`` asks a container, ``digitpad`` has the buttons.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from grader import cells
from grader.cells import Cell
from grader.errors import UsageError

SIDE, DARKEST = 8, 16
BLANK = (0,) * SIDE * SIDE
BASE = DARKEST + 1  # the file writes a pixel as one character: 0 is white, g is 16
BLOCKS = "·░▒▓█"
BAR = 24  # characters of a bar that stands for 1
FEW = 0.005  # below that a probability is 0 % in words

Pixels = tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """A real picture, and the digit that somebody meant by it."""

    digit: int
    pixels: Pixels


@dataclass(frozen=True)
class Answer:
    """What a service says: a digit, and how probable it finds each of the ten."""

    digit: int
    proba: tuple[float, ...]
    seconds: float = 0.0


def samples(file: Path) -> tuple[Sample, ...]:
    """The pictures that the models of this course learn from. Raises UsageError."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return tuple(_sample(line) for line in lines if line and not line.startswith("#"))
    except (OSError, ValueError) as err:
        raise UsageError(f"{file} cannot be read as pictures of digits: {err}") from err


def example(file: Path, digit: int) -> Sample:
    """The same picture of a digit each time."""
    found = next((s for s in samples(file) if s.digit == digit), None)
    if found is None:
        raise UsageError(f"There is no picture of {digit!r}: give a digit from 0 to 9.")
    return found


def some(file: Path) -> Sample:
    """Any of them."""
    return random.choice(samples(file))


def read(text: str, seconds: float) -> Answer | None:
    """A service's answer; None for one that is not what a digits service says."""
    from grader.running import Reply  # brings docker along, and a notebook's first cell is quick

    reply = Reply(200, text)
    digit, proba = reply.digit, tuple(reply.proba)
    good = len(proba) == 10 and all(-FEW <= p <= 1 + FEW for p in proba)  # NaN is not, either
    if digit is None or digit not in range(10) or not good:
        return None
    return Answer(digit, proba, seconds)


def picture(pixels: Pixels) -> list[str]:
    """A line for each row, two characters for each pixel, so that it is about as wide as high."""
    blocks = [BLOCKS[round(p / DARKEST * (len(BLOCKS) - 1))] * 2 for p in pixels]
    return ["".join(blocks[at : at + SIDE]) for at in range(0, len(blocks), SIDE)]


def told(pixels: Pixels, answer: Answer) -> Cell:
    """The picture that was sent beside the bars of what came back."""
    said = f"It says {answer.digit} ({answer.proba[answer.digit]:.0%} sure)."
    rows = picture(pixels)
    rows += [" " * len(rows[0])] * (len(answer.proba) - len(rows))
    bars = [_bar(digit, p, digit == answer.digit) for digit, p in enumerate(answer.proba)]
    text = "\n".join(f"{row}   {bar}".rstrip() for row, bar in zip(rows, bars, strict=True))
    took = f"Asked and answered in {answer.seconds * 1000:.0f} ms."
    style = "line-height:1.15;margin:.4em 0"
    seen = f'<pre role="img" aria-label="{cells.safe(_in_words(answer))}" style="{style}">'
    html = f"<div><b>{cells.safe(said)}</b> {took}{seen}{cells.safe(text)}</pre></div>"
    return Cell(html, f"{said}\n{text}")


def _bar(digit: int, probability: float, chosen: bool) -> str:
    share = min(max(probability, 0.0), 1.0)
    mark = "◀" if chosen else ""
    return f"{digit} {'█' * round(share * BAR):{BAR}} {share:4.0%} {mark}"


def _in_words(answer: Answer) -> str:
    ranked = sorted(enumerate(answer.proba), key=lambda pair: -pair[1])
    named = [f"{digit}: {p:.0%}" for digit, p in ranked if p >= FEW]
    rest = ", the others less than 1 %" if len(named) < len(ranked) else ""
    return f"Probabilities. {', '.join(named) or 'none'}{rest}."


def _sample(line: str) -> Sample:
    digit, text = line.split()
    pixels = tuple(int(character, BASE) for character in text)
    if len(pixels) != len(BLANK):
        raise ValueError(f"{len(pixels)} pixels in {line[:20]!r}")
    return Sample(int(digit), pixels)
