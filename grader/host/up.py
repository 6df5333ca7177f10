"""`make up`, `make down`, `make clean`: engine, images and JupyterLab, up and away again.

Not here: how each of them works; this is the order, and what is said about it.
"""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from grader import labels
from grader.console import Console
from grader.errors import EngineError, GraderError, UsageError
from grader.host import client, engine, modes, processes
from grader.host import jupyter as lab_server
from grader.host.connection import Connection, connect, connection, private
from grader.host.home import Home, home, static_chosen
from grader.host.modes import Static

if TYPE_CHECKING:
    from grader.course import Course

ASKED = Static("you asked for it", "Leave out `--static` to use an engine.")
EXAMPLE = "01-multi-stage/two-stages"
REMOVE_CONTAINERS = ("rm", "--force", "--volumes")
Found = Connection | Static
Hook = Callable[[Connection, Console], None]


def up(
    *,
    static: bool = False,
    port: int = lab_server.PORT,
    jupyter: bool = True,
    prepare: Hook | None = None,
) -> int:
    """Bring everything up; 0 also in static mode, 3 when the engine that was asked for is broken.

    ``prepare`` is what to do with an engine before JupyterLab is shown: the reference set, the
    graded example. Left out, it is the course's own.
    """
    console, place = Console(), home()
    _forget_ours(place)
    try:
        found = ASKED if static or _wished() else modes.choose(place, console)
        return _with(found, place, console, port=port, lab=jupyter, prepare=prepare or course)
    except EngineError as err:
        console.line(f"✗ {err}")
        return 3


def _wished() -> bool:
    return static_chosen()


def _forget_ours(place: Home) -> None:
    """In a terminal of our JupyterLab, leave out what we told it: nobody there chose that."""
    if lab_server.MARK not in os.environ:
        return
    ours = {
        "DOCKER_HOST": f"unix://{place.socket}",
        "DOCKER_CONFIG": str(place.docker_config),
        "LAB_STATIC": "1",
    }
    for name, value in ours.items():
        if os.environ.get(name) == value:
            del os.environ[name]


def _with(
    found: Found,
    place: Home,
    console: Console,
    *,
    port: int,
    lab: bool,
    prepare: Hook,
) -> int:
    server = _launch(found, place, console, port) if lab else None
    if isinstance(found, Static):
        console.line(str(found))
    else:
        prepare(found, console)
    if server is not None:
        _show(server, console, port)
    return 0


def _launch(found: Found, place: Home, console: Console, port: int) -> lab_server.Server:
    """This checkout's JupyterLab: the one that is up, unless it talks to another engine."""
    environment = {"LAB_STATIC": "1"} if isinstance(found, Static) else dict(found.environment)
    wanted = "" if isinstance(found, Static) else found.host
    there = lab_server.running(place)
    if there is not None and there.engine == wanted:
        return there
    if there is not None:
        console.line("! JupyterLab was up with another engine; it is started anew with this one")
        lab_server.stop(place)
    if "LAB_STATIC" not in environment:
        os.environ.pop("LAB_STATIC", None)
    return lab_server.launch(place, environment, port=port)


def _show(server: lab_server.Server, console: Console, port: int) -> None:
    with console.step("JupyterLab"):
        lab_server.wait(server)
    if server.port != port:
        console.line(f"  port {port} is taken or JupyterLab was up already: it is on {server.port}")
    console.line(f"JupyterLab: {server.url}")


def course(connection: Connection, console: Console) -> None:
    """The reference set, and one graded example that proves the whole way."""
    from grader.course import Course

    found = Course.find()
    references(found, connection, console)
    example(found, connection, console)


def references(found: "Course", connection: Connection, console: Console) -> None:
    from grader.engine import Engine
    from grader.references import ensure

    os.environ.update(connection.environment)
    with console.step("reference images") as say, contextlib.closing(Engine(connection)) as asked:
        ensure(found, asked, say)


def early() -> None:
    """What takes longest, while the rest of `.venv` is installed; `up` then finds it done."""
    from grader.course import Course

    console, place = Console(), home()
    if _wished():
        return
    try:
        found = modes.choose(place, console)
        if isinstance(found, Connection):
            references(Course.find(), found, console)
    except GraderError as err:  # `up` tries it again, and then it counts
        console.line(f"! {err}")


def example(found: "Course", connection: Connection, console: Console) -> None:
    """Grade the course's own answer. EngineError when that does not get full marks."""
    from grader.exports import render
    from grader.grade import grade

    with console.step(f"grading {EXAMPLE}"):
        report = grade(
            found.exercise(EXAMPLE), found.root / "solutions" / EXAMPLE, connection, course=found
        )
    console.line(render(report, "text").rstrip())
    if report.exit_status:
        raise EngineError(f"{EXAMPLE}, the course's own answer, did not get full marks here")


def down() -> int:
    """Stop what `up` started, and say what is left running and why."""
    console, place = Console(), home()
    _forget_ours(place)
    # Called from a terminal in JupyterLab, which hangs up when its server goes.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if lab_server.stop(place):
        console.line("✓ JupyterLab is stopped")
    reason = _kept(place)
    if _ours_runs(place) and not reason:
        _stop_engine(place, console)
        return 0
    _sweep()
    if reason and _ours_runs(place):
        console.line(f"  the private Docker Engine stays up: {reason}")
    return 0


def _kept(place: Home) -> str:
    """Why the private engine must go on running; empty when nobody needs it."""
    if _meant(place):
        return "it was given as DOCKER_HOST"
    names = [server.checkout for server in lab_server.others(place)]
    return f"{', '.join(names)} still uses it" if names else ""


def _stop_engine(place: Home, console: Console) -> None:
    with console.step("stopping the private Docker Engine"):
        if engine.answers(place):
            _remove_labelled(connection(place, "private", private(place)))
        engine.stop(place)


def _ours_runs(place: Home) -> bool:
    names = ("dockerd", "containerd", "containerd-shim-runc-v2")
    return engine.answers(place) or any(processes.mine(place, name) for name in names)


def _meant(place: Home) -> bool:
    """Was the private engine given as DOCKER_HOST?"""
    return os.environ.get("DOCKER_HOST", "") == f"unix://{place.socket}"


def _sweep() -> None:
    """On an engine that goes on: what nobody waits for any more. A running grade is left alone."""
    try:
        from grader.course import Course
        from grader.engine import Engine

        found, mine = connect(), Course.find().runs
        with contextlib.closing(Engine(found)) as asked:
            asked.sweep()
    except (EngineError, UsageError, ImportError):
        return  # nobody there, or nothing was ever set up: so nothing to remove
    for run in mine:
        _remove(found, ("ps", "--all", "--quiet"), REMOVE_CONTAINERS, run=run)


def _remove_labelled(found: Connection) -> None:
    """Containers, networks and volumes of the labs; images stay, for a quick next start."""
    _remove(found, ("ps", "--all", "--quiet"), REMOVE_CONTAINERS)
    _remove(found, ("network", "ls", "--quiet"), ("network", "rm"))
    _remove(found, ("volume", "ls", "--quiet"), ("volume", "rm", "--force"))


def _remove(
    found: Connection, listing: tuple[str, ...], removal: tuple[str, ...], *, run: str = ""
) -> None:
    label = f"{labels.RUN}={run}" if run else labels.RUN
    done = client.docker(found, *listing, "--filter", f"label={label}")
    names = done.stdout.split()
    if names:
        client.docker(found, *removal, *names)


def clean(*, yes: bool) -> int:
    """Stop everything and remove LAB_HOME, after saying how much that is."""
    console, place = Console(), home()
    if not place.root.exists():
        console.line(f"nothing to remove: {place.root} is not there")
        return 0
    console.line(f"{place.root} holds {megabytes(place.root):.0f} MB")
    if not (yes or _agreed()):
        console.line("nothing was removed")
        return 1
    down()
    if _ours_runs(place):
        console.line("the private engine is still in use, so nothing was removed")
        return 1
    shutil.rmtree(place.root)
    console.line(f"✓ removed {place.root}")
    return 0


def megabytes(folder: Path) -> float:
    """What a folder takes on the disk, without what is mounted in it."""
    device, total, seen = folder.lstat().st_dev, 0, set[int]()
    for top, folders, files in os.walk(folder):
        here = Path(top)
        folders[:] = [name for name in folders if (here / name).lstat().st_dev == device]
        for status in ((here / name).lstat() for name in files):
            total += 0 if status.st_ino in seen else status.st_blocks * 512
            seen.add(status.st_ino)
    return total / 1e6


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("not removed: say --yes where nobody can be asked")
        return False
    return input("Remove it? [y/N] ").strip().lower() in ("y", "yes")
