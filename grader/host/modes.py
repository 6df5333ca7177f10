"""With an engine, or static? Finds the engine to use, and says why there is none.

Not here: base images, JupyterLab; `up` puts the pieces together.
"""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.console import Console
from grader.errors import EngineError
from grader.host import bridge, contexts, engine, images, packages, tools
from grader.host.cards import card
from grader.host.connection import Connection, connect, connection, private
from grader.host.home import Home, check_length

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
REPAIR = "Repair what the log says, then `make up` again."
OWN = "Or start a Docker Engine of your own, 24 or newer, and set DOCKER_HOST to it."
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Static:
    """No engine: why, and how to get one."""

    why: str
    how: str

    def __str__(self) -> str:
        return f"Static mode: {self.why}. {self.how}"


def choose(place: Home, console: Console) -> Connection | Static:
    """The engine that is there, else the private one, else the reason for static mode.

    A DOCKER_HOST that doesn't work is told and passed over: the labs shall come up all the same.
    Grading is stricter (see ``connect``): there an engine that somebody meant is not exchanged.
    """
    given = _there(place, console)
    if given is not None:
        return given
    reason = why_static(place)
    if reason is not None:
        return reason
    try:
        return _private(place, console)
    except EngineError as err:
        known = card(str(err))
        return Static(_one_line(err), f"{known.do if known else REPAIR} {OWN}")


def _there(place: Home, console: Console) -> Connection | None:
    """An engine that somebody else runs, if it can be used."""
    meant = bool(os.environ.get("DOCKER_HOST"))
    try:
        found = _connect(place, console)
    except EngineError as err:
        if meant:
            console.line(f"! {_one_line(err)}; it is not used here")
        return None
    if found.kind == "private" and not meant:
        return None  # ours: goes the same way as starting it
    trouble = _trouble(found, console)
    if trouble:
        console.line(f"! the engine at {found.host} answers, but {trouble}. It is not used.")
        return None
    console.line(
        f"✓ using the Docker Engine at {found.host}; only labelled objects are added to it"
    )
    return found


def _connect(place: Home, console: Console) -> Connection:
    try:
        return connect()
    except tools.Missing:
        # An engine is there, and no client that is new enough: ours can serve it.
        if packages.why_not() or os.geteuid() != 0:
            raise
        with console.step("Docker client") as say, engine.locked(place):
            packages.fetch_client(place, say)
        return connect()


def _trouble(found: Connection, console: Console) -> str:
    """Why an engine that answers can't be used; empty when it can."""
    try:
        with console.step("base images") as say:
            images.ensure(found, say)
    except EngineError as err:
        return f"the base images could not be made: {_one_line(err)}"
    with console.step("a container on the default bridge"):
        seen = bridge.bridge_works(found)
    return "" if seen.works else f"it can't run a container on its default bridge: {seen.said}"


def _private(place: Home, console: Console) -> Connection:
    with console.step("Docker Engine") as say:
        engine.start(place, say)
    found = connection(place, "private", private(place))
    trouble = _trouble(found, console)
    if trouble:
        raise EngineError(f"the private engine runs, but {trouble}. Its log: {place.log}")
    return found


def why_static(place: Home) -> Static | None:
    """Why no private engine can be run here; found out in milliseconds, before any download."""
    return next(_reasons(place), None)


def _reasons(place: Home) -> Iterator[Static]:
    if platform.system() != "Linux":
        yield Static(
            f"this is {platform.system()}, where a Docker Engine needs a virtual machine",
            "Start Docker Desktop, then `make up` again.",
        )
        return
    if denied := _denied():
        yield Static(
            f"this user may not talk to the Docker Engine at {denied}",
            "`sudo usermod -aG docker $USER`, log in again, then `make up` again.",
        )
    if os.geteuid() != 0:
        yield Static(
            "no Docker Engine answers, and starting one needs root",
            "Install Docker Engine 24 or newer and join the group `docker`, "
            "or run `make up` as root.",
        )
    if missing := [name for name, bit in CAPABILITIES.items() if not capable(bit)]:
        yield Static(
            f"{' and '.join(missing)} is missing here, as in a container without privileges, "
            "so dockerd can't run",
            "Start it with `--privileged`, or mount an engine's socket and set DOCKER_HOST.",
        )
    if not packages.engine_here(place) and (reason := packages.why_not()):
        yield Static(reason, "Install Docker Engine 24 or newer, then `make up` again.")
    try:
        check_length(place)
    except EngineError as err:
        yield Static(str(err).rstrip("."), "Then `make up` again.")


def _denied() -> str | None:
    """The socket of an engine that this user may not open."""
    address = contexts.current()
    socket = address.socket if address is not None else ""
    return socket if socket and Path(socket).exists() and not os.access(socket, os.W_OK) else None


def capable(bit: int, status: Path = STATUS) -> bool:
    """Does this process have a capability?"""
    lines = status.read_text("ascii", "replace").splitlines()
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> bit & 1)


def _one_line(err: Exception) -> str:
    return " ".join(str(err).split()).rstrip(".")[:600]
