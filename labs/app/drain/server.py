"""A service that is stopped with Ctrl-C, as its author does it: the standard library alone.

    GET  /ready    200
    POST /predict  {"pixels": [64 numbers, 0 to 16]} -> {"ink": their mean}

Ctrl-C sends SIGINT, and Python makes KeyboardInterrupt of it. From then on it takes no new
connections, answers the requests that it has begun, and ends with status 0. Of other signals its
author has never thought. WORK_S is how many seconds a prediction takes longer.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "8000"))
WORK_S = float(os.environ.get("WORK_S", "0"))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.answer(200 if path == "/ready" else 404, {"path": path})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            pixels = [float(p) for p in json.loads(body)["pixels"]]
        except (KeyError, TypeError, ValueError):
            pixels = []
        if not pixels:
            self.answer(422, {"detail": 'send {"pixels": [64 numbers]}'})
            return
        time.sleep(WORK_S)
        self.answer(200, {"ink": sum(pixels) / len(pixels)})

    def answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *words: object) -> None:
        print(form % words)


def main() -> None:
    server = ThreadingHTTPServer(("0.0.0.0", PORT), Handler)
    server.daemon_threads = False  # so that closing it waits for the requests in flight
    print(f"serving on port {PORT}")
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        print("told to stop: finishing what has begun")
    server.server_close()
    print("ended in good order")


if __name__ == "__main__":
    main()
