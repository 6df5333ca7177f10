"""What a learner says of five patients, against what the engine says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from grader.checks import patients
from grader.patients import CAUSES, Answers, Diagnosis, Patient, Said, Ward
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
TRUE = dict(zip("abcde", CAUSES, strict=False))
HERE = tuple(Patient(n, "w1", Diagnosis(c, f"{n}-{c}"), False, "it runs") for n, c in TRUE.items())
WARD = Ward(HERE, frozenset("abcde"))
RIGHT = {n: Said(c, f"{n}-{c}", 3) for n, c in TRUE.items()}


def said(**changed: Said | None) -> Answers:
    rows: Mapping[str, Said | None] = {**RIGHT, **changed}
    return Answers({name: row for name, row in rows.items() if row})


ANSWERED = [
    ("all of them", said(), P, "5 answers"),
    ("one is missing", said(a=None), F, "4 answers"),
    ("one too many", said(f=Said("loopback", "x")), F, "6 answers"),
    ("no cause", said(b=Said("", "x", 9)), F, "b: no cause"),
    ("a cause of their own", said(b=Said("old-age", "x", 9)), F, "'old-age' is no cause"),
    ("no evidence", said(b=Said("loopback", "", 9)), F, "address:port"),
    ("nothing at all", Answers({}), F, "0 answers"),
]


@pytest.mark.parametrize(
    ("answers", "outcome", "words"), [a[1:] for a in ANSWERED], ids=[a[0] for a in ANSWERED]
)
def test_answered(answers: Answers, outcome: Outcome, words: str) -> None:
    result = patients.answered(answers, count=5)
    assert result.outcome is outcome
    assert words in result.message


def changed(**how: object) -> Ward:
    return replace(WARD, patients=(replace(HERE[0], **how), *HERE[1:]))  # type: ignore[arg-type]


UNTOUCHED = [
    ("as they came", WARD, P, "nobody"),
    ("started again", changed(touched=True), F, "a was started again"),
    ("stopped", changed(ails=None, seen="its exit code is 0"), F, "its exit code is 0"),
    ("of two wards", changed(ward="w2"), F, "not admitted together"),
    ("one that is not here", replace(WARD, unknown=("z",)), F, "no patient called z"),
    ("one more is here", replace(WARD, names=frozenset("abcdef")), F, "f is a patient of yours"),
]


@pytest.mark.parametrize(
    ("ward", "outcome", "words"), [u[1:] for u in UNTOUCHED], ids=[u[0] for u in UNTOUCHED]
)
def test_untouched(ward: Ward, outcome: Outcome, words: str) -> None:
    result = patients.untouched(ward)
    assert result.outcome is outcome
    assert words in result.message


def test_causes() -> None:
    assert patients.causes(WARD, said()).outcome is P
    result = patients.causes(WARD, said(a=RIGHT["b"], b=RIGHT["a"]))
    assert result.outcome is F
    assert result.evidence["wrong"] == ["a", "b"]
    assert "3 of 5" in result.message


def test_a_wrong_cause_is_told_without_the_right_one() -> None:
    result = patients.causes(WARD, said(a=Said("loopback", "x")))
    assert "not loopback; it runs" in result.message
    assert TRUE["a"] not in result.message


@pytest.mark.parametrize(
    ("evidence", "outcome"), [("a-missing-library", P), ("a-missing-librar", F), ("1", F)]
)
def test_evidence(evidence: str, outcome: Outcome) -> None:
    result = patients.evidence(WARD, said(a=Said(TRUE["a"], evidence, 4)))
    assert result.outcome is outcome
    assert "a-missing-library" not in result.message
