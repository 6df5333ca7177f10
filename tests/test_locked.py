"""A container that is made as the specification says gets an upper limit before it starts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader import locked, runspec
from grader.engine import Image
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.locked import Confined
from grader.runspec import RunSpec
from grader.yamls import Doc

SPEC = RunSpec(Doc("run.toml", ()), Path(), {})
EXERCISE: Any = SimpleNamespace(limits=SimpleNamespace(memory_mb=1000, pids=256))
LIMITS = [
    ("both set", {"Memory": 5, "PidsLimit": 5}, []),
    ("at the limit", {"Memory": 1_000_000_000, "PidsLimit": 256}, []),
    ("none", {}, ["--memory", "--pids-limit"]),
    ("null", {"Memory": None, "PidsLimit": None}, ["--memory", "--pids-limit"]),
    ("without end", {"Memory": 5, "PidsLimit": -1}, ["--pids-limit"]),
    ("too much memory", {"Memory": 1_000_000_001, "PidsLimit": 5}, ["--memory"]),
    ("too many processes", {"Memory": 5, "PidsLimit": 257}, ["--pids-limit"]),
]


@pytest.mark.parametrize(("host", "set_"), [r[1:] for r in LIMITS], ids=[r[0] for r in LIMITS])
def test_what_is_left_open_is_limited(
    monkeypatch: pytest.MonkeyPatch, host: dict[str, Any], set_: list[str]
) -> None:
    said: list[list[str]] = []

    def client(_: Any, words: list[str], **__: Any) -> subprocess.CompletedProcess[str]:
        said.append(words)
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(runspec, "client", client)
    locked._limit(None, Confined("id", SPEC, host), EXERCISE)  # type: ignore[arg-type]
    words = said[0] if said else []
    assert [w for w in words if w in ("--memory", "--pids-limit")] == set_
    if "--memory" in set_:
        assert words[words.index("--memory-swap") + 1] == "1000000000"
    assert not words or words[-1] == "id"


def test_a_limit_that_cannot_be_set_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        runspec, "client", lambda *_, **__: subprocess.CompletedProcess([], 1, "", "no cgroup")
    )
    with pytest.raises(EngineError, match="no cgroup"):
        locked._limit(None, Confined("id", SPEC, {}), EXERCISE)  # type: ignore[arg-type]


def engine(*, start: Any = "", local: bool = True, **info: Any) -> Any:
    def begin(_: str) -> str:
        if isinstance(start, Exception):
            raise start
        return str(start)

    return SimpleNamespace(
        start=begin,
        connection=SimpleNamespace(local=local),
        inspect=lambda _: {"HostConfig": {"Memory": 5}, "Mounts": None},
        info=info,
    )


def test_a_start_that_fails_is_judged_by_a_container_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runspec, "blamed", lambda *a: SubmissionError(f"theirs: {a[2]}"))
    one = engine(start=EngineError("invalid mount"))
    with pytest.raises(SubmissionError, match="theirs: invalid mount"):
        locked._start(one, Confined("id", SPEC, {}))


def test_it_is_limited_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(locked, "_limit", lambda *_: done.append("limited"))
    monkeypatch.setattr(locked, "_start", lambda *_: done.append("started"))
    locked.begin(engine(), Confined("id", SPEC, {}), EXERCISE)
    assert done == ["limited", "started"]


def test_a_command_that_is_not_there_is_the_submissions() -> None:
    with pytest.raises(SubmissionError, match=r"run\.toml: the container does not start: exec"):
        locked._start(engine(start="exec: not found"), Confined("id", SPEC, {}))


def test_what_is_judged_is_what_the_engine_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runspec, "create", lambda *_: "by flags")
    monkeypatch.setattr(locked.compose, "create", lambda *_: "by compose")
    image = Image("i", (), (), {})
    found = locked.confined(SPEC, image, engine(), tmp_path)
    assert (found.container, found.host, found.mounts) == ("by flags", {"Memory": 5}, ())
    service = RunSpec(Doc("compose.yaml", ()), Path(), {}, "a")
    assert locked.confined(service, image, engine(), tmp_path).container == "by compose"


@pytest.mark.parametrize(
    ("info", "counts"), [({}, True), ({"SwapLimit": True}, True), ({"SwapLimit": False}, False)]
)
def test_whether_the_kernel_counts_swap_is_the_engines_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: dict[str, bool], counts: bool
) -> None:
    monkeypatch.setattr(runspec, "create", lambda *_: "id")
    image = Image("i", (), (), {})
    assert locked.confined(SPEC, image, engine(**info), tmp_path).counts_swap is counts


def test_an_engine_elsewhere_does_not_see_the_folder(tmp_path: Path) -> None:
    with pytest.raises(NotMeasurable, match="does not see"):
        locked.confined(SPEC, Image("i", (), (), {}), engine(local=False), tmp_path)
