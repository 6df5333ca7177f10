"""Can this engine really run a container on its default bridge, and what does that one reach?

Not here: what to do about it (cards). An engine is not trusted before it has done this.
"""

import json
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from grader import labels
from grader.errors import EngineError
from grader.host import images
from grader.host.apt import codename, sources
from grader.host.client import docker
from grader.host.connection import Connection

IMAGE = images.PYTHON
TIMEOUT_S = 30

# Runs in the container; its one line of JSON is all that we read.
PROGRAM = """
import json, socket, sys
routes = [line.split() for line in open("/proc/net/route")][1:]
names = sorted({route[0] for route in routes})
seen = {"route": any(route[1] == "00000000" for route in routes), "interfaces": names}
host, port = sys.argv[1], int(sys.argv[2])
try:
    seen["name"] = bool(socket.getaddrinfo(host, port))
    socket.create_connection((host, port), 5).close()
    seen["mirror"] = ""
except OSError as err:
    seen["mirror"] = str(err)
print(json.dumps(seen))
"""


@dataclass(frozen=True)
class Bridge:
    """What one container on the default bridge found."""

    works: bool
    said: str
    mirror: str = ""  # why the package mirror was not reached from there; empty when it was


def bridge_works(connection: Connection) -> Bridge:
    """Start a container of a base image on the default bridge and let it look around."""
    host, port = mirror()
    marks = ["--label", f"{labels.RUN}=bridge-{os.getpid()}", "--label", f"{labels.KIND}=doctor"]
    try:
        done = docker(
            connection,
            "run",
            "--rm",
            "--network",
            "bridge",
            "--pull",
            "never",
            *marks,
            IMAGE,
            "python3",
            "-c",
            PROGRAM,
            host,
            str(port),
            timeout=TIMEOUT_S,
        )
    except EngineError as err:
        return Bridge(False, str(err))
    if done.returncode:
        return Bridge(False, done.stderr.strip() or f"exit status {done.returncode}")
    return _read(done.stdout, host)


def _read(text: str, host: str) -> Bridge:
    try:
        seen = json.loads(text)
    except ValueError:
        return Bridge(False, f"the container said {text[:80]!r}")
    if not seen["route"]:
        return Bridge(False, f"the container has no way out, only {seen['interfaces']}")
    reach = f"{host}: {seen['mirror']}" if seen["mirror"] else ""
    return Bridge(True, f"a container ran with {', '.join(seen['interfaces'])}", reach)


def mirror() -> tuple[str, int]:
    """Where the machine's own packages come from, which a build needs to reach too."""
    own = (source for source in sources() if source.suite == codename())
    source = next(own, None)
    if source is None:
        return "localhost", 9
    parts = urlsplit(source.uri)
    return parts.hostname or "localhost", parts.port or (443 if parts.scheme == "https" else 80)
