"""Adds up numbers, on whatever devices `device.choose` gives it: a service in Python's own library.

GET  /live, /ready   200
POST /predict        {"numbers": [1, 2]}  ->  {"sum": 3, "devices": ["cpu"]}

Nothing is really computed on a GPU. Which one it would be is what this lesson is about.
"""

import json
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import device

PORT = 8000
DEVICES = device.choose()  # once, at the start, as a model is loaded once


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200 if self.path in ("/live", "/ready") else 404, {"status": self.path[1:]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        self.answer(200, {"sum": sum(asked.get("numbers", [])), "devices": DEVICES})

    def answer(self, status: int, value: dict[str, object]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No line for each request."""


def stop(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)  # process 1 of a container ignores it unless it is handled
    print("computing on", ", ".join(DEVICES), flush=True)
    ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()
