"""Reads handwritten digits: an HTTP service around one ONNX model.

It only serves. How the model comes about is `train.py`'s business, and which user, port and
probe the container has is the Dockerfile's.

    GET  /live     200 as long as the process answers
    GET  /health   200 when the model works, 503 while it loads, 500 when it is broken
    GET  /ready    the same, for who decides whether to send traffic here
    POST /predict  {"pixels": [64 numbers, 0 to 16]} -> {"digit": 7, "proba": [10 numbers]}
    GET  /metrics  for Prometheus
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, HTTPException, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, Field

MODEL_PATH = os.environ.get("MODEL_PATH", "/app/models/digits.onnx")
LOAD_DELAY_S = float(os.environ.get("LOAD_DELAY_S", "0"))  # plays a model that is slow to load
ORT_THREADS = int(os.environ.get("ORT_THREADS", "1"))

PREDICTIONS = Counter("predictions", "Digits answered.", ["digit"])
LATENCY = Histogram("prediction_latency_seconds", "Time in the model, without HTTP.")
READY = Gauge("model_ready", "1 when the model is loaded.")


class Model:
    """The model, or why there is none."""

    def __init__(self) -> None:
        self.session: ort.InferenceSession | None = None
        self.error = ""

    def load(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = ORT_THREADS
        try:
            self.session = ort.InferenceSession(
                MODEL_PATH, options, providers=["CPUExecutionProvider"]
            )
        except Exception as err:  # noqa: BLE001 (whatever it is: stay up, so that /health can tell)
            self.error = f"{type(err).__name__}: {err}"
            return
        READY.set(1)

    def ready(self) -> ort.InferenceSession:
        """The session, or the HTTP answer that says why not."""
        if self.error:
            raise HTTPException(500, self.error)
        if self.session is None:
            raise HTTPException(503, "the model is still loading")
        return self.session


model = Model()


async def load_after_delay(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), LOAD_DELAY_S)
    if not stop.is_set():
        await asyncio.to_thread(model.load)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Load in the background, so that the port is open and /health can answer 503 meanwhile.

    Awaited at the end: leaving while native code still loads in a thread can crash the process.
    """
    stop = asyncio.Event()
    loading = asyncio.create_task(load_after_delay(stop))
    yield
    stop.set()
    await loading


app = FastAPI(title="digits", lifespan=lifespan)


class Picture(BaseModel):
    pixels: Annotated[list[float], Field(min_length=64, max_length=64)]


@app.get("/live")
def live() -> dict[str, str]:
    return {"status": "alive"}


@app.get("/health")
@app.get("/ready")
def ready() -> dict[str, str]:
    model.ready()
    return {"status": "ready"}


@app.post("/predict")
def predict(picture: Picture) -> dict[str, int | list[float]]:
    session = model.ready()
    pixels = np.asarray([picture.pixels], dtype=np.float32)
    if not np.isfinite(pixels).all():  # JSON has no NaN, Python's parser takes it all the same
        raise HTTPException(422, "pixels must be finite numbers")
    with LATENCY.time():
        labels, probabilities = session.run(["label", "probabilities"], {"pixels": pixels})
    digit = int(labels[0])
    PREDICTIONS.labels(str(digit)).inc()
    return {"digit": digit, "proba": [round(float(p), 6) for p in probabilities[0]]}


@app.get("/metrics")
def metrics() -> Response:
    # A plain `return generate_latest()` goes out as a JSON string, which Prometheus can't read.
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
