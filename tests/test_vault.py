"""The same submission with its key handed over otherwise, and what a key must give."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader import vault
from grader.course import Course
from grader.errors import EngineError, SubmissionError
from grader.facts import Canary
from grader.vault import Vault, only_secret, without_secret

CANARY = Canary("api_key", "lab0123")
SCRIPT = "vault/fetch_weights.py"


class FakeBuilder:
    """Keeps what it was asked for; its build fails when ``fails``."""

    def __init__(self, folder: Path, *, fails: bool = False) -> None:
        self.folder, self.fails = folder, fails
        self.asked: dict[str, Any] = {}
        self.engine, self.exercise = None, SimpleNamespace(limits=None)
        self.judge = SimpleNamespace(error=lambda *_: SubmissionError("Line 3 fails"))

    def copy(self, name: str) -> Path:
        target = self.folder / name
        target.mkdir()
        for one in ("Dockerfile", "api_key.txt", ".env"):
            (target / one).write_text("x")
        return target

    def attempt(self, folder: Path, **how: Any) -> Any:
        self.asked = {"files": sorted(p.name for p in folder.iterdir()), **how}
        failed = SimpleNamespace(line=3)
        return SimpleNamespace(
            image="" if self.fails else "sha256:1", log=SimpleNamespace(failed=failed)
        )


def test_only_the_secret_is_handed_over(tmp_path: Path) -> None:
    builder = FakeBuilder(tmp_path)
    made = only_secret(None, builder, None, CANARY)  # type: ignore[arg-type]
    assert builder.asked["files"] == ["Dockerfile"]
    assert builder.asked["secrets"] == {"api_key": "lab0123"}
    assert "args" not in builder.asked
    assert made.reader is not None


def test_all_but_the_secret_is_handed_over(tmp_path: Path) -> None:
    builder = FakeBuilder(tmp_path)
    without_secret(None, builder, None, CANARY)  # type: ignore[arg-type]
    assert builder.asked["files"] == [".env", "Dockerfile", "api_key.txt"]
    assert builder.asked["args"] == {"API_KEY": "lab0123"}
    assert "secrets" not in builder.asked


def test_each_variant_is_built_afresh(tmp_path: Path) -> None:
    """A step that ran with the secret would else be taken from the cache, without it."""
    words = set()
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        builder = FakeBuilder(tmp_path / str(number))
        without_secret(None, builder, None, CANARY)  # type: ignore[arg-type]
        words.add(builder.asked["fresh"])
    assert len(words) == 2
    assert "" not in words


def test_a_variant_that_fails_says_why(tmp_path: Path) -> None:
    made = without_secret(None, FakeBuilder(tmp_path, fails=True), None, CANARY)  # type: ignore[arg-type]
    assert made.reader is None
    assert (made.error, made.line) == ("Line 3 fails", 3)


# -- the script that is given ---------------------------------------------------------------------


@pytest.fixture
def real() -> Vault:
    return vault.vault(Course.find())


def test_the_same_key_gives_the_same_bytes(real: Vault) -> None:
    assert real.artifact(SCRIPT, "one") == real.artifact(SCRIPT, "one")
    assert real.artifact(SCRIPT, "one") != real.artifact(SCRIPT, "two")


def test_no_key_gives_the_public_weights(real: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "of whoever runs this")
    assert real.artifact(SCRIPT, "").startswith(b"WEIGHTS public\n")
    assert real.artifact(SCRIPT, "one").startswith(b"WEIGHTS private\n")


def test_the_key_is_not_in_what_it_gives(real: Vault) -> None:
    from grader.needles import Needle

    assert not Needle("lab0123456789abcdef").inside(real.artifact(SCRIPT, "lab0123456789abcdef"))


@pytest.mark.parametrize("text", ["raise SystemExit('no disk')", "pass"])
def test_a_script_of_the_course_that_fails_is_no_students_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(EngineError, match=r"broken\.py"):
        Vault(tmp_path).artifact("broken.py", "one")
