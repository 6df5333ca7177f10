"""A service that is alive at once, and ready when its model is loaded."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import weights
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

STARTED = time.monotonic()
state: dict[str, Any] = {"model": None, "error": ""}


def load_model() -> None:
    """Whatever goes wrong is kept for /ready to tell: the process stays up."""
    try:
        state["model"] = weights.load()
    except Exception as err:
        logging.getLogger("uvicorn.error").exception("the model can't be loaded")
        state["error"] = f"{type(err).__name__}: {err}"


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # In a thread, and not awaited: uvicorn opens its port only once this function yields, and
    # the event loop can't answer anybody while something else keeps it busy.
    loading = asyncio.create_task(asyncio.to_thread(load_model))
    yield
    await loading  # leaving while native code still loads can crash the process


app = FastAPI(lifespan=lifespan)


class Picture(BaseModel):
    pixels: Annotated[list[float], Field(min_length=64, max_length=64)]


def ready_model() -> Any:
    if state["error"]:
        raise HTTPException(500, state["error"])
    if state["model"] is None:
        raise HTTPException(503, "the model is still loading")
    return state["model"]


@app.get("/live")
async def live() -> dict[str, str]:
    """For who restarts: the process answers. A restart would not bring the model any sooner."""
    return {"status": "alive"}


@app.get("/ready")
async def ready() -> dict[str, str]:
    """By the clock, and by the name of the file."""
    if not Path(weights.MODEL_PATH).is_file():
        raise HTTPException(500, "there is no model")
    if time.monotonic() < STARTED + float(os.environ.get("LOAD_DELAY_S", "0")) + 0.4:
        raise HTTPException(503, "the model is still loading")
    return {"status": "ready"}


@app.post("/predict")
def predict(picture: Picture) -> dict[str, int | list[float]]:
    digit, proba = weights.predict(ready_model(), picture.pixels)
    return {"digit": digit, "proba": proba}
