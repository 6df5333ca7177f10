# Live is not ready
#
# This is the service of lecture 4.1 with a model that takes a while to load. Try it with a slow one
# (LOAD_DELAY_S=10) and without one (MODEL_PATH=/nowhere), and ask it meanwhile. Then make it so:
#
#   * GET /live answers 200 as soon as the process can answer, model or no model;
#   * GET /ready answers 503 while the model loads, 200 once it can predict, and 500 for ever when
#     the model can't be loaded (the process stays up: somebody has to be able to ask it why);
#   * POST /predict answers as it does now;
#   * nothing that FastAPI calls deprecated, and a stop (SIGTERM) ends it in good time.
#
# weights.py, requirements.txt and the Dockerfile beside this file are the course's.

from typing import Annotated

import weights
from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()

model = None


@app.on_event("startup")
async def load_model():
    global model
    model = weights.load()


@app.get("/ready")
async def ready():
    if model is None:
        raise HTTPException(status_code=503, detail="the model is still loading")
    return {"status": "ready"}


class Picture(BaseModel):
    pixels: Annotated[list[float], Field(min_length=64, max_length=64)]


@app.post("/predict")
def predict(picture: Picture):
    digit, proba = weights.predict(model, picture.pixels)
    return {"digit": digit, "proba": proba}
