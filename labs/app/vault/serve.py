"""Serves, as far as a lab on secrets needs it: says whether it could read its weights.

GET /ready   200 with the kind of the weights, 503 with the reason why they can't be read
"""

import json
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WEIGHTS = Path(os.environ.get("WEIGHTS", "weights.bin"))


def state() -> tuple[int, dict[str, str]]:
    try:
        first = WEIGHTS.read_bytes().split(b"\n", 1)[0].decode()
    except (OSError, UnicodeDecodeError) as err:
        return 503, {"status": "no weights", "why": str(err)}
    if not first.startswith("WEIGHTS "):
        return 503, {"status": "no weights", "why": f"{WEIGHTS} holds something else"}
    return 200, {"status": "ready", "weights": first.split()[1]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, told = state() if self.path in ("/ready", "/health") else (404, {})
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Being asked twice a second is no news."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
