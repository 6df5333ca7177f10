"""Each erratum names a proof, and each proof is there: sample, cell, answer, check."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from grader.course import Course
from grader.lint_files import wrong_answers
from grader.registry import CHECKS, load_checks
from tests import docs
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "errata.md"
COURSE = Course(ROOT)
ROW = re.compile(r"^\| (E\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+) \|$", re.M)
TOLD = "told only: "
load_checks()


def rows(text: str = PAGE.read_text(encoding="utf-8")) -> dict[str, str]:
    """Each erratum's number, and its last column."""
    return {found[0]: found[4] for found in ROW.findall(text)}


@cache
def cells(notebook: Path) -> list[str]:
    book = json.loads(notebook.read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code"]


def is_cell(name: str, place: Path) -> bool:
    return place.suffix == ".ipynb" and any(name in cell for cell in cells(place))


def is_sample(name: str, place: Path) -> bool:
    return place == ROOT / "labs" / place.parts[-3] / "samples" / name and any(place.iterdir())


def is_starter(name: str, place: Path) -> bool:
    exercise = COURSE.exercise(f"{place.parent.name}/{name}")
    return place == COURSE.starter(exercise)


def is_wrong(name: str, place: Path) -> bool:
    """It stands in wrong.toml, so that it is graded, and its files are there."""
    lab, folder = place.parts[-3:-1]
    if not folder.endswith(".wrong") or place.name != name:
        return False
    known = wrong_answers(COURSE, COURSE.lab(lab))
    return name in known[folder.removesuffix(".wrong")] and any(place.iterdir())


def is_check(name: str, place: Path) -> bool:
    return name in CHECKS and place.name == "checks.md"


KINDS: dict[str, Callable[[str, Path], bool]] = {
    r"lab \d\d, cell": is_cell,
    "sample": is_sample,
    "starter": is_starter,
    "wrong answer": is_wrong,
    "check": is_check,
}


def there(proof: str) -> bool:
    """Whether a proof, as it stands in the last column, exists."""
    found = re.fullmatch(r"\[(.+?) `(.+)`\]\((.+)\)", proof)
    if not found:
        return proof.startswith(TOLD) and len(proof) > len(TOLD)
    kind, name, target = found.groups()
    place = (PAGE.parent / target.partition("#")[0]).resolve()
    test = next(test for pattern, test in KINDS.items() if re.fullmatch(pattern, kind))
    return place.exists() and test(name, place)


PROOFS = [(id_, proof) for id_, all_ in rows().items() for proof in all_.split("; ")]


@pytest.mark.parametrize(("id_", "proof"), PROOFS)
def test_a_proof_is_there(id_: str, proof: str) -> None:
    assert there(proof)


ABSENT = [
    "[lab 01, cell `no such words`](../labs/01-multi-stage/01-multi-stage.ipynb)",
    '[lab 01, cell `"swallowed"`](../labs/99-none/99-none.ipynb)',
    "[sample `nothing`](../labs/01-multi-stage/samples/nothing)",
    "[sample `naive`](../labs/01-multi-stage/ladder/naive)",
    "[wrong answer `two-stages`](../solutions/01-multi-stage/two-stages)",
    "[check `image.sise`](checks.md#imagesise)",
    "told only: ",
    "everybody knows",
]


@pytest.mark.parametrize("proof", ABSENT)
def test_a_proof_that_is_not_there_is_noticed(proof: str) -> None:
    assert not there(proof)


def test_the_numbers_go_up_and_none_stands_twice() -> None:
    found = [int(id_[1:]) for id_, *_ in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    assert len(found) > 60
    assert found == sorted(set(found))


def test_each_line_of_a_table_is_an_erratum_that_was_read() -> None:
    lines = [one for one in PAGE.read_text(encoding="utf-8").splitlines() if one.startswith("| E")]
    assert len(lines) == len(rows())


def test_there_is_a_section_for_each_lab_and_for_no_other() -> None:
    sections = [m[1] for h in docs.headings(PAGE) if (m := re.match(r"Section (\d+):", h))]
    labs = [int(lab.name[:2]) for lab in COURSE.labs() if not lab.name.startswith("00")]
    assert [int(n) for n in sections] == labs


def test_what_the_samples_call_an_erratum_is_one() -> None:
    named = {
        number
        for page in ROOT.glob("labs/*/samples/README.md")
        for number in re.findall(r"\bE\d+\b", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 30
    assert named - rows().keys() == set()
