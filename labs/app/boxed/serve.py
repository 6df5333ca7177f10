"""Reads handwritten digits, and takes for it what a big model takes: processor time and memory.

    GET  /ready    200 as soon as the port is open; the first request loads the model
    POST /predict  {"pixels": [64 numbers]}  ->  {"digit": 7, "threads": 6}
    POST /batch    {"pictures": 500}         ->  {"pictures": 500}

    OMP_NUM_THREADS  how many threads share the work of one prediction. Default: the machine's
                     processors and four more, as Python's own pool of threads has it
    OMP_WAIT_POLICY  ACTIVE (default): a thread that has nothing to do goes on looking for work for
                     BLOCK_S before it sleeps. PASSIVE: it sleeps at once

These are the names and habits of OpenMP, on which PyTorch, scikit-learn and NumPy's libraries
compute. The model itself is small, so the cost of a big one is written down below and really spent:
in processor time and not in rounds of a loop, so that it is the same on every machine.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = int(os.environ.get("PORT", "8000"))
THREADS = max(1, int(os.environ.get("OMP_NUM_THREADS") or min(32, (os.cpu_count() or 1) + 4)))
ACTIVE = os.environ.get("OMP_WAIT_POLICY", "ACTIVE").upper() != "PASSIVE"
COST_S = 0.003  # of a processor, for one prediction
BLOCK_S = 0.2  # how long an active thread looks for work
MIB = 2**20
WEIGHTS = 40 * MIB  # what the model takes once it is loaded
BATCH = 96 * MIB  # what a batch takes while it is decoded, in a process of its own
PIXELS = 64
MEANS = json.loads(Path(__file__).with_name("centroids.json").read_text())
CHUNK = bytes(65536)  # hashing a piece of this size lets other threads run meanwhile
DECODE = "import sys; page = 4096; memory = bytearray(int(sys.argv[1])); \
memory[::page] = b'x' * len(memory[::page])"


def compute(seconds: float) -> None:
    """Spend that much of a processor's time in this thread."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        hashlib.sha256(CHUNK)


class Helper(threading.Thread):
    """One more thread for a share of the work."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.todo, self.done, self.share = threading.Event(), threading.Event(), 0.0
        self.start()

    def give(self, share: float) -> None:
        self.share = share
        self.done.clear()
        self.todo.set()

    def run(self) -> None:
        while True:
            self.wait_for_work()
            self.todo.clear()
            compute(self.share)
            self.done.set()

    def wait_for_work(self) -> None:
        """Awake is sooner there than asleep. It costs a whole processor as long as it lasts."""
        until = time.monotonic() + BLOCK_S
        while ACTIVE and not self.todo.is_set() and time.monotonic() < until:
            hashlib.sha256(CHUNK)
        self.todo.wait()


class Model:
    """The weights, and the threads that compute with them: one picture at a time."""

    def __init__(self) -> None:
        self.weights = bytearray(WEIGHTS)
        self.weights[::4096] = b"x" * len(self.weights[::4096])  # written to: really there
        self.helpers = [Helper() for _ in range(THREADS - 1)]

    def predict(self, pixels: list[float]) -> int:
        share = COST_S / THREADS
        for helper in self.helpers:
            helper.give(share)
        compute(share)
        far = [sum((p - m) ** 2 for p, m in zip(pixels, mean, strict=True)) for mean in MEANS]
        for helper in self.helpers:
            helper.done.wait()
        return far.index(min(far))


loaded: list[Model] = []
turn = threading.Lock()


def predict(pixels: list[float]) -> dict[str, int]:
    with turn:
        if not loaded:
            loaded.append(Model())
        return {"digit": loaded[0].predict(pixels), "threads": THREADS}


def decode() -> str:
    """Decode a batch in a child, whose memory is free again when it ends; gives what failed."""
    words = [sys.executable, "-I", "-S", "-c", DECODE, str(BATCH)]
    code = subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode
    return f"the child that decodes the batch ended with {code}" if code else ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of an answer leave together

    def do_GET(self) -> None:
        known = self.path in ("/live", "/ready")
        self.answer(200 if known else 404, {"status": self.path[1:]} if known else {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            data = json.loads(body)
            pixels = [float(value) for value in data.get("pixels", ())]
        except (AttributeError, TypeError, ValueError):
            data, pixels = {}, []
        if self.path == "/batch":
            why = decode()
            self.answer(500 if why else 200, {"detail": why} if why else data)
        elif self.path == "/predict" and len(pixels) == PIXELS:
            self.answer(200, predict(pixels))
        else:
            self.answer(422, {"detail": 'send {"pixels": [64 numbers]}'})

    def answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A line for each request would cost more than the request."""


def stop(*_: object) -> None:
    raise SystemExit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)  # process 1 of a container ignores it unless it is handled
    with ThreadingHTTPServer(("0.0.0.0", PORT), Handler) as server:
        server.daemon_threads = True
        print(f"Serving on port {PORT}, {THREADS} thread(s) a prediction", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
