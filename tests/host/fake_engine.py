"""An engine that answers `GET /version` on a unix socket, and nothing else."""

from __future__ import annotations

import http.server
import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    version: object
    status: int


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        body = json.dumps(self.server.version).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        """Nothing: it would only disturb a test's output."""


@contextmanager
def fake_engine(
    path: Path | None = None, *, api: str = "1.45", status: int = 200, version: object = None
) -> Iterator[str]:
    """The DOCKER_HOST of a fake engine that speaks this API version."""
    with tempfile.TemporaryDirectory(prefix="fake", dir="/tmp") as folder:
        socket = path or Path(folder) / "docker.sock"
        socket.parent.mkdir(parents=True, exist_ok=True)
        with _Server(str(socket), _Handler) as server:
            server.version = {"ApiVersion": api} if version is None else version
            server.status = status
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield f"unix://{socket}"
            finally:
                server.shutdown()
                thread.join()
