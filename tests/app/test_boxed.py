"""The service of the exercise ``limits``: it answers, and it costs what it says."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from types import ModuleType

import pytest

APP = Path(__file__).resolve().parents[2] / "labs" / "app"


def load(tmp_path: Path) -> ModuleType:
    """serve.py beside its means, as the Dockerfile lays them."""
    for source in ("boxed/serve.py", "patched/centroids.json"):
        (tmp_path / Path(source).name).write_bytes((APP / source).read_bytes())
    spec = importlib.util.spec_from_file_location("boxed_serve", tmp_path / "serve.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    module = load(tmp_path)
    monkeypatch.setattr(module, "WEIGHTS", 4096)
    return module


def test_a_mean_picture_is_its_own_digit(serve: ModuleType) -> None:
    means = json.loads((APP / "patched" / "centroids.json").read_text())
    for digit, mean in enumerate(means):
        assert serve.predict(mean) == {"digit": digit, "threads": 2}


def test_a_prediction_costs_processor_time_however_many_share_it(serve: ModuleType) -> None:
    model = serve.Model()
    began = time.process_time()
    for _ in range(10):
        model.predict([0.0] * 64)
    assert time.process_time() - began >= 10 * serve.COST_S * 0.9


@pytest.mark.parametrize(("given", "threads"), [("1", 1), ("7", 7), ("0", 1)])
def test_the_variable_says_how_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    found = load(tmp_path).THREADS
    assert found == threads


def test_without_it_there_are_more_than_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert load(tmp_path).THREADS == 6
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert load(tmp_path).THREADS == 5
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert load(tmp_path).THREADS == 32


def test_a_child_that_fails_is_told(serve: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "BATCH", 4096)
    assert serve.decode() == ""
    monkeypatch.setattr(serve, "DECODE", "import os; os.kill(os.getpid(), 9)")
    assert serve.decode() == "the child that decodes the batch ended with -9"
