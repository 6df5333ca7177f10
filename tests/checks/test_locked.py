"""A locked-down container: HostConfig and the kernel's view, both sides of each edge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.checks import locked
from grader.locked import Confined, Guarded
from grader.peek import Mount, Peek, Process
from grader.references import Answer
from grader.results import Outcome, Result
from grader.running import Health, Questions, Reply, Service
from grader.runspec import RunSpec
from grader.yamls import Doc

P, F = Outcome.PASS, Outcome.FAIL
MIB = 2**20
_KEYS = "read_only cap_drop cap_add security_opt pids_limit mem_limit memswap_limit volumes"
KEYS = _KEYS.split()
LINES = {(0, ("services", "a", key)): 10 + at for at, key in enumerate(KEYS)}
SPEC = RunSpec(
    Doc("compose.yaml", (), {(0, ("services", "a")): 2, **LINES}),
    Path(),
    dict.fromkeys(KEYS, "x"),
    "a",
)


def confined(**host: Any) -> Confined:
    return Confined("id", SPEC, host)


READ_ONLY = [
    ("read-only", {"ReadonlyRootfs": True}, P),
    ("not", {"ReadonlyRootfs": False}, F),
    ("not said", {}, F),
    ("a text", {"ReadonlyRootfs": "true"}, F),
]
CAPABILITIES = [
    ("all dropped", {"CapDrop": ["ALL"]}, P),
    ("small letters", {"CapDrop": ["all"]}, P),
    ("all and one more", {"CapDrop": ["NET_RAW", "ALL"], "CapAdd": None}, P),
    ("with a prefix", {"CapDrop": ["CAP_ALL"], "CapAdd": []}, P),
    ("none dropped", {}, F),
    ("null", {"CapDrop": None}, F),
    ("some dropped", {"CapDrop": ["NET_RAW", "CHOWN"]}, F),
    ("one given back", {"CapDrop": ["ALL"], "CapAdd": ["NET_BIND_SERVICE"]}, F),
    ("one given back, with a prefix", {"CapDrop": ["ALL"], "CapAdd": ["CAP_CHOWN"]}, F),
]
NO_NEW = [
    ("set", {"SecurityOpt": ["no-new-privileges"]}, P),
    ("true", {"SecurityOpt": ["no-new-privileges:true"]}, P),
    ("=true", {"SecurityOpt": ["no-new-privileges=true"]}, P),
    ("beside another one", {"SecurityOpt": ["apparmor=x", "no-new-privileges"]}, P),
    ("false", {"SecurityOpt": ["no-new-privileges:false"]}, F),
    ("=false", {"SecurityOpt": ["no-new-privileges=false"]}, F),
    ("another one", {"SecurityOpt": ["apparmor=x"]}, F),
    ("none", {}, F),
    ("null", {"SecurityOpt": None}, F),
]
PIDS = [
    ("one", {"PidsLimit": 1}, P),
    ("the most", {"PidsLimit": 256}, P),
    ("one more", {"PidsLimit": 257}, F),
    ("zero is no limit", {"PidsLimit": 0}, F),
    ("-1 is no limit", {"PidsLimit": -1}, F),
    ("null", {"PidsLimit": None}, F),
    ("not said", {}, F),
]
MEMORY = [
    ("the most", {"Memory": 1024 * MIB}, P),
    ("a byte more", {"Memory": 1024 * MIB + 1}, F),
    ("little", {"Memory": 64 * MIB}, P),
    ("none", {"Memory": 0}, F),
    ("null", {"Memory": None}, F),
    ("not said", {}, F),
]
SWAP = [
    ("equal", {"Memory": MIB, "MemorySwap": MIB}, P),
    ("twice", {"Memory": MIB, "MemorySwap": 2 * MIB}, F),
    ("a byte more", {"Memory": MIB, "MemorySwap": MIB + 1}, F),
    ("without end", {"Memory": MIB, "MemorySwap": -1}, F),
    ("left out", {"Memory": MIB, "MemorySwap": 0}, F),
    ("neither", {"Memory": 0, "MemorySwap": 0}, F),
    ("not said", {}, F),
]
HOST = [
    *((locked.read_only, *row, 10) for row in READ_ONLY),
    *((locked.no_new_privileges, *row, 13) for row in NO_NEW),
    *((locked.pids, *row, 14) for row in PIDS),
    *((locked.memory, *row, 15) for row in MEMORY),
    *((locked.swap, *row, 16) for row in SWAP),
]


@pytest.mark.parametrize(
    ("check", "host", "outcome", "line"),
    [(c, h, o, n) for c, _, h, o, n in HOST],
    ids=[f"{c.__name__}: {name}" for c, name, *_ in HOST],
)
def test_what_the_engine_holds_it_to(
    check: Any, host: dict[str, Any], outcome: Outcome, line: int
) -> None:
    result: Result = check(confined(**host))
    assert result.outcome is outcome
    assert result.place == (f"compose.yaml:{line}" if outcome is F else "")
    assert result.message


@pytest.mark.parametrize(
    ("host", "outcome"), [c[1:] for c in CAPABILITIES], ids=[c[0] for c in CAPABILITIES]
)
def test_capabilities(host: dict[str, Any], outcome: Outcome) -> None:
    result = locked.capabilities(confined(**host))
    assert result.outcome is outcome
    if outcome is F:
        given_back = "ALL" in (host.get("CapDrop") or ())
        assert result.place == f"compose.yaml:{12 if given_back else 11}"
        assert ("given back" in result.message) is given_back


def test_pids_and_memory_take_another_limit() -> None:
    assert locked.pids(confined(PidsLimit=10), most=9).outcome is F
    assert locked.memory(confined(Memory=10 * MIB), most_mib=9).outcome is F
    assert "10 MiB" in locked.memory(confined(Memory=10 * MIB), most_mib=9).message


def test_swap_that_no_kernel_counts_is_not_measured() -> None:
    one = replace(confined(Memory=MIB, MemorySwap=-1), counts_swap=False)
    result = locked.swap(one)
    assert result.outcome is Outcome.SKIP
    assert not result.measurable


def test_what_is_not_said_is_blamed_on_the_service() -> None:
    bare = replace(SPEC, wanted={})
    assert locked.read_only(Confined("id", bare, {})).line == 2


# -- the service while it is locked down ----------------------------------------------------------

ANSWER = Answer((1, 2), 1, (0.0, 1.0))


def guarded(*digits: int, log: str = "") -> Guarded:
    replies = tuple(Reply(200, json.dumps({"digit": d, "proba": [0.0, 1.0]})) for d in digits)
    return Guarded("id", Service(1.0, Questions((ANSWER,) * len(digits)), replies), log)


def test_serves() -> None:
    assert locked.serves(guarded(1, 1)).outcome is P
    result = locked.serves(guarded(1, 2, log="first\n\nOSError: Read-only file system"))
    assert result.outcome is F
    assert "\n    OSError: Read-only file system" in result.message
    assert "tmpfs" in result.message
    assert (result.evidence["right"], result.evidence["asked"]) == (1, 2)
    assert "printed nothing" in locked.serves(guarded(2)).message


def test_serves_is_no_pass_when_nothing_was_asked() -> None:
    assert locked.serves(guarded()).outcome is F


@pytest.mark.parametrize(
    ("health", "outcome"),
    [
        (Health("healthy"), P),
        (Health("unhealthy", "no space"), F),
        (Health("starting"), F),
        (Health(None), F),
    ],
)
def test_healthy(health: Health, outcome: Outcome) -> None:
    result = locked.healthy(health)
    assert result.outcome is outcome
    assert health.log in result.message


# -- the kernel's view ----------------------------------------------------------------------------

ROOT = Mount("/", "overlay", False, ("ro",))


def process(**how: Any) -> Process:
    values: dict[str, Any] = {
        "pid": 1,
        "ppid": 0,
        "uids": (10001,) * 4,
        "gids": (10001,) * 4,
        "groups": (),
        "state": "S",
        "cap_eff": 0,
        "no_new_privs": True,
        "seccomp": 2,
        "threads": 1,
        "command": "uvicorn",
    }
    known = Process.__dataclass_fields__.keys()
    return Process(**{k: v for k, v in {**values, **how}.items() if k in known})


POWERLESS = [
    ("one", Peek((process(),), (ROOT,)), P, "1 process"),
    ("two", Peek((process(), process(pid=2)), (ROOT,)), P, "2 process"),
    ("none", Peek((), (ROOT,)), F, "No process"),
    ("root", Peek((process(uids=(0,) * 4),), (ROOT,)), F, "UID 0"),
    ("root in reserve", Peek((process(uids=(1, 1, 0, 1)),), (ROOT,)), F, "UID 0"),
    ("a child is root", Peek((process(), process(pid=7, uids=(0,) * 4)), (ROOT,)), F, "PID 7"),
    ("one capability", Peek((process(cap_eff=1 << 10),), (ROOT,)), F, "0000000000000400"),
    ("a child has it", Peek((process(), process(pid=7, cap_eff=1)), (ROOT,)), F, "PID 7"),
    ("may gain", Peek((process(no_new_privs=False),), (ROOT,)), F, "NoNewPrivs"),
    ("a writable root", Peek((process(),), (replace(ROOT, writable=True),)), F, "writing"),
    ("no root", Peek((process(),), ()), F, "writing"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [p[1:] for p in POWERLESS], ids=[p[0] for p in POWERLESS]
)
def test_powerless(seen: Peek, outcome: Outcome, words: str) -> None:
    result = locked.powerless(seen)
    assert result.outcome is outcome
    assert words in result.message


def mount(path: str, *, writable: bool = True) -> Mount:
    return Mount(path, "ext4", writable, ("rw" if writable else "ro",))


SEALED = [
    ("only tmpfs", (mount("/tmp"), mount("/var/spool/digits"), mount("/dev/shm")), P),
    ("a writable root is another check's", (mount("/"),), P),
    ("what Docker mounts", (mount("/etc/hosts"), mount("/proc")), P),
    ("a neighbour", (mount("/application"), mount("/opt")), F),
    ("only a neighbour", (mount("/application"), mount("/usrx")), P),
    ("over the code", (mount("/app"),), F),
    ("in the code", (mount("/app/app"),), F),
    ("above the code", (mount("/opt"),), F),
    ("over the venv", (mount("/opt/venv/lib"),), F),
    ("over it, for reading", (mount("/app", writable=False),), P),
]


@pytest.mark.parametrize(("mounts", "outcome"), [s[1:] for s in SEALED], ids=[s[0] for s in SEALED])
def test_code_sealed(mounts: tuple[Mount, ...], outcome: Outcome) -> None:
    seen = Peek((process(),), (ROOT, *mounts))
    result = locked.code_sealed(seen, confined(), code=["/app", "/opt/venv", "/usr"])
    assert result.outcome is outcome
    assert result.place == ("compose.yaml:17" if outcome is F else "")
