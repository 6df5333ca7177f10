"""The planted tree, and who tells what of it is sent. No engine is asked."""

from __future__ import annotations

import random
import runpy
from pathlib import Path
from typing import Any

import pytest

from grader import ignore, sent
from grader.course import Course
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.facts import Facts
from grader.sent import Planted, Sent
from tests.conftest import ROOT

SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "labs/app/planted/plant.py"))


def plant(course: Course, tmp_path: Path, text: str) -> Planted:
    submission = tmp_path / "submission"
    submission.mkdir(exist_ok=True)
    (submission / ".dockerignore").write_text(text)
    (submission / "stray").write_text("x")
    exercise = course.exercise("03-build-optimization/context")
    rules = sent.ignored(submission)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return sent.planted(rules, submission, course, exercise, scratch)


def test_the_tree_holds_what_it_says_and_nothing_of_the_submission(
    course: Course, tmp_path: Path
) -> None:
    tree = plant(course, tmp_path, "data\n")
    there = {p.relative_to(tree.folder).as_posix() for p in tree.folder.rglob("*") if p.is_file()}
    assert there == tree.needed | tree.litter | sent.OURS
    assert (tree.folder / ".dockerignore").read_text() == "data\n"
    assert not tree.needed & tree.litter


def test_the_names_are_others_each_time_and_the_kinds_are_the_same() -> None:
    first, second = (SCRIPT["names"](random.Random(n)) for n in (1, 2))
    assert first != second
    assert [len(x) for x in first] == [len(x) for x in second]


def wanted(path: str) -> bool:
    models = path.startswith("models/") and path.count("/") == 1 and path.endswith(".onnx")
    return (
        models or path == "requirements.txt" or (path.startswith("app/") and path.endswith(".py"))
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_is_needed_is_what_the_task_says(seed: int) -> None:
    needed, litter = SCRIPT["names"](random.Random(seed))
    assert all(map(wanted, needed))
    assert not any(map(wanted, litter))


@pytest.mark.parametrize("time", range(5))
def test_so_it_is_under_names_that_the_script_never_makes(
    course: Course, tmp_path: Path, time: int
) -> None:
    tree = plant(course, tmp_path, f"# {time}\n")
    assert all(map(wanted, tree.needed))
    assert not any(map(wanted, tree.litter))
    kinds = [len(SCRIPT[kind].split()) for kind in ("NEEDED", "LITTER")]
    assert len(tree.needed) == kinds[0]
    assert len(tree.litter | {".gitignore"}) >= kinds[1]
    assert max(path.count("/") for path in tree.needed) > 2
    assert not any(word in path for word in SCRIPT["WORDS"] for path in tree.needed)


def test_a_tree_that_is_there_is_not_planted_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["plant.py", str(tmp_path)])
    assert SCRIPT["main"]() == 1
    assert "is there already" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["Dockerfile.dockerignore", "x.dockerignore"])
def test_an_ignore_file_for_one_builder_alone_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*\n")
    (tmp_path / name).write_text("*\n")
    with pytest.raises(SubmissionError, match=name):
        sent.ignored(tmp_path)


def test_without_the_file_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"no file \.dockerignore"):
        sent.ignored(tmp_path)


TREE = Planted(Path("/x"), frozenset({"app/a/b.py"}), frozenset({"data/x"}))
RULES = ignore.parse(b"*\n!app/**/*.py\n")


def facts(**known: Any) -> Facts:
    return Facts(known)


class Failing(Facts):
    """Every fact ends so."""

    def __init__(self, error: Exception) -> None:
        super().__init__({})
        self.error = error

    def get(self, name: str) -> Any:
        raise self.error


def test_what_was_measured_counts_and_not_what_the_rules_say() -> None:
    seen = Sent(frozenset({"seen"}), "BuildKit")
    assert sent.arrived(TREE, RULES, facts(sent=seen)) is seen
    assert sent.classic(TREE, RULES, facts(classic_sent=seen)) is seen


def test_without_an_engine_the_rules_are_read() -> None:
    none = Failing(NotMeasurable("static"))
    assert sent.arrived(TREE, RULES, none).files == {"app/a/b.py"}
    assert sent.classic(TREE, RULES, none).files == frozenset()
    assert "rules" in sent.arrived(TREE, RULES, none).by


@pytest.mark.parametrize("error", [EngineError("lost"), SubmissionError("fails")])
def test_any_other_failure_stays_one(error: Exception) -> None:
    for fact in (sent.arrived, sent.classic):
        with pytest.raises(type(error)):
            fact(TREE, RULES, Failing(error))


def test_what_every_builder_reads_is_neither_needed_nor_litter() -> None:
    assert sent.named(
        ["/context/.dockerignore", "/context/Dockerfile", "/context/a/Dockerfile"]
    ) == {"a/Dockerfile"}
