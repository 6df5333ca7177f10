"""Our own workflows keep the rules that lab 05 teaches, and call only what is there.

Not here: whether they run. Nobody but GitHub can tell; what they call runs on any machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import yamls
from tests.conftest import ROOT

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
# Whoever may do more than read, and why: to push images, and to make a release.
MAY_WRITE = {("release.yml", "images"): {"packages"}, ("release.yml", "source"): {"contents"}}
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
LONGEST_RUN = 3  # lines; what is longer belongs into a script that can be tried out
Workflow = dict[str, Any]
Rule = Callable[[str, Workflow, str], Iterator[str]]

GOOD = """\
name: sample
on:
  push:
    branches: [main]
  pull_request:
permissions: {}
concurrency:
  group: sample-${{ github.ref }}
  cancel-in-progress: true
jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # to check out
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - run: echo "$NAME"
        env:
          NAME: ${{ github.head_ref }}
"""


def jobs(workflow: Workflow) -> dict[str, Workflow]:
    found: dict[str, Workflow] = workflow["jobs"]
    return found


def steps(workflow: Workflow) -> list[Workflow]:
    return [step for job in jobs(workflow).values() for step in job.get("steps", ())]


def actions_are_pinned(_: str, __: Workflow, text: str) -> Iterator[str]:
    for line in text.splitlines():
        if re.search(r"\buses:", line) and not PINNED.search(line):
            yield line.strip()


def nobody_may_anything_at_first(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    if workflow.get("permissions") != {}:
        yield f"permissions: {workflow.get('permissions')}"


def a_job_may_only_read(name: str, workflow: Workflow, _: str) -> Iterator[str]:
    for job, body in jobs(workflow).items():
        given = body.get("permissions")
        if not isinstance(given, dict):
            yield f"{job}: permissions: {given}"
            continue
        more = {key for key, value in given.items() if value != "read"}
        yield from (f"{job}: {key}: write" for key in more - MAY_WRITE.get((name, job), set()))


def each_permission_has_its_reason(_: str, __: Workflow, text: str) -> Iterator[str]:
    for line in text.splitlines():
        if re.search(r"^ +[\w-]+: (read|write)\b(?! # )", line):
            yield line.strip()


def a_checkout_keeps_no_token(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    for step in steps(workflow):
        kept = step.get("with", {}).get("persist-credentials", True)
        if "actions/checkout" in step.get("uses", "") and kept is not False:
            yield f"persist-credentials: {kept}"


def no_value_becomes_code(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    yield from (step["run"] for step in steps(workflow) if "${{" in step.get("run", ""))


def a_long_script_is_a_file(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    runs = [step.get("run", "") for step in steps(workflow)]
    yield from (run for run in runs if len(run.splitlines()) > LONGEST_RUN)


def runs_do_not_overtake_each_other(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    told = workflow.get("concurrency")
    if not isinstance(told, dict) or {"group", "cancel-in-progress"} - set(told):
        yield f"concurrency: {told}"


def a_job_ends_in_time(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    yield from (job for job, body in jobs(workflow).items() if not body.get("timeout-minutes"))


def a_machine_has_a_version(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    for job, body in jobs(workflow).items():
        if not re.fullmatch(r"ubuntu-\d\d\.\d\d", str(body.get("runs-on"))):
            yield f"{job}: runs-on: {body.get('runs-on')}"


def a_stranger_starts_nothing_with_rights(_: str, workflow: Workflow, __: str) -> Iterator[str]:
    yield from {"pull_request_target", "workflow_run", "issue_comment"} & set(workflow["on"])


def no_secret_is_used(_: str, workflow: Workflow, text: str) -> Iterator[str]:
    """The job's own token is enough, and a pull request's run gets not even that."""
    yield from re.findall(r"\bsecrets[.:\[].*", text)
    if "pull_request" in workflow["on"]:
        yield from re.findall(r"github\.token|GITHUB_TOKEN", text)


def no_finding_is_silenced(_: str, __: Workflow, text: str) -> Iterator[str]:
    yield from re.findall(r"zizmor:.*", text)


# Each rule, and what has to be exchanged in GOOD to break it.
RULES: dict[Rule, list[tuple[str, str]]] = {
    actions_are_pinned: [
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"),
        (" # v7.0.1", ""),
        ("- run:", "- uses: docker://alpine\n      - run:"),
    ],
    nobody_may_anything_at_first: [
        ("permissions: {}\n", ""),
        ("permissions: {}", "permissions: read-all"),
    ],
    a_job_may_only_read: [
        ("contents: read", "contents: write"),
        ("permissions:\n      contents: read # to check out", "permissions: write-all"),
        ("    permissions:\n      contents: read # to check out\n", ""),
    ],
    each_permission_has_its_reason: [(" # to check out", "")],
    a_checkout_keeps_no_token: [
        ("persist-credentials: false", "persist-credentials: true"),
        ("persist-credentials: false", "fetch-depth: 1"),
    ],
    no_value_becomes_code: [("$NAME", "${{ github.head_ref }}")],
    a_long_script_is_a_file: [
        ('echo "$NAME"', "|\n          a\n          b\n          c\n          d")
    ],
    runs_do_not_overtake_each_other: [
        ("concurrency:", "env:"),
        ("  cancel-in-progress: true\n", ""),
    ],
    a_job_ends_in_time: [("    timeout-minutes: 5\n", "")],
    a_machine_has_a_version: [("ubuntu-24.04", "ubuntu-latest")],
    a_stranger_starts_nothing_with_rights: [("pull_request:", "pull_request_target:")],
    no_secret_is_used: [
        ("github.head_ref", "secrets.KEY"),
        ("    steps:", "    secrets: inherit\n    steps:"),
        ("github.head_ref", "github.token"),
    ],
    no_finding_is_silenced: [(" # v7.0.1", " # v7.0.1 zizmor: ignore[artipacked]")],
}
BROKEN = [(rule, *change) for rule, changes in RULES.items() for change in changes]


def faults(rule: Rule, path: Path) -> list[str]:
    return list(rule(path.name, yamls.read(path).data, path.read_text("utf-8")))


def test_there_are_workflows_for_tests_images_release_and_the_monthly_look() -> None:
    assert [path.stem for path in FILES] == ["images", "monthly", "release", "test"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_workflow_of_ours_keeps_the_rule(rule: Rule, path: Path) -> None:
    assert faults(rule, path) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_sample_breaks_no_rule(rule: Rule, tmp_path: Path) -> None:
    (tmp_path / "sample.yml").write_text(GOOD)
    assert faults(rule, tmp_path / "sample.yml") == []


@pytest.mark.parametrize(("rule", "old", "new"), BROKEN)
def test_a_broken_sample_is_found_out(rule: Rule, old: str, new: str, tmp_path: Path) -> None:
    assert old in GOOD
    (tmp_path / "sample.yml").write_text(GOOD.replace(old, new))
    assert faults(rule, tmp_path / "sample.yml")


def test_no_file_of_settings_silences_the_linter() -> None:
    names = ("zizmor.yml", ".github/zizmor.yml", "zizmor.yaml", ".github/zizmor.yaml")
    assert [name for name in names if (ROOT / name).exists()] == []


# -- what they run ---------------------------------------------------------------------------------


def commands() -> Iterator[list[str]]:
    for path in FILES:
        for step in steps(yamls.read(path).data):
            yield from (line.split() for line in step.get("run", "").splitlines())


def missing(words: list[str], root: Path = ROOT) -> Iterator[str]:
    """What one command names and this checkout has not got."""
    for at, word in enumerate(words):
        after = words[at + 1] if at + 1 < len(words) else ""
        if word.startswith(".ci/"):
            yield from _script(root / word, after)
        elif word.endswith(".py") and not (root / word).is_file():
            yield word
        elif word == "-m" and not (root / f"{after.replace('.', '/')}.py").is_file():
            yield after
        elif word == "make" and not re.search(rf"^{after}:", (root / "Makefile").read_text(), re.M):
            yield f"make {after}"


def _script(path: Path, task: str) -> Iterator[str]:
    if not os.access(path, os.X_OK):
        yield str(path)
        return
    usage = re.search(r"usage: (.*\|.*)", path.read_text())
    if usage and not re.search(rf"\b{task}\b", usage[1]):
        yield f"{path.name} {task}"


def test_the_workflows_run_something() -> None:
    assert len(list(commands())) >= 10


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_what_a_workflow_runs_is_there(words: list[str]) -> None:
    assert list(missing(words)) == []


@pytest.mark.parametrize(
    "line",
    [
        ".ci/nothing",
        ".ci/images bild",
        ".ci/debian .ci/nothing",
        "make nothing",
        "python -m tests.bench.nothing",
        ".venv/bin/pytest tests/live/test_nothing.py",
    ],
)
def test_a_command_that_is_not_there_is_found_out(line: str) -> None:
    assert list(missing(line.split()))


@pytest.mark.parametrize("path", sorted((ROOT / ".ci").iterdir()), ids=lambda path: path.name)
def test_the_test_files_that_a_script_names_are_there(path: Path) -> None:
    assert path.name != "images" or "tests/launch/" in path.read_text()
    named = re.findall(r"\btests/[\w/]+\.py\b", path.read_text())
    assert [name for name in named if not (ROOT / name).is_file()] == []
