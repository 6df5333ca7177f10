"""The digits service. It lives in a package so that `uvicorn app.main:app` finds it from /app."""

import os

# ONNX Runtime phones home from its Linux wheels and writes under $HOME for it. It reads this
# variable once, when its library is loaded, so it has to be set before anything imports it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
