"""The first step on a bare machine: `.venv` from the lock, and the engine's packages meanwhile.

Not here: anything that needs a package that is not in Python itself, since there are none yet.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from grader.console import Console
from grader.errors import EngineError, GraderError
from grader.host import connection, contexts, engine, modes, recipes, registry, standin
from grader.host.home import home

CHECKOUT = Path(__file__).parents[2]
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
OLDEST_PYTHON = (3, 11)
GENTLY = ("nice", "-n", "15")
# The docker library and rich, with what they need.
FIRST = (
    "certifi",
    "charset-normalizer",
    "docker",
    "idna",
    "markdown-it-py",
    "mdurl",
    "pygments",
    "requests",
    "rich",
    "urllib3",
)


def main(arguments: Sequence[str]) -> int:
    """`bootstrap run|dev [--engine]`: 0 when `.venv` is ready."""
    wanted = arguments[0] if arguments else "run"
    console = Console()
    if sys.version_info < OLDEST_PYTHON:
        console.line(f"✗ Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed: PYTHON=…")
        return 2
    if current(wanted):
        return 0
    try:
        if "--engine" in arguments:
            side_by_side(wanted, console)
        else:
            with console.step("Python packages, into .venv"):
                create(wanted)
    except GraderError as err:
        console.line(f"✗ {err}")
        return 3
    return 0


def side_by_side(wanted: str, console: Console) -> None:
    """The few packages that the engine's part needs, then that part beside the many others."""
    fetching = threading.Thread(target=prefetch, daemon=True)
    fetching.start()
    with console.step("the first Python packages, into .venv"):
        begin()
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(create, wanted, begun=True)
        with console.step("Docker Engine and a base image"):
            fetching.join()
        _early()
        with console.step("the other Python packages, begun meanwhile"):
            rest.result()


def _early(checkout: Path = CHECKOUT) -> None:
    """`up`'s longest part. It shows itself; what fails in it, fails again in `up`, and is told."""
    program = "from grader.host.up import early; early()"
    subprocess.run([str(checkout / ".venv/bin/python"), "-c", program], cwd=checkout)


def current(wanted: str, checkout: Path = CHECKOUT) -> bool:
    """Was `.venv` completed for this lock, or for the larger one?"""
    note = _note(checkout)
    return note.is_file() and note.read_text("utf-8") in (
        _stamp(wanted, checkout),
        _stamp("dev", checkout),
    )


def _note(checkout: Path) -> Path:
    """Written last, so that a `.venv` without it is one that was broken off."""
    return checkout / ".venv" / "complete"


def _stamp(wanted: str, checkout: Path) -> str:
    """Changes with the lock and the project's own settings."""
    total = hashlib.sha256()
    for name in (LOCKS[wanted], "pyproject.toml"):
        total.update((checkout / name).read_bytes())
    return f"{_ground(checkout)}{wanted} {total.hexdigest()}\n"


def _ground(checkout: Path) -> str:
    """A virtual environment works for one Python, in one place."""
    return f"{sys.version_info[0]}.{sys.version_info[1]} {checkout}\n"


def create(wanted: str, checkout: Path = CHECKOUT, *, begun: bool = False) -> None:
    """Everything of the lock, then the course itself; the note comes last."""
    if not begun:
        _ground_work(checkout)
    # Beside the engine's work it must not slow that down: nobody waits for this half.
    pip = [*(GENTLY if begun and shutil.which(GENTLY[0]) else ()), *_pip(checkout)]
    _run([*pip, "--require-hashes", "-r", str(checkout / LOCKS[wanted])], "pip install")
    _run([*pip, "--editable", str(checkout)], "pip install of the course itself")
    _note(checkout).write_text(_stamp(wanted, checkout), "utf-8")


def begin(checkout: Path = CHECKOUT) -> None:
    """Only what `up` needs to talk to an engine."""
    _ground_work(checkout)
    part = checkout / ".venv" / "first.lock"
    part.write_text(first(checkout), "utf-8")
    _run([*_pip(checkout), "--require-hashes", "-r", str(part)], "pip install")


def first(checkout: Path = CHECKOUT) -> str:
    """The lock's entries for those few packages."""
    entries = re.split(r"\n(?=\S)", (checkout / LOCKS["run"]).read_text("utf-8"))
    return "\n".join(entry for entry in entries if entry.partition("==")[0] in FIRST) + "\n"


def _ground_work(checkout: Path) -> None:
    """A virtual environment, anew where it was broken off or is of another Python."""
    folder, note = checkout / ".venv", _note(checkout)
    if not (note.is_file() and note.read_text("utf-8").startswith(_ground(checkout))):
        shutil.rmtree(folder, ignore_errors=True)
        _make_venv(folder)
    note.unlink(missing_ok=True)


def _pip(checkout: Path) -> list[str]:
    # Compiling takes a third of the time, and most modules are never imported.
    python = str(checkout / ".venv/bin/python")
    return [python, "-m", "pip", "--quiet", "install", "--no-deps", "--no-compile"]


def _make_venv(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        way = "install the package python3-venv" if "ensurepip" in str(said) else said[-1:]
        raise EngineError(f"{sys.executable} can't make a virtual environment: {way}")


def _run(command: Sequence[str], what: str) -> None:
    """Warnings about the machine's own pip settings are not for our readers; errors are."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise EngineError(f"{what} failed:\n" + "\n".join(lines[-12:]))


def prefetch() -> None:
    """What `up` will need, while pip is busy. What fails here, fails again there, and is told."""
    place = home()
    if os.environ.get("DOCKER_HOST") or modes.why_static(place) is not None:
        return
    if connection.answers(contexts.current()):
        return
    made = threading.Thread(target=_standins, daemon=True)
    made.start()
    with contextlib.suppress(GraderError):
        engine.start(place, lambda _: None)
    made.join()


def _standins() -> None:
    place = home()
    if registry.reachable():
        return
    with contextlib.suppress(GraderError):
        for one in recipes.load():
            if one.standin:
                standin.root_tar(one, place)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
