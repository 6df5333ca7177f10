"""What the containers of docker-compose.yml run: an engine, or JupyterLab, in the foreground.

Not here: how an engine or JupyterLab is started (engine, jupyter). On a machine without Compose,
`make up` does the same in the background (up).
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from grader import cgroups
from grader.console import Console
from grader.errors import EngineError, GraderError
from grader.host import engine, gpu, images, packages, processes, standin, volume
from grader.host import jupyter as lab_server
from grader.host.connection import COMPOSED, answers, connect, connection, private
from grader.host.home import Home, home
from grader.host.ping import Address

LEARNER = 1000  # the group of images/lab's user, who may talk to the engine
OFFERED = Path(COMPOSED.removeprefix("unix://"))
READY = "ready"  # beside that socket: the base images are there, too
LOOK_S = 0.5
# What a RUN may use, where the lab cannot set it: it has no rights over the engine's groups.
BUILD = cgroups.Limit(memory=4_000_000_000, pids=1024)
Task = Callable[[Home, Console], int]


def main(arguments: Sequence[str]) -> int:
    """`serve TASK`: the exit status of one of the tasks below."""
    task = TASKS.get(arguments[0] if arguments else "")
    console = Console()
    if task is None:
        console.line(f"serve: one of {', '.join(TASKS)}")
        return 2
    try:
        return task(home(), console)
    except GraderError as err:
        console.line(f"✗ {err}")
        return 3


def fetch_engine(place: Home, console: Console) -> int:
    """For the image's build: all that an engine without a way to Debian's archives needs."""
    with console.step("Docker Engine") as say:
        packages.fetch_engine(place, say)
        standin.debstrap(place)
        gpu.compiler(place)
    return 0


def fetch_client(place: Home, console: Console) -> int:
    with console.step("Docker client") as say:
        packages.fetch_client(place, say)
    return 0


# -- the engine ------------------------------------------------------------------------------------


def run_engine(place: Home, console: Console) -> int:
    """An engine that the learner's group may use, until it is told to stop or ends by itself."""
    signal.signal(signal.SIGTERM, _stop)
    _privileged()
    with volume.held(place, console.line):
        return _serve(place, console)


def _serve(place: Home, console: Console) -> int:
    if cgroups.version() == 2:
        make_room_for_groups(cgroups.ROOT)
    ready = OFFERED.with_name(READY)
    ready.unlink(missing_ok=True)
    try:
        _start(place, console)
        with _limited(place, console):
            with console.step("base images") as say:
                images.ensure(connection(place, "private", private(place)), say)
            ready.touch()
            console.line("✓ ready")
            return _watch(place, console)
    finally:
        ready.unlink(missing_ok=True)
        engine.stop(place)


def _offered() -> Address:
    return Address(f"unix://{OFFERED}")


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def _privileged() -> None:
    from grader.host.modes import CAPABILITIES, capable

    missing = [name for name, bit in CAPABILITIES.items() if not capable(bit)]
    if missing:
        raise EngineError(
            f"{' and '.join(missing)} is missing: a Docker Engine in a container needs"
            " `privileged: true`. Where that is not allowed (rootless Docker or Podman, a managed"
            " machine), open the notebooks without an engine: see Binder in README.md."
        )


def _start(place: Home, console: Console) -> None:
    OFFERED.parent.mkdir(parents=True, exist_ok=True)
    with console.step("Docker Engine") as say:
        volume.check(place)
        try:
            engine.start(place, say, engine.Offer(OFFERED, LEARNER))
        except EngineError as err:
            raise EngineError(f"{err}. {volume.WAY_OUT}") from err
        volume.remember(place)


@contextlib.contextmanager
def _limited(place: Home, console: Console) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(cgroups.Guard(place.cgroup, BUILD))
        except cgroups.CgroupUnavailable as err:
            console.line(f"! builds have no limits of their own: {err}")
        yield


def _watch(place: Home, console: Console) -> int:
    """Until the engine is gone, which is then said with its own last words."""
    while processes.mine(place, "dockerd"):
        time.sleep(LOOK_S)
    console.line(f"✗ the Docker Engine ended: {engine.last_words(place)}")
    return 3


def make_room_for_groups(root: Path) -> None:
    """On cgroup v2 a group that hands controllers down holds no process itself."""
    mine = root / "serve"
    mine.mkdir(exist_ok=True)
    for pid in (root / "cgroup.procs").read_text("ascii").split():
        with contextlib.suppress(OSError):  # it has ended, or is the kernel's
            (mine / "cgroup.procs").write_text(pid)
    for controller in (root / "cgroup.controllers").read_text("ascii").split():
        with contextlib.suppress(OSError):
            (root / "cgroup.subtree_control").write_text(f"+{controller}")


def ask_engine(_: Home, console: Console) -> int:
    """The health check: it answers, and the base images are there."""
    if not OFFERED.with_name(READY).exists():
        console.line("the engine is not ready yet")
        return 1
    if not answers(_offered()):
        console.line("the engine does not answer")
        return 1
    return 0


# -- JupyterLab ------------------------------------------------------------------------------------


def run_lab(place: Home, console: Console) -> int:
    """JupyterLab until it is told to stop; what `make up` prepares is prepared beside it."""
    checkout = lab_server.CHECKOUT
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    address = os.environ.get("LAB_LISTEN", lab_server.ADDRESS)
    environment = {**lab_server.configured(place, checkout), **_engine(console)}
    process = subprocess.Popen(
        [*lab_server.command(checkout, address=address), "--log-level=WARN"],
        env={**environment, "JUPYTER_TOKEN": token},
        cwd=checkout,
    )
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: process.terminate())
    port = os.environ.get("LAB_PORT") or lab_server.PORT
    shown = f"http://{lab_server.ADDRESS}:{port}{lab_server.FIRST_PAGE}?token={token}"
    threading.Thread(target=_prepare, args=(console, shown), daemon=True).start()
    return max(process.wait(), 0)


def _engine(console: Console) -> dict[str, str]:
    """How plain `docker` reaches the engine; an engine that is not there yet is asked for again."""
    try:
        return dict(connect().environment)
    except EngineError as err:
        console.line(f"! {err}")
        return {}


def _prepare(console: Console, shown: str) -> None:
    """The proof first, since a learner waits for it; what later labs need comes behind it."""
    from grader.course import Course
    from grader.host import up

    console.line(f"JupyterLab: {shown}")
    try:
        reached, course = connect(), Course.find()
        up.example(course, reached, console)
        console.line(f"JupyterLab: {shown}")
        up.references(course, reached, console)
    except GraderError as err:
        console.line(f"! {err}")


def ask_lab(_: Home, console: Console) -> int:
    """The health check: JupyterLab answers a request that needs no token."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{lab_server.ADDRESS}:{lab_server.PORT}/api", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except (OSError, ValueError) as err:
        console.line(f"JupyterLab does not answer: {err}")
        return 1


TASKS: dict[str, Task] = {
    "fetch-engine": fetch_engine,
    "fetch-client": fetch_client,
    "engine": run_engine,
    "ask-engine": ask_engine,
    "lab": run_lab,
    "ask-lab": ask_lab,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
