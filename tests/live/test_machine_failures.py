"""The machine's failures: an error and exit status 3, never a student's zero."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from grader import labels
from grader.buildlog import BuildEvent
from grader.course import Course
from grader.grade import grade
from grader.host import engine as host_engine
from grader.host import processes
from grader.host.connection import Connection
from grader.host.home import Home
from tests.conftest import ROOT, wait_until
from tests.live.conftest import LAB, copy_image, leftovers, outcomes, row
from tests.live.test_bad_input import BASE, SERVE

pytestmark = [pytest.mark.live, pytest.mark.slow]
IMAGE = "python:3.11-slim"
Make = Callable[[str], Course]
Folder = Callable[..., Path]


@pytest.fixture(scope="module")
def spare(
    spare_home: Callable[[Path], Connection], connection: Connection
) -> Iterator[tuple[Home, Callable[[], Connection]]]:
    """A second engine that a test may kill; ``up()`` brings it back with the base image."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        place = Home(Path(folder))

        def up() -> Connection:
            spare = spare_home(place.root)
            copy_image(connection, spare, IMAGE)
            return spare

        yield place, up
        host_engine.stop(place)


def kill(place: Home) -> None:
    for pid in processes.mine(place, "dockerd"):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not host_engine.answers(place))


def test_a_dead_daemon_is_an_error_in_each_row_that_needs_it(
    spare: tuple[Home, Callable[[], Connection]], small_course: Make, folder: Folder
) -> None:
    place, up = spare
    connection = up()
    kill(place)
    course = small_course(LAB)
    report = grade(
        course.exercise("90-small/one"), folder(Dockerfile=SERVE), connection, course=course
    )
    assert list(outcomes(report).values()) == ["pass", "error", "error", "error"]
    assert not report.gradable
    assert report.exit_status == 3


def test_the_command_with_a_dead_daemon_exits_3_and_gives_no_zero(folder: Folder) -> None:
    place = folder(Dockerfile=SERVE)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "grader",
            "grade",
            "01-multi-stage/two-stages",
            place,
            "--format=json",
        ],
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert '"gradable": false' in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_daemon_lost_during_the_build_is_an_error(
    spare: tuple[Home, Callable[[], Connection]], small_course: Make, folder: Folder
) -> None:
    place, up = spare
    connection, course = up(), small_course(LAB)

    def kill_it(event: BuildEvent) -> None:
        if event.status == "running" and event.line == 2:
            threading.Thread(target=kill, args=[place]).start()

    report = grade(
        course.exercise("90-small/one"),
        folder(Dockerfile=BASE + "RUN sleep 9\n"),
        connection,
        course=course,
        on_event=kill_it,
    )
    assert outcomes(report)["build.succeeds"] == "error", report
    assert report.exit_status == 3


def test_a_daemon_lost_after_the_build_is_an_error(
    spare: tuple[Home, Callable[[], Connection]], small_course: Make, folder: Folder
) -> None:
    place, up = spare
    connection, course = up(), small_course(LAB)
    never = BASE + 'CMD ["python","-c","import time; time.sleep(99)"]\n'
    api = docker.APIClient(connection.host, version="auto")

    def kill_when_it_runs() -> None:
        wait_until(lambda: api.containers(filters={"label": f"{labels.KIND}=submission"}), 20)
        kill(place)

    thread = threading.Thread(target=kill_when_it_runs)
    thread.start()
    exercise = course.exercise("90-small/one")
    report = grade(exercise, folder(Dockerfile=never), connection, course=course)
    thread.join()
    assert outcomes(report)["build.succeeds"] == "pass"
    assert outcomes(report)["service.ready"] == "error", report
    assert report.exit_status == 3


def test_stopping_a_killed_engine_ends_what_ran_in_its_containers(
    spare: tuple[Home, Callable[[], Connection]],
) -> None:
    place, up = spare
    connection = up()
    marker = f"sleep {uuid.uuid4().int % 10**6 + 10**6}"
    subprocess.run(
        [connection.docker, "run", "--detach", IMAGE, "sh", "-c", f"{marker} & wait"],
        env={**os.environ, **connection.environment},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert wait_until(lambda: _running(marker))
    for name in ("dockerd", "containerd", "containerd-shim-runc-v2"):
        for pid in processes.mine(place, name):
            os.kill(pid, signal.SIGKILL)
    host_engine.stop(place)
    assert not _running(marker)


def _running(words: str) -> list[int]:
    return [pid for pid in processes.pids() if processes.command_line(pid) == words.split()]


def test_a_full_disk_is_an_error(
    spare_home: Callable[[Path], Connection],
    connection: Connection,
    small_course: Make,
    folder: Folder,
) -> None:
    with tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        disk, mount = Path(scratch, "disk"), Path(scratch, "m")
        mount.mkdir()
        with disk.open("wb") as file:
            file.truncate(1_500_000_000)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", disk], check=True)
        subprocess.run(["mount", "-o", "loop", disk, mount], check=True)
        try:
            spare = spare_home(mount / "h")
            copy_image(connection, spare, IMAGE)
            course = small_course(LAB)
            text = BASE + "RUN dd if=/dev/zero of=/big bs=1M count=4000 status=none\n"
            exercise = course.exercise("90-small/one")
            report = grade(exercise, folder(Dockerfile=text), spare, course=course)
            assert outcomes(report)["build.succeeds"] == "error", report
            assert "disk is full" in row(report, "build.succeeds").message
            assert report.exit_status == 3
            assert grade(exercise, folder(Dockerfile=SERVE), spare, course=course).gradable
        finally:
            host_engine.stop(Home(mount / "h"))
            subprocess.run(["umount", mount], check=True)


def test_what_a_killed_run_left_is_removed_at_the_next_start(
    connection: Connection, small_course: Make, folder: Folder
) -> None:
    course = small_course(LAB.replace("ready_seconds = 4", "ready_seconds = 60"))
    place = folder(Dockerfile=BASE + 'CMD ["python","-c","import time; time.sleep(99)"]\n')
    api = docker.APIClient(connection.host, version="auto")
    process = subprocess.Popen(
        [sys.executable, "-m", "grader", "grade", "90-small/one", place],
        env={**os.environ, **connection.environment, "LAB_COURSE": str(course.root)},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )

    def made() -> list[object]:
        every = api.containers(all=True, filters={"label": labels.RUN})
        return [c for c in every if f"/{process.pid}/" in c["Labels"][labels.RUN]]

    wait_until(made, 30)
    process.kill()
    process.wait()
    assert made()
    exercise = course.exercise("90-small/one")
    grade(exercise, folder(Dockerfile="FROM scratch\n"), connection, course=course)
    assert not made()


def test_an_interrupted_run_leaves_nothing(
    connection: Connection, small_course: Make, folder: Folder
) -> None:
    course = small_course(LAB)
    place = folder(Dockerfile=BASE + "RUN sleep 11\n")
    # Where the tests are a background job, SIGINT is ignored from the start, unless reset.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "grader"]
    process = subprocess.Popen(
        [*command, "grade", "90-small/one", place],
        env={**os.environ, **connection.environment, "LAB_COURSE": str(course.root)},
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: _buildx_below(process.pid), 20)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not _buildx_below(process.pid)
    assert leftovers(connection) == []


def _buildx_below(pid: int) -> list[int]:
    found = []
    for other in processes.pids():
        words = processes.command_line(other)
        if words and "buildx" in words[0] and f"lab.run={os.uname().nodename}/{pid}/" in str(words):
            found.append(other)
    return found
