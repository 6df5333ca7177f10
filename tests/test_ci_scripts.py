"""The scripts in .ci/ do what they say, with stand-ins for the programs that they call.

Not here: whether real images build; `.ci/images` shows that on a real engine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from grader.host import recipes
from grader.references import SHARED
from tests.conftest import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
Done = subprocess.CompletedProcess[str]
# Notes what it is called with, and answers what the scripts ask for.
STAND_IN = """\
#!/bin/bash
echo "${0##*/} $*" >>"$CALLS"
[[ "$*" == *--password-stdin* ]] && echo "password $(cat)" >>"$CALLS"
case "$*" in
    "compose config --images") printf '%s\\n' docker-ml-labs-{net,engine,registry,lab} ;;
    "image inspect "*) [[ "$*" == *"${OTHER:-nothing}"* ]] && echo '["other"]' || echo '["same"]' ;;
esac
[[ "$*" == *"${BROKEN:-nothing}"* ]] && exit 7
exit 0
"""


class Scripts:
    """A checkout of its own, in which every program that a script calls is a stand-in."""

    def __init__(self, folder: Path) -> None:
        self.root, self.programs = folder / "checkout", folder / "programs"
        self.calls = folder / "calls"
        shutil.copytree(ROOT / ".ci", self.root / ".ci")
        shutil.copy(ROOT / "pyproject.toml", self.root)
        self.programs.mkdir()
        self.stand_in("docker", "gh")

    def stand_in(self, *names: str, folder: Path | None = None) -> None:
        for name in names:
            path = (folder or self.programs) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STAND_IN)
            path.chmod(0o755)

    def run(self, *words: str, **settings: str) -> Done:
        env = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.root),
            "CALLS": str(self.calls),
            **settings,
        }
        command = [str(self.root / words[0]), *words[1:]]
        return subprocess.run(command, env=env, capture_output=True, text=True)

    @property
    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        [".ci/debian"],
        [".ci/images"],
        [".ci/images", "nonsense"],
        [".ci/release"],
        [".ci/release", "push"],
        [".ci/release", "push", "main"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_and_calls_nothing(scripts: Scripts, words: list[str]) -> None:
    done = scripts.run(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: .ci/")
    assert scripts.called == []


# -- .ci/debian ------------------------------------------------------------------------------------


def test_a_command_runs_in_a_debian_that_cannot_write_to_the_checkout(scripts: Scripts) -> None:
    assert scripts.run(".ci/debian", ".ci/run", "word").returncode == 0
    text = scripts.calls.read_text()
    assert re.match(r"docker run --rm --init --privileged --cgroupns host ", text)
    assert f"--volume {scripts.root}:/source:ro --volume /tmp " in text
    assert " debian:12 bash -euc " in text
    assert text.endswith(" bash .ci/run word\n")


def test_another_debian_can_be_named_and_a_failure_is_handed_on(scripts: Scripts) -> None:
    done = scripts.run(".ci/debian", "false", LAB_DEBIAN="mine:1", BROKEN="mine:1")
    assert done.returncode == 7
    assert " mine:1 bash -euc " in scripts.calls.read_text()


# -- .ci/images ------------------------------------------------------------------------------------


@pytest.fixture
def with_venv(scripts: Scripts) -> Scripts:
    """`.venv/bin/python` runs what `engine` hands to it, without an engine."""
    scripts.stand_in("grader", "pytest", folder=scripts.root / ".venv/bin")
    python = scripts.root / ".venv/bin/python"
    python.write_text('#!/bin/bash\nshift 2\nexec "$@"\n')
    python.chmod(0o755)
    scripts.stand_in("python3")
    return scripts


def test_bases_and_references_are_built_before_what_compose_runs(with_venv: Scripts) -> None:
    assert with_venv.run(".ci/images", "build").returncode == 0
    assert with_venv.called == [
        "python3 -m grader.host.bootstrap dev",
        "grader up --no-jupyter",
        "docker compose build",
    ]


def test_every_folder_of_images_is_built_by_one_of_the_three() -> None:
    compose = ROOT / "docker-compose.yml"
    text = compose.read_text("utf-8") if compose.is_file() else ""
    run = re.findall(r"dockerfile: images/([\w-]+)/Dockerfile", text)
    made = {one.folder.name for one in recipes.load()}
    there = {path.name for path in (ROOT / "images").iterdir() if path.is_dir()}
    assert there == {*made, *SHARED, *run}


def test_another_builder_is_used_for_compose_alone(with_venv: Scripts) -> None:
    with_venv.run(".ci/images", "build", BUILDER="mine")
    assert [call for call in with_venv.called if "mine" in call] == [
        "docker compose build --builder mine"
    ]


def test_what_cannot_be_built_stops_it(with_venv: Scripts) -> None:
    assert with_venv.run(".ci/images", "build", BROKEN="--no-jupyter").returncode == 7
    assert "docker compose build" not in with_venv.called


def test_our_own_images_are_graded_by_the_test_that_is_there_for_it(with_venv: Scripts) -> None:
    assert with_venv.run(".ci/images", "grade", BROKEN="own_images").returncode == 7
    assert with_venv.called == ["pytest tests/launch/test_own_images.py"]


def test_without_a_scanner_it_says_so(with_venv: Scripts) -> None:
    only = with_venv.root / "only"  # the machine may have one
    only.mkdir()
    for name in ("bash", "dirname"):
        (only / name).symlink_to(str(shutil.which(name)))
    done = with_venv.run(".ci/images", "scan", PATH=str(only))
    assert (done.returncode, done.stdout[:16]) == (0, "not scanned here")


def test_each_image_of_compose_is_scanned_and_a_finding_fails(with_venv: Scripts) -> None:
    with_venv.stand_in("trivy")
    assert with_venv.run(".ci/images", "scan").returncode == 0
    scans = [call for call in with_venv.called if call.startswith("trivy")]
    assert [call.rpartition("-")[2] for call in scans] == ["engine", "lab", "net", "registry"]
    assert all("--exit-code 1" in call for call in scans)
    assert with_venv.run(".ci/images", "scan", BROKEN="labs-engine").returncode == 7


# -- .ci/release -----------------------------------------------------------------------------------

RUNNER = {
    "GITHUB_REPOSITORY": "Owner/Docker-ML",
    "GITHUB_ACTOR": "somebody",
    "GITHUB_TOKEN": "token",
    "GITHUB_SHA": "0" * 40,
    "BUILDER": "release",
}


def test_a_tag_must_be_the_version(scripts: Scripts) -> None:
    assert scripts.run(".ci/release", "check", f"v{VERSION}").returncode == 0
    done = scripts.run(".ci/release", "check", "v99.0")
    assert done.returncode == 1
    assert f"the tag is v99.0, and pyproject.toml says version {VERSION}" in done.stderr


def test_each_image_is_pushed_with_its_origin_under_a_name_without_capitals(
    scripts: Scripts,
) -> None:
    done = scripts.run(".ci/release", "push", "v1.2.3", **RUNNER)
    assert done.returncode == 0, done.stderr
    pushes = [call for call in scripts.called if " bake " in call]
    assert [call.split()[-1] for call in pushes] == ["lab", "engine", "registry"]
    for name, call in zip(("lab", "engine", "registry"), pushes, strict=True):
        assert f"--set {name}.tags=ghcr.io/owner/docker-ml/{name}:1.2.3 " in call
        assert " --builder release " in call
        assert " --push --provenance mode=max --sbom true " in call


def test_the_token_is_no_argument_and_is_forgotten_again(scripts: Scripts) -> None:
    assert scripts.run(".ci/release", "push", "v1.2.3", **RUNNER, BROKEN="bake").returncode == 7
    first, password, *_, last = scripts.called
    assert (first.split()[1], password, last) == (
        "login",
        "password token",
        "docker logout ghcr.io",
    )
    assert "token" not in first


def test_what_was_not_graded_is_told(scripts: Scripts) -> None:
    done = scripts.run(".ci/release", "push", "v1.2.3", **RUNNER, OTHER="engine:1.2.3")
    assert done.returncode == 1
    assert "ghcr.io/owner/docker-ml/engine:1.2.3 is not what was graded" in done.stderr


def test_the_source_is_what_is_committed_with_its_sum(scripts: Scripts) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *words], cwd=scripts.root, check=True, capture_output=True)

    git("init")
    git("add", ".ci/run")
    git("commit", "-m", "one")
    assert scripts.run(".ci/release", "source", "v1.2.3").returncode == 0
    build = scripts.root / "build"
    with tarfile.open(build / "docker-ml-labs-1.2.3.tar.gz") as archive:
        files = [one.name for one in archive if one.isfile()]
    assert files == ["docker-ml-labs-1.2.3/.ci/run"]
    check = ["sha256sum", "--check", "docker-ml-labs-1.2.3.tar.gz.sha256"]
    assert subprocess.run(check, cwd=build, capture_output=True).returncode == 0


def test_the_release_has_archive_and_sum(scripts: Scripts) -> None:
    assert scripts.run(".ci/release", "publish", "v1.2.3").returncode == 0
    (call,) = scripts.called
    assert call.startswith("gh release create v1.2.3 --verify-tag ")
    assert call.endswith(
        "build/docker-ml-labs-1.2.3.tar.gz build/docker-ml-labs-1.2.3.tar.gz.sha256"
    )
