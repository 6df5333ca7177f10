"""What docker-compose.yml promises: who gets rights, what is reachable, that images have probes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from grader import kube
from grader.host import bootstrap, serve
from grader.host import jupyter as lab_server
from tests.conftest import ROOT

FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
ENGINES = {"engine", "engine-gpu"}
IMAGES = sorted({service["build"]["dockerfile"] for service in SERVICES.values()})


def dockerfile(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_only_an_engine_has_rights(name: str) -> None:
    service = SERVICES[name]
    if name in ENGINES:
        assert service["privileged"] is True
        return
    assert "privileged" not in service
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_gets_a_folder_of_the_machine(name: str) -> None:
    """The Docker socket least of all: every volume is one of ours."""
    sources = {str(volume).partition(":")[0] for volume in SERVICES[name].get("volumes", ())}
    assert sources <= set(FILE["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_memory_or_processes_of_each_are_limited(name: str) -> None:
    assert "pids_limit" in SERVICES[name]
    assert name == "lab" or "mem_limit" in SERVICES[name]


def test_only_jupyterlab_is_reachable_and_only_from_the_machine_itself() -> None:
    ports = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert ports == {"net": [f"127.0.0.1:${{LAB_PORT:-{lab_server.PORT}}}:{lab_server.PORT}"]}
    others = {name for name in SERVICES if name != "net"}
    assert {SERVICES[name]["network_mode"] for name in others} == {"service:net"}


def test_the_settings_at_its_head_are_those_that_it_takes() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    taken = dict(re.findall(r"\$\{(LAB_\w+):-([^}]*)\}", text))
    told = dict(re.findall(r"^#   (LAB_\w+) +(\S+)", text, re.MULTILINE))
    del taken["LAB_GPU"]  # make up's own setting
    assert taken == told


@pytest.mark.parametrize("name", IMAGES)
def test_each_image_has_a_probe_and_one_place_for_its_base(name: str) -> None:
    lines = dockerfile(name).splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    stages = {line.split()[3] for line in lines if re.match(r"FROM \S+ AS ", line)}
    assert set(bases) <= {"${BASE}", *stages}
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert "ARG BASE=python:3.11-slim" in lines


@pytest.mark.parametrize("name", IMAGES)
def test_what_is_copied_passes_the_ignore_file(name: str) -> None:
    """It lets nothing through but what is named: no .git, no work/ with a learner's answers."""
    ignore = dockerfile(f"{name}.dockerignore").splitlines()
    assert "*" in ignore
    let = {line[1:] for line in ignore if line.startswith("!")}
    words = [line.split()[1:] for line in dockerfile(name).splitlines() if line.startswith("COPY ")]
    own = [w for w in words if not any(word.startswith("--from") for word in w)]
    sources = {word.rstrip("/") for w in own for word in w[:-1] if not word.startswith("--")}
    assert sources == let
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("name", [name for name in IMAGES if "engine" not in name])
def test_no_image_but_the_engines_is_roots(name: str) -> None:
    users = re.findall(r"^USER (\S+)", dockerfile(name), re.MULTILINE)
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def test_the_learner_may_open_the_engines_socket() -> None:
    (user,) = re.findall(r"^USER (\d+):", dockerfile("images/lab/Dockerfile"), re.MULTILINE)
    assert int(user) == serve.LEARNER
    assert SERVICES["lab"]["environment"]["DOCKER_HOST"] == f"unix://{serve.OFFERED}"
    for name in ("lab", *ENGINES):
        assert f"socket:{serve.OFFERED.parent}" in SERVICES[name]["volumes"]


def test_a_folder_of_work_has_one_name_at_both_ends() -> None:
    """So that `docker run -v $PWD:…` means what it says."""
    where = {
        name: {v for v in SERVICES[name]["volumes"] if v.startswith("work:")}
        for name in SERVICES
        if "volumes" in SERVICES[name]
    }
    assert where["lab"] == where["engine"] == {"work:/home/lab/course/work"}


def test_the_profile_changes_nothing_but_the_gpus() -> None:
    assert SERVICES["engine-gpu"]["profiles"] == ["gpu"]
    wanted = SERVICES["engine"]["depends_on"]["engine-gpu"]
    assert wanted == {"condition": "service_healthy", "required": False}
    for key in ("volumes", "mem_limit", "pids_limit", "privileged", "network_mode"):
        assert SERVICES["engine"][key] == SERVICES["engine-gpu"][key]
    assert "AS nvidia" in dockerfile("images/engine/Dockerfile")


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "net"])
def test_what_a_service_runs_exists(name: str) -> None:
    text = dockerfile(SERVICES[name]["build"]["dockerfile"])
    tasks = set(re.findall(r'"grader\.host\.serve", "([a-z-]+)"', text))
    tasks |= set(re.findall(r"-m grader\.host\.serve ([a-z-]+)", text))
    assert tasks <= set(serve.TASKS)
    assert tasks or name == "registry"


def test_one_lock_and_one_jupyterlab_however_it_is_launched() -> None:
    """`make up`, Compose and Codespaces (the same file); Binder has its own test."""
    lock = bootstrap.LOCKS["run"]
    install = dockerfile("images/lab/Dockerfile")
    assert f"--require-hashes -r {lock}" in install
    assert (ROOT / lock).is_file()
    ours = lab_server.command(Path("/course"))
    served = lab_server.command(Path("/course"), address="0.0.0.0")
    assert {*ours} ^ {*served} == {"--ServerApp.ip=127.0.0.1", "--ServerApp.ip=0.0.0.0"}


@pytest.mark.parametrize("name", ["engine", "lab", "registry"])
def test_each_image_says_what_it_is(name: str) -> None:
    text = (ROOT / "images" / name / "README.md").read_text()
    assert all(f"**{word}.**" in text for word in ("What", "Why", "How", "Health"))


def test_the_schema_that_is_kept_is_the_one_that_is_asked_for() -> None:
    (kept,) = re.findall(r"! -name 'v([\d.]+)-\*'", dockerfile("images/lab/Dockerfile"))
    assert kept.removesuffix(".0") == kube.SCHEMA


def test_the_lab_and_its_twin_on_binder_install_the_same_in_the_same_words() -> None:
    """One definition of the learner's environment, and one entry in the build cache."""

    def install(name: str) -> str:
        text = dockerfile(name)
        begin, end = text.index("RUN python -m venv"), text.index("# The course itself")
        lines = text[begin:end].splitlines()
        return "\n".join(line for line in lines if not line.startswith("#"))

    assert "--require-hashes" in install("images/lab/Dockerfile")
    assert install("binder/Dockerfile") == install("images/lab/Dockerfile")
