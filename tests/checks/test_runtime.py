"""Who runs in the container, as the host sees it and as the kernel does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from grader.behaviour import AnyUser, Asked, Powerless, Ran, ReadOnly
from grader.checks import runtime
from grader.objects import Image
from grader.observed import Bred, Broods, Listening
from grader.peek import Peek, Process
from grader.references import Answer
from grader.results import Outcome, Result
from grader.running import Reply
from grader.users import resolve

P, F = Outcome.PASS, Outcome.FAIL


def process(
    command: str = "uvicorn", *, uid: int = 10001, uids: tuple[int, ...] = (), pid: int = 1
) -> Process:
    return Process(
        pid=pid,
        ppid=0,
        uids=uids or (uid,) * 4,
        gids=(uid,) * 4,
        groups=(),
        state="S",
        cap_eff=0,
        no_new_privs=False,
        seccomp=2,
        threads=1,
        command=command,
    )


def seen(*processes: Process) -> Peek:
    return Peek(processes, ())


NOT_ROOT = [
    ("one, not root", [process()], P),
    ("two, neither root", [process(), process("worker", uid=65532)], P),
    ("UID 1 is not root", [process(uid=1)], P),
    ("group 0 is not root", [process(uids=(10001, 10001, 10001, 10001))], P),
    ("root", [process(uid=0)], F),
    ("only the child is root", [process(), process("cron", uid=0)], F),
    ("only PID 1 is root", [process("sh -c uvicorn", uid=0), process()], F),
    ("root in reserve as the saved ID", [process(uids=(10001, 10001, 0, 10001))], F),
    ("root in reserve as the real ID", [process(uids=(0, 10001, 10001, 10001))], F),
    ("root as the effective ID alone", [process(uids=(10001, 0, 10001, 0))], F),
    ("root in the child's reserve", [process(), process("w", uids=(0, 10001, 0, 10001))], F),
]


def host(looks: list[Process]) -> list[tuple[int, int, str]]:
    """The same as the host's ps has it: effective IDs alone."""
    return [(100 + p.pid, p.uids[1], p.command) for p in looks]


def not_root(
    on_host: list[tuple[int, int, str]],
    inside: Peek,
    *,
    user: str = "10001",
    test: Sequence[str] | None = None,
) -> Result:
    """``test`` is the HEALTHCHECK's; None where the image has none."""
    image = Image("sha256:0", (), (), {"Healthcheck": {"Test": test} if test else None})
    return runtime.not_root(on_host, inside, resolve(user, "root:x:0:0::/root:/bin/sh", ""), image)


@pytest.mark.parametrize(
    ("looks", "outcome"), [n[1:] for n in NOT_ROOT], ids=[n[0] for n in NOT_ROOT]
)
def test_not_root(looks: list[Process], outcome: Outcome) -> None:
    result = not_root(host(looks), seen(*looks))
    assert result.outcome is outcome
    assert result.evidence["uids"] == sorted({p.uids[1] for p in looks})


def test_not_root_tells_the_command_and_what_to_do() -> None:
    looks = [process(), process("cron " + "x" * 500, uid=0)]
    said = not_root(host(looks), seen(*looks)).message
    assert "UID 0" in said
    assert "cron" in said
    assert "USER" in said
    assert len(said) < 250


def test_not_root_tells_where_root_is_in_reserve() -> None:
    looks = [process(uids=(0, 10001, 0, 10001))]
    said = not_root(host(looks), seen(*looks)).message
    assert "0, 10001, 0, 10001" in said
    assert "USER" in said


def test_a_probe_that_the_host_saw_being_started_is_not_root() -> None:
    """It was root's for a moment only: who looked longer did not see it any more."""
    found = not_root([(7, 10001, "uvicorn"), (8, 0, "runc init")], seen(process()))
    assert found.outcome is P


PROBES = [
    ("root's, and the server has dropped it", "root", ["CMD", "true"], F),
    ("root's by its number", "0", ["CMD-SHELL", "true"], F),
    ("root's since no USER is named", "", ["CMD", "true"], F),
    ("a user's", "10001", ["CMD", "true"], P),
    ("none, and a root that is given up", "", None, P),
    ("switched off", "", ["NONE"], P),
]


@pytest.mark.parametrize(
    ("user", "test", "outcome"), [p[1:] for p in PROBES], ids=[p[0] for p in PROBES]
)
def test_a_probe_that_nobody_saw_is_judged_by_the_image(
    user: str, test: list[str] | None, outcome: Outcome
) -> None:
    """Docker starts it as the image's user, for a moment, whatever the server did meanwhile."""
    found = not_root(host([process()]), seen(process()), user=user, test=test)
    assert found.outcome is outcome


def test_root_of_a_user_namespace_is_root() -> None:
    """The host sees another number there; inside it is 0."""
    assert not_root([(7, 100000, "uvicorn")], seen(process(uid=0))).outcome is F


def test_no_process_at_all_is_no_pass_and_no_advice_on_users() -> None:
    result = not_root([], seen())
    assert result.outcome is not P
    assert "USER" not in result.message


# -- under constraints -----------------------------------------------------------------------------

UID = 1_234_567_890
ASKED = Asked(({"pixels": (1,)}, {"pixels": (2,)}), (Answer((1,), 7, (1.0,)), None))
RAN = Ran(1.0, ASKED, (Reply(200, '{"digit": 7}'), Reply(200, "{}")), uids=(UID,))
SERVES = [
    ("right answers", RAN, P, ""),
    ("healthy, too", replace(RAN, health="healthy"), P, ""),
    ("unhealthy", replace(RAN, health="unhealthy"), F, "unhealthy"),
    ("never decided", replace(RAN, health="starting"), F, "starting"),
    ("an error", replace(RAN, replies=(RAN.replies[0], Reply(500, "EROFS"))), F, "EROFS"),
    ("another digit", replace(RAN, replies=(Reply(200, '{"digit": 8}'), RAN.replies[1])), F, "8"),
    ("no digit", replace(RAN, replies=(Reply(200, "[]"), RAN.replies[1])), F, "None where 7"),
    ("it stopped answering", replace(RAN, replies=RAN.replies[:1]), F, "no answer"),
    ("no answer at all", replace(RAN, replies=(Reply(0, "reset"), RAN.replies[1])), F, "reset"),
]
CONSTRAINTS: list[Callable[[Ran], Result]] = [
    lambda ran: runtime.read_only(ReadOnly(ran)),
    lambda ran: runtime.no_capabilities(Powerless(ran)),
    lambda ran: runtime.arbitrary_uid(AnyUser(ran, UID)),
]


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=["read only", "powerless", "any user"])
@pytest.mark.parametrize(
    ("ran", "outcome", "words"), [s[1:] for s in SERVES], ids=[s[0] for s in SERVES]
)
def test_it_serves_under_a_constraint(
    ran: Ran, outcome: Outcome, words: str, constraint: Callable[[Ran], Result]
) -> None:
    result = constraint(ran)
    assert result.outcome is outcome
    assert words in result.message


UIDS = [
    ("the one that it was given", (UID,), P),
    ("its own", (10001,), F),
    ("a child goes back", (10001, UID), F),
    ("a child is root", (0, UID), F),
]


@pytest.mark.parametrize(("uids", "outcome"), [u[1:] for u in UIDS], ids=[u[0] for u in UIDS])
def test_arbitrary_uid_is_the_one_that_it_runs_as(uids: tuple[int, ...], outcome: Outcome) -> None:
    result = runtime.arbitrary_uid(AnyUser(replace(RAN, uids=uids), UID))
    assert result.outcome is outcome
    assert ("setuid" in result.message) is (outcome is F)


# -- ports -----------------------------------------------------------------------------------------

ALL, LOCAL = "0.0.0.0", "127.0.0.1"
LISTENS = [
    ("just that", [(ALL, 8000)], {8000}, {8000}, P, ""),
    ("one more, for itself", [(ALL, 8000), (LOCAL, 9)], {8000}, {8000}, P, ""),
    ("two, both named", [(ALL, 8000), ("::", 9)], {8000, 9}, {8000, 9}, P, ""),
    ("for itself only", [(LOCAL, 8000)], set(), {8000}, F, "127.0.0.1 only"),
    ("at one address only", [("127.0.0.2", 8000)], set(), {8000}, F, "127.0.0.2 only"),
    ("for IPv6 only", [("::", 8000)], set(), {8000}, F, ":: only"),
    ("on another port", [(ALL, 80)], {80}, {80}, F, "does not listen at all"),
    ("nothing", [], set(), {8000}, F, "does not listen at all"),
    ("not named", [(ALL, 8000)], {8000}, set(), F, "EXPOSE is missing"),
    ("another is named", [(ALL, 8000)], {8000}, {80}, F, "EXPOSE names 80"),
    ("one too many is named", [(ALL, 8000)], {8000}, {8000, 80}, F, "nothing listens there"),
    ("one is not named", [(ALL, 8000), (ALL, 9)], {8000, 9}, {8000}, F, "also listens on port 9"),
]


@pytest.mark.parametrize(
    ("at", "reached", "exposed", "outcome", "words"),
    [row[1:] for row in LISTENS],
    ids=[row[0] for row in LISTENS],
)
def test_listens(
    at: list[tuple[str, int]], reached: set[int], exposed: set[int], outcome: Outcome, words: str
) -> None:
    sockets = Listening(tuple(at), frozenset(reached), frozenset(exposed), 8000, line=9)
    result = runtime.listens(sockets)
    assert result.outcome is outcome
    assert words in result.message
    assert result.line == (9 if "EXPOSE" in result.message else None)


# -- children --------------------------------------------------------------------------------------


def bred(count: int, *, zombies: int = 0) -> Broods:
    alive = tuple(process(f"worker {n}", pid=n) for n in range(1, count + 1))
    dead = tuple(replace(process("sleep", pid=90 + n), state="Z", ppid=1) for n in range(zombies))
    other = Bred("/other", (200,), (), (), 1)
    return Broods({"/other": other, "/spawn": Bred("/spawn", (200,), (*alive, *dead), dead, 1)})


@pytest.mark.parametrize(("zombies", "outcome"), [(0, P), (1, F), (5, F)])
def test_no_zombies(zombies: int, outcome: Outcome) -> None:
    result = runtime.no_zombies(bred(2, zombies=zombies), path="/spawn")
    assert result.outcome is outcome
    assert result.evidence["zombies"] == zombies
    assert runtime.no_zombies(bred(2, zombies=zombies), path="/other").outcome is P


@pytest.mark.parametrize(
    ("count", "zombies", "outcome"), [(3, 0, P), (4, 0, F), (3, 5, P), (4, 5, F)]
)
def test_processes(count: int, zombies: int, outcome: Outcome) -> None:
    result = runtime.processes(bred(count, zombies=zombies), path="/spawn", most=3)
    assert result.outcome is outcome
    assert result.evidence["processes"] == count
    assert runtime.processes(bred(count), path="/other", most=3).outcome is P
