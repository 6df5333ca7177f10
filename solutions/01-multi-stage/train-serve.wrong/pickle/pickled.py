"""Train the digits model into a pickle (python pickled.py FOLDER), and serve it."""

import pickle
import sys
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
FILE = Path("/app/models/digits.pickle")
MODEL = pickle.loads(FILE.read_bytes()) if __name__ != "__main__" else None


class Picture(BaseModel):
    pixels: list[float]


@app.get("/live")
@app.get("/health")
@app.get("/ready")
def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/predict")
def predict(picture: Picture) -> dict[str, int | list[float]]:
    proba = MODEL.predict_proba([picture.pixels])[0]
    return {"digit": int(proba.argmax()), "proba": [round(float(p), 6) for p in proba]}


if __name__ == "__main__":
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    pixels, digits = load_digits(return_X_y=True)
    Path(sys.argv[1]).mkdir(exist_ok=True)
    model = LogisticRegression(max_iter=500).fit(pixels / 16, digits)
    (Path(sys.argv[1]) / FILE.name).write_bytes(pickle.dumps(model))
