"""The course by `docker compose up`, for real: who may what, a grade, and what can fail."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.host import serve, volume
from tests.conftest import ROOT, wait_until
from tests.launch.conftest import Project

pytestmark = [pytest.mark.live, pytest.mark.slow]
EXERCISE = "01-multi-stage/two-stages"
RUNNING = {"net", "engine", "registry", "lab"}


def test_all_services_are_up_and_healthy(project: Project) -> None:
    rows = project.compose("ps", "--format", "{{.Service}} {{.Health}}").stdout.splitlines()
    assert {row.split()[0] for row in rows} == RUNNING
    assert [row for row in rows if not row.endswith(" healthy")] == []


def test_jupyterlab_is_on_this_machine_only_and_wants_the_token(project: Project) -> None:
    ports = project.inspect("net")["NetworkSettings"]["Ports"]
    assert {one["HostIp"] for every in ports.values() for one in every or ()} == {"127.0.0.1"}
    project.prepared()
    address = project.address()
    assert f":{project.port}/" in address
    api = f"http://127.0.0.1:{project.port}/api/contents/labs"
    token = address.rpartition("token=")[2]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(f"{api}?token={token}", timeout=20).status == 200
    with pytest.raises(OSError, match="403"):
        opener.open(api, timeout=20)


def test_the_lab_has_no_rights_and_no_way_to_the_machine(project: Project) -> None:
    state = project.inspect("lab")
    assert not state["HostConfig"]["Privileged"]
    assert all("docker.sock" not in mount["Source"] for mount in state["Mounts"])
    assert {mount["Type"] for mount in state["Mounts"]} == {"volume"}
    said = project.lab("sh", "-c", "id -u; grep CapBnd /proc/self/status").stdout.split()
    assert said[0] == "1000"
    assert int(said[-1], 16) == 0
    assert project.lab("touch", "grader/x", check=False).returncode != 0


def test_the_engine_is_one_of_its_own(project: Project) -> None:
    inside = project.lab("docker", "info", "--format", "{{.ID}} {{.DockerRootDir}}").stdout.split()
    outside = project.docker("info", "--format", "{{.ID}}").stdout.strip()
    assert inside[0] != outside
    assert inside[1] == "/opt/lab/data"
    names = project.lab("docker", "ps", "-a", "--format", "{{.Names}}").stdout
    assert project.name not in names


def test_what_a_learner_publishes_and_mounts_is_where_it_says(project: Project) -> None:
    project.lab("sh", "-c", "mkdir -p work/site && echo shared > work/site/index.html")
    served = "python -m http.server --directory /site 8000"
    how = "--name site -p 18000:8000 -v $PWD/work/site:/site"
    run = f"docker run -d --rm {how} python:3.11-slim {served}"
    project.lab("sh", "-c", run)
    try:
        ask = "import urllib.request as u; print(u.urlopen('http://localhost:18000').read())"
        said = wait_until(
            lambda: project.lab("python", "-c", ask, check=False).stdout, timeout=20, every=0.5
        )
        assert "shared" in str(said)
    finally:
        project.lab("docker", "rm", "-f", "site")


def test_the_registry_takes_an_image(project: Project) -> None:
    name = "localhost:5000/hello:1"
    project.lab("docker", "tag", "python:3.11-slim", name)
    project.lab("docker", "push", "--quiet", name)
    ask = "import urllib.request as u; print(u.urlopen('http://localhost:5000/v2/_catalog').read())"
    assert "hello" in project.lab("python", "-c", ask).stdout
    project.lab("docker", "rmi", name)


def test_gpus_are_simulated_and_say_so(project: Project) -> None:
    said = project.lab(
        "docker", "run", "--rm", "--gpus", "all", "python:3.11-slim", "nvidia-smi", "-L"
    ).stdout
    assert len(re.findall(r"Simulated GPU \d", said)) == 2


def test_a_submission_is_graded(project: Project) -> None:
    """The reference gets full marks, the untouched starter does not."""
    project.prepared()
    begun = time.monotonic()
    right = project.lab("grader", "grade", EXERCISE, f"solutions/{EXERCISE}", "--format", "json")
    project.seconds["warm grade"] = time.monotonic() - begun
    report = json.loads(right.stdout)
    assert (report["points"], report["max_points"]) == (10, 10)
    assert report["engine"]["gpu"] == "simulated"
    user = "02-security/numeric-user"  # looks at the processes from the engine's side
    project.lab("grader", "grade", user, f"solutions/{user}")
    wrong = project.lab("grader", "grade", EXERCISE, f"labs/{EXERCISE}", check=False)
    assert wrong.returncode == 1


def test_a_fork_bomb_in_a_build_stays_in_its_limits(project: Project) -> None:
    """The lab may not set limits on the engine's groups; the engine does it."""
    bomb = "import os, time\nfor _ in range(3000): os.fork() or time.sleep(60)\n"
    text = f"FROM python:3.11-slim\nRUN python - <<'E'\n{bomb}E\n"
    project.lab("sh", "-c", f"mkdir -p work/bomb && cat > work/bomb/Dockerfile <<'D'\n{text}D\n")
    done = project.lab("docker", "build", "--no-cache", "work/bomb", check=False, timeout=200)
    assert done.returncode != 0
    assert "Resource temporarily unavailable" in done.stdout + done.stderr


def kill_dockerd(project: Project) -> None:
    script = (
        "import os, signal\n"
        "from grader.host import processes\nfrom grader.host.home import home\n"
        "[os.kill(pid, signal.SIGKILL) for pid in processes.mine(home(), 'dockerd')]\n"
    )
    project.compose("exec", "--no-TTY", "engine", "python", "-c", script, check=False)


def test_an_engine_that_dies_in_a_check_is_no_zero_and_comes_back(project: Project) -> None:
    slow = 'FROM python:3.11-slim\nRUN sleep 120\nCMD ["python"]\n'
    folder = "work/dies"
    project.lab("sh", "-c", f"mkdir -p {folder} && cat > {folder}/Dockerfile <<'D'\n{slow}D\n")
    command = [project.connection.docker, "compose", "-p", project.name]
    command += ["exec", "--no-TTY", "lab", "grader", "grade", EXERCISE, folder]
    environment = dict(project.connection.environment, LAB_PORT=str(project.port))
    grading = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    asleep = "ps -eo args | grep -c '[s]leep 120' || true"
    wait_until(
        lambda: int(
            project.compose("exec", "-T", "engine", "sh", "-c", asleep, check=False).stdout or 0
        ),
        timeout=60,
        every=0.5,
    )
    kill_dockerd(project)
    said, _ = grading.communicate(timeout=120)
    assert grading.returncode == 3, said
    assert "Traceback" not in said
    assert "the machine failed, so this is no grade" in said
    wait_until(lambda: "the Docker Engine ended" in project.log("engine"), timeout=30, every=0.5)
    back = ("docker", "image", "inspect", "python:3.11-slim")
    wait_until(lambda: not project.lab(*back, check=False).returncode, timeout=120, every=1)
    again = project.lab("grader", "grade", EXERCISE, f"solutions/{EXERCISE}", check=False)
    assert again.returncode == 0, again.stdout


# -- what can fail before it starts ----------------------------------------------------------------


def test_without_privileges_it_says_what_is_missing(project: Project) -> None:
    done = project.docker("run", "--rm", project.image("engine"))
    assert done.returncode == 3
    assert "privileged: true" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.fixture
def stale(project: Project) -> Iterator[str]:
    """A volume that a newer engine has left."""
    name = f"{project.name}-stale"
    project.docker("volume", "create", name)
    note = json.dumps({"engine": "99.1.0"})
    write = f"open('/opt/lab/data/{volume.NOTE}', 'w').write('{note}')"
    mount = f"{name}:/opt/lab/data"
    entry = ("--entrypoint", "python")
    project.docker("run", "--rm", *entry, "-v", mount, project.image("engine"), "-c", write)
    yield name
    project.docker("volume", "rm", name)


def test_a_volume_of_a_newer_engine_is_left_alone_and_the_way_out_is_told(
    project: Project, stale: str
) -> None:
    mount = f"{stale}:/opt/lab/data"
    done = project.docker("run", "--rm", "--privileged", "-v", mount, project.image("engine"))
    assert done.returncode == 3
    assert "Docker Engine 99.1.0" in done.stdout
    assert "docker volume rm" in done.stdout
    look = ("--entrypoint", "ls", "-v", mount)
    kept = project.docker("run", "--rm", *look, project.image("engine"), "/opt/lab/data").stdout
    assert set(kept.split()) == {volume.NOTE, volume.LOCK}


def test_a_disk_without_room_is_told_at_once(project: Project) -> None:
    name = f"{project.name}-small"
    small = ("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=100m")
    project.docker("volume", "create", *small, name)
    try:
        mount = f"{name}:/opt/lab/data"
        done = project.docker("run", "--rm", "--privileged", "-v", mount, project.image("engine"))
    finally:
        project.docker("volume", "rm", name)
    assert done.returncode == 3
    assert "0.1 GB free" in done.stdout
    assert "docker system df" in done.stdout


def test_what_is_not_for_a_learner_is_not_in_the_lab(project: Project) -> None:
    wanted = "README.md grader images labs pyproject.toml requirements.lock solutions work"
    assert sorted(project.lab("ls", "-A").stdout.split()) == wanted.split()


def test_a_port_that_is_taken_is_named(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = Project(project.connection, f"{project.name}-b", port)
        try:
            done = other.compose(
                "up", "--detach", "--no-build", "--pull", "never", "net", check=False
            )
            if "No such image" in done.stderr:
                project.docker("tag", project.image("net"), other.image("net"))
                done = other.compose("up", "--detach", "--no-build", "net", check=False)
        finally:
            other.compose("down", "--volumes", check=False)
            project.docker("rmi", "--force", other.image("net"))
    assert done.returncode != 0
    assert str(port) in done.stderr


def test_two_of_them_beside_each_other_share_no_name(project: Project) -> None:
    """No container, network or volume has a name that does not begin with the project's."""
    config = json.loads(project.compose("config", "--format", "json").stdout)
    names = [one["name"] for one in config["volumes"].values()]
    assert names
    assert all(name.startswith(f"{project.name}_") for name in names)
    assert all("container_name" not in one for one in config["services"].values())


def test_the_way_to_the_engine_is_the_one_in_the_code(project: Project) -> None:
    assert project.lab("printenv", "DOCKER_HOST").stdout.strip() == f"unix://{serve.OFFERED}"


GPU = """
services:
  engine-gpu:
    image: {image}
    build: !reset null
"""


def test_with_the_profile_gpu_the_other_engine_waits_and_takes_over(
    project: Project, tmp_path: Path
) -> None:
    """NVIDIA's tool kit can't be had everywhere: the plain image stands in for the one with it."""
    more = tmp_path / "gpu.yml"
    more.write_text(GPU.format(image=project.image("engine")))
    files = ("-f", str(ROOT / "docker-compose.yml"), "-f", str(more), "--profile", "gpu")
    up = ("up", "--detach", "--no-build", "--no-deps", "engine-gpu")
    project.compose(*files, *up)
    try:
        wait_until(lambda: "waits for its end" in project.log("engine-gpu"), timeout=30, every=0.5)
        kill_dockerd(project)
        wait_until(lambda: "✓ ready" in project.log("engine-gpu"), timeout=90, every=1)
        assert project.lab("docker", "ps", "--quiet", check=False).returncode == 0
        wait_until(lambda: "waits for its end" in project.log("engine"), timeout=30, every=0.5)
    finally:
        project.compose(*files, "rm", "--stop", "--force", "engine-gpu")
    wait_until(lambda: project.health("engine") == "healthy", timeout=90, every=1)
