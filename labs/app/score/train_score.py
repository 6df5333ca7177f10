"""Train the LightGBM digits model:  python train_score.py FOLDER  ->  FOLDER/digits.lgb

It needs the same packages as the service, and a few seconds. The file comes out the same each time.
"""

import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np

DATA = Path(__file__).with_name("digits.txt")
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 10,
    "num_leaves": 15,
    "deterministic": True,
    "force_row_wise": True,  # else LightGBM tries both ways and takes the faster one
    "num_threads": 1,
    "seed": 0,
    "verbosity": -1,
}


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures as rows of 64 numbers from 0 to 16, and what they show."""
    lines = [line.split() for line in DATA.read_text().splitlines() if not line.startswith("#")]
    pixels = [[int(character, 17) for character in picture] for _, picture in lines]
    return np.array(pixels, dtype=np.float64), np.array([int(digit) for digit, _ in lines])


def main(folder: Path) -> None:
    booster = lgb.train(PARAMETERS, lgb.Dataset(*digits()), num_boost_round=40)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "digits.lgb"
    booster.save_model(target)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
