"""The service that the patients of lab 09 run: it says what it does, and then does it.

GET /ready   200
Everything else about it is in its environment, which Docker shows.
"""

import ctypes
import json
import mmap
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MB = 1_000_000
PAGE = 4096
HOST, PORT = os.environ["HOST"], int(os.environ["PORT"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": "ready"}'
        self.send_response(200 if self.path == "/ready" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *words: object) -> None:
        """Its health check would fill the log."""


def fill(buffer: bytearray | mmap.mmap, size: int) -> None:
    """Memory is taken when it is written to, page by page, and not before."""
    for at in range(0, size, PAGE):
        buffer[at] = 1


def shared(size: int) -> mmap.mmap:
    """A block for worker processes, as data loaders have it: in /dev/shm."""
    with Path("/dev/shm/batches").open("w+b") as file:
        file.truncate(size)
        return mmap.mmap(file.fileno(), size)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("loading the native library")
    ctypes.CDLL(os.environ["NATIVE_LIBRARY"])
    print("reading the model")
    json.loads(Path("/models/model.json").read_text())
    print("sharing memory with the workers")
    size = int(os.environ["SHARED_MB"]) * MB
    batches = shared(size)
    fill(batches, size)
    print("filling the cache")
    cache = bytearray(int(os.environ["CACHE_MB"]) * MB)
    fill(cache, len(cache))
    print(f"listening at {HOST}:{PORT}")
    ThreadingHTTPServer((HOST, PORT), Handler).serve_forever()


main()
