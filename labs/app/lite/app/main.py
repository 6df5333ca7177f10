"""A service that is quickly built: Bottle answers, Waitress listens.

GET /live   200 as long as the process answers
GET /ready  200 as soon as it can serve
GET /       the packages that it runs with

python -m app.main
"""

import os
import signal
from importlib.metadata import version

from bottle import Bottle
from waitress import serve

PORT = int(os.environ.get("PORT", "8000"))
app = Bottle()


@app.get("/live")
def live() -> dict[str, str]:
    return {"status": "live"}


@app.get("/ready")
def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.get("/")
def packages() -> dict[str, str]:
    return {name: version(name) for name in ("bottle", "waitress")}


def stop(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)  # process 1 of a container ignores it unless it is handled
    serve(app, host="0.0.0.0", port=PORT, threads=2)
