"""Every kind of bad submission: a clear message, the right outcome, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.results import Report
from tests.live.conftest import outcomes, row

pytestmark = pytest.mark.live

BASE = "FROM python:3.11-slim\n"
SERVE = (
    BASE + 'WORKDIR /srv\nRUN touch ready\nUSER 10001\nCMD ["python","-m","http.server","8000"]\n'
)
Graded = Callable[[Path], Report]
Folder = Callable[..., Path]


def test_a_good_one_gets_full_marks(graded: Graded, folder: Folder) -> None:
    report = graded(folder(Dockerfile=SERVE))
    assert report.full_marks, report
    assert report.exit_status == 0
    assert report.engine["build_limits"] in ("cgroup v1", "cgroup v2") or os.geteuid() != 0


def test_windows_line_ends_and_a_byte_order_mark_are_no_fault(
    graded: Graded, folder: Folder
) -> None:
    report = graded(folder(Dockerfile=b"\xef\xbb\xbf" + SERVE.replace("\n", "\r\n").encode()))
    assert report.full_marks, report


UNREADABLE = [
    ({}, "no file called Dockerfile"),
    ({"dockerfile": SERVE}, "rename it"),
    ({"Dockerfile": ""}, "empty"),
    ({"Dockerfile": "  \n\n"}, "empty"),
    ({"Dockerfile": BASE.encode() + b"RUN echo \xff\xfe"}, "not UTF-8 text (line 2"),
    ({"Dockerfile": b"FROM python:3.11-slim\x00"}, "NUL"),
    ({"Dockerfile": BASE + "INSTALL numpy\n"}, "Line 2: Unknown instruction 'INSTALL'"),
    ({"Dockerfile": "RUN echo hello\n"}, "before the first FROM"),
]


@pytest.mark.parametrize(("files", "says"), UNREADABLE, ids=[says for _, says in UNREADABLE])
def test_a_dockerfile_that_cannot_be_read_is_one_red_line(
    graded: Graded, folder: Folder, files: dict[str, str | bytes], says: str
) -> None:
    report = graded(folder(**files))
    assert says in row(report, "dockerfile.parses").message
    assert row(report, "dockerfile.parses").outcome.value == "fail"
    assert report.points == 0
    assert report.exit_status == 1


def test_a_folder_called_dockerfile_is_named_as_such(graded: Graded, folder: Folder) -> None:
    place = folder()
    (place / "Dockerfile").mkdir()
    report = graded(place)
    assert "is a folder" in row(report, "dockerfile.parses").message
    assert list(outcomes(report).values()) == ["fail", "skip", "skip", "skip"]


FORK_FOR_EVER = r"exec('import os\nwhile 1:\n try: os.fork()\n except OSError: pass')"
GREEDY = "import time; x = bytearray(600_000_000); time.sleep(5)"
LOOPBACK = 'CMD ["python","-m","http.server","8000","--bind","127.0.0.1"]\n'
BUILDS = [
    ("RUN sleep 1000\n", "still running when the 12 s", 2),
    (f'RUN python -c "{GREEDY}"\n', "200 MB of memory", 2),
    (f'RUN python -c "{FORK_FOR_EVER}"\n', "still running when the 12 s", 2),
    ("RUN bash -c ':(){ :|:& };:; sleep 1; exit 9'\n", "exit code", 2),
    ("RUN yes\n", "prints without end", 2),
    (
        "RUN echo one >&2; echo two; exit 7\n",
        "Line 2 (RUN echo one >&2; echo two; exit 7) fails",
        2,
    ),
    ("COPY nothing-here /\n", "nothing-here", 2),
    ("COPY --from=nobody:1 /a /a\n", "There is no image nobody:1 here", 2),
]


@pytest.mark.parametrize(("line", "says", "number"), BUILDS, ids=[b[0][:24] for b in BUILDS])
def test_a_build_that_misbehaves_is_the_students_and_ends_in_time(
    graded: Graded, folder: Folder, line: str, says: str, number: int
) -> None:
    report = graded(folder(Dockerfile=BASE + line))
    result = row(report, "build.succeeds")
    assert result.outcome.value == "fail", result
    assert says in result.message
    assert result.line == number
    assert outcomes(report)["service.ready"] == "skip"
    assert report.exit_status == 1
    assert report.seconds < 40


def test_a_failing_step_shows_its_last_lines(graded: Graded, folder: Folder) -> None:
    message = row(
        graded(folder(Dockerfile=BASE + "RUN echo first; echo the reason >&2; exit 7\n")),
        "build.succeeds",
    ).message
    assert "exit code 7" in message
    assert "    the reason" in message


def test_a_base_that_is_not_there_names_those_that_are(graded: Graded, folder: Folder) -> None:
    report = graded(folder(Dockerfile="FROM nosuchimage:1.2\nRUN true\n"))
    result = row(report, "build.succeeds")
    assert result.outcome.value == "fail"
    assert "nosuchimage:1.2" in result.message
    assert "python:3.11-slim" in result.message
    assert result.line == 1


def test_a_context_of_two_gigabytes_is_refused_before_it_is_copied(
    graded: Graded, folder: Folder
) -> None:
    place = folder(Dockerfile=SERVE)
    with (place / "weights.bin").open("wb") as file:
        file.truncate(2_000_000_000)
    report = graded(place)
    message = row(report, "build.succeeds").message
    assert "2000 MB" in message
    assert "weights.bin" in message
    assert report.exit_status == 1


def test_a_link_out_of_the_folder_brings_nothing_in(graded: Graded, folder: Folder) -> None:
    outside = folder(secret="canary-7361") / "secret"
    place = folder(Dockerfile=BASE + "COPY mine /mine\nRUN cat /mine\n")
    (place / "mine").symlink_to(outside)
    result = row(graded(place), "build.succeeds")
    assert result.outcome.value == "fail"
    assert "points out of the folder" in result.message
    assert "canary-7361" not in f"{result.message} {result.evidence}"


def test_a_named_pipe_is_refused_and_not_waited_for(graded: Graded, folder: Folder) -> None:
    place = folder(Dockerfile=SERVE)
    os.mkfifo(place / "pipe")
    assert "pipe is a named pipe" in row(graded(place), "build.succeeds").message


STARTS = [
    ('CMD ["python","-c","raise SystemExit(3)"]\n', "exit code 3"),
    ('CMD ["python","-c","print(42)"]\n', "exit code 0"),
    ('CMD ["/no/such/program"]\n', "does not start"),
    ('USER nobody-here\nCMD ["python"]\n', "does not start"),
    ('CMD ["python","-c","import time; time.sleep(1000)"]\n', "nothing answers on port 8000"),
    ('CMD ["python","-c","x = bytearray(300_000_000)"]\n', "more than 100 MB of memory"),
    (f"WORKDIR /srv\nRUN touch ready\n{LOOPBACK}", "listens on 127.0.0.1:8000 only"),
    ('WORKDIR /empty\nCMD ["python","-m","http.server","8000"]\n', "answered 404"),
    ('CMD ["sh","-c","yes"]\n', "nothing answers on port 8000"),
]


@pytest.mark.parametrize(("lines", "says"), STARTS, ids=[f"{n}" for n in range(len(STARTS))])
def test_a_container_that_does_not_serve_is_one_red_line(
    graded: Graded, folder: Folder, lines: str, says: str
) -> None:
    report = graded(folder(Dockerfile=BASE + lines))
    assert row(report, "build.succeeds").outcome.value == "pass"
    result = row(report, "service.ready")
    assert result.outcome.value == "fail", result
    assert says in result.message
    assert outcomes(report)["runtime.not_root"] == "skip"
    assert report.exit_status == 1


def test_a_volume_in_the_image_leaves_none_behind(graded: Graded, folder: Folder) -> None:
    report = graded(folder(Dockerfile=SERVE.replace("USER", "VOLUME /data\nUSER")))
    assert report.full_marks, report
