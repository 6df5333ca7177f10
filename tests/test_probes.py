"""The scripts that run beside a container, run here against a small server of this process."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from grader import node, probe, probes
from grader.probes import Run, Seen


class Server(BaseHTTPRequestHandler):
    """Ready half a second after the first question; /hangs never answers in time."""

    began = 0.0

    def do_GET(self) -> None:
        status = {"/live": 200, "/ready": self.ready(), "/moved": 302}.get(self.path, 404)
        if self.path == "/hangs":
            time.sleep(3)
        self.answer(status)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer(200 if body == {"pixels": [0]} else 422)

    def ready(self) -> int:
        type(self).began = self.began or time.monotonic()
        return 200 if time.monotonic() - self.began > 0.5 else 503

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"said")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def port() -> Iterator[int]:
    Server.began = 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # we hang up on some
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def ran(script: str, ask: dict[str, Any], *, seconds: float = 20) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(ask).encode())).decode()
    words = [sys.executable, "-I", "-S", "-c", script, packed]
    return subprocess.run(words, capture_output=True, text=True, timeout=seconds).stdout


def watched(port: int, paths: list[str], **more: Any) -> Seen:
    ask = {
        "host": "127.0.0.1",
        "port": port,
        "paths": paths,
        "seconds": 5,
        "until": [200],
        "after": 0.2,
        "pause": 0.02,
        "patience": 0.3,
        "most": 300,
        "bodies": {},
        **more,
    }
    said = json.loads(ran(probe._HEAD + probes.SCRIPT, ask))
    return Seen(tuple(Run(**run) for run in said["runs"]))


def test_the_same_answers_are_one_run(port: int) -> None:
    seen = watched(port, ["/ready", "/live"])
    first, second = seen.of("/ready")
    assert (first.status, second.status) == (503, 200)
    assert first.count > 3
    assert first.first < first.last < second.first <= second.last
    assert [run.status for run in seen.of("/live")] == [200]
    assert first.text == "said"


def test_it_goes_on_for_a_while_after_what_it_waited_for(port: int) -> None:
    seen = watched(port, ["/ready"], after=0.4)
    last = seen.of("/ready")[-1]
    assert last.last - last.first > 0.2


def test_nobody_there_is_status_0_and_the_time_is_kept() -> None:
    began = time.monotonic()
    (run,) = watched(1, ["/ready"], seconds=0.5).runs
    assert (run.status, run.text[:22]) == (0, "ConnectionRefusedError")
    assert time.monotonic() - began < 5


def test_an_answer_that_does_not_come_is_status_0(port: int) -> None:
    (run,) = watched(port, ["/hangs"], seconds=0.5).runs
    assert run.status == 0
    assert "imeout" in run.text


def test_any_answer_will_do(port: int) -> None:
    assert [run.status for run in watched(port, ["/nowhere"], until=[], after=0).runs] == [404]


def test_a_body_is_posted(port: int) -> None:
    (run,) = watched(port, ["/predict"], bodies={"/predict": {"pixels": [0]}}, after=0).runs
    assert run.status == 200


def test_a_server_that_changes_its_mind_is_cut_short(port: int) -> None:
    assert len(watched(port, ["/live", "/nowhere"], most=1, after=3).runs) <= 2


def test_first_is_of_any_status_or_of_these() -> None:
    seen = Seen((Run("/a", 0, 1, 2, 1), Run("/a", 503, 3, 4, 1), Run("/a", 200, 5, 6, 1)))
    assert (seen.first("/a"), seen.first("/a", 200), seen.first("/a", 500)) == (3, 5, None)
    assert seen.first("/b") is None


# -- the kubelet's eye ----------------------------------------------------------------------------


def row(port: int, path: str = "/live", **more: Any) -> dict[str, Any]:
    plain = {"kind": "http", "scheme": "HTTP", "host": "", "headers": [], "timeout": 0.3}
    return {**plain, "port": port, "path": path, **more}


def looked(port: int, *rows: dict[str, Any]) -> list[tuple[bool, object]]:
    """What each handler said last."""
    ask = {"handlers": list(rows), "pause": 0.05, "seconds": 1.2, "host": "127.0.0.1"}
    last: dict[int, tuple[bool, object]] = {}
    for line in ran(node.EYE, ask).splitlines():
        number, ok, said, began, ended = json.loads(line)
        assert began <= ended
        last[number] = (ok, said)
    return [last[number] for number in range(len(rows))]


def test_what_counts_as_a_success(port: int) -> None:
    said = looked(
        port,
        row(port, "/live"),
        row(port, "/moved"),
        row(port, "/nowhere"),
        row(port, "/hangs"),
        row(port, kind="tcp"),
        row(1),
        row(1, kind="tcp"),
        row(port, scheme="HTTPS"),
    )
    assert [ok for ok, _ in said] == [True, True, False, False, True, False, False, False]
    assert [text for _, text in said[:3]] == [200, 302, 404]
    assert said[4][1] == "open"
