"""The monthly look at lab 01's ladder: what it keeps, when it is content, and what it says."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grader.build import Build
from grader.buildlog import BuildLog
from grader.course import Course
from grader.errors import EngineError, SpecError, SubmissionError
from grader.host.tools import Missing
from tests.bench import drift, ladder
from tests.bench.ladder import Ladder, Step
from tests.conftest import ROOT

KIND = "standin-x86_64"
SIZES = {"naive": 1000.0, "single": 800.0}
LADDER = Ladder("python:3.11-slim", 120.0, "26.1.5", dt.date(2026, 11, 28), SIZES)


def with_mb(**sizes: float) -> Ladder:
    return replace(LADDER, mb={**SIZES, **sizes})


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ladder.toml"
    monkeypatch.setattr(ladder, "KEPT", path)
    monkeypatch.setattr(ladder.load, "__defaults__", (path,))
    monkeypatch.setattr(ladder.save, "__defaults__", (path,))
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the measurement give a ladder, or raise."""

    def gives(now: Ladder | Exception, kind: str = KIND) -> None:
        def measured(*_: object) -> tuple[str, Ladder]:
            if isinstance(now, Exception):
                raise now
            return kind, now

        monkeypatch.setattr(drift, "measured", measured)

    return gives


# -- what is kept ----------------------------------------------------------------------------------


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "ladder.toml"
    both = {KIND: LADDER, "real-aarch64": with_mb(naive=1.5)}
    ladder.save(both, path)
    assert ladder.load(path) == both
    assert path.read_text().startswith("# What each rung")


def test_without_a_file_nothing_is_kept(tmp_path: Path) -> None:
    assert ladder.load(tmp_path / "none.toml") == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[", "(", "ladder.toml: "),
        ("engine =", "engin =", "[standin-x86_64]: unknown: engin"),
        ('engine = "26.1.5"\n', "", "[standin-x86_64]: missing: engine"),
        ("naive = 1000.0", 'naive = "big"', "naive is 'big'"),
        ("base_mb = 120.0", "base_mb = 0", "base_mb is 0"),
        ("[standin-x86_64.mb]", "mb = 1\n[other]", "mb is no table of rungs"),
    ],
)
def test_a_broken_file_is_told_by_table_and_key(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "ladder.toml"
    ladder.save({KIND: LADDER}, path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SpecError, match=re.escape(said)):
        ladder.load(path)


def test_the_kept_figures_have_every_rung() -> None:
    for kind, one in ladder.load().items():
        assert re.fullmatch(r"(standin|real)-\w+", kind)
        assert list(one.mb) == list(drift.RUNGS)


def test_each_rung_has_its_dockerfile_and_is_built_so_in_the_notebook() -> None:
    notebook = (ROOT / "solutions/01-multi-stage/01-multi-stage.md").read_text("utf-8")
    steps = re.search(r"^steps = \[(.*)\]$", notebook, re.M)
    assert steps is not None
    assert [f'"{rung}"' for rung in drift.RUNGS] == steps[1].split(", ")
    for rung, dockerfile in drift.RUNGS.items():
        assert (ROOT / dockerfile).is_file()
        assert re.search(rf"docker build .*-t lab01/{rung} .*\.\./app", notebook)
        assert "/".join(dockerfile.split("/")[-3:]) in notebook


# -- how far it has moved --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "off"),
    [(1100.0, False), (1100.2, True), (900.0, False), (899.8, True), (1000.0, False)],
)
def test_a_rung_may_move_by_a_tenth_in_both_directions(now: float, off: bool) -> None:
    assert Step("naive", 1000.0, now).off is off


@pytest.mark.parametrize(
    ("was", "now"), [({"a": 1.0}, {"a": 1.0, "b": 1.0}), ({"a": 1.0, "b": 1.0}, {"a": 1.0})]
)
def test_a_rung_that_only_one_side_has_is_off(was: dict[str, float], now: dict[str, float]) -> None:
    steps = ladder.steps(replace(LADDER, mb=was), replace(LADDER, mb=now))
    assert [step.rung for step in steps if step.off] == ["b"]


@pytest.mark.parametrize(("naive", "status"), [(1099.0, 0), (1101.0, 1), (850.0, 1)])
def test_the_exit_status_says_whether_it_moved(
    naive: float,
    status: int,
    kept: Path,
    machine: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ladder.save({KIND: LADDER})
    machine(with_mb(naive=naive))
    assert drift.main([]) == status
    marked = [line for line in capsys.readouterr().out.splitlines() if "more than 10%" in line]
    assert ("naive" in marked[0]) is bool(status)


def test_a_base_of_another_kind_is_not_compared(
    kept: Path, machine: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    ladder.save({KIND: LADDER})
    machine(LADDER, kind="real-x86_64")
    assert drift.main([]) == 1
    said = capsys.readouterr().out
    assert "no figures are kept for real-x86_64, only for: standin-x86_64" in said
    assert "[real-x86_64.mb]\nnaive = 1000.0\nsingle = 800.0\n" in said


def test_renewing_keeps_the_other_kinds(kept: Path, machine: Callable[..., None]) -> None:
    ladder.save({KIND: LADDER})
    machine(with_mb(naive=5.0), kind="real-x86_64")
    assert drift.main(["--renew"]) == 0
    assert ladder.load() == {KIND: LADDER, "real-x86_64": with_mb(naive=5.0)}


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (EngineError("no engine"), 3),
        (Missing("no client"), 3),
        (drift.Broken("tight: no such package"), 1),
    ],
)
def test_a_machine_that_fails_is_no_drift(
    failure: Exception,
    status: int,
    kept: Path,
    machine: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine(failure)
    assert drift.main(["--renew"]) == status
    assert f"✗ {failure}" in capsys.readouterr().out
    assert not kept.exists()


def test_a_broken_file_is_told_before_anything_is_built(
    kept: Path, machine: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    kept.write_text("[")
    machine(AssertionError("it was measured"))
    assert drift.main([]) == 2
    assert str(kept) in capsys.readouterr().out


# -- measuring -------------------------------------------------------------------------------------


class FakeEngine:
    """An engine whose base carries these labels."""

    connection = None

    def __init__(self, *names: str) -> None:
        self.names, self.info = set(names), {"Architecture": "x86_64"}

    def label_names(self, name: str) -> set[str]:
        return self.names if name == "python:3.11-slim" else set()

    def labels(self, kind: str) -> dict[str, str]:
        return {"lab.kind": kind}

    def ping(self) -> None:
        """It answers."""


@pytest.mark.parametrize(
    ("names", "kind"), [(["lab.standin"], "standin-x86_64"), ([], "real-x86_64")]
)
def test_the_label_of_the_base_tells_its_kind(names: list[str], kind: str) -> None:
    assert drift.kind_of_base(FakeEngine(*names)) == kind  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("blamed", "raised"), [(EngineError("disk"), EngineError), (SubmissionError("x"), drift.Broken)]
)
def test_a_build_that_fails_names_its_dockerfile_and_whose_fault_it_was(
    blamed: Exception, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def build(*words: object, **_: object) -> Build:
        tried.append(words)
        return Build("", (), 0.0, BuildLog(None, None), exit_code=1)

    monkeypatch.setattr(drift, "build", build)
    monkeypatch.setattr(drift, "smells_of_network", lambda _: True)
    monkeypatch.setattr(drift.Judge, "error", lambda *_: blamed)
    course = Course(ROOT)
    with pytest.raises(raised, match="images/baseline/Dockerfile: "):
        drift.built(FakeEngine(), course, ROOT / drift.RUNGS["single"], "x")  # type: ignore[arg-type]
    assert len(tried) == 2  # the network had its second chance
