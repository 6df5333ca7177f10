"""Where a model comes from and which one it is; images are made up of bytes."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from grader.checks import model
from grader.errors import EngineError, SpecError
from grader.facts import Retrained
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
PATH = "/app/models/digits.onnx"


class Reader:
    def __init__(self, **files: bytes) -> None:
        self.files = files

    def read(self, path: str) -> bytes | None:
        return self.files.get("model") if path == PATH else self.files.get("other")


class Reference:
    def __init__(self, data: bytes | None) -> None:
        self.data = data

    def bytes_of(self, of: str, path: str) -> bytes | None:
        assert (of, path) == ("baseline", PATH)
        return self.data


# -- built_here -----------------------------------------------------------------------------------

MODEL = b"\x08\x01tag\x00weights"
SHA = hashlib.sha256(MODEL).hexdigest()
BUILT = [
    ("what the changed script gives", Reader(model=MODEL), P, ""),
    ("committed beforehand", Reader(model=b"\x08\x01course\x00weights"), F, "train.py changes"),
    ("the tag patched in", Reader(model=MODEL + b"\x00"), F, "not trained in this build"),
    ("one bit", Reader(model=MODEL[:-1] + b"r"), F, "not trained in this build"),
    ("not there", Reader(other=MODEL), F, f"no file {PATH}"),
    ("empty", Reader(model=b""), F, "not trained in this build"),
]


@pytest.mark.parametrize(
    ("reader", "outcome", "words"), [b[1:] for b in BUILT], ids=[b[0] for b in BUILT]
)
def test_built_here(reader: Any, outcome: Outcome, words: str) -> None:
    result = model.built_here(Retrained(SHA, reader), path=PATH)
    assert result.outcome is outcome
    assert words in result.message


# -- same -----------------------------------------------------------------------------------------

SAME = [
    ("the same bytes", b"weights", P, ""),
    ("one byte more", b"weights\n", F, "another model"),
    ("one bit", b"weightr", F, "another model"),
    ("empty", b"", F, "another model"),
    ("not there", None, F, f"no file {PATH}"),
]


@pytest.mark.parametrize(
    ("data", "outcome", "words"), [s[1:] for s in SAME], ids=[s[0] for s in SAME]
)
def test_same(data: bytes | None, outcome: Outcome, words: str) -> None:
    reader: Any = Reader() if data is None else Reader(model=data)
    reference: Any = Reference(b"weights")
    result = model.same(reader, reference, path=PATH)
    assert result.outcome is outcome
    assert words in result.message
    if data is not None:
        assert result.evidence["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_reference_without_that_file_is_not_the_students_mistake() -> None:
    reader: Any = Reader(model=b"weights")
    with pytest.raises((EngineError, SpecError)):
        model.same(reader, Reference(None), path=PATH)  # type: ignore[arg-type]
