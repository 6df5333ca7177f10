"""A second opinion on a Dockerfile's text: what hadolint says of it, beside what we measured.

It carries no marks: a linter reads words, and words can be right while the image is wrong. The
learner's ways to silence it (a comment, a configuration file) are switched off.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from grader.results import Opinion, Outcome, Result

SECONDS = 5
MOST = 30  # findings; a generated file can have thousands
SHOWN = 6  # of them, in words
# What hadolint guesses from the text and we measure: its rule, our check.
MEASURED = {
    "DL3002": "runtime.not_root",
    "DL3004": "runtime.not_root",
    "DL3006": "dockerfile.pinned",
    "DL3007": "dockerfile.pinned",
    "DL3009": "files.no_apt_lists",
    "DL3022": "dockerfile.stages",
    "DL3025": "stop.graceful",
    "DL3066": "user.numeric",
    "DL4000": "dockerfile.parses",
}
_CONFIG = "ignored: []\n"


def opinions(dockerfile: bytes, results: tuple[Result, ...]) -> tuple[Opinion, ...]:
    """What hadolint says, joined with our rows; nothing where it is not installed or gives up."""
    found = {r.id: r.outcome for r in results}
    return tuple(_opinion(row, found) for row in _findings(dockerfile)[:MOST])


def in_words(said: tuple[Opinion, ...]) -> list[str]:
    """A line for each finding, with our verdict behind it where we measured the same thing."""
    if not said:
        return []
    lines = [
        f"  line {one.line}, {one.rule} {one.level}: {one.message}"
        + (f" [measured: {one.outcome.mark} {one.check}]" if one.outcome else "")
        for one in said[:SHOWN]
    ]
    rest = [f"  … and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return ["hadolint says (no marks):", *lines, *rest]


def _opinion(row: Mapping[str, object], found: Mapping[str, Outcome]) -> Opinion:
    rule = str(row["code"])
    check = MEASURED.get(rule, "")
    check = check if check in found else ""
    return Opinion(
        rule,
        str(row["level"]),
        int(str(row["line"])),
        " ".join(str(row["message"]).split())[:300],
        check,
        found.get(check),
    )


def _findings(dockerfile: bytes) -> list[dict[str, object]]:
    program = _program()
    if not program:
        return []
    with tempfile.TemporaryDirectory(prefix="lab-opinion-") as folder:
        config = Path(folder, "config.yaml")
        config.write_text(_CONFIG)
        command = [program, "--no-fail", "--format", "json", "--disable-ignore-pragma"]
        command += ["--config", str(config), "-"]
        try:
            # Elsewhere than the submission, whose .hadolint.yaml would be read.
            made = subprocess.run(
                command, input=dockerfile, capture_output=True, cwd=folder, timeout=SECONDS
            )
            rows = json.loads(made.stdout)
        except (OSError, subprocess.TimeoutExpired, ValueError):
            return []
    return rows if isinstance(rows, list) else []


def _program() -> str:
    """hadolint beside this Python, else on the PATH."""
    beside = Path(sys.executable).with_name("hadolint")
    return str(beside) if beside.is_file() else shutil.which("hadolint") or ""
