"""The dev container: its settings fit the Compose file, and its preflight stops in time.

Not here: whether it starts; tests/live/test_devcontainer.py does that with the real client.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from grader import yamls
from tests.conftest import ROOT

FOLDER = ROOT / ".devcontainer"
PREFLIGHT = FOLDER / "preflight.sh"
NEED_GB = int(re.findall(r"^NEED_GB=(\d+)$", PREFLIGHT.read_text("utf-8"), re.M)[0])
LEAST_KB = -(-NEED_GB * 1_000_000_000 // 1024)  # the first number of kilobytes that is enough
Done = subprocess.CompletedProcess[str]


# -- devcontainer.json -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """JSON with comments, of which each has a line for itself."""
    lines = (FOLDER / "devcontainer.json").read_text("utf-8").splitlines()
    found: dict[str, Any] = json.loads(
        "\n".join(line for line in lines if not line.lstrip().startswith("//"))
    )
    return found


@pytest.fixture(scope="module")
def services(settings: dict[str, Any]) -> dict[str, Any]:
    """Those of the Compose file that the dev container names."""
    file = yamls.read(FOLDER / settings["dockerComposeFile"])
    found: dict[str, Any] = file.data["services"]
    return found


def test_it_is_the_compose_file_of_the_top_folder(settings: dict[str, Any]) -> None:
    assert (FOLDER / settings["dockerComposeFile"]).resolve() == ROOT / "docker-compose.yml"


def test_no_feature_wants_one_more_registry(settings: dict[str, Any]) -> None:
    assert not {"features", "image", "build", "runArgs", "mounts"} & set(settings)


def test_every_service_of_the_launch_is_started(
    settings: dict[str, Any], services: dict[str, Any]
) -> None:
    usual = {name for name, body in services.items() if not body.get("profiles")}
    assert set(settings["runServices"]) == usual
    assert settings["service"] in settings["runServices"]


def test_one_works_where_the_volume_with_the_work_is(
    settings: dict[str, Any], services: dict[str, Any]
) -> None:
    assert f"work:{settings['workspaceFolder']}/work" in services[settings["service"]]["volumes"]


def test_the_port_is_the_one_that_compose_publishes(
    settings: dict[str, Any], services: dict[str, Any]
) -> None:
    published = [str(p) for body in services.values() for p in body.get("ports", ())]
    assert [int(port.rpartition(":")[2]) for port in published] == settings["forwardPorts"]
    assert [int(port) for port in settings["portsAttributes"]] == settings["forwardPorts"]


def test_one_is_the_images_own_user_and_its_files_stay_his(
    settings: dict[str, Any], services: dict[str, Any]
) -> None:
    dockerfile = ROOT / services[settings["service"]]["build"]["dockerfile"]
    text = dockerfile.read_text("utf-8")
    assert re.search(rf"useradd --uid 1000 .* {settings['remoteUser']}\b", text)
    assert re.search(r"^USER 1000", text, re.M)
    assert settings["updateRemoteUserUID"] is False


def test_what_the_image_runs_is_run_here_too(settings: dict[str, Any]) -> None:
    assert settings["overrideCommand"] is False
    assert "postStartCommand" not in settings


def test_extensions_are_few_and_of_one_maker(settings: dict[str, Any]) -> None:
    extensions = settings["customizations"]["vscode"]["extensions"]
    assert 1 <= len(extensions) <= 3
    assert {name.partition(".")[0].partition("-")[0] for name in extensions} == {"ms"}


def test_the_preflight_is_called_before_anything_is_built(settings: dict[str, Any]) -> None:
    shell, script = settings["initializeCommand"]
    assert (shell, ROOT / script) == ("sh", PREFLIGHT)


def test_a_machine_that_is_asked_for_has_the_room_that_is_wanted(settings: dict[str, Any]) -> None:
    gb = re.fullmatch(r"(\d+)gb", settings["hostRequirements"]["storage"])
    assert gb is not None
    assert int(gb[1]) > NEED_GB


# -- the preflight ---------------------------------------------------------------------------------

DOCKER = """\
#!/bin/sh
case "$1" in
    info) [ -n "{root}" ] && echo "{root}" || exit 1 ;;
    compose) exit {compose} ;;
esac
"""
DF = """\
#!/bin/sh
echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'
echo "/dev/sda1 99999999 1 {free} 1% /"
echo "$*" >"$0.asked"
"""


class Host:
    """A machine with these programs alone."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        for name in ("awk", "sh"):
            (programs / name).symlink_to(str(shutil.which(name)))

    def has(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def look(self) -> Done:
        """What the dev container's client does first, in the checkout's top folder."""
        command = ["/bin/sh", str(PREFLIGHT)]
        env = {"PATH": str(self.programs)}
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One that has all; each test takes something away."""
    programs = tmp_path / "programs"
    programs.mkdir()
    found = Host(programs)
    found.has("docker", DOCKER.format(root=tmp_path, compose=0))
    found.has("df", DF.format(free=10 * LEAST_KB))
    return found


@pytest.mark.parametrize(("less", "status"), [(0, 0), (1, 1)])
def test_the_room_is_enough_from_the_limit_on(less: int, status: int, host: Host) -> None:
    host.has("df", DF.format(free=LEAST_KB - less))
    done = host.look()
    assert done.returncode == status
    assert (
        f"{NEED_GB - status} GB are free where Docker keeps its data" in done.stdout + done.stderr
    )


def test_too_little_room_says_how_to_make_some(host: Host) -> None:
    host.has("df", DF.format(free=1_000_000))
    done = host.look()
    assert done.stdout == ""
    assert f"1 GB are free where Docker keeps its data, and the course wants {NEED_GB} GB." in (
        done.stderr
    )
    assert "docker builder prune" in done.stderr


def test_the_engines_own_disk_is_looked_at(host: Host, tmp_path: Path) -> None:
    assert host.look().returncode == 0
    assert (host.programs / "df.asked").read_text().split() == ["-Pk", str(tmp_path)]


def test_the_disk_of_a_virtual_machine_is_a_part_of_this_ones(host: Host) -> None:
    host.has("docker", DOCKER.format(root="/not/here", compose=0))
    host.has("df", DF.format(free=LEAST_KB - 1))
    done = host.look()
    assert done.returncode == 1
    assert "free on this machine, whose disk Docker's own is a part of" in done.stderr
    assert (host.programs / "df.asked").read_text().split() == ["-Pk", "."]


def test_a_disk_that_cannot_be_seen_stops_nobody(host: Host) -> None:
    host.has("df", "#!/bin/sh\nexit 1\n")
    done = host.look()
    assert done.returncode == 0
    assert "can't be seen from here" in done.stdout


def test_no_docker_at_all_is_told(host: Host) -> None:
    (host.programs / "docker").unlink()
    done = host.look()
    assert done.returncode == 1
    assert "there is no docker command" in done.stderr
    assert "Install Docker Engine" in done.stderr


@pytest.mark.parametrize(
    ("docker", "said"),
    [
        (DOCKER.format(root="", compose=0), "no Docker Engine answers"),
        (DOCKER.format(root="/", compose=1), "`docker compose` is missing"),
    ],
)
def test_an_engine_or_a_plugin_that_is_missing_is_told(docker: str, said: str, host: Host) -> None:
    host.has("docker", docker)
    done = host.look()
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 2  # what is missing, and what to do
