"""The JupyterLab of one checkout: started in the background, found again, stopped with its kernels.

Not here: which engine its kernels talk to; the caller hands in the environment.
"""

import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from grader.errors import EngineError
from grader.host import processes
from grader.host.contexts import read_json
from grader.host.home import Home

CHECKOUT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1"
PORT = 8888
TRIES = 50
START_TIMEOUT_S = 60
FIRST_PAGE = "/lab/tree/labs/README.ipynb"
# No pop-up about Jupyter's news and updates, and no question to the Internet about them.
PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
MARK = "LAB_JUPYTER"  # in the environment of JupyterLab and of everything that it starts


@dataclass(frozen=True)
class Server:
    """A JupyterLab that was started for a checkout."""

    pid: int
    port: int
    token: str
    checkout: str
    engine: str  # DOCKER_HOST of its kernels; empty in static mode
    log: str

    @property
    def url(self) -> str:
        """The course's first page."""
        return f"http://{ADDRESS}:{self.port}{FIRST_PAGE}?token={self.token}"

    def answers(self, *, timeout: float = 3) -> bool:
        """Only the server that knows our token says yes here."""
        return self._ask("GET", "/api/status", timeout)

    def ask_to_stop(self) -> bool:
        return self._ask("POST", "/api/shutdown", 10)

    def _ask(self, method: str, route: str, timeout: float) -> bool:
        request = urllib.request.Request(
            f"http://{ADDRESS}:{self.port}{route}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        # The machine's proxy must not see a request to this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False


def key(checkout: Path) -> str:
    return hashlib.sha256(str(checkout).encode()).hexdigest()[:12]


def note(place: Home, checkout: Path) -> Path:
    return place.jupyter / f"{key(checkout)}.json"


def read(path: Path) -> Server | None:
    """What a note says; None for none, or a broken one."""
    try:
        return Server(**read_json(path))
    except TypeError:
        return None


def running(place: Home, checkout: Path = CHECKOUT) -> Server | None:
    """This checkout's JupyterLab, if it is up."""
    server = read(note(place, checkout))
    return server if server is not None and server.answers() else None


def others(place: Home, checkout: Path = CHECKOUT) -> list[Server]:
    """The JupyterLabs of other checkouts that are up in the same LAB_HOME."""
    mine = note(place, checkout)
    servers = [read(path) for path in sorted(place.jupyter.glob("*.json")) if path != mine]
    return [server for server in servers if server is not None and server.answers()]


def launch(
    place: Home, environment: Mapping[str, str], *, port: int, checkout: Path = CHECKOUT
) -> Server:
    """Start one and come back at once; `wait` says when it answers."""
    # Its log has the token too.
    place.jupyter.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = place.jupyter / f"{key(checkout)}.log"
    token, chosen = secrets.token_hex(24), free_port(port)
    env = {**configured(place, checkout), **environment, "JUPYTER_TOKEN": token}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(checkout, port=chosen),
            env=env,
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    engine = environment.get("DOCKER_HOST", "")
    server = Server(process.pid, chosen, token, str(checkout), engine, str(log))
    _write_private(note(place, checkout), json.dumps(asdict(server), indent=1))
    return server


def command(checkout: Path, *, port: int = PORT, address: str = ADDRESS) -> list[str]:
    """The call of JupyterLab, the same one however the course is launched."""
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        *root,
        f"--ServerApp.ip={address}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={checkout}",
        f"--LabApp.default_url={FIRST_PAGE}",
    ]


def configured(place: Home, checkout: Path) -> dict[str, str]:
    """Its environment, once its settings are written where that points."""
    _configure(place, checkout)
    return _environment(place, checkout)


def _own_folder(place: Home, checkout: Path) -> Path:
    return place.jupyter / key(checkout)


def _configure(place: Home, checkout: Path) -> None:
    settle(_own_folder(place, checkout) / "config")


def settle(folder: Path) -> None:
    """A configuration folder of Jupyter's with the course's settings.

    The address to open is in it for where somebody else starts JupyterLab, as Binder does.
    """
    opened = {"LabApp": {"default_url": FIRST_PAGE}}
    pages = {"labconfig/page_config.json": PAGE, "jupyter_lab_config.json": opened}
    for name, content in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1), "utf-8")


def _environment(place: Home, checkout: Path) -> dict[str, str]:
    """The caller's, without other Jupyters' settings: a kernel of the same name would win."""
    folder = _own_folder(place, checkout)
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        MARK: key(checkout),
    }


def _write_private(path: Path, text: str) -> None:
    """The token opens a shell on this machine, so nobody else may read it."""
    fresh = path.with_suffix(".part")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text, "utf-8")
    fresh.replace(path)


def free_port(first: int) -> int:
    """The first port from here on that nobody listens on."""
    for port in range(first, first + TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
            return port
    raise EngineError(f"no port is free from {first} to {first + TRIES - 1}")


def wait(server: Server) -> None:
    """Come back when it answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.answers():
            return
        if not processes.alive(server.pid):
            raise EngineError(f"JupyterLab ended at once: {_last_line(server)} (log: {server.log})")
        time.sleep(0.1)
    raise EngineError(f"JupyterLab did not answer in {START_TIMEOUT_S} s (log: {server.log})")


def _last_line(server: Server) -> str:
    lines = Path(server.log).read_text("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def stop(place: Home, checkout: Path = CHECKOUT) -> bool:
    """Stop this checkout's JupyterLab, its kernels and terminals. True if there was one."""
    server = running(place, checkout)
    if server is not None and server.ask_to_stop():
        processes.wait_for(lambda: not processes.alive(server.pid), timeout_s=15)
    left = [pid for pid in processes.marked(MARK, key(checkout)) if pid not in processes.family()]
    for pid in left:
        processes.end(pid, grace_s=5)
    note(place, checkout).unlink(missing_ok=True)
    return server is not None or bool(left)
