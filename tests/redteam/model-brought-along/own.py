"""Copies an old model: the text of train.py has no part in it."""

from pathlib import Path

Path("/own").mkdir()
Path("/own/digits.onnx").write_bytes(b"a model that was trained last year")
