from __future__ import annotations

import json
from pathlib import Path

import pytest

from grader.errors import EngineError
from grader.host import bridge, doctor, registry, trust
from grader.host.bridge import Bridge
from grader.host.connection import Connection
from grader.host.doctor import Patient, Row
from grader.host.trust import Trust

ENGINE = Connection("unix:///e.sock", "private", {}, ("/x/docker-buildx",), "docker", local=True)
FACTS = {
    "version": "26.1.5",
    "api": "1.45",
    "gpu": "none",
    "cgroup": 1,
    "storage": "overlay2",
    "cpus": 2,
    "memory_mb": 8000,
}


def patient(**facts: object) -> Patient:
    return Patient(ENGINE, {**FACTS, **facts}, {"DockerRootDir": "/"})


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([Row("a", "A", "ok", "fine")], 0),
        ([Row("a", "A", "note", "so so", "look")], 0),
        ([Row("a", "A", "ok", "fine"), Row("b", "B", "bad", "broken", "mend")], 1),
    ],
)
def test_the_exit_status_is_1_when_something_has_to_be_repaired(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: list[Row],
    status: int,
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: rows)
    assert doctor.doctor(as_json=True) == status
    table = json.loads(capsys.readouterr().out)
    assert table["ok"] is (status == 0)
    assert [row["key"] for row in table["rows"]] == [row.key for row in rows]
    assert doctor.doctor() == status
    text = capsys.readouterr().out
    assert all(row.seen in text and row.do in text for row in rows)


def test_without_an_engine_the_rest_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Connection:
        raise EngineError("DOCKER_HOST is x, and no Docker Engine answers there")

    monkeypatch.setattr(doctor, "wanted", none)
    monkeypatch.setattr(registry, "reachable", lambda: False)
    rows = {row.key: row for row in doctor.examine()}
    assert rows["engine"].state == "bad"
    assert "DOCKER_HOST is x" in rows["engine"].seen
    assert rows["engine"].do
    assert rows["registry"].state == "note"


def test_static_mode_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATIC", "1")
    assert doctor.examine()[0].state == "bad"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Bridge(True, "a container ran with eth0"), [("bridge", "ok"), ("egress", "ok")]),
        (Bridge(True, "a container ran", "m: timed out"), [("bridge", "ok"), ("egress", "bad")]),
        (Bridge(False, "could not find bridge docker0"), [("bridge", "bad")]),
    ],
)
def test_the_bridge_is_judged_by_a_containers_own_look(
    monkeypatch: pytest.MonkeyPatch, seen: Bridge, expected: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(doctor, "bridge_works", lambda _: seen)
    assert [(row.key, row.state) for row in doctor._network(patient())] == expected


def test_a_lost_bridge_comes_with_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Bridge(False, "could not find bridge docker0: no such network interface")
    monkeypatch.setattr(doctor, "bridge_works", lambda _: lost)
    (row,) = doctor._network(patient())
    assert "--bridge=none" in row.do


@pytest.mark.parametrize(
    ("text", "works", "part"),
    [
        ('{"route": true, "interfaces": ["eth0"], "mirror": ""}', True, "eth0"),
        ('{"route": false, "interfaces": ["lo"], "mirror": "x"}', False, "no way out"),
        ("Traceback", False, "Traceback"),
    ],
)
def test_a_container_without_a_way_out_is_no_working_bridge(
    text: str, works: bool, part: str
) -> None:
    seen = bridge._read(text, "mirror.example")
    assert seen.works is works
    assert part in seen.said


@pytest.mark.parametrize(("free_gb", "state"), [(4.9, "bad"), (5.0, "ok")])
def test_a_full_disk_is_told_before_it_is_full(
    monkeypatch: pytest.MonkeyPatch, free_gb: float, state: str
) -> None:
    usage = (100, 50, int(free_gb * 1e9))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("U", (), {"free": usage[2]}))
    assert doctor.disk(patient()).state == state


@pytest.mark.parametrize(("memory_mb", "state"), [(1999, "note"), (2000, "ok")])
def test_too_little_memory_is_worth_knowing(memory_mb: int, state: str) -> None:
    assert doctor.power(patient(memory_mb=memory_mb)).state == state


@pytest.mark.parametrize(("driver", "state"), [("overlay2", "ok"), ("vfs", "note")])
def test_a_slow_storage_driver_is_worth_knowing(driver: str, state: str) -> None:
    assert doctor.storage(patient(storage=driver)).state == state


@pytest.mark.parametrize(
    ("kind", "without", "started", "state", "way"),
    [
        ("simulated", "", True, "ok", ""),
        ("nvidia", "", True, "ok", ""),
        ("simulated", "no compiler", True, "note", "no compiler"),
        ("none", "", False, "note", "make down"),
    ],
)
def test_a_gpu_is_called_what_it_is(
    monkeypatch: pytest.MonkeyPatch, *, kind: str, without: str, started: bool, state: str, way: str
) -> None:
    monkeypatch.setattr(doctor.gpus, "seen", lambda _, kind: f"{kind} as seen")
    monkeypatch.setattr(doctor.simulator, "why_no_libraries", lambda _: without)
    monkeypatch.setattr(doctor.simulator, "wanted", lambda: True)
    monkeypatch.setattr(doctor.simulator, "started_with", lambda _: started)
    row = doctor.gpu(patient(gpu=kind))
    assert (row.seen, row.state) == (f"{kind} as seen", state)
    assert way in row.do


@pytest.mark.parametrize(("where", "expected"), [("proc", True), ("modules", True), ("", False)])
def test_ipvs_is_in_the_kernel_or_a_module(tmp_path: Path, where: str, expected: bool) -> None:
    import platform

    proc, modules = tmp_path / "proc", tmp_path / "modules"
    (proc / "net").mkdir(parents=True)
    if where == "proc":
        (proc / "net/ip_vs").touch()
    if where == "modules":
        folder = modules / platform.release() / "kernel/net/netfilter/ipvs"
        folder.mkdir(parents=True)
        (folder / "ip_vs.ko.xz").touch()
    assert doctor._ipvs(proc, modules) is expected


def test_a_real_image_behind_an_inspecting_proxy_is_worth_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trust, "machine", lambda: Trust((), (), ()))
    assert doctor._ca_note() == ""
    monkeypatch.setattr(trust, "machine", lambda: Trust(("certificate",), (), ()))
    assert "pulled image" in doctor._ca_note()


def test_a_probe_that_breaks_is_a_row_and_not_the_end() -> None:
    def broken(_: Patient) -> Row:
        raise EngineError("`docker image inspect …` did not end within 60 s")

    row = doctor._safely(broken, patient())
    assert row.state == "bad"
    assert "did not end" in row.seen
