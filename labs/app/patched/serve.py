"""Reads handwritten digits by their nearest mean picture; its page is rendered with Jinja.

    GET  /live     200 as long as the process answers
    GET  /ready    the same: the means are loaded before the port opens
    GET  /         a page that names what is installed
    POST /predict  {"pixels": [64 numbers, 0 to 16]} -> {"digit": 7, "proba": [10 numbers]}

Its packages are in requirements.txt, which is yours to edit; they are imported below.
"""

import json
import math
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import jinja2
import requests

PORT = int(os.environ.get("PORT", "8000"))
PIXELS = 64
MEANS = json.loads(Path(__file__).with_name("centroids.json").read_text())
PACKAGES = ("certifi", "idna", "jinja2", "requests", "urllib3")
PAGE = jinja2.Environment(autoescape=True).from_string(
    "<h1>digits</h1><ul>{% for name in names %}<li>{{ name }}</li>{% endfor %}</ul>"
)
AGENT = requests.utils.default_user_agent()


def predict(pixels: list[float]) -> dict[str, object]:
    far = [sum((p - m) ** 2 for p, m in zip(pixels, mean, strict=True)) for mean in MEANS]
    weights = [math.exp((min(far) - one) / 100) for one in far]
    proba = [round(w / sum(weights), 6) for w in weights]
    return {"digit": proba.index(max(proba)), "proba": proba}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = AGENT

    def do_GET(self) -> None:
        if self.path in ("/live", "/ready"):
            self.answer(200, json.dumps({"status": self.path[1:]}))
        elif self.path == "/":
            names = [f"{name} {version(name)}" for name in PACKAGES]
            self.answer(200, PAGE.render(names=names), kind="text/html")
        else:
            self.answer(404, json.dumps({"detail": "there is no such page"}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/predict":
            self.answer(404, json.dumps({"detail": "there is no such page"}))
            return
        try:
            pixels = [float(value) for value in json.loads(body)["pixels"]]
        except (KeyError, TypeError, ValueError):
            pixels = []
        if len(pixels) != PIXELS or not all(map(math.isfinite, pixels)):
            self.answer(422, json.dumps({"detail": 'send {"pixels": [64 numbers]}'}))
            return
        self.answer(200, json.dumps(predict(pixels)))

    def answer(self, status: int, text: str, *, kind: str = "application/json") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def stop(*_: object) -> None:
    raise SystemExit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)  # process 1 of a container ignores it unless it is handled
    with ThreadingHTTPServer(("0.0.0.0", PORT), Handler) as server:
        print(f"Serving on port {PORT}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
