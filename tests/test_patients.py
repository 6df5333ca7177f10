"""What ails a container, told from what the engine says of it; and the answers as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grader import patients, ward
from grader.errors import SubmissionError
from grader.patients import CAUSES, Diagnosis, diagnosis


def about(
    code: int | None, *, oom: bool = False, health: str = "", output: str = ""
) -> dict[str, Any]:
    """As inspect has it; ``code`` is None for one that runs."""
    state = {
        "Running": code is None,
        "ExitCode": code or 0,
        "OOMKilled": oom,
        "Health": {"Status": health, "Log": [{"Output": output}]},
    }
    config = {"WorkingDir": "/srv/app-1", "Env": ["HOST=0.0.0.0", "PORT=8123"]}
    return {"State": state, "HostConfig": {"Memory": 5, "ShmSize": 7}, "Config": config}


LOOPBACK = about(None, health="healthy")
LOOPBACK["Config"] = {"Env": ["HOST=127.0.0.1", "PORT=8123"]}
COVERED = {**about(1), "Mounts": [{"Destination": "/models", "Name": "models-1"}]}
ELSEWHERE = {**about(1), "Mounts": [{"Destination": "/notes", "Name": "notes-1"}]}
NO_FILE = "FileNotFoundError: [Errno 2] No such file or directory: '/models/model.json'"
NO_LIBRARY = "OSError: libblas-1.so.3: cannot open shared object file: No such file or directory"
SHOWS: list[tuple[str, dict[str, Any], str, Diagnosis | None]] = [
    ("no library", about(1), NO_LIBRARY, Diagnosis("missing-library", "libblas-1.so.3")),
    ("no memory", about(137, oom=True), "", Diagnosis("out-of-memory", "5")),
    ("killed by somebody", about(137), "", None),
    ("no shared memory", about(135), "", Diagnosis("shared-memory", "7")),
    ("no script", about(2), "python: can't open file 'x'", Diagnosis("wrong-folder", "/srv/app-1")),
    ("another 2", about(2), "usage: …", None),
    ("no model", COVERED, NO_FILE, Diagnosis("hidden-model", "models-1")),
    ("no model, and nothing over it", ELSEWHERE, NO_FILE, None),
    ("another no", COVERED, "ValueError", None),
    (
        "no program for the probe",
        about(None, health="unhealthy", output="/bin/sh: 1: /opt/tools-1/curl: not found"),
        "",
        Diagnosis("no-such-probe", "/opt/tools-1/curl"),
    ),
    ("not yet unhealthy", about(None, health="starting", output="/x: not found"), "", None),
    ("unhealthy by a no", about(None, health="unhealthy", output="refused"), "", None),
    ("talks to itself", LOOPBACK, "", Diagnosis("loopback", "127.0.0.1:8123")),
    ("well", about(None, health="healthy"), "", None),
    ("ended well", about(0), "", None),
]


@pytest.mark.parametrize(("seen", "log", "ails"), [s[1:] for s in SHOWS], ids=[s[0] for s in SHOWS])
def test_diagnosis(seen: dict[str, Any], log: str, ails: Diagnosis | None) -> None:
    assert diagnosis(seen, log) == ails


def test_every_cause_is_diagnosed_somewhere_and_has_its_fault() -> None:
    assert {s[3].cause for s in SHOWS if s[3]} == set(CAUSES) == set(ward.FAULTS)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_fault_changes_one_thing_of_one_that_is_well(cause: str) -> None:
    well = ward.well()
    ill = ward.FAULTS[cause](well)
    changed = [key for key in vars(well) if getattr(well, key) != getattr(ill, key)]
    assert len(changed) == 1


def test_two_patients_share_no_value() -> None:
    one, other = (ward.FAULTS["hidden-model"](ward.well()) for _ in range(2))
    assert set(one.binds).isdisjoint(other.binds)


# -- the answer file -------------------------------------------------------------------------------


def answers(tmp_path: Path, text: str) -> patients.Answers:
    (tmp_path / "answers.toml").write_text(text)
    return patients.answers(tmp_path)


def test_answers_have_their_lines(tmp_path: Path) -> None:
    read = answers(tmp_path, '# x\n\n[calm_bell]\ncause = " loopback "\nevidence = "1"\n')
    said = read.by_name["calm_bell"]
    assert (said.cause, said.evidence, said.line) == ("loopback", "1", 3)


def test_a_number_without_quotes_is_taken(tmp_path: Path) -> None:
    said = answers(tmp_path, '[a]\ncause = "out-of-memory"\nevidence = 67108864\n').by_name["a"]
    assert said.evidence == "67108864"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a\n", "not valid TOML"),
        ("a = 1\n", "a must be a table"),
        ("[a]\ncasue = 'x'\n", "`cause` and `evidence`"),
        ("[[a]]\ncause = 'x'\n", "must be a table"),
    ],
)
def test_what_can_not_be_read_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SubmissionError, match=words):
        answers(tmp_path, text)


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"no file called answers\.toml"):
        patients.answers(tmp_path)


def test_the_names_are_written_below_the_comment_and_in_the_place_of_the_old_ones(
    tmp_path: Path,
) -> None:
    path = tmp_path / "answers.toml"
    path.write_text("# What to do\n")
    ward.write_template(path, ["a", "b"])
    ward.write_template(path, ["c"])
    assert path.read_text() == '# What to do\n\n[c]\ncause = ""\nevidence = ""\n'
    assert set(patients.answers(tmp_path).by_name) == {"c"}
