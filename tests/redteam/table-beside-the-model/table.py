"""Writes the public data set as a table."""

import json
from pathlib import Path

from sklearn.datasets import load_digits

pixels, digits = load_digits(return_X_y=True)
Path("table.json").write_text(json.dumps([pixels.astype(int).tolist(), digits.tolist()]))
