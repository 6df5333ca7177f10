"""Which GPUs an engine hands to a container: tried, with one container that asks for all of them.

For the doctor and for whoever only wants to know. What a submission asks for and gets is judged by
``grader.gpus``; where simulated ones come from is ``gpu``'s.
"""

import os
import re

from grader import labels
from grader.errors import EngineError
from grader.host import images
from grader.host.client import docker
from grader.host.connection import Connection

TIMEOUT_S = 30
NOTHING_COMPUTES = "nothing computes on them"


def seen(connection: Connection, kind: str) -> str:
    """In words, with the kind first: ``simulated``, ``nvidia`` or ``none``."""
    marks = ["--label", f"{labels.RUN}=gpu-{os.getpid()}", "--label", f"{labels.KIND}=doctor"]
    words = ["run", "--rm", "--pull", "never", "--network", "none", "--gpus", "all", *marks]
    try:
        done = docker(connection, *words, images.PYTHON, "nvidia-smi", "-L", timeout=TIMEOUT_S)
    except EngineError as err:
        return f"none can be handed out: {err}"
    names = re.findall(r"^GPU \d+: (.*) \(UUID", done.stdout, re.M)
    if done.returncode or not names:
        return "none (no lab needs a real one)"
    if kind == "simulated" or names[0].startswith("Simulated"):
        return f"simulated, {NOTHING_COMPUTES}: {', '.join(names)}"
    return f"nvidia: {', '.join(names)}"
