"""What Compose is given to make: the submission's one service as ours, without ports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grader import compose, runspec
from grader.engine import Image
from grader.errors import EngineError, NotMeasurable, SubmissionError
from tests.test_runspec import Client, engine

IMAGE = Image("sha256:abc", (), (), {"Healthcheck": {"Test": ["CMD", "x"]}})
LABELS = {"lab.run": "r"}


def ours(**service: Any) -> dict[str, Any]:
    return compose.ours({"services": {"a": service}, "name": "x"}, "a", IMAGE, LABELS)


def kept(**service: Any) -> dict[str, Any]:
    made: dict[str, Any] = ours(**service)["services"]["a"]
    return made


@pytest.mark.parametrize("key", compose.OURS)
def test_what_is_ours_is_taken_out(key: str) -> None:
    assert key not in kept(**{key: "x"})


def test_image_labels_network_and_log_are_ours() -> None:
    made = kept(
        image="theirs",
        network_mode="bridge",
        labels={"lab.run": "theirs", "other": "x"},
        logging={"driver": "json-file", "options": {"max-size": "1t"}},
    )
    assert made["image"] == "sha256:abc"
    assert made["network_mode"] == "none"
    assert made["labels"] == {"lab.run": "r", "other": "x"}
    assert made["logging"]["options"]["max-size"] != "1t"


def test_what_it_is_about_stays() -> None:
    about = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "tmpfs": ["/tmp"],
        "user": "1",
        "mem_limit": "512",
        "deploy": {"resources": {"limits": {"pids": 9}}},
    }
    assert kept(**about).items() >= about.items()


def test_of_deploy_only_the_resources_stay() -> None:
    assert kept(deploy={"replicas": 5, "resources": {"limits": {}}})["deploy"] == {
        "resources": {"limits": {}}
    }


def test_the_health_check_is_the_images() -> None:
    made = kept(healthcheck={"test": ["CMD", "true"], "disable": True})
    assert made["healthcheck"].keys() == {"interval"}
    bare = compose.ours({"services": {"a": {"healthcheck": {}}}}, "a", Image("i", (), (), {}), {})
    assert "healthcheck" not in bare["services"]["a"]


def test_swap_without_end_can_be_read_again() -> None:
    assert kept(memswap_limit="-1")["memswap_limit"] == -1
    assert kept(memswap_limit="512")["memswap_limit"] == "512"


def test_volumes_are_new_and_ours_and_networks_are_gone() -> None:
    data = {
        "services": {"a": {}, "b": {}},
        "volumes": {"data": {"name": "somebody-elses"}},
        "networks": {"n": {}},
        "secrets": {"s": {"file": "x"}},
    }
    made = compose.ours(data, "a", IMAGE, LABELS)
    assert made["volumes"] == {"data": {"labels": LABELS}}
    assert made["secrets"] == {"s": {"file": "x"}}
    assert list(made["services"]) == ["a"]
    assert "networks" not in made


def test_what_was_read_is_not_changed() -> None:
    data = {"services": {"a": {"labels": {"x": "y"}, "memswap_limit": "-1"}}}
    compose.ours(data, "a", IMAGE, LABELS)
    assert data == {"services": {"a": {"labels": {"x": "y"}, "memswap_limit": "-1"}}}


# -- with a client that only notes what it was told ------------------------------------------------


@pytest.fixture
def spec(tmp_path: Path) -> runspec.RunSpec:
    (tmp_path / "compose.yaml").write_text("services:\n  a:\n    image: x\n    user: '1'\n")
    return runspec.read(tmp_path)


def answer(data: Any) -> tuple[int, str, str]:
    return 0, json.dumps(data), ""


def test_compose_makes_one_container(
    spec: runspec.RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(
        monkeypatch, answer({"services": {"a": {"image": "x"}}}), (0, "", ""), (0, "id\n", "")
    )
    assert compose.create(engine(), spec, IMAGE, tmp_path) == "id"
    config, create, ps = client.said
    assert config[1:6] == ["compose", "--env-file", "/dev/null", "-f", "compose.yaml"]
    assert create[1:4] == ["compose", "--env-file", "/dev/null"]
    assert create[-4:] == ["create", "--no-build", "--pull", "never"]
    assert "label=com.docker.compose.project=lab-host-1-2-ab" in ps
    made = json.loads((tmp_path / "compose.json").read_text())
    assert made["services"]["a"]["labels"]["lab.run"] == "host/1/2/ab"


def test_the_submissions_own_variables_are_taken(
    spec: runspec.RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    client = Client(monkeypatch, answer({"services": {"a": {}}}))
    compose.resolved(engine(), spec)
    assert client.said[0][2:4] == ["--env-file", ".env"]


def test_what_a_variable_hid_is_refused(
    spec: runspec.RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Client(monkeypatch, answer({"services": {"a": {"user": "1", "privileged": True}}}))
    with pytest.raises(SubmissionError, match="privileged"):
        compose.create(engine(), spec, IMAGE, tmp_path)


UNREADABLE = [
    ("validating compose.yaml: services.a.user must be a string", 4),
    ("services.a Additional property x is not allowed", 2),
    ("something else", None),
]


@pytest.mark.parametrize(("said", "line"), UNREADABLE, ids=[u[0][:30] for u in UNREADABLE])
def test_what_compose_says_of_a_file_is_the_submissions(
    spec: runspec.RunSpec, monkeypatch: pytest.MonkeyPatch, said: str, line: int | None
) -> None:
    Client(monkeypatch, (15, "", said))
    with pytest.raises(SubmissionError) as caught:
        compose.resolved(engine(), spec)
    assert caught.value.line == line
    assert caught.value.file == "compose.yaml"
    assert said.split(maxsplit=1)[0] in str(caught.value)


def test_without_compose_it_is_not_measured(
    spec: runspec.RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    Client(monkeypatch, (1, "", "docker: 'compose' is not a docker command."))
    with pytest.raises(NotMeasurable, match="docker compose"):
        compose.resolved(engine(), spec)


def test_a_service_behind_a_profile_is_said(
    spec: runspec.RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    Client(monkeypatch, answer({"services": {}}))
    with pytest.raises(SubmissionError, match="leaves the service a out"):
        compose.resolved(engine(), spec)


def test_another_number_of_containers_is_ours(
    spec: runspec.RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Client(monkeypatch, answer({"services": {"a": {}}}), (0, "", ""), (0, "one\ntwo\n", ""))
    with pytest.raises(EngineError, match="2 containers"):
        compose.create(engine(), spec, IMAGE, tmp_path)


def test_what_docker_does_not_make_is_judged_by_a_container_of_ours(
    spec: runspec.RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answer({"services": {"a": {}}})
    Client(monkeypatch, first, (1, "", "invalid mount"), (0, "", ""))
    with pytest.raises(SubmissionError, match="invalid mount"):
        compose.create(engine(), spec, IMAGE, tmp_path)
    Client(monkeypatch, first, (1, "", "disk full"), (1, "", "disk full"))
    with pytest.raises(EngineError):
        compose.create(engine(), spec, IMAGE, tmp_path)


def test_the_projects_name_is_one_that_compose_takes() -> None:
    name = compose.project(engine())
    assert name == "lab-host-1-2-ab"
