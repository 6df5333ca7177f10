"""The service of the exercise ``patched``: each mean picture is its own digit."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "labs" / "app" / "patched"


@pytest.fixture(scope="module")
def serve() -> ModuleType:
    for package in ("jinja2", "requests"):
        pytest.importorskip(package)
    spec = importlib.util.spec_from_file_location("patched_serve", FOLDER / "serve.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_mean_picture_is_its_own_digit(serve: ModuleType) -> None:
    for digit, mean in enumerate(serve.MEANS):
        answer = serve.predict(mean)
        assert answer["digit"] == digit
        assert len(answer["proba"]) == 10
        assert sum(answer["proba"]) == pytest.approx(1, abs=1e-4)


def test_the_means_are_ten_pictures() -> None:
    means = json.loads((FOLDER / "centroids.json").read_text())
    assert len(means) == 10
    assert all(len(mean) == 64 and all(0 <= v <= 16 for v in mean) for mean in means)
