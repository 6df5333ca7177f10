"""Reading metrics as Prometheus does: all sorts of text end in numbers or in ValueError."""

from __future__ import annotations

import pytest

from grader import scrape

TEXT = "text/plain; version=0.0.4"


def test_samples_are_summed_over_their_labels() -> None:
    text = '# TYPE a_total counter\na_total{x="1"} 2\na_total{x="2"} 3\nb 4\n'
    found = scrape.read(text, TEXT)
    assert found.counter("a") == found.counter("a_total") == 5
    assert found.counter("b") is None
    assert found.sums["b"] == 4


def test_when_a_counter_was_made_is_no_count() -> None:
    text = "# TYPE a_total counter\na_total 2\n# TYPE a_created gauge\na_created 1.7e9\n"
    assert scrape.read(text, TEXT).counter("a") == 2


TYPES = [(TEXT, "text/plain"), ("", ""), (" Text/HTML ;x", "text/html"), (";", "")]


@pytest.mark.parametrize(("given", "media"), TYPES)
def test_media_type(given: str, media: str) -> None:
    assert scrape.media_type(given) == media


BROKEN = ["", "\n", "# TYPE", "{", "}", "a", "a b", 'a{b="c" 1', "a 1 2 3 4", "\0", "[1]", "a{} {}"]


@pytest.mark.parametrize("text", BROKEN, ids=map(repr, BROKEN))
@pytest.mark.parametrize("kind", [TEXT, scrape.OPENMETRICS])
def test_what_cannot_be_read_is_a_value_error(text: str, kind: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        scrape.read(text, kind)


WHOLE = [
    "a 1",
    "a{} 1",
    'a{b="c d"} 1 1700000000000',
    ' a {b="}"} NaN ',
    'a{b="x"}1',
    "a_total +Inf\r",
]


@pytest.mark.parametrize("line", WHOLE, ids=map(repr, WHOLE))
def test_every_way_to_write_a_sample_is_read(line: str) -> None:
    assert len(scrape.read(f"# HELP a A.\n\n{line}\n", TEXT).sums) == 1
