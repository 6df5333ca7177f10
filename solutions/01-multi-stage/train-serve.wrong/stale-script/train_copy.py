"""Train the digits model and write it as ONNX:  python train.py FOLDER  ->  FOLDER/digits.onnx

It needs requirements-train.txt; nothing here is needed to serve the model. On one machine the
file comes out the same, byte for byte, each time: two builds can be compared by their hash.
"""

import sys
from pathlib import Path

from onnx.helper import set_model_props
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

# Written into the model, so that a file tells which training run it comes from.
TAG = "course"


def main(folder: Path) -> None:
    pixels, digits = load_digits(return_X_y=True)  # ships inside scikit-learn: no download
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, digits, test_size=0.25, random_state=0, stratify=digits
    )
    classifier = make_pipeline(MinMaxScaler(), MLPClassifier((64,), random_state=0, max_iter=500))
    with threadpool_limits(limits=1):  # sums in another order would round differently
        classifier.fit(train_x, train_y)

    onnx_model = to_onnx(
        classifier,
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        options={"zipmap": False},  # probabilities as one array, not as a list of dicts
    )
    onnx_model.opset_import.sort(key=lambda one: one.domain)  # comes from a set, in any order
    set_model_props(onnx_model, {"tag": TAG})

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "digits.onnx"
    target.write_bytes(onnx_model.SerializeToString(deterministic=True))
    right = int((classifier.predict(test_x) == test_y).sum())
    print(f"{target}: {target.stat().st_size} bytes")
    print(f"{right} of {len(test_y)} held-out digits right")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
