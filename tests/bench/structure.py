"""The same questions about an image's files and settings, asked of container-structure-test.

Its own tests run in containers of the image, one a question; ours read one listing. Both sides are
run in turn on the shared digits image.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from grader.checks.files import absent
from grader.checks.image import exposes, workdir
from grader.checks.user import numeric
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.engine import Engine
from grader.host.connection import Connection
from grader.references import References
from grader.results import Outcome
from grader.users import runs_as
from tests.bench.clock import p50, seconds

ROUNDS = 7
TOOLS = ["gcc", "g++", "make", "ld", "as"]
QUESTIONS = {
    "schemaVersion": "2.0.0",
    "metadataTest": {"user": "10001:10001", "exposedPorts": ["8000"], "workdir": "/app"},
    "fileExistenceTests": [
        {"name": f"no {tool}", "path": f"/usr/bin/{tool}", "shouldExist": False} for tool in TOOLS
    ],
}


def run(course: Course, connection: Connection) -> None:
    """Print seconds and ratio, with our listing known and with a fresh one."""
    program = Path(sys.executable).with_name("container-structure-test")
    if not program.is_file():
        print("structure: container-structure-test is not installed here")
        return
    with Engine.open(connection) as engine, tempfile.TemporaryDirectory() as folder:
        tag = References(engine, course).image("digits")
        config = Path(folder, "questions.json")
        config.write_text(json.dumps(QUESTIONS))
        command = [str(program), "test", "--quiet", "--image", tag, "--config", str(config)]
        pairs = [
            (seconds(lambda: _ours(engine, tag)), seconds(lambda: _theirs(connection, command)))
            for _ in range(ROUNDS)
        ]
    mine, theirs = (p50(side) for side in zip(*pairs, strict=True))
    print(
        f"structure, {3 + len(TOOLS)} questions: ours {mine:.2f} s,"
        f" container-structure-test {theirs:.2f} s, ratio {mine / theirs:.2f}"
    )


def _ours(engine: Engine, tag: str) -> None:
    image, files = engine.image(tag), engine.files(tag)
    found = [
        absent(files, names=TOOLS),
        exposes(image, ports=[8000]),
        workdir(image, path="/app"),
        numeric(runs_as(image, engine), Dockerfile("", ())),
    ]
    assert all(r.outcome is Outcome.PASS for r in found), found


def _theirs(connection: Connection, command: list[str]) -> None:
    subprocess.run(command, env={**os.environ, **connection.environment}, check=True)
