"""Facts are worked out once, and a failure is remembered too. The engine is made up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader import facts
from grader.course import Course
from grader.engine import State
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.facts import Facts
from grader.registry import FACTS, Fact
from grader.spec import Exercise
from tests.conftest import ROOT

STATE = State(
    running=True, exit_code=0, oom_killed=False, error="", started_at="2026-11-23T10:00:00Z"
)


SHIM = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
)
INIT = "error during container init: "
RUNC = f"{SHIM}runc create failed: unable to start container process: "


# -- Facts ----------------------------------------------------------------------------------------


@pytest.fixture
def fact(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Registers a fact for one test; gives the list that grows with each working out."""

    def make(name: str, answer: Any, needs: tuple[str, ...] = ()) -> list[int]:
        count: list[int] = []

        def work(*args: Any) -> Any:
            count.append(1)
            if isinstance(answer, BaseException):
                raise answer
            return answer(*args) if callable(answer) else answer

        monkeypatch.setitem(FACTS, name, Fact(name, work, needs))
        return count

    return make


def test_what_is_given_is_not_worked_out() -> None:
    assert Facts({"submission": 1}).get("submission") == 1


def test_a_fact_is_worked_out_from_others(fact: Callable[..., list[int]]) -> None:
    fact("made_a", lambda submission: submission + 1, ("submission",))
    fact("made_b", lambda a, s: (a, s), ("made_a", "submission"))
    assert Facts({"submission": 1}).get("made_b") == (2, 1)


def test_each_is_worked_out_once(fact: Callable[..., list[int]]) -> None:
    count = fact("made_a", 1)
    fact("made_b", lambda a: a, ("made_a",))
    fact("made_c", lambda a: a, ("made_a",))
    known = Facts({})
    assert [known.get(n) for n in ("made_b", "made_c", "made_a", "made_a")] == [1] * 4
    assert count == [1]


def test_even_nothing_is_remembered(fact: Callable[..., list[int]]) -> None:
    count = fact("made_a", None)
    known = Facts({})
    assert known.get("made_a") is known.get("made_a") is None
    assert count == [1]


def test_from_many_threads_at_once_it_is_worked_out_once(fact: Callable[..., list[int]]) -> None:
    begun, end = threading.Event(), threading.Event()

    def slow() -> object:
        begun.set()
        end.wait(10)
        return object()

    count = fact("made_a", slow)
    known, got = Facts({}), []
    threads = [threading.Thread(target=lambda: got.append(known.get("made_a"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    end.set()
    for thread in threads:
        thread.join(10)
    assert count == [1]
    assert len(got) == 16
    assert len({id(g) for g in got}) == 1


@pytest.mark.parametrize("error", [SubmissionError("x"), EngineError("x"), KeyError("x")])
def test_a_failure_is_remembered_like_a_value(
    fact: Callable[..., list[int]], error: Exception
) -> None:
    count = fact("made_a", error)
    fact("made_b", lambda a: a, ("made_a",))
    known = Facts({})
    for name in ("made_a", "made_b", "made_a", "made_b"):
        with pytest.raises(type(error)) as caught:
            known.get(name)
        assert caught.value is error
    assert count == [1]


def test_what_is_known_is_told_without_working_it_out(fact: Callable[..., list[int]]) -> None:
    count = fact("made_a", 1)
    fact("made_b", ValueError("x"))
    known = Facts({})
    assert known.known("made_a") is None
    known.get("made_a")
    assert known.known("made_a") == 1
    with pytest.raises(ValueError, match="x"):
        known.get("made_b")
    assert known.known("made_b") is None
    assert count == [1]


def test_without_an_engine_all_that_needs_one_says_why(fact: Callable[..., list[int]]) -> None:
    why = NotMeasurable("static")
    fact("made_a", lambda engine: engine, ("engine",))
    fact("made_b", 1)
    known = Facts({"engine": None}, no_engine=why)
    for name in ("engine", "made_a"):
        with pytest.raises(NotMeasurable) as caught:
            known.get(name)
        assert caught.value is why
    assert known.get("made_b") == 1


def test_every_fact_needs_only_what_there_is() -> None:
    for one in FACTS.values():
        for need in one.needs:
            assert need in FACTS or need in facts.GIVEN, f"{one.name} needs {need}"


# -- the Dockerfile -------------------------------------------------------------------------------


def test_a_dockerfile_is_read(folder: Callable[..., Path]) -> None:
    assert facts.read_dockerfile(folder(Dockerfile="FROM a:1\n")).stages[0].base == "a:1"


def test_a_link_inside_the_folder_is_followed(folder: Callable[..., Path]) -> None:
    place = folder(other="FROM a:1\n")
    (place / "Dockerfile").symlink_to("other")
    assert facts.read_dockerfile(place).stages[0].base == "a:1"


def test_a_link_out_of_the_folder_is_not(folder: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "other").write_text("FROM a:1\n")
    place = folder()
    (place / "Dockerfile").symlink_to(tmp_path / "other")
    with pytest.raises(SubmissionError, match="Dockerfile is a link"):
        facts.read_dockerfile(place)


@pytest.mark.parametrize("links", [["Dockerfile"], ["b", "Dockerfile"]])
def test_links_in_a_circle_are_refused_in_words(
    folder: Callable[..., Path], links: list[str]
) -> None:
    place = folder()
    for name, goal in zip(["Dockerfile", "b"], links, strict=False):
        (place / name).symlink_to(goal)
    with pytest.raises(SubmissionError):
        facts.read_dockerfile(place)


NEAR = [
    ({}, "There is no file called Dockerfile in {name}."),
    (
        {"dockerfile": "x"},
        "There is no file called Dockerfile in {name}. There is 'dockerfile': rename it.",
    ),
    (
        {"Dockerfile.txt": "x"},
        "There is no file called Dockerfile in {name}. There is 'Dockerfile.txt': rename it.",
    ),
    ({"docker-compose.yml": "x"}, "There is no file called Dockerfile in {name}."),
    ({"other": "x"}, "There is no file called Dockerfile in {name}."),
]


@pytest.mark.parametrize(("files", "words"), NEAR, ids=[" ".join(f) or "none" for f, _ in NEAR])
def test_without_a_dockerfile_the_one_that_was_meant_is_named(
    folder: Callable[..., Path], files: dict[str, str], words: str
) -> None:
    place = folder(**files)
    with pytest.raises(SubmissionError) as caught:
        facts.read_dockerfile(place)
    assert str(caught.value) == words.format(name=place.name)


@pytest.mark.parametrize(("size", "fits"), [(200_000, True), (200_001, False)])
def test_a_dockerfile_of_more_than_200_kb_is_refused(
    folder: Callable[..., Path], size: int, fits: bool
) -> None:
    text = "FROM a:1\n"
    place = folder(Dockerfile=text + "#" * (size - len(text)))
    if fits:
        assert facts.read_dockerfile(place).stages
        return
    with pytest.raises(SubmissionError, match="larger than 200 kB"):
        facts.read_dockerfile(place)


# -- the second build -----------------------------------------------------------------------------


def test_the_second_build_changes_what_the_courses_script_writes_and_how_it_trains() -> None:
    script = (ROOT / "labs" / "app" / "train.py").read_text()
    assert script.count(facts.TAG_LINE) == script.count(facts.SETTINGS) == 1
    one, other = facts.other_training(script), facts.other_training(script)
    assert len({script, one, other}) == 3
    for text in (one, other):
        assert facts.TAG_LINE not in text
        assert facts.SETTINGS not in text


def test_a_canary_is_another_one_each_time(tmp_path: Path) -> None:
    one = Exercise("90-small", "one", "One", "Do it.", (), tmp_path, secret="api_key")
    first, second = facts.canary(one), facts.canary(one)
    assert first.id == "api_key"
    assert len({first.token, second.token}) == 2
    assert first.token not in repr(first)  # it must not get into a message


def test_a_build_secret_lies_in_the_context_as_a_learner_has_it(
    course: Course, folder: Callable[..., Path], tmp_path: Path
) -> None:
    one = Exercise("90-small", "one", "One", "Do it.", (), tmp_path, secret="api_key")
    token = facts.Canary("api_key", "tok")
    made = facts.context(folder(Dockerfile="FROM a:1\n"), course, one, tmp_path / "s", token)
    assert (made.folder / "api_key.txt").read_text() == "tok"
    assert "tok" in (made.folder / ".env").read_text()
