"""A service for tests, of the standard library alone; MODE (words with commas) makes it misbehave.

drop        leaves at once when told to stop
none        has no handler at all
late        stops in good order, and takes its time
breaks      ends with status 3 when told to stop
refuse      answers what is in flight with 503 once it was told to stop
cut         sends half of an answer then
forgets     leaves without writing what it printed
keeps       children that a request starts stay
reaps-next  waits for dead children when the next request comes
json        /metrics is a JSON string          no-metrics  there is none
garbled     /metrics is no text format         gauge       the counter is none
per-worker  every second answer is counted by another process, which nobody asks
scrapes     counts scrapes, three at a time
hungry      takes 150 MB                       hungry-child  has a child do so, again and again
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

MODE = frozenset(os.environ.get("MODE", "").split(","))
HOST, PORT = os.environ.get("HOST", "0.0.0.0"), 8000
WRITES = os.environ.get("WRITES", "")  # a file that each prediction is written to
LOG = Path(os.environ["LOG"]).open("a") if "LOG" in os.environ else sys.stdout  # noqa: SIM115  for good
STAY = 600 if "keeps" in MODE else 0.05
CHILD = "take = bytearray(150_000_000); take[:: 4096] = b'x' * len(take[:: 4096])"
stopping = threading.Event()
lock = threading.Lock()
counted = [0, 0]  # by this process, and by one that is only imagined


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        if "reaps-next" in MODE:
            reap()
        path = self.path.partition("?")[0]
        if path == "/ready":
            self.answer(200, "application/json", '{"status": "ready"}')
        elif path == "/metrics" and "no-metrics" not in MODE:
            self.answer(200, *metrics())
        elif path == "/spawn":
            # The shell ends at once, so its child is an orphan and comes to process 1.
            subprocess.run(["sh", "-c", f"sleep {STAY} &"])
            self.answer(200, "text/plain", "started")
        else:
            self.answer(404, "text/plain", "not found")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            if WRITES:
                with Path(WRITES).open("a") as file:
                    file.write("asked\n")
        except OSError as err:
            self.answer(500, "text/plain", str(err))
            return
        if stopping.is_set() and "refuse" in MODE:
            self.answer(503, "text/plain", "I am told to stop")
            return
        with lock:
            counted["per-worker" in MODE and sum(counted) % 2] += 1
        digit = int(sum(asked["pixels"])) % 10
        self.answer(200, "application/json", json.dumps({"digit": digit, "proba": []}))

    def answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        cut = "cut" in MODE and stopping.is_set()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, form: str, *words: object) -> None:
        print(form % words, file=LOG)


def metrics() -> tuple[str, str]:
    if "scrapes" in MODE:
        counted[0] += 3
    kind = "gauge" if "gauge" in MODE else "counter"
    text = f'# TYPE predictions_total {kind}\npredictions_total{{by="me"}} {counted[0]}\n'
    if "json" in MODE:
        return "application/json", json.dumps(text)
    if "garbled" in MODE:
        text = f"predictions = {counted[0]}\n"
    return "text/plain; version=0.0.4", text


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def feed() -> None:
    """A worker that the kernel ends for its hunger, and that is started again."""
    while True:
        subprocess.run([sys.executable, "-c", CHILD])
        time.sleep(0.1)


def told(server: ThreadingHTTPServer) -> None:
    stopping.set()
    if "drop" in MODE:
        os._exit(0)
    if "breaks" in MODE:
        os._exit(3)
    # From a thread of its own: it waits for serve_forever, which this handler interrupts.
    threading.Thread(target=server.shutdown).start()


def main() -> None:
    if "hungry" in MODE:
        exec(CHILD, {})
    if "hungry-child" in MODE:
        subprocess.run([sys.executable, "-c", CHILD])
        threading.Thread(target=feed, daemon=True).start()
    server = ThreadingHTTPServer((HOST, PORT), Handler)
    server.daemon_threads = False  # so that closing it waits for the requests in flight
    if "OTHER_PORT" in os.environ:
        other = ThreadingHTTPServer((HOST, int(os.environ["OTHER_PORT"])), Handler)
        threading.Thread(target=other.serve_forever, daemon=True).start()

    def handler(number: int, frame: FrameType | None) -> None:
        told(server)

    if "none" not in MODE:
        signal.signal(signal.SIGTERM, handler)
        signal.signal(signal.SIGINT, handler)
    print("started", file=LOG)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    if "late" in MODE:
        time.sleep(2.5)
    if "forgets" in MODE:
        os._exit(0)


main()
