"""One warm grade, as a ratio to the same Docker operations typed one after the other.

Both sides are run in turn, in one process, on the same submission: the course's own answer to
01-multi-stage/two-stages.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from grader.course import Course
from grader.engine import PROBE_IMAGE
from grader.given import files as given_files
from grader.grade import grade
from grader.host.connection import Connection
from tests.bench.clock import seconds

ID = "01-multi-stage/two-stages"
ROUNDS = 7
# What the exercise's checks need of Docker, by hand: build, look at the size and at every path,
# start without a network, wait until it is ready and ask for 20 digits from a second container.
SCRIPT = """
set -eu
docker buildx build --quiet --label "by-hand=$$" --iidfile "$SCRATCH/iid" "$CONTEXT" >/dev/null
image=$(cat "$SCRATCH/iid")
docker history --format '{{.Size}}' "$image" >/dev/null
look=$(docker create "$image" none)
docker export "$look" | tar -t >"$SCRATCH/paths"
docker rm "$look" >/dev/null
app=$(docker run --detach --network none --memory 1g --pids-limit 256 "$image")
docker run --rm --network "container:$app" "$IMAGE" python -c "$ASK"
docker rm --force --volumes "$app" >/dev/null
docker rmi --force "$image" >/dev/null
"""
ASK = """
import json, time, urllib.request as web
def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    head = {"content-type": "application/json"}
    return web.urlopen(web.Request(f"http://127.0.0.1:8000{path}", data, head), timeout=5).read()
while True:
    try:
        ask("/ready")
        break
    except OSError:
        time.sleep(0.02)
for n in range(20):
    ask("/predict", {"pixels": [n % 17] * 64})
"""


def run(course: Course, connection: Connection) -> None:
    edited, unchanged = (
        _sides(course, connection, edit=True),
        _sides(course, connection, edit=False),
    )
    for name, (ours, by_hand) in (("edited", edited), ("unchanged", unchanged)):
        ours(), by_hand()
        pairs = [(seconds(ours), seconds(by_hand)) for _ in range(ROUNDS)]
        mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        worst = sorted(one for one, _ in pairs)[-1]
        print(
            f"{name}: grade {mine:.2f} s (worst of {ROUNDS} {worst:.2f} s), by hand {theirs:.2f} s,"
            f" ratio {mine / theirs:.2f}"
        )


def _sides(
    course: Course, connection: Connection, *, edit: bool
) -> tuple[Callable[[], None], Callable[[], None]]:
    exercise = course.exercise(ID)
    folder = Path(tempfile.mkdtemp(prefix="lab-bench-"))
    shutil.copytree(course.solution(exercise), folder, dirs_exist_ok=True)
    for name, source in given_files(course.app, exercise.given).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    dockerfile = folder / "Dockerfile"
    text = dockerfile.read_text()

    def prepare() -> None:
        if edit:
            dockerfile.write_text(
                f"{text}\nLABEL edit={uuid.uuid4().hex}\nCOPY Dockerfile /app/note\n"
            )

    def ours() -> None:
        prepare()
        report = grade(exercise, folder, connection, course=course)
        assert report.full_marks, report

    def by_hand() -> None:
        prepare()
        environment = {
            **os.environ,
            **connection.environment,
            "CONTEXT": str(folder),
            "SCRATCH": str(folder.parent),
            "IMAGE": PROBE_IMAGE,
            "ASK": ASK,
        }
        subprocess.run(["bash", "-c", SCRIPT], env=environment, check=True)

    return ours, by_hand
