from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from grader.course import Course
from grader.errors import EngineError
from grader.host import jupyter
from grader.host.home import Home
from grader.host.jupyter import Server, free_port

HERE = Path("/srv/course")


def server(**changes: object) -> Server:
    values = {"pid": 2**22, "port": 1, "token": "t", "checkout": str(HERE), "engine": "", "log": ""}
    return Server(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as taken:
        taken.bind((jupyter.ADDRESS, 0))
        taken.listen()
        yield taken


def test_a_taken_port_gives_way_to_the_next(listener: socket.socket) -> None:
    taken = listener.getsockname()[1]
    assert free_port(taken) > taken


def test_no_free_port_is_an_error_that_names_them(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jupyter, "TRIES", 1)
    taken = listener.getsockname()[1]
    with pytest.raises(EngineError, match=str(taken)):
        free_port(taken)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.headers["Authorization"] == "token right" else 403)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: it would only disturb a test's output."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where something answers that knows one token."""
    with http.server.ThreadingHTTPServer((jupyter.ADDRESS, 0), _Handler) as there:
        thread = threading.Thread(target=there.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield there.server_address[1]
        there.shutdown()


@pytest.mark.parametrize(("token", "expected"), [("right", True), ("wrong", False)])
def test_a_server_is_ours_when_it_knows_our_token(port: int, token: str, expected: bool) -> None:
    assert server(port=port, token=token).answers() is expected


def test_a_machines_proxy_is_not_asked_about_this_machine(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert server(port=port, token="right").answers()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"unknown": 1}'])
def test_a_broken_note_is_no_server(tmp_path: Path, text: str) -> None:
    note = tmp_path / "x.json"
    note.write_text(text)
    assert jupyter.read(note) is None


def test_a_note_is_for_its_owner_only(tmp_path: Path) -> None:
    note = tmp_path / "x.json"
    jupyter._write_private(note, json.dumps(asdict(server())))
    assert note.stat().st_mode & 0o777 == 0o600
    assert jupyter.read(note) == server()


def test_only_other_checkouts_that_answer_keep_the_engine(tmp_path: Path, port: int) -> None:
    place = Home(tmp_path)
    place.jupyter.mkdir()
    for name, token in (("mine", "right"), ("theirs", "right"), ("gone", "wrong")):
        note = jupyter.note(place, Path(name))
        note.write_text(json.dumps(asdict(server(port=port, token=token, checkout=name))))
    assert [one.checkout for one in jupyter.others(place, Path("mine"))] == ["theirs"]
    assert jupyter.running(place, Path("gone")) is None


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[I] starting\nNo module named jupyterlab\n\n")
    with pytest.raises(EngineError, match="No module named jupyterlab"):
        jupyter.wait(server(log=str(log)))


def test_its_children_know_the_engine_and_not_the_users_other_kernels(tmp_path: Path) -> None:
    env = jupyter._environment(Home(tmp_path), HERE)
    assert env[jupyter.MARK] == jupyter.key(HERE)
    assert env["JUPYTER_DATA_DIR"].startswith(str(tmp_path))


def test_the_token_is_not_on_the_command_line() -> None:
    assert not any("token" in word.lower() for word in jupyter.command(HERE))


def test_it_opens_on_the_courses_first_page(course: Course) -> None:
    url = server(port=8890).url
    assert url == "http://127.0.0.1:8890/lab/tree/labs/README.ipynb?token=t"
    assert "--LabApp.default_url=/lab/tree/labs/README.ipynb" in jupyter.command(HERE, port=8890)
    assert (course.root / jupyter.FIRST_PAGE.removeprefix("/lab/tree/")).is_file()


def test_where_somebody_else_starts_it_its_settings_are_the_same(tmp_path: Path) -> None:
    jupyter.settle(tmp_path)
    pages = json.loads((tmp_path / "labconfig/page_config.json").read_text())
    opened = json.loads((tmp_path / "jupyter_lab_config.json").read_text())
    assert pages == jupyter.PAGE
    assert opened["LabApp"]["default_url"] == jupyter.FIRST_PAGE


class Started(Exception):
    """Instead of a JupyterLab."""


def test_it_starts_without_news_where_it_looks_for_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object, env: dict[str, str], **__: object) -> None:
        path = Path(env["JUPYTER_CONFIG_DIR"]) / "labconfig" / "page_config.json"
        off = json.loads(path.read_text())["disabledExtensions"]
        raise Started(off)

    monkeypatch.setattr(jupyter.subprocess, "Popen", start)
    with pytest.raises(Started) as caught:
        jupyter.launch(Home(tmp_path), {}, port=8888, checkout=HERE)
    assert caught.value.args == ({"@jupyterlab/apputils-extension:announcements": True},)
