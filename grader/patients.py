"""What ails a container of the ward, as the engine's API tells it now; and what a learner says.

Who makes them ill is ``ward``. The grader keeps no list of the right answers: it looks, as a
learner does. No verdicts here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader import labels
from grader.clock import moment
from grader.engine import Engine
from grader.errors import SubmissionError
from grader.registry import fact
from grader.runspec import toml
from grader.yamls import Doc

FILE = "answers.toml"
KIND = "patient"  # in the label of each, with its ward's name behind it
# What may be wrong, and what shows it: the words of the task, in one place.
CAUSES = {
    "missing-library": "the library's file name",
    "out-of-memory": "the memory limit, in bytes",
    "shared-memory": "the size of its /dev/shm, in bytes",
    "wrong-folder": "the folder that it was started in",
    "no-such-probe": "the path of the program that its health check calls",
    "hidden-model": "the name of the volume that lies over the model",
    "loopback": "address:port at which it listens",
}
OOM, BUS_ERROR, NO_SCRIPT = 137, 135, 2  # exit codes
SOON = 5.0  # seconds from its creation within which a patient of ours was started
LINES = 40
_LIBRARY = re.compile(r"OSError: (\S+): cannot open shared object file")
_PROGRAM = re.compile(r"(/\S+): not found")


@dataclass(frozen=True)
class Diagnosis:
    """A cause, and the value that shows it."""

    cause: str
    evidence: str


def diagnosis(about: Mapping[str, Any], log: str) -> Diagnosis | None:
    """From what inspect says of a container, and its log; None for one that is not ill."""
    if about["State"]["Running"]:
        return _running(about["State"], about["Config"])
    return _by_exit_code(about, log) or _by_log(about, log)


def _by_exit_code(about: Mapping[str, Any], log: str) -> Diagnosis | None:
    code, host = int(about["State"]["ExitCode"]), about["HostConfig"]
    if code == OOM and about["State"]["OOMKilled"]:
        return Diagnosis("out-of-memory", str(host["Memory"]))
    if code == BUS_ERROR:
        return Diagnosis("shared-memory", str(host["ShmSize"]))
    if code == NO_SCRIPT and "can't open file" in log:
        return Diagnosis("wrong-folder", str(about["Config"]["WorkingDir"]))
    return None


def _by_log(about: Mapping[str, Any], log: str) -> Diagnosis | None:
    if found := _LIBRARY.search(log):
        return Diagnosis("missing-library", found[1])
    over = [m for m in about.get("Mounts") or () if m.get("Destination") == "/models"]
    if over and "FileNotFoundError" in log:
        return Diagnosis("hidden-model", str(over[0].get("Name")))
    return None


def _running(state: Mapping[str, Any], config: Mapping[str, Any]) -> Diagnosis | None:
    health = state.get("Health") or {}
    last = (health.get("Log") or [{}])[-1]
    if health.get("Status") == "unhealthy" and (
        found := _PROGRAM.search(str(last.get("Output") or ""))
    ):
        return Diagnosis("no-such-probe", found[1])
    values = dict(str(row).partition("=")[::2] for row in config.get("Env") or ())
    if health.get("Status") == "healthy" and str(values.get("HOST")).startswith("127."):
        return Diagnosis("loopback", f"{values['HOST']}:{values.get('PORT')}")
    return None


@dataclass(frozen=True)
class Said:
    """One answer, as it stands in the file; ``line`` is where."""

    cause: str
    evidence: str
    line: int | None = None


@dataclass(frozen=True)
class Answers:
    """By the container's name."""

    by_name: Mapping[str, Said]


@fact
def answers(submission: Path) -> Answers:
    """Read only: which of them there are, and whether they are right, is judged elsewhere."""
    path = submission / FILE
    if path.is_symlink() or not path.is_file():
        raise SubmissionError(f"There is no file called {FILE}.")
    doc = toml(path)
    return Answers({str(name): _said(doc, str(name), row) for name, row in doc.data.items()})


def _said(doc: Doc, name: str, row: Any) -> Said:
    line = doc.line(name)
    if not isinstance(row, dict) or set(row) - {"cause", "evidence"}:
        raise SubmissionError(
            f"{doc.name}: {name} must be a table with `cause` and `evidence`, and no more.",
            line=line,
            file=doc.name,
        )
    return Said(
        str(row.get("cause", "")).strip(), str(row.get("evidence", "")).strip(), doc.line(name)
    )


@dataclass(frozen=True)
class Patient:
    """One container of a ward. ``ails`` is None for one that shows nothing (any more).

    ``touched`` says that it was started again after its admission; ``seen`` is its state in words.
    """

    name: str
    ward: str
    ails: Diagnosis | None
    touched: bool
    seen: str


@dataclass(frozen=True)
class Ward:
    """The containers that were named, and all the names that belong to their wards.

    ``unknown`` are names of no patient of ours.
    """

    patients: tuple[Patient, ...]
    names: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()


@fact
def ward(answers: Answers, engine: Engine) -> Ward:
    """Looked up by their names, as they are now."""
    rows = [row for row in engine.labelled(labels.KIND) if row[2].startswith(f"{KIND}-")]
    named = {name: id_ for id_, name, _ in rows if name in answers.by_name}
    wards = {kind for _, name, kind in rows if name in named}
    names = frozenset(name for _, name, kind in rows if kind in wards)
    unknown = tuple(name for name in answers.by_name if name not in named)
    # Only these are looked at: another ward's may be leaving just now.
    return Ward(tuple(patient_of(engine, id_) for id_ in named.values()), names, unknown)


def patient_of(engine: Engine, container: str) -> Patient:
    """What the engine says of one, now."""
    about = engine.inspect(container)
    state = about["State"]
    log = engine.logs(container, tail=LINES)
    late = moment(state["StartedAt"]) - moment(about["Created"]) > SOON
    kind = str((about["Config"].get("Labels") or {}).get(labels.KIND))
    name = str(about["Name"]).lstrip("/")
    ails = diagnosis(about, log)
    return Patient(name, kind.partition("-")[2], ails, late, _words(state))


def _words(state: Mapping[str, Any]) -> str:
    if state["Running"]:
        health = (state.get("Health") or {}).get("Status") or "unknown"
        return f"it runs, and its health is {health}"
    killed = "true" if state["OOMKilled"] else "false"
    return f"its exit code is {state['ExitCode']}, and OOMKilled is {killed}"
