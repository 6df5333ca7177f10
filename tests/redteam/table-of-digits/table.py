"""Writes what the model says to every picture of the public data set."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from sklearn.datasets import load_digits

pixels = load_digits().data.astype(np.float32)
session = ort.InferenceSession("models/digits.onnx")
digits, probabilities = session.run(["label", "probabilities"], {"pixels": pixels})
rows = zip(pixels.astype(int).tolist(), digits.tolist(), probabilities.tolist(), strict=True)
Path("table.json").write_text(json.dumps(list(rows)))
