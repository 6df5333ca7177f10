"""Which GPUs there are, which a submission can be given, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader import gpus
from grader.errors import EngineError, NotMeasurable
from grader.gpus import Gpu, Gpus, OnGpu
from grader.locked import Confined
from grader.running import Reply
from grader.runspec import RunSpec
from grader.yamls import Doc

TWO = Gpus("simulated", (Gpu(0, "Simulated GPU 0"), Gpu(1, "Simulated GPU 1")))
LISTED = '[[0, "Simulated GPU 0"], [1, "Simulated GPU 1"]]'


def engine(*, why: Any = "", text: str = LISTED, kind: str = "simulated") -> Any:
    def start(_: str) -> str:
        if isinstance(why, Exception):
            raise why
        return str(why)

    return SimpleNamespace(
        create=lambda *_, **__: "id",
        start=start,
        ping=lambda: None,
        wait=lambda *_: 0,
        output=lambda _: text,
        facts=lambda: {"gpu": kind},
    )


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        (LISTED, "simulated", "simulated"),
        (LISTED, "none", "simulated"),  # an engine that doesn't tell: the name does
        ('[[3, "NVIDIA A10"]]', "nvidia", "nvidia"),
        ('[[3, "NVIDIA A10"]]', "none", "nvidia"),  # only the hook, and no runtime
        ("[]", "nvidia", "none"),
        ("", "simulated", "none"),
        ("Traceback", "simulated", "none"),
    ],
)
def test_the_kind_is_what_a_container_sees(text: str, kind: str, found: str) -> None:
    assert gpus.gpus(engine(text=text, kind=kind)).kind == found


@pytest.mark.parametrize("why", [EngineError("could not select device driver"), "no such program"])
def test_an_engine_that_gives_none_has_none(why: object) -> None:
    found = gpus.gpus(engine(why=why))
    assert (found.kind, found.all) == ("none", ())
    assert str(why) in found.why


def exercise(*ids: str) -> Any:
    check = SimpleNamespace(name="gpu.requested")
    return SimpleNamespace(items=[SimpleNamespace(check=check, settings={"ids": list(ids)})])


def confined() -> Confined:
    return Confined("id", RunSpec(Doc("run.toml", ()), Path(), {}), {})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Gpus("none"), "no GPU to give"),
        (Gpus("nvidia", (Gpu(0, "A"),)), "has 1 GPU(s), and no GPU 1"),
    ],
)
def test_what_no_machine_here_can_show_is_not_measured(found: Gpus, says: str) -> None:
    with pytest.raises(NotMeasurable) as caught:
        gpus.on_gpu(confined(), found, engine(), exercise("0", "1"))
    assert says in str(caught.value)
    assert str(caught.value).startswith("Not measured here")
    assert caught.value.lacks == "gpu"


def test_the_wanted_ones_are_told_by_the_engines_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    monkeypatch.setattr(gpus.locked, "begin", lambda *_: begun.append(1))
    found = gpus.on_gpu(confined(), TWO, engine(), exercise("1"))
    assert (found, begun) == (OnGpu("id", "simulated", (TWO.all[1],)), [1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"devices": ["cpu"]}', ("cpu",)),
        ('{"devices": []}', ()),
        ('{"devices": "cpu"}', None),
        ('{"devices": [1]}', None),
        ("[]", None),
        ("{}", None),
        ("no JSON", None),
        ("[" * 9999, None),
    ],
)
def test_what_a_service_says(text: str, said: tuple[str, ...] | None) -> None:
    assert gpus.devices_said(Reply(200, text)) == said
