"""One call of the docker client, with a time limit, for the few things that the host needs.

Not here: grading's talk with the engine, which goes over the API (grader.engine).
"""

import os
import subprocess
from collections.abc import Sequence

from grader.errors import EngineError
from grader.host.connection import Connection

Done = subprocess.CompletedProcess[str]


def docker(connection: Connection, *arguments: str, timeout: float = 60) -> Done:
    """`docker …` on this connection."""
    return call([connection.docker, *arguments], connection, timeout=timeout)


def call(command: Sequence[str], connection: Connection, *, timeout: float) -> Done:
    """Any program that talks to the connection's engine."""
    env = {**os.environ, **connection.environment}
    try:
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as err:
        words = " ".join(command[:4])
        raise EngineError(f"`{words} …` did not end within {timeout:.0f} s") from err
    except OSError as err:
        raise EngineError(f"{command[0]} can't be started: {err}") from err
