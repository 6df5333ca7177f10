"""Facts about a running container: answers, starts, ends, health; with fakes, no daemon."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import builder, busy, probe, running
from grader.context import Context
from grader.engine import Image, Layer, State, _command_at_fault
from grader.errors import EngineError, SubmissionError
from grader.references import Answer
from grader.registry import CHECKS, load_checks
from grader.running import Health, Questions, Reply
from grader.spec import Exercise, Item, Limits

STATE = State(
    running=True, exit_code=0, oom_killed=False, error="", started_at="2026-11-23T10:00:00Z"
)


SHIM = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
)
INIT = "error during container init: "
RUNC = f"{SHIM}runc create failed: unable to start container process: "


# -- replies --------------------------------------------------------------------------------------

REPLIES: list[tuple[str, int | None, list[float]]] = [
    ('{"digit": 7, "proba": [0.5, 1, 0]}', 7, [0.5, 1, 0]),
    ('{"digit": 7}', 7, []),
    ('{"digit": 7.0, "proba": []}', None, []),
    ('{"digit": "7", "proba": "1"}', None, []),
    ('{"digit": true, "proba": null}', None, []),
    ('{"digit": null, "proba": [1, "x"]}', None, []),
    ('{"digit": 7, "proba": [[1]]}', 7, []),
    ('{"proba": [0.5]}', None, [0.5]),
    ("[7]", None, []),
    ("7", None, []),
    ("null", None, []),
    ("", None, []),
    ("not json", None, []),
    ('{"digit": 7', None, []),
    ("[" * 2000, None, []),
    ('{"digit": ' + "[" * 1900, None, []),
    ('{"digit": 1' + "0" * 1900 + "}", int("1" + "0" * 1900), []),
]


@pytest.mark.parametrize(("text", "digit", "proba"), REPLIES, ids=[r[0][:30] for r in REPLIES])
def test_whatever_a_service_answers_is_read_without_a_crash(
    text: str, digit: int | None, proba: list[float]
) -> None:
    reply = Reply(200, text)
    assert reply.digit == digit
    assert reply.proba == proba


def test_a_probability_too_large_for_a_float_is_no_crash() -> None:
    assert Reply(200, '{"digit": 7, "proba": [1' + "0" * 400 + "]}").proba in ([], [float("inf")])


def test_the_questions_are_the_noisy_ones_and_then_the_held_out() -> None:
    asked = Questions((Answer((1,), 1, (1.0,)),), (((2,), 2), ((3,), 3)))
    assert asked.bodies == [{"pixels": (1,)}, {"pixels": (2,)}, {"pixels": (3,)}]


ANSWERS = [Answer((n,), n % 10, (1.0,)) for n in range(30)]


class FakeReference:
    """What the reference says, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.all = self

    def answers(self, of: str) -> list[Answer]:
        self.asked.append(of)
        return ANSWERS

    def held_out(self) -> list[tuple[tuple[int, ...], int]]:
        self.asked.append("held out")
        return [((1,), 1), ((2,), 2)]


def one_that_checks(*uses: str, **settings: Any) -> Exercise:
    load_checks()
    items = tuple(
        Item(use, CHECKS[use], {"of": "baseline", "count": 20, **settings}, 1) for use in uses
    )
    return replace(exercise(), items=items)


ASKS = [
    (("service.ready",), 0, 0, []),
    (("service.predicts",), 20, 0, ["baseline"]),
    (("service.accuracy",), 0, 2, ["held out"]),
    (("service.ready", "service.predicts", "service.accuracy"), 20, 2, ["baseline", "held out"]),
]


@pytest.mark.parametrize(("uses", "noisy", "held_out", "asked"), ASKS)
def test_only_what_some_check_asks_for_is_asked(
    uses: tuple[str, ...], noisy: int, held_out: int, asked: list[str]
) -> None:
    reference: Any = FakeReference()
    got = running.questions(one_that_checks(*uses), reference)
    assert (len(got.noisy), len(got.held_out)) == (noisy, held_out)
    assert reference.asked == asked
    assert len(set(got.noisy)) == noisy, "none is asked twice"


def test_questions_are_drawn_anew_for_each_run() -> None:
    reference: Any = FakeReference()
    one = one_that_checks("service.predicts")
    assert len({running.questions(one, reference).noisy for _ in range(5)}) > 1


def test_the_reference_is_the_one_that_the_check_names() -> None:
    reference: Any = FakeReference()
    running.questions(one_that_checks("service.predicts", of="reference"), reference)
    assert reference.asked == ["reference"]


def test_more_than_there_are_is_all_there_are() -> None:
    reference: Any = FakeReference()
    got = running.questions(one_that_checks("service.predicts", count=99), reference)
    assert len(got.noisy) == 30


LINKS = [
    (SubmissionError("x", line=3, evidence={"a": 1}), (), "x"),
    (
        SubmissionError("x", line=3, evidence={"a": 1}),
        ("l -> /etc",),
        "x Note that l -> /etc points out",
    ),
    (EngineError("x"), ("l -> /etc",), "x"),
]


@pytest.mark.parametrize(("error", "links", "words"), LINKS)
def test_a_link_out_of_the_folder_is_told_when_the_build_fails(
    error: Exception, links: tuple[str, ...], words: str
) -> None:
    got = builder._with_links(error, Context(Path("/x"), 1, outside_links=links))
    assert type(got) is type(error)
    assert str(got).startswith(words)
    assert str(got) == "x" or links
    if isinstance(got, SubmissionError):
        assert (got.line, got.evidence) == (3, {"a": 1})


# -- the container --------------------------------------------------------------------------------


class FakeEngine:
    """One container, with a life that a test writes."""

    def __init__(self, *states: State, start: str = "", log: str = "") -> None:
        self.states, self.refusal, self.log = list(states) or [STATE], start, log
        self.created: list[dict[str, Any]] = []
        self.refuses: Exception | None = None
        self.gone = False
        self.too_big: set[str] = set()

    def paused(self, container: str) -> AbstractContextManager[None]:
        return nullcontext()

    def create(self, image: str, **settings: Any) -> str:
        if self.refuses:
            raise self.refuses
        self.created.append({"image": image, **settings})
        return "c1"

    def start(self, container: str) -> str:
        return self.refusal

    def state(self, container: str) -> State:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def ping(self) -> None:
        if self.gone:
            raise EngineError("gone")

    def logs(self, container: str, *, tail: int = 20) -> str:
        return self.log


def image(**config: Any) -> Image:
    return Image("sha256:1", (), (Layer("x", 1),), {"Cmd": ["x"], **config})


def exercise(**limits: Any) -> Exercise:
    return Exercise(
        "90-small", "one", "One", "Do it.", (), Path("/nowhere"), port=9000, limits=Limits(**limits)
    )


def test_the_container_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    running.container(image(), engine, exercise(memory_mb=100, pids=7))  # type: ignore[arg-type]
    (made,) = engine.created
    assert (made["memory"], made["pids"]) == (100_000_000, 7)
    assert made.get("network", "none") == "none"
    assert not made.get("healthcheck")


def test_a_healthcheck_is_only_made_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    running.container(image(Healthcheck={"Test": ["CMD", "x"]}), engine, exercise())  # type: ignore[arg-type]
    assert engine.created[0]["healthcheck"] == {"interval": running.HEALTH_INTERVAL}


def test_a_command_that_is_not_there_is_the_students_and_said_in_short() -> None:
    why = f'{RUNC}exec: "uvicorn": executable file not found in $PATH: unknown'
    with pytest.raises(SubmissionError) as caught:
        running.container(image(), FakeEngine(start=why), exercise())  # type: ignore[arg-type]
    assert str(caught.value) == (
        'The container does not start: exec: "uvicorn": executable file not found in $PATH: unknown'
    )


COMMANDS = [
    ("none", None, None, False),
    ("emptied", [], [], False),
    ("CMD", ["x"], None, True),
    ("ENTRYPOINT", None, ["x"], True),
]


@pytest.mark.parametrize(
    ("cmd", "entrypoint", "starts"), [c[1:] for c in COMMANDS], ids=[c[0] for c in COMMANDS]
)
def test_an_image_without_a_command_is_the_students(
    cmd: list[str] | None, entrypoint: list[str] | None, starts: bool
) -> None:
    """The engine refuses it already when the container is created."""
    engine: Any = FakeEngine()
    if not starts:
        engine.refuses = EngineError("Docker failed to create a container: no command specified")
    one = image(Cmd=cmd, Entrypoint=entrypoint)
    if starts:
        assert running.container(one, engine, exercise()) == "c1"
        return
    with pytest.raises(SubmissionError, match="CMD"):
        running.container(one, engine, exercise())


STARTS = [
    # the image's own command, user or folder
    (f'{RUNC}exec: "uvicorn": executable file not found in $PATH: unknown', True),
    (f"{RUNC}exec /opt/venv/bin/uvicorn: no such file or directory: unknown", True),
    (f'{RUNC}exec: "/app/run.sh": permission denied: unknown', True),
    (f'{RUNC}exec: "/app": is a directory: unknown', True),
    (f'{RUNC}chdir to cwd ("/x") set in config.json failed: not a directory: unknown', True),
    (f'{RUNC}chdir to cwd ("/x") set in config.json failed: permission denied: unknown', True),
    (f"{RUNC}exec /app/run: exec format error: unknown", True),
    (
        f'{RUNC}{INIT}exec: "/bin/sh": stat /bin/sh: no such file or directory',
        True,
    ),
    ("unable to find user mluser: no matching entries in passwd file", True),
    ("unable to find group ml: no matching entries in group file", True),
    ("no command specified", True),
    # the machine
    ("failed to create endpoint x on network bridge: permission denied", False),
    ("driver failed programming external connectivity on endpoint x", False),
    ('exec: "runc": executable file not found in $PATH', False),
    (
        'failed to start shim: exec: "containerd-shim-runc-v2": executable file not found in $PATH',
        False,
    ),
    (
        "failed to start shim: fork/exec /bin/containerd-shim-runc-v2: no such file or directory",
        False,
    ),
    (
        "error creating overlay mount to /var/lib/docker/x/merged: no such file or directory",
        False,
    ),
    ("error while creating mount source path '/x': mkdir /x: permission denied", False),
    (
        f"{RUNC}unable to apply cgroup configuration: mkdir /sys/fs/cgroup/x: permission denied",
        False,
    ),
    (
        f"{RUNC}unable to apply cgroup configuration: open /x: no such file or directory",
        False,
    ),
    (
        f'{RUNC}{INIT}error mounting "proc" to rootfs at "/proc": permission denied',
        False,
    ),
    ("dial unix /run/containerd/containerd.sock: connect: no such file or directory", False),
    ("dial unix /var/run/docker.sock: connect: permission denied", False),
    ("write /var/lib/docker/x: no space left on device", False),
    ("cannot allocate memory", False),
    ("", False),
]


@pytest.mark.parametrize(("why", "students"), STARTS, ids=[w[-60:] for w, _ in STARTS])
def test_whose_fault_it_is_when_a_container_does_not_start(why: str, students: bool) -> None:
    assert _command_at_fault(why) is students


# -- the service ----------------------------------------------------------------------------------


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the probe measured; ``ended`` is called with ``state`` when there is one."""

    def make(*, state: State | None = None, **more: Any) -> None:
        answer = {
            "ready_at": None,
            "status": None,
            "error": "",
            "loopback_only": False,
            "answers": [],
            **more,
        }

        def talk(*_: Any, ended: Callable[[State], None], **asked: Any) -> Mapping[str, Any]:
            assert asked["port"] == 9000
            if state is not None:
                ended(state)
            return answer

        monkeypatch.setattr(probe, "talk", talk)

    return make


def serve(engine: FakeEngine | None = None, asked: Questions | None = None) -> running.Service:
    return running.service(
        asked or Questions(),
        "c1",
        engine or FakeEngine(log="line one\n\nline two\n"),  # type: ignore[arg-type]
        exercise(ready_seconds=7),
    )


def test_a_service_that_gets_ready_has_its_answers_in_two_heaps(said: Callable[..., None]) -> None:
    said(ready_at=1795428002.5, answers=[[200, "a"], [500, "b"], [0, "c"]])
    asked = Questions((Answer((1,), 1, (1.0,)),), (((2,), 2), ((3,), 3)))
    got = serve(asked=asked)
    assert got.ready_seconds == 2.5
    assert got.noisy == (Reply(200, "a"),)
    assert got.held_out == (Reply(500, "b"), Reply(0, "c"))


def test_clocks_that_disagree_give_no_negative_time(said: Callable[..., None]) -> None:
    said(ready_at=1.0)
    assert serve().ready_seconds == 0


NOT_READY: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "nothing listens",
        {"error": "ConnectionRefusedError: refused"},
        ["nothing answers on port 9000", "7 s", "line two"],
    ),
    (
        "it answers 503",
        {"status": 503, "error": "loading"},
        ["GET /ready answered 503: loading", "7 s"],
    ),
    ("only the loopback", {"loopback_only": True}, ["127.0.0.1:9000 only", "0.0.0.0"]),
]


@pytest.mark.parametrize(
    ("answer", "words"), [n[1:] for n in NOT_READY], ids=[n[0] for n in NOT_READY]
)
def test_a_service_that_never_gets_ready_is_the_students(
    said: Callable[..., None],
    answer: dict[str, Any],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(busy, "slowdown", lambda _: busy.BUSY)
    said(**answer)
    with pytest.raises(SubmissionError) as caught:
        serve()
    for word in words:
        assert word in str(caught.value)


def test_on_a_busy_machine_it_is_not(
    said: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that is graded at once makes each start slow."""
    monkeypatch.setattr(busy, "slowdown", lambda _: busy.BUSY + 0.1)
    said(**NOT_READY[0][1])
    with pytest.raises(EngineError, match="machine is busy"):
        serve()


def state(**more: Any) -> State:
    return State(**{**STATE.__dict__, "running": False, **more})


ENDED = [
    ("at once", state(exit_code=1), ["exit code 1", "line one", "line two"]),
    ("with nothing wrong", state(exit_code=0), ["exit code 0", "line two"]),
    (
        "out of memory",
        state(exit_code=137, oom_killed=True),
        ["exit code 137", "1000 MB of memory"],
    ),
]


@pytest.mark.parametrize(("end", "words"), [e[1:] for e in ENDED], ids=[e[0] for e in ENDED])
def test_a_container_that_ends_is_the_students(
    said: Callable[..., None], end: State, words: list[str]
) -> None:
    said(state=end)
    with pytest.raises(SubmissionError) as caught:
        serve()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("code", [137, 143])
def test_a_container_that_ends_with_its_engine_is_not_the_students(
    said: Callable[..., None], code: int
) -> None:
    """An engine that is shut down stops its containers first."""
    engine = FakeEngine(log="x")
    engine.gone = True
    said(state=state(exit_code=code))
    with pytest.raises(EngineError):
        serve(engine)


def test_a_container_that_printed_nothing_is_said_to(said: Callable[..., None]) -> None:
    said(state=state(exit_code=1))
    with pytest.raises(SubmissionError, match="It printed nothing"):
        serve(FakeEngine(log=""))


# -- health ---------------------------------------------------------------------------------------

HEALTH = [
    ("none", [STATE], None),
    (
        "healthy in the end",
        [state(running=True, health=h) for h in ("starting", "unhealthy", "healthy")],
        "healthy",
    ),
    (
        "the container dies",
        [state(running=True, health="starting"), state(health="starting")],
        "starting",
    ),
]


@pytest.mark.parametrize(("states", "status"), [h[1:] for h in HEALTH], ids=[h[0] for h in HEALTH])
def test_the_verdict_of_the_healthcheck(states: list[State], status: str | None) -> None:
    engine: Any = FakeEngine(*states)
    assert running.health(None, "c1", engine).status == status  # type: ignore[arg-type]


def test_a_healthcheck_that_never_decides_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "HEALTH_SECONDS", 0.2)
    engine: Any = FakeEngine(state(running=True, health="unhealthy", health_log="curl: not found"))
    start = time.monotonic()
    assert running.health(None, "c1", engine) == Health("unhealthy", "curl: not found")  # type: ignore[arg-type]
    assert time.monotonic() - start < 5
