"""Whether an engine can begin on a data folder: who uses it, who did so last, how much room it has.

Not here: starting an engine, or removing anything.
"""

import contextlib
import fcntl
import json
import re
import shutil
import subprocess
from collections.abc import Iterator

from grader.errors import EngineError
from grader.host.contexts import read_json
from grader.host.home import Home
from grader.host.packages import Say

NOTE = "lab-engine.json"
LOCK = "lab-engine.lock"
LEAST_FREE = 3_000_000_000  # bytes: base images and references alone take two thirds of it
WAY_OUT = (
    "If the volume of the engine's data was left by another version or is damaged, make it anew:"
    " `docker compose down`, then `docker volume rm` the one whose name ends in `_engine`. Images"
    " and build cache go with it, and your work stays: it is in another volume."
)


@contextlib.contextmanager
def held(place: Home, say: Say) -> Iterator[None]:
    """For one engine at a time: with the profile `gpu` there are two, and the second one waits."""
    place.data.mkdir(parents=True, exist_ok=True)
    with (place.data / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("✓ another engine serves already; this one waits for its end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check(place: Home) -> None:
    """Refuse data of a newer engine before that is damaged, and a disk that is full already."""
    _room(place)
    was, now = _numbers(str(read_json(place.data / NOTE).get("engine", ""))), _numbers(ours(place))
    if was and now and was[0] > now[0]:
        raise EngineError(
            f"The engine's volume was last used by Docker Engine {'.'.join(map(str, was))}, and"
            f" this one is {'.'.join(map(str, now))}. Use the newer image again"
            f" (`docker compose build --pull engine`), or start afresh. {WAY_OUT}"
        )


def _room(place: Home) -> None:
    free = shutil.disk_usage(place.data).free
    if free < LEAST_FREE:
        raise EngineError(
            f"The disk of Docker's volumes has {free / 1e9:.1f} GB free, and the labs need"
            f" {LEAST_FREE / 1e9:.0f} GB. `docker system df` shows what holds the rest;"
            " `docker builder prune` and `docker image prune` give some of it back."
        )


def remember(place: Home) -> None:
    """Note who uses it now."""
    (place.data / NOTE).write_text(json.dumps({"engine": ours(place)}), "utf-8")


def ours(place: Home) -> str:
    """The version of the engine that was unpacked; "" where it does not say."""
    program = place.engine / "usr/sbin/dockerd"
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"version (\d+(?:\.\d+)*)", done.stdout)
    return found.group(1) if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
