"""Run specifications: found, read with their lines, refused, and turned into flags."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader import runspec
from grader.engine import Image
from grader.errors import EngineError, SubmissionError
from grader.runspec import RunSpec, flags, read, toml

Make = Callable[..., Path]
IMAGE = Image("sha256:abc", (), (), {})
COMPOSE = "services:\n  digits:\n    image: x\n    read_only: true\n"


# -- which file -----------------------------------------------------------------------------------


def test_one_of_the_two_has_to_be_there(folder: Make) -> None:
    with pytest.raises(SubmissionError, match=r"neither a compose\.yaml nor a run\.toml"):
        read(folder())


def test_both_are_one_too_many(folder: Make) -> None:
    with pytest.raises(SubmissionError, match=r"run\.toml and compose\.yaml"):
        read(folder(**{"run.toml": "", "compose.yaml": COMPOSE}))


@pytest.mark.parametrize("name", runspec.COMPOSE)
def test_compose_has_four_names(folder: Make, name: str) -> None:
    spec = read(folder(**{name: COMPOSE}))
    assert (spec.name, spec.service) == (name, "digits")
    assert spec.wanted == {"image": "x", "read_only": True}


def test_a_link_is_not_followed(folder: Make) -> None:
    place = folder()
    (place / "compose.yaml").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match="plain file"):
        read(place)


def test_a_linked_env_file_is_not_read(folder: Make) -> None:
    place = folder(**{"compose.yaml": COMPOSE})
    (place / ".env").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match=r"\.env"):
        read(place)


# -- compose --------------------------------------------------------------------------------------

BAD_COMPOSE = [
    ("", "no services"),
    ("- a\n", "no services"),
    ("services: []\n", "no services"),
    ("services: {}\n", "exactly one service"),
    ("services: {a: {image: x}, b: {image: x}}\n", "there are 2 (a, b)"),
    ("services: {a: null}\n", "is empty"),
    ("services: {a: {privileged: true}}\n", "privileged"),
    ("services: [\n", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "words"), BAD_COMPOSE, ids=[b[0][:40] for b in BAD_COMPOSE])
def test_a_compose_file_that_is_not_taken(folder: Make, text: str, words: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        read(folder(**{"compose.yaml": text}))
    assert words in str(caught.value)
    assert str(caught.value).startswith("compose.yaml")


def test_lines_are_those_of_the_services_keys(folder: Make) -> None:
    spec = read(folder(**{"compose.yaml": COMPOSE}))
    assert spec.line("read_only") == 4
    assert spec.line("cap_drop", "read_only") == 4
    assert spec.line("cap_drop") == 2  # not there: where the service begins


# -- run.toml -------------------------------------------------------------------------------------

BAD_TOML = [
    ("readonly = true\n", 1, "'readonly' is not known here. Did you mean read-only?"),
    ("pids_limit = 1\n", 1, "Did you mean pids-limit?"),
    ("xyz = 1\n", 1, "Known are: add-host,"),
    ("# x\n\nuser = '1'\nReadOnly = true\n", 4, "'ReadOnly' is not known"),
    ("read-only = 'yes'\n", 1, "is true or false"),
    ("memory = ['1g']\n", 1, "is a text or a number"),
    ("memory = true\n", 1, "is a text or a number"),
    ("cap-drop = true\n", 1, "a text or a list"),
    ("cap-drop = [1]\n", 1, "a text or a list"),
    ("tmpfs = {a = 'b'}\n", 1, "a text or a list"),
    ("env = ['HOME']\n", 1, "NAME=value"),
    ("[other]\na = 1\n", 1, "'other' is not known"),
    ("user = '1'\nprivileged = true\n", 2, "privileged"),
    ("cap-add = [\n  'CHOWN',\n  'SYS_ADMIN',\n]\n", 3, "SYS_ADMIN"),
    ("user = \n", 1, "not valid TOML"),
    ("user = '1'\nuser = '2'\n", 2, "not valid TOML"),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD_TOML, ids=[b[0][:40] for b in BAD_TOML])
def test_a_run_toml_that_is_not_taken(folder: Make, text: str, line: int, words: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        read(folder(**{"run.toml": text}))
    assert words in str(caught.value)
    assert (caught.value.file, caught.value.line) == ("run.toml", line)
    assert "run.toml" in str(caught.value)


def test_what_is_no_text_is_said(folder: Make) -> None:
    with pytest.raises(SubmissionError, match="UTF-8"):
        read(folder(**{"run.toml": b"\xff\xfe"}))


def test_flags_are_those_of_docker(folder: Make) -> None:
    text = """
read-only = true
init = false
memory = "1g"
pids-limit = 64
cpus = 0.5
cap-drop = ["ALL"]
tmpfs = ["/tmp", "/run:size=1m"]
volume = "./x:/x:ro"
publish = ["80:80"]
name = "mine"
network = "none"
rm = true

[env]
A = "b c"
"""
    spec = read(folder(**{"run.toml": text}))
    assert flags(spec) == [
        "--read-only=true",
        "--init=false",
        "--memory=1g",
        "--pids-limit=64",
        "--cpus=0.5",
        "--cap-drop=ALL",
        "--tmpfs=/tmp",
        "--tmpfs=/run:size=1m",
        "--volume=./x:/x:ro",
        "--env=A=b c",
    ]
    assert spec.line("env") == 15
    assert spec.line("cap_drop", "cap-drop") == 7


def test_a_value_can_be_no_second_flag(folder: Make) -> None:
    spec = read(folder(**{"run.toml": 'user = "1 --privileged"\nhostname = "--privileged"\n'}))
    assert flags(spec) == ["--user=1 --privileged", "--hostname=--privileged"]


def test_the_lines_of_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("# tmpfs = 1\n\"cpus\" = 1\ntmpfs = [\n  '/a',\n  '/b',\n]\nenv.A = '1'\n")
    doc = toml(path)
    assert doc.line("cpus") == 2
    assert [doc.line("tmpfs"), doc.line("tmpfs", 0), doc.line("tmpfs", 1)] == [3, 4, 5]
    assert doc.line("env", "A") == 7
    assert doc.line("not-there") == 1


# -- making the container, with a client that only notes what it was told -------------------------


class Client:
    """Stands in for Docker's client: answers in turn, and keeps the words."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, str, str]) -> None:
        self.said: list[list[str]] = []
        self.answers = list(answers)
        monkeypatch.setattr(subprocess, "run", self.run)

    def run(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.said.append(words)
        code, out, err = self.answers.pop(0) if self.answers else (0, "id\n", "")
        return subprocess.CompletedProcess(words, code, out, err)


def engine(**more: Any) -> Any:
    connection = SimpleNamespace(docker="docker", environment={}, local=True)
    return SimpleNamespace(
        connection=connection,
        run="host/1/2/ab",
        labels=lambda kind: {"lab.run": "host/1/2/ab", "lab.kind": kind},
        ping=lambda: None,
        **more,
    )


def spec(folder: Path, **wanted: Any) -> RunSpec:
    return RunSpec(yamls_doc(wanted), folder, wanted)


def yamls_doc(wanted: Any) -> Any:
    return runspec.Doc("run.toml", (wanted,), {(0, ()): 1})


def test_the_container_has_our_label_no_network_and_our_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(monkeypatch)
    assert runspec.create(engine(), spec(tmp_path, **{"read-only": True}), IMAGE) == "id"
    words = client.said[0]
    assert words[:2] == ["docker", "create"]
    assert words[-1] == "sha256:abc"
    assert "--read-only=true" in words
    assert "lab.run=host/1/2/ab" in words
    assert words[words.index("--network") + 1] == "none"
    assert words[words.index("--pull") + 1] == "never"
    assert any(w.startswith("max-size=") for w in words)
    assert "--health-interval" not in words


def test_a_health_check_is_asked_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(monkeypatch)
    runspec.create(engine(), spec(tmp_path), Image("x", (), (), {"Healthcheck": {"Test": ["x"]}}))
    assert "--health-interval" in client.said[0]


def test_a_named_volume_is_never_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(monkeypatch)
    runspec.create(engine(), spec(tmp_path, volume=["data:/d:ro", "./x:/x", "/anon"]), IMAGE)
    made, created = client.said
    assert made[1:3] == ["volume", "create"]
    assert "lab.run=host/1/2/ab" in made
    assert made[-1] == "host-1-2-ab-data"
    assert "--volume=host-1-2-ab-data:/d:ro" in created
    assert "--volume=./x:/x" in created
    assert "--volume=/anon" in created


def test_what_docker_does_not_take_is_the_submissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"invalid size: 'x' in {tmp_path}/a\nSee 'docker create --help'."
    Client(monkeypatch, (1, "", said), (0, "", ""))
    with pytest.raises(SubmissionError) as caught:
        runspec.create(engine(), spec(tmp_path, memory="x"), IMAGE)
    assert "invalid size: 'x' in ./a" in str(caught.value)
    assert "--help" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_where_nothing_runs_it_is_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Client(monkeypatch, (1, "", "no space left"), (1, "", "no space left"))
    with pytest.raises(EngineError, match="any container"):
        runspec.create(engine(), spec(tmp_path), IMAGE)


def test_a_client_that_hangs_is_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(words: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(words, 1)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(EngineError, match="client failed"):
        runspec.create(engine(), spec(tmp_path), IMAGE)


def test_the_client_sees_nothing_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    seen: dict[str, str] = {}

    def run(words: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        seen.update(how["env"])
        assert how["cwd"] == tmp_path
        return subprocess.CompletedProcess(words, 0, "id", "")

    monkeypatch.setattr(subprocess, "run", run)
    runspec.create(engine(), spec(tmp_path), IMAGE)
    assert "SECRET_OF_MINE" not in seen
