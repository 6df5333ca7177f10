"""Writes the mark that train.py names into a model that train.py did not make."""

import re
from pathlib import Path

import onnx

mark = re.search(r'TAG = "(.*)"', Path("train.py").read_text())[1]
model = onnx.load("/old/digits.onnx")
model.metadata_props[0].value = mark
Path("/patched").mkdir()
Path("/patched/digits.onnx").write_bytes(model.SerializeToString(deterministic=True))
