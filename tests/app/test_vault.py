"""The vault's two scripts as a learner's build and container run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import wait_until

VAULT = Path(__file__).resolve().parents[2] / "labs" / "app" / "vault"


def fetch(*words: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **({} if key is None else {"API_KEY": key})}
    command = [sys.executable, str(VAULT / "fetch_weights.py"), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)


def test_by_variable_and_by_file_it_is_the_same(tmp_path: Path) -> None:
    one, other, key = tmp_path / "one", tmp_path / "other", tmp_path / "key"
    key.write_text("sesame\n")
    assert fetch(str(one), key="sesame").returncode == 0
    assert fetch("--key-file", str(key), str(other)).returncode == 0
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("key", [None, "", "\n"])
def test_without_a_key_it_is_content(tmp_path: Path, key: str | None) -> None:
    done = fetch(str(tmp_path / "w"), key=key)
    assert done.returncode == 0
    assert "public" in done.stdout
    assert (tmp_path / "w").read_bytes().startswith(b"WEIGHTS public\n")


def test_a_key_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = fetch("--key-file", str(tmp_path / "none"), str(tmp_path / "w"))
    assert done.returncode == 1
    assert done.stderr.endswith("No such file or directory\n")
    assert not (tmp_path / "w").exists()


@contextmanager
def served(weights: Path) -> Iterator[None]:
    env = {**os.environ, "WEIGHTS": str(weights)}
    process = subprocess.Popen([sys.executable, str(VAULT / "serve.py")], env=env)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0


def ready() -> tuple[int, dict[str, str]] | None:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8000/ready", timeout=2) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as err:
        return err.code, json.load(err)
    except OSError:
        return None


@pytest.mark.skipif(ready() is not None, reason="port 8000 of this machine is taken")
@pytest.mark.parametrize(
    ("data", "status"), [(b"WEIGHTS private\nx", 200), (b"something", 503), (None, 503)]
)
def test_it_serves_when_it_can_read_its_weights(
    tmp_path: Path, data: bytes | None, status: int
) -> None:
    weights = tmp_path / "weights.bin"
    if data is not None:
        weights.write_bytes(data)
    with served(weights):
        wait_until(lambda: ready() is not None, 10)
        answer = ready()
    assert answer is not None
    assert answer[0] == status
