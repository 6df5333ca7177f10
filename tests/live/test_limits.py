"""A container's memory limit: no swap beside it, and who is over it is seen to be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.engine import PROBE_IMAGE, Engine
from grader.host.connection import Connection
from tests.conftest import wait_until

pytestmark = pytest.mark.live
EATS = "take = bytearray(150_000_000); take[::4096] = b'x' * len(take[::4096])"
CHILD = (
    f"import subprocess, sys; print(subprocess.run([sys.executable, '-c', {EATS!r}]).returncode)"
)


@pytest.fixture
def engine(connection: Connection) -> Iterator[Engine]:
    with Engine.open(connection) as opened:
        yield opened


def ran(engine: Engine, source: str, memory: int) -> str:
    made = engine.create(
        PROBE_IMAGE, command=["python3", "-c", source], entrypoint=[], memory=memory
    )
    assert engine.start(made) == ""
    wait_until(lambda: not engine.state(made).running, timeout=60)
    return made


def test_there_is_no_swap_beside_the_memory(engine: Engine) -> None:
    made = engine.create(PROBE_IMAGE, command=["true"], memory=64_000_000)
    host = engine.inspect(made)["HostConfig"]
    assert host["Memory"] == 64_000_000
    if engine.info.get("SwapLimit", True):
        assert host["MemorySwap"] == host["Memory"]


@pytest.mark.parametrize(("memory", "killed"), [(64_000_000, True), (500_000_000, False)])
def test_who_needs_more_is_killed_and_that_is_told(
    engine: Engine, memory: int, killed: bool
) -> None:
    state = engine.state(ran(engine, EATS, memory))
    assert (state.oom_killed, state.exit_code) == (killed, 137 if killed else 0)


def test_a_child_that_is_killed_is_told_as_well(engine: Engine) -> None:
    """Else a service could hide it: its first process goes on."""
    made = ran(engine, CHILD, 64_000_000)
    assert engine.output(made).strip() == "-9"
    assert engine.state(made).exit_code == 0
    assert engine.state(made).oom_killed
