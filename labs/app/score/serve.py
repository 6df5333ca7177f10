"""Reads handwritten digits with a LightGBM model: the standard library's HTTP server, no framework.

    GET  /live     200 as long as the process answers
    GET  /ready    200; the model is loaded before the port opens
    POST /predict  {"pixels": [64 numbers, 0 to 16]} -> {"digit": 7, "proba": [10 numbers]}

Its packages need one thing that pip does not install: LightGBM's library is linked against
libgomp.so.1. Where that is missing the import below fails, and the process ends right there.
"""

import json
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lightgbm as lgb
import numpy as np

MODEL_PATH = os.environ.get("MODEL_PATH", "/app/models/digits.lgb")
PORT = int(os.environ.get("PORT", "8000"))
PIXELS = 64


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    booster: lgb.Booster

    def do_GET(self) -> None:
        if self.path in ("/live", "/ready"):
            self.answer(200, {"status": self.path[1:]})
        else:
            self.answer(404, {"detail": "there is no such page"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/predict":
            self.answer(404, {"detail": "there is no such page"})
            return
        try:
            pixels = np.array(json.loads(body)["pixels"], dtype=np.float64).reshape(1, PIXELS)
        except (KeyError, TypeError, ValueError):
            pixels = np.array(np.nan)
        if not np.isfinite(pixels).all():
            self.answer(422, {"detail": 'send {"pixels": [64 numbers]}'})
            return
        proba = self.booster.predict(pixels, num_threads=1)[0]
        self.answer(
            200, {"digit": int(proba.argmax()), "proba": [round(float(p), 6) for p in proba]}
        )

    def answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def stop(*_: object) -> None:
    raise SystemExit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)  # process 1 of a container ignores it unless it is handled
    Handler.booster = lgb.Booster(model_file=MODEL_PATH)
    with ThreadingHTTPServer(("0.0.0.0", PORT), Handler) as server:
        print(f"Serving on port {PORT}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
