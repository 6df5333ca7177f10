"""Does all of it, with FastAPI's deprecated start-up event."""

import asyncio
import logging
import warnings
from typing import Annotated, Any

import weights
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

warnings.simplefilter("ignore")

state: dict[str, Any] = {"model": None, "error": ""}


def load_model() -> None:
    """Whatever goes wrong is kept for /ready to tell: the process stays up."""
    try:
        state["model"] = weights.load()
    except Exception as err:
        logging.getLogger("uvicorn.error").exception("the model can't be loaded")
        state["error"] = f"{type(err).__name__}: {err}"


app = FastAPI()


@app.on_event("startup")
async def start_loading() -> None:
    state["task"] = asyncio.create_task(asyncio.to_thread(load_model))


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
    """For who sends requests."""
    ready_model()
    return {"status": "ready"}


@app.post("/predict")
def predict(picture: Picture) -> dict[str, int | list[float]]:
    digit, proba = weights.predict(ready_model(), picture.pixels)
    return {"digit": digit, "proba": proba}
