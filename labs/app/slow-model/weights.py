"""Loads the digits model. It takes its time, as big models do, and does nothing else meanwhile.

    session = weights.load()        blocks until the model is there; raises when there is none
    weights.predict(session, pixels) -> (digit, ten probabilities)

MODEL_PATH says which file, LOAD_DELAY_S how many seconds longer it takes.
"""

import os
import time

import numpy as np
import onnxruntime as ort

MODEL_PATH = os.environ.get("MODEL_PATH", "/app/models/digits.onnx")
LOAD_DELAY_S = float(os.environ.get("LOAD_DELAY_S", "0"))  # plays a model that is slow to load


def load() -> ort.InferenceSession:
    time.sleep(LOAD_DELAY_S)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(MODEL_PATH, options, providers=["CPUExecutionProvider"])


def predict(session: ort.InferenceSession, pixels: list[float]) -> tuple[int, list[float]]:
    row = np.asarray([pixels], dtype=np.float32)
    labels, probabilities = session.run(["label", "probabilities"], {"pixels": row})
    return int(labels[0]), [round(float(p), 6) for p in probabilities[0]]
