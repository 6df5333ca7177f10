"""The base images that the labs need: the real one where it can be had, else made here.

Not here: the recipes, which are the folders of images/; nor anything about students' builds.
"""

import json
from collections.abc import Mapping
from typing import Any

from grader.errors import EngineError
from grader.host import recipes, registry, standin, trust
from grader.host.client import call, docker
from grader.host.connection import Connection
from grader.host.home import home
from grader.host.packages import Say
from grader.host.recipes import DIGEST, Recipe

PYTHON = "python:3.11-slim"
BUILD_TIMEOUT_S = 600
PULL_TIMEOUT_S = 600


def ensure(connection: Connection, say: Say, *, pull: bool = True) -> None:
    """Have every base image on the engine."""
    for one in recipes.load():
        state = inspect(connection, one.tag)
        if state is None or stale(one, state):
            make(connection, one, say, pull=pull)


def inspect(connection: Connection, tag: str) -> dict[str, Any] | None:
    """What the engine knows of an image; None when it has none of that name."""
    done = docker(connection, "image", "inspect", tag)
    if done.returncode:
        return None
    first: dict[str, Any] = json.loads(done.stdout)[0]
    return first


def image_labels(state: Mapping[str, Any]) -> dict[str, str]:
    return dict((state.get("Config") or {}).get("Labels") or {})


def stale(one: Recipe, state: Mapping[str, Any]) -> bool:
    """Made here, by an older recipe. What somebody pulled has no label of ours: never stale."""
    made_by = image_labels(state).get(DIGEST)
    return made_by is not None and made_by != one.digest


def make(connection: Connection, one: Recipe, say: Say, *, pull: bool = True) -> None:
    """Pull it where that is possible, else build it."""
    if not one.standin:
        say(f"building {one.tag}")
        _build(connection, one)
    elif not (pull and registry.reachable() and _pull(connection, one.tag, say)):
        say(f"making a stand-in for {one.tag} from Debian packages")
        _import(connection, one)


def _pull(connection: Connection, tag: str, say: Say) -> bool:
    say(f"pulling {tag}")
    try:
        done = docker(connection, "pull", "--quiet", tag, timeout=PULL_TIMEOUT_S)
    except EngineError as err:
        say(str(err))
        return False
    if done.returncode:
        say(f"{tag} could not be pulled: {_tail(done.stderr, 1)}")
    return done.returncode == 0


def _build(connection: Connection, one: Recipe) -> None:
    marks = [word for key, value in one.marks.items() for word in ("--label", f"{key}={value}")]
    command = [*connection.buildx, "build", "--load", "--tag", one.tag, *marks, str(one.folder)]
    done = call(command, connection, timeout=BUILD_TIMEOUT_S)
    if done.returncode:
        raise EngineError(f"building {one.tag} failed:\n{_tail(done.stderr)}")


def _import(connection: Connection, one: Recipe) -> None:
    tar = standin.root_tar(one, home())
    words = [word for change in changes(one) for word in ("--change", change)]
    done = docker(connection, "import", *words, str(tar), one.tag, timeout=BUILD_TIMEOUT_S)
    if done.returncode:
        raise EngineError(f"importing {one.tag} failed: {_tail(done.stderr)}")
    tar.unlink(missing_ok=True)


def changes(one: Recipe) -> list[str]:
    """The image's settings as Dockerfile instructions, which is what `docker import` takes."""
    environment = [*one.config.get("Env", ()), *trust.machine().environment]
    return [
        *(f"ENV {pair}" for pair in environment),
        *(f"LABEL {key}={value}" for key, value in one.marks.items()),
        f"CMD {json.dumps(one.config.get('Cmd', []))}",
    ]


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
