"""What the two digits services answer, asked over HTTP in their own images.

How Dockerfiles are graded is not tested here; the images are the course's references.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from grader import labels
from grader.course import Course
from grader.engine import Engine
from grader.host.connection import Connection
from grader.references import BASELINE, References
from tests.conftest import wait_until

pytestmark = pytest.mark.live

PICTURE = json.dumps({"pixels": [7] * 64})


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    type: str = ""


@dataclass(frozen=True)
class Running:
    """A container that publishes its port on this machine's loopback."""

    docker: Callable[..., str]
    container: str
    address: str

    def ask(self, path: str, body: str | None = None) -> Reply:
        request = urllib.request.Request(self.address + path)
        if body is not None:
            request.data = body.encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=5) as reply:
                kind = reply.headers["Content-Type"]
                return Reply(reply.status, reply.read().decode(), kind)
        except urllib.error.HTTPError as err:
            return Reply(err.code, err.read().decode())
        except OSError as err:
            return Reply(0, str(err))

    def status(self, path: str) -> int:
        return self.ask(path).status

    def number(self, metric: str) -> float:
        """The value of a line of /metrics; 0 while there is no such line."""
        text = self.ask("/metrics").text
        found = [line for line in text.splitlines() if line.startswith(metric + " ")]
        return float(found[0].split()[1]) if found else 0

    def stop(self) -> tuple[float, int]:
        """Seconds that `docker stop` took, and the exit status."""
        start = time.monotonic()
        self.docker("stop", self.container)
        seconds = time.monotonic() - start
        return seconds, int(self.docker("inspect", "-f", "{{.State.ExitCode}}", self.container))


Start = Callable[..., Running]


@contextmanager
def _starter(connection: Connection, course: Course) -> Iterator[Start]:
    environment = {**os.environ, **connection.environment}
    started: list[str] = []

    def docker(*words: str) -> str:
        done = subprocess.run(
            [connection.docker, *words], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(name: str = BASELINE, **variables: str) -> Running:
        with Engine.open(connection) as engine:
            image = References(engine, course).image(name)
        options = [f"--env={key}={value}" for key, value in variables.items()]
        container = docker(
            "run", "-d", f"--label={labels.KIND}=test", "-p", "127.0.0.1::8000", *options, image
        )
        started.append(container)
        port = docker("port", container, "8000").rpartition(":")[2]
        return Running(docker, container, f"http://127.0.0.1:{port}")

    try:
        yield run
    finally:
        for container in started:
            docker("rm", "--force", "--volumes", container)


@pytest.fixture
def start(connection: Connection, course: Course) -> Iterator[Start]:
    """Starts a reference image with environment variables; removed after the test."""
    with _starter(connection, course) as run:
        yield run


@pytest.fixture(scope="module", params=[BASELINE, "01-multi-stage/missing-so"])
def ready(
    connection: Connection, course: Course, request: pytest.FixtureRequest
) -> Iterator[Running]:
    """One service after the other, for tests that only ask."""
    with _starter(connection, course) as run, _answering(run(request.param), "/ready") as service:
        yield service


@contextmanager
def _answering(service: Running, path: str = "/live") -> Iterator[Running]:
    wait_until(lambda: service.status(path) == 200, timeout=30)
    yield service


def test_it_is_alive_and_not_ready_while_the_model_loads(start: Start) -> None:
    with _answering(start(LOAD_DELAY_S="4")) as service:
        assert service.status("/ready") == 503
        assert service.status("/health") == 503
        assert service.ask("/predict", PICTURE).status == 503
        assert service.number("model_ready") == 0
        wait_until(lambda: service.status("/ready") == 200, timeout=15)
        assert service.status("/health") == 200
        assert service.number("model_ready") == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/nowhere/digits.onnx", "NoSuchFile"), ("/app/train.py", "InvalidProtobuf")],
    ids=["missing", "broken"],
)
def test_a_bad_model_is_a_500_with_the_reason_and_it_stays_alive(
    start: Start, path: str, reason: str
) -> None:
    with _answering(start(MODEL_PATH=path)) as service:
        wait_until(lambda: service.status("/ready") == 500, timeout=15)
        assert reason in service.ask("/health").text
        assert service.ask("/predict", PICTURE).status == 500
        assert service.status("/live") == 200


def test_it_answers_a_digit_and_ten_probabilities(ready: Running) -> None:
    answer = json.loads(ready.ask("/predict", PICTURE).text)
    assert set(answer) == {"digit", "proba"}
    assert len(answer["proba"]) == 10
    assert answer["proba"].index(max(answer["proba"])) == answer["digit"]
    assert sum(answer["proba"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "body",
    [
        '{"pixels": []}',
        json.dumps({"pixels": [1] * 63}),
        json.dumps({"pixels": [1] * 65}),
        json.dumps({"pixels": ["x"] * 64}),
        '{"pixels": [' + ", ".join(["NaN"] * 64) + "]}",
        "not JSON",
    ],
)
def test_what_is_no_picture_is_a_422(ready: Running, body: str) -> None:
    assert ready.ask("/predict", body).status == 422


def test_a_page_that_is_not_there_is_a_404(ready: Running) -> None:
    assert ready.status("/nowhere") == 404


def test_prometheus_can_read_the_metrics_and_they_count(start: Start) -> None:
    with _answering(start(), "/ready") as service:
        digit = json.loads(service.ask("/predict", PICTURE).text)["digit"]
        for _ in range(4):
            service.ask("/predict", PICTURE)
        assert service.ask("/metrics").type.startswith("text/plain; version=")
        assert service.number(f'predictions_total{{digit="{digit}"}}') == 5
        assert service.number("prediction_latency_seconds_count") == 5


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        (BASELINE, {}),
        (BASELINE, {"LOAD_DELAY_S": "600"}),
        ("01-multi-stage/missing-so", {}),
    ],
)
def test_it_stops_at_once_and_with_0(start: Start, name: str, variables: dict[str, str]) -> None:
    with _answering(start(name, **variables)) as service:
        seconds, status = service.stop()
    assert status == 0
    assert seconds < 5


def test_nothing_is_written_under_home(start: Start) -> None:
    with _answering(start(), "/ready") as service:
        service.ask("/predict", PICTURE)
        assert "/root" not in service.docker("diff", service.container)
