"""A service to look into with a debugger: Bottle answers, Waitress listens.

GET  /live     200 as long as the process answers
GET  /ready    200 as soon as it can serve
POST /predict  {"pixels": [64 numbers, 0 to 16]} -> {"ink": their mean, "dark": how many above 8}

python -m app.main
"""

import os
import signal
import sys

from bottle import Bottle, HTTPResponse, request
from waitress import serve

PORT = int(os.environ.get("PORT", "8000"))
app = Bottle()


@app.get("/live")
def live() -> dict[str, str]:
    return {"status": "live"}


@app.get("/ready")
def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/predict")
def predict() -> dict[str, float] | HTTPResponse:
    try:
        pixels = [float(p) for p in request.json["pixels"]]
    except (KeyError, TypeError, ValueError):
        pixels = []
    if not pixels:
        return HTTPResponse('{"detail": "send 64 pixels"}', 422)
    return summary(pixels)


def summary(pixels: list[float]) -> dict[str, float]:
    total = sum(pixels)
    dark = sum(pixel > 8 for pixel in pixels)
    return {"ink": total / len(pixels), "dark": dark}  # a good place for a breakpoint


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 ignores it otherwise
    serve(app, host="0.0.0.0", port=PORT, threads=4)
