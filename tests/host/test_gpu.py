"""What the simulated GPUs are made of, and what their hook does with what it is asked for."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import pytest

from grader import labels
from grader.errors import EngineError
from grader.host import gpu
from grader.host.home import Home
from grader.host.simulated import hook

TABLE = [{"minor": 0, "uuid": "GPU-aa00"}, {"minor": 1, "uuid": "GPU-ab11"}]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(gpu.shutil, "which", lambda name, **_: None if name == gpu.HOOK else name)
    monkeypatch.setattr(gpu, "_build", lambda _, __, target, ___: target.write_text("built"))
    return Home(tmp_path / "home")


@pytest.mark.parametrize(
    ("wanted", "minors"),
    [
        ("all", [0, 1]),
        ("0", [0]),
        ("1", [1]),
        ("0,1", [0, 1]),
        ("1, 0,1", [1, 0]),
        ("GPU-aa00", [0]),
        ("GPU-ab", [1]),
        ("none", []),
        ("", None),
        ("void", None),
    ],
)
def test_devices_are_named_by_number_or_uuid(wanted: str, minors: list[int] | None) -> None:
    assert hook.chosen(wanted, TABLE) == minors


@pytest.mark.parametrize("wanted", ["2", "0,9", "-1", "GPU-b", "gpu", "0,"])
def test_an_unknown_device_is_refused_in_the_tool_kits_words(wanted: str) -> None:
    with pytest.raises(hook.Refused, match=r"device error: .*: unknown device"):
        hook.chosen(wanted, TABLE)


@pytest.mark.parametrize(
    ("wanted", "able"),
    [
        ("", ("compute", "utility")),
        ("utility", ("utility",)),
        ("compute,video", ("compute", "video")),
        ("utility,all", hook.KNOWN),
    ],
)
def test_capabilities(wanted: str, able: tuple[str, ...]) -> None:
    assert hook.capabilities(wanted) == able


def test_an_unknown_capability_is_refused() -> None:
    with pytest.raises(hook.Refused, match="unsupported capabilities"):
        hook.capabilities("compute,flight")


def test_of_two_variables_of_one_name_dockers_counts() -> None:
    assert hook.variables(["A=1", "B", "A=2=3"]) == {"A": "2=3"}


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [("9", 1, "device error: 9: unknown device"), ("", 0, "")],
)
def test_it_ends_as_runc_expects_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    asked: str,
    status: int,
    said: str,
) -> None:
    (tmp_path / "devices.json").write_text(json.dumps(TABLE))
    config = {"process": {"env": [f"NVIDIA_VISIBLE_DEVICES={asked}"]}, "root": {"path": "/nowhere"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    state = tmp_path / "state"
    state.write_text(json.dumps({"bundle": str(tmp_path), "pid": 0}))
    monkeypatch.setattr("sys.stdin", state.open())
    assert hook.main([str(tmp_path), "prestart"]) == status
    assert said in capsys.readouterr().err
    assert hook.main([str(tmp_path), "poststop"]) == 0


def test_all_of_it_is_there_and_says_that_it_is_simulated(place: Home) -> None:
    assert gpu.install(place)
    first, second = gpu.devices(place)
    assert first.name.startswith("Simulated")
    assert first.name != second.name
    assert first.uuid in (place.gpu / "nvidia-smi").read_text()
    assert second.name in (place.gpu / "driver.c").read_text()
    assert "SIMULATED" in (place.bin / gpu.HOOK).read_text()
    assert gpu.why_no_libraries(place) == ""
    names = [
        d["name"] for d in json.loads(next((place.root / "cdi").glob("*")).read_text())["devices"]
    ]
    assert names == ["0", "1", first.uuid, second.uuid, "all"]


def test_another_lab_home_has_other_devices(tmp_path: Path) -> None:
    one, other = (gpu.devices(Home(tmp_path / name)) for name in "ab")
    assert {d.uuid for d in one} & {d.uuid for d in other} == set()


def test_no_compiler_is_said_and_no_obstacle(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Home) -> str:
        raise EngineError("no compiler")

    monkeypatch.setattr(gpu, "compiler", none)
    assert gpu.install(place)
    assert gpu.why_no_libraries(place) == "no compiler"


def test_a_second_install_changes_nothing_and_another_source_builds_anew(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(place)
    before = {path: path.stat().st_ino for path in place.gpu.iterdir()}
    gpu.install(place)
    assert {path: path.stat().st_ino for path in place.gpu.iterdir()} == before
    (place.gpu / "libcuda.so.1").write_text("old")
    monkeypatch.setattr(gpu, "DRIVER", "561")
    gpu.install(place)
    assert (place.gpu / "libcuda.so.1").read_text() == "built"


@pytest.mark.parametrize(("real", "value"), [("/usr/bin/it", ""), (None, "none")])
def test_it_makes_way_for_the_real_hook_and_where_nobody_wants_it(
    place: Home, monkeypatch: pytest.MonkeyPatch, real: str | None, value: str
) -> None:
    gpu.install(place)
    monkeypatch.setattr(gpu.shutil, "which", lambda *_, **__: real)
    monkeypatch.setenv("LAB_GPU", value)
    assert not gpu.install(place)
    assert not (place.bin / gpu.HOOK).exists()
    assert list((place.root / "cdi").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "started"),
    [
        (json.dumps({"labels": [labels.SIMULATED_GPU]}), True),
        (json.dumps({"labels": []}), False),
        ("{}", False),
        ("", False),
        (None, False),
    ],
)
def test_whether_an_engine_has_them_is_told_by_its_settings(
    place: Home, text: str | None, started: bool
) -> None:
    place.root.mkdir()
    if text is not None:
        (place.root / "daemon.json").write_text(text)
    assert gpu.started_with(place) is started


def test_nvidia_smi_without_a_device_is_the_real_kind_of_failure(place: Home) -> None:
    gpu.install(place)
    for words in ([], ["-L"], ["--query-gpu=name", "--format=csv"]):
        done = subprocess.run([place.gpu / "nvidia-smi", *words], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (9, "")


def elf(*kinds: int) -> bytes:
    """The header of a 64-bit ELF file, with a table of such segments."""
    table = b"".join(struct.pack("<IIQQQQQQ", kind, 6, 0, 0, 0, 0, 0, 8) for kind in kinds)
    head = bytearray(64)
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, len(kinds))
    return bytes(head) + table + b"code"


def segments(library: bytes) -> list[int]:
    (start,), (size, count) = (
        struct.unpack_from("<Q", library, 32),
        struct.unpack_from("<HH", library, 54),
    )
    return [struct.unpack_from("<I", library, start + size * at)[0] for at in range(count)]


STACK = 0x6474E551


@pytest.mark.parametrize("kinds", [(1, 2), (1, STACK, 2)])
def test_every_library_says_that_its_stack_is_no_code(kinds: tuple[int, ...]) -> None:
    library = gpu.without_executable_stack(elf(*kinds))
    assert sorted(segments(library)) == sorted({*kinds, STACK})
    assert (library == elf(*kinds)) is (STACK in kinds)


def test_an_engine_with_nvidias_runtime_says_so(tmp_path: Path) -> None:
    """By it a report tells real GPUs from none."""
    assert gpu.runtimes(system=str(tmp_path)) == {}
    program = tmp_path / gpu.RUNTIME
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert gpu.runtimes(system=str(tmp_path)) == {"nvidia": {"path": str(program)}}
