from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import labels
from grader.errors import EngineError, SpecError
from grader.host import images, recipes, registry, standin
from grader.host.apt import Source
from grader.host.client import Done
from grader.host.connection import Connection
from grader.host.home import Home
from grader.host.recipes import DIGEST, Recipe

ENGINE = Connection("unix:///e.sock", "given", {}, ("docker-buildx",), "docker", local=True)
SLIM = next(one for one in recipes.load() if one.tag == images.PYTHON)


def folder(root: Path, name: str, text: str) -> Path:
    (root / name).mkdir(parents=True)
    (root / name / "image.toml").write_text(text)
    return root / name


def test_what_an_image_is_made_from_comes_before_it() -> None:
    tags = [one.tag for one in recipes.load()]
    assert tags.index("python:3.11-slim") < tags.index("distroless-python:3.11")


@pytest.mark.parametrize("text", ["tag = ", 'tag = "x"\nstandin = false\ntypo = 1', 'tag = "x"'])
def test_a_broken_recipe_names_its_file(tmp_path: Path, text: str) -> None:
    folder(tmp_path, "a", text)
    with pytest.raises(SpecError, match=r"a/image\.toml"):
        recipes.load(tmp_path)


def test_a_recipes_digest_changes_with_its_files_and_with_what_it_needs(tmp_path: Path) -> None:
    base = folder(tmp_path, "base", 'tag = "b"\nstandin = true')
    folder(tmp_path, "top", 'tag = "t"\nstandin = false\nneeds = ["b"]')

    def digest() -> str:
        return next(one.digest for one in recipes.load(tmp_path) if one.tag == "t")

    first = digest()
    (base / "README.md").write_text("words only")
    assert digest() == first
    (base / "customize.sh").write_text("true")
    assert digest() != first


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (None, False),
        ({}, False),
        ({labels.STANDIN: "python:3.11-slim"}, False),
        ({DIGEST: SLIM.digest}, False),
        ({DIGEST: "older"}, True),
    ],
)
def test_only_an_image_of_an_older_recipe_is_made_again(
    marks: dict[str, str] | None, expected: bool
) -> None:
    assert images.stale(SLIM, {"Config": {"Labels": marks}}) is expected


class Engine:
    """Answers as docker would, and remembers what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.there: dict[str, dict[str, str]] = {}
        self.pulls = True
        self.calls: list[str] = []
        self.tar = tmp_path / "root.tar"
        monkeypatch.setattr(images, "docker", self._docker)
        monkeypatch.setattr(images, "call", self._build)
        monkeypatch.setattr(registry, "reachable", lambda: True)
        monkeypatch.setattr(standin, "root_tar", self._tar)

    def _docker(self, _: Connection, *words: str, timeout: float = 60) -> Done:
        if words[:2] == ("image", "inspect"):
            known = self.there.get(words[2])
            text = json.dumps([{"Config": {"Labels": known}}]) if known is not None else ""
            return Done(words, 0 if known is not None else 1, stdout=text, stderr="")
        self.calls.append(words[0])
        return Done(words, 0 if self.pulls or words[0] != "pull" else 1, stdout="", stderr="no")

    def _build(self, *_: object, timeout: float) -> Done:
        self.calls.append("build")
        return subprocess.CompletedProcess((), 0, "", "")

    def _tar(self, *_: object) -> Path:
        self.tar.touch()
        return self.tar


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    return Engine(monkeypatch, tmp_path)


def ensure(said: Callable[[str], None] = lambda _: None) -> None:
    images.ensure(ENGINE, said)


def test_a_real_image_that_is_there_is_left_alone(engine: Engine) -> None:
    engine.there = {one.tag: {} for one in recipes.load()}
    ensure()
    assert engine.calls == []


def test_the_real_image_is_pulled_where_the_registry_answers(engine: Engine) -> None:
    ensure()
    assert engine.calls == ["pull", "build"]


def test_a_pull_that_fails_falls_back_to_the_stand_in(engine: Engine) -> None:
    engine.pulls = False
    ensure()
    assert engine.calls == ["pull", "import", "build"]


def test_without_a_registry_nothing_waits_for_a_pull(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "reachable", lambda: False)
    ensure()
    assert engine.calls == ["import", "build"]
    assert not engine.tar.exists()


def test_the_stand_in_says_what_it_is() -> None:
    changes = images.changes(SLIM)
    assert f"LABEL {labels.STANDIN}=python:3.11-slim" in changes
    assert 'CMD ["python3"]' in changes
    assert any(change.startswith("ENV PATH=/usr/local/bin:") for change in changes)


def test_an_images_sources_have_no_keyring_and_no_password() -> None:
    known = [
        Source("http://u:secret@m/debian", "trixie", ("main",), "/k.gpg"),
        Source("http://m/security", "trixie-security", ("main",)),
        Source("http://m/other", "trixie-backports", ("main",)),
    ]
    assert standin.lines(known, "trixie", "bookworm") == [
        "deb http://m/debian bookworm main",
        "deb http://m/security bookworm-security main",
    ]


def test_where_no_stand_in_can_be_made_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(standin, "why_not", lambda: "making a stand-in needs root")
    with pytest.raises(EngineError, match="needs root"):
        standin.root_tar(SLIM, Home(tmp_path))


def test_a_stand_in_that_was_made_early_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = Home(tmp_path)
    made: list[Recipe] = []

    def make(one: Recipe, _: Home, target: Path) -> Path:
        made.append(one)
        target.touch()
        return target

    monkeypatch.setattr(standin, "_make", make)
    assert standin.root_tar(SLIM, place) == standin.root_tar(SLIM, place)
    assert made == [SLIM]


def test_the_python_that_runs_us_says_nothing_to_the_one_in_the_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://x")
    monkeypatch.setenv("PYTHONPATH", "/x")
    env = standin.environment(tmp_path / "tool", tmp_path)
    assert not any(name.startswith(("PIP_", "PYTHON")) for name in env)
