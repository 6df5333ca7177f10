"""What a service is asked under a constraint, and how what came of it is put."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import behaviour
from grader.behaviour import Asked, Cramped, Ran
from grader.clock import moment
from grader.engine import Image, State
from grader.errors import EngineError, SubmissionError
from grader.references import Answer
from grader.registry import CHECKS, load_checks
from grader.running import Questions, Reply
from grader.spec import Exercise, Item

KNOWN = Answer((3,) * 64, 7, (1.0,))
IMAGE = Image("sha256:1", (), (), {"Cmd": ["x"]})


def exercise(*rows: tuple[str, dict[str, object]]) -> Exercise:
    load_checks()
    items = tuple(Item(f"{n}", CHECKS[use], had, 1) for n, (use, had) in enumerate(rows))
    return Exercise("90-small", "one", "One", "Do it.", items, Path("/nowhere"))


def test_known_questions_are_taken_where_the_exercise_has_some() -> None:
    asked = behaviour.pictures(Questions((KNOWN,) * 9))
    assert asked.answers == (KNOWN,) * behaviour.ASKED
    assert asked.bodies[0] == {"pixels": KNOWN.pixels}


def test_else_pictures_are_drawn_anew_for_each_run() -> None:
    one, other = behaviour.pictures(Questions()), behaviour.pictures(Questions())
    assert one.bodies != other.bodies
    assert one.answers == (None,) * behaviour.ASKED
    assert all(len(b["pixels"]) == 64 and max(b["pixels"]) <= 16 for b in one.bodies)


WRONG = [
    ((Reply(200, '{"digit": 7}'), Reply(200, "")), 0),
    ((Reply(200, '{"digit": 8}'), Reply(200, "")), 1),
    ((Reply(404, '{"digit": 7}'), Reply(0, "reset")), 2),
    ((Reply(200, '{"digit": 7}'),), 1),
    ((), 1),
]


@pytest.mark.parametrize(("replies", "count"), WRONG)
def test_what_is_not_right_about_answers(replies: tuple[Reply, ...], count: int) -> None:
    asked = Asked(({"pixels": (3,)},) * 2, (KNOWN, None))
    assert len(Ran(1.0, asked, replies).wrong) == count


def test_a_students_mistake_is_told_with_its_constraint_and_the_machines_is_not() -> None:
    how = behaviour.told("With --read-only")
    with pytest.raises(SubmissionError, match=r"With --read-only: it ended") as caught, how:
        raise SubmissionError("it ended", line=3, evidence={"a": 1})
    assert (caught.value.line, caught.value.evidence) == (3, {"a": 1})
    with pytest.raises(EngineError, match=r"^gone$"), behaviour.told("With --read-only"):
        raise EngineError("gone")


def test_settings_are_found_wherever_a_check_is_used_and_once() -> None:
    fits = [("limits.fits", {"memory_mb": mb}) for mb in (64, 128, 64)]
    one = exercise(*fits, ("service.ready", {}))
    assert behaviour.settings(one, "limits.fits", "memory_mb") == (64, 128)
    assert behaviour.settings(one, "stop.graceful", "max_seconds") == ()


# -- the containers --------------------------------------------------------------------------------


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every container that would have been run: its settings, and the memory it may use."""
    seen: list[dict[str, Any]] = []

    def run_so(image: Image, questions: Any, engine: Any, one: Exercise, **how: Any) -> Ran:
        seen.append({**how, "memory_mb": one.limits.memory_mb})
        if one.limits.memory_mb < 100:
            raise SubmissionError("too little")
        return Ran(1.0, Asked((), ()), ())

    monkeypatch.setattr(behaviour, "run_so", run_so)
    return seen


def test_each_constraint_is_what_its_command_line_says(runs: list[dict[str, Any]]) -> None:
    one, nothing = exercise(), Questions()
    engine: Any = None
    behaviour.read_only_run(IMAGE, nothing, engine, one)
    behaviour.powerless_run(IMAGE, nothing, engine, one)
    as_user = [behaviour.any_user_run(IMAGE, nothing, engine, one).uid for _ in range(3)]
    assert runs[0]["read_only"] is True
    assert list(runs[0]["tmpfs"]) == ["/tmp"]
    assert (runs[1]["cap_drop"], runs[1]["security_opt"]) == (["ALL"], ["no-new-privileges"])
    assert [run["user"] for run in runs[2:]] == [f"{uid}:0" for uid in as_user]
    assert len(set(as_user)) > 1


def test_each_memory_limit_is_run_and_one_that_is_too_low_is_a_value(
    runs: list[dict[str, Any]],
) -> None:
    one = exercise(("limits.fits", {"memory_mb": 64}), ("limits.fits", {"memory_mb": 128}))
    engine: Any = None
    found: Cramped = behaviour.cramped_runs(IMAGE, Questions(), engine, one)
    assert [run["memory_mb"] for run in runs] == [64, 128]
    assert isinstance(found.by_limit[128], Ran)
    assert str(found.by_limit[64]) == "With --memory 64m --memory-swap 64m: too little"


def test_a_machine_that_fails_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_so(*_: Any, **__: Any) -> Ran:
        raise EngineError("gone")

    monkeypatch.setattr(behaviour, "run_so", run_so)
    engine: Any = None
    with pytest.raises(EngineError):
        behaviour.cramped_runs(
            IMAGE, Questions(), engine, exercise(("limits.fits", {"memory_mb": 64}))
        )


class FakeEngine:
    """One container; its states come one after the other, the last one for ever."""

    def __init__(self, *states: State) -> None:
        self.states = list(states)
        self.created: dict[str, Any] = {}
        self.too_big: set[str] = set()

    def create(self, image: str, **how: Any) -> str:
        self.created = how
        return "c1"

    def start(self, container: str) -> str:
        return ""

    def state(self, container: str) -> State:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def processes(self, container: str) -> list[tuple[int, int, str]]:
        return [(1, 10001, "a"), (2, 10001, "b"), (3, 7, "c")]

    def stats(self, container: str) -> dict[str, Any]:
        return {"memory_stats": {"usage": 42}}

    def ping(self) -> None:
        pass

    def logs(self, container: str, *, tail: int) -> str:
        return ""


UP = State(True, 0, False, "", "2026-11-25T10:00:00Z")
PROBED = Image("sha256:1", (), (), {"Cmd": ["x"], "Healthcheck": {"Test": ["CMD", "x"]}})


def run(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, image: Image = IMAGE) -> Ran:
    ready = moment(UP.started_at) + 1.5
    monkeypatch.setattr(behaviour, "readied", lambda *_: (ready, (Reply(200, "a"),)))
    monkeypatch.setattr(behaviour, "HEALTHY_SECONDS", 0.2)
    given: Any = engine
    return behaviour.run_so(image, Questions(), given, exercise(), read_only=True)


def test_what_is_seen_of_a_run_comes_from_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine(replace(UP, oom_killed=True))
    got = run(engine, monkeypatch)
    assert (got.ready_seconds, got.uids, got.memory) == (1.5, (7, 10001), 42)
    assert (got.health, got.oom_killed, got.replies) == (None, True, (Reply(200, "a"),))
    assert engine.created["read_only"] is True
    assert not engine.created["healthcheck"]


def test_a_run_that_ends_after_its_answers_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SubmissionError, match="exit code 3"):
        run(FakeEngine(replace(UP, running=False, exit_code=3)), monkeypatch)


HEALTHS = [(["starting", "unhealthy", "healthy"], "healthy"), (["starting"], "starting")]


@pytest.mark.parametrize(("seen", "health"), HEALTHS)
def test_the_images_own_probe_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, seen: list[str], health: str
) -> None:
    engine = FakeEngine(*(replace(UP, health=one) for one in seen))
    assert run(engine, monkeypatch, PROBED).health == health
    assert engine.created["healthcheck"] == behaviour.QUICK


def test_no_more_containers_start_at_once_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most = 0, 0
    room = threading.Barrier(behaviour.AT_ONCE)

    def start(*_: Any, **__: Any) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        room.wait(10)  # all that may start are here, and no other
        return "c1"

    def readied(*_: Any) -> tuple[float, tuple[Reply, ...]]:
        nonlocal running
        running -= 1
        return 1.0, ()

    monkeypatch.setattr(behaviour, "start", start)
    monkeypatch.setattr(behaviour, "readied", readied)
    engine: Any = None
    count = 3 * behaviour.AT_ONCE
    with ThreadPoolExecutor(count) as pool:
        ups = [pool.submit(behaviour.up, IMAGE, engine, exercise()) for _ in range(count)]
    assert [one.result().container for one in ups] == ["c1"] * count
    assert most <= behaviour.AT_ONCE
