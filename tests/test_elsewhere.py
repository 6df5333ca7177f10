"""What can't be graded here, and where it can."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader import elsewhere
from tests.sample_course import report

STATIC = {"mode": "static"}


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, ""),
        ({"LAB_CODESPACES": "https://codespaces.new/a/b"}, "https://codespaces.new/a/b"),
        ({"LAB_CODESPACES": "javascript:alert(1)"}, ""),
        ({"LAB_CODESPACES": 'https://a"onclick="x'}, ""),
        ({"BINDER_REPO_URL": "https://github.com/a/b.c"}, "https://codespaces.new/a/b.c"),
        ({"BINDER_REPO_URL": "https://github.com/a/b.git"}, "https://codespaces.new/a/b"),
        ({"BINDER_REPO_URL": "https://gitlab.com/a/b"}, ""),
        ({"BINDER_REPO_URL": "https://github.com/a/b", "LAB_CODESPACES": "http://c"}, "http://c"),
    ],
)
def test_the_address_is_the_one_that_somebody_has_named(
    environ: dict[str, str], address: str
) -> None:
    assert elsewhere.address(environ) == address
    assert address in elsewhere.where(environ)


def test_without_an_address_there_is_a_plain_sentence() -> None:
    assert elsewhere.where({}).endswith("or on a machine with Docker.")


def test_a_static_report_says_how_much_was_graded_and_where_the_rest_can_be() -> None:
    found = report()
    first, *rest = found.results
    rows = (first, *(replace(row, measurable=False) for row in rest))
    said = elsewhere.left_out(replace(found, results=rows, engine=STATIC), {})
    assert said.startswith("1 of 3 checks were graded here")
    assert "Codespaces" in said


@pytest.mark.parametrize(
    ("engine", "measurable"), [(STATIC, True), ({"mode": "live"}, False), ({"mode": "none"}, False)]
)
def test_what_lacks_no_engine_is_not_sent_elsewhere(
    engine: dict[str, str], measurable: bool
) -> None:
    rows = tuple(replace(row, measurable=measurable) for row in report().results)
    assert elsewhere.left_out(replace(report(), results=rows, engine=engine), {}) == ""
