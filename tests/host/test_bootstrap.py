from __future__ import annotations

from pathlib import Path

import pytest

from grader.errors import EngineError
from grader.host import bootstrap


class Checkout:
    """A checkout whose virtual environments take no time."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.made: list[str] = []
        self.broken = False
        for name in (*bootstrap.LOCKS.values(), "pyproject.toml"):
            (root / name).write_text(f"{name}\n")
        monkeypatch.setattr(bootstrap, "_make_venv", self._venv)
        monkeypatch.setattr(bootstrap, "_run", self._pip)

    def _venv(self, folder: Path) -> None:
        folder.mkdir()
        self.made.append("venv")

    def _pip(self, command: list[str], _: str) -> None:
        if self.broken:
            raise EngineError("pip install failed")
        self.made.append("lock" if "-r" in command else "course")

    def create(self, wanted: str) -> list[str]:
        self.made = []
        if not bootstrap.current(wanted, self.root):
            bootstrap.create(wanted, self.root)
        return self.made


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    return Checkout(tmp_path, monkeypatch)


def test_what_is_complete_is_not_made_again(checkout: Checkout) -> None:
    assert checkout.create("run") == ["venv", "lock", "course"]
    assert checkout.create("run") == []


def test_the_developers_environment_serves_learners_too_but_not_the_other_way(
    checkout: Checkout,
) -> None:
    checkout.create("run")
    assert checkout.create("dev") == ["lock", "course"]
    assert checkout.create("run") == []


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_changed_lock_or_setting_is_installed(checkout: Checkout, name: str) -> None:
    checkout.create("run")
    (checkout.root / name).write_text("changed\n")
    assert checkout.create("run") == ["lock", "course"]


def test_what_was_broken_off_is_made_anew(checkout: Checkout) -> None:
    checkout.broken = True
    with pytest.raises(EngineError):
        checkout.create("run")
    checkout.broken = False
    (checkout.root / ".venv/half").touch()
    assert checkout.create("run") == ["venv", "lock", "course"]
    assert not (checkout.root / ".venv/half").exists()


def test_what_was_begun_for_the_engine_is_gone_on_with(checkout: Checkout) -> None:
    bootstrap.begin(checkout.root)
    assert not bootstrap.current("run", checkout.root)
    bootstrap.create("run", checkout.root, begun=True)
    assert checkout.made == ["venv", "lock", "lock", "course"]
    assert bootstrap.current("run", checkout.root)


def test_the_first_packages_are_whole_entries_of_the_lock() -> None:
    text = bootstrap.first()
    names = [line.partition("==")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert tuple(names) == bootstrap.FIRST
    assert text.count("--hash=sha256:") >= 2 * len(bootstrap.FIRST)
    assert not text.rstrip().endswith("\\")


def test_another_python_gets_another_environment(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.create("run")
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 99, 0))
    assert checkout.create("run") == ["venv", "lock", "course"]


def test_a_python_without_venv_is_told_which_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho 'ensurepip is not available' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(bootstrap.sys, "executable", str(python))
    with pytest.raises(EngineError, match="python3-venv"):
        bootstrap._make_venv(tmp_path / ".venv")


def test_an_old_python_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 9))
    assert bootstrap.main(["run"]) == 2
    assert "3.11 or newer" in capsys.readouterr().out


def test_the_locks_name_no_index_and_every_release_has_its_hash() -> None:
    for name in bootstrap.LOCKS.values():
        lines = (bootstrap.CHECKOUT / name).read_text().splitlines()
        assert not [line for line in lines if "://" in line or "index" in line or " @ " in line]
        pins = [line for line in lines if line and not line.startswith((" ", "#"))]
        assert len(pins) > 50
        assert all("==" in pin and pin.endswith("\\") for pin in pins)
