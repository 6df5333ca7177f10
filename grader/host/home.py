"""Where the course keeps its state: one folder, LAB_HOME, outside every checkout.

Not here: what is in those folders, or who made it; these are names only.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.errors import EngineError

# A unix socket's path must fit in sun_path (107 bytes), and the longest one that the
# engine makes under LAB_HOME is containerd's.
SOCKET_BYTES = 107
LONGEST_SOCKET = "/run/containerd/containerd-debug.sock"


@dataclass(frozen=True)
class Home:
    """The folders of one LAB_HOME."""

    root: Path

    @property
    def client(self) -> Path:
        return self.root / "client"

    @property
    def engine(self) -> Path:
        return self.root / "engine"

    @property
    def apt(self) -> Path:
        return self.root / "apt"

    @property
    def bin(self) -> Path:
        """Comes first on dockerd's PATH: wrappers, and the hook of the simulated GPUs."""
        return self.root / "bin"

    @property
    def gpu(self) -> Path:
        return self.root / "gpu"

    @property
    def docker_config(self) -> Path:
        return self.root / "docker-config"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def pidfile(self) -> Path:
        return self.run / "docker.pid"

    @property
    def log(self) -> Path:
        return self.root / "dockerd.log"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def jupyter(self) -> Path:
        return self.root / "jupyter"

    @property
    def slot(self) -> int:
        """A number that differs between two LAB_HOMEs, for names that the whole machine shares."""
        return int(hashlib.sha256(str(self.root).encode()).hexdigest()[:8], 16)

    @property
    def cgroup(self) -> str:
        """The control group of the engine's containers and, in ``buildkit`` below it, builds."""
        return f"lab-{self.slot:08x}"

    @property
    def bridge(self) -> str:
        """Fits the kernel's 15 characters for an interface's name."""
        return f"lab{self.slot:08x}"


def home(environ: Mapping[str, str] | None = None) -> Home:
    """LAB_HOME, else the place where the desktop standard keeps a user's data."""
    env = os.environ if environ is None else environ
    if env.get("LAB_HOME"):
        return Home(Path(env["LAB_HOME"]).expanduser().absolute())
    users = Path(env.get("HOME") or "~").expanduser()
    share = env.get("XDG_DATA_HOME") or str(users / ".local/share")
    return Home(Path(share) / "docker-ml-labs")


def static_chosen(environ: Mapping[str, str] | None = None) -> bool:
    """Whether LAB_STATIC says that no engine is to be looked for; 0 and nothing say no."""
    env = os.environ if environ is None else environ
    return env.get("LAB_STATIC", "") not in ("", "0")


def check_length(place: Home) -> None:
    """Refuse a LAB_HOME under which the engine's sockets could not be opened."""
    room = SOCKET_BYTES - len(LONGEST_SOCKET)
    length = len(os.fsencode(place.root))
    if length > room:
        raise EngineError(
            f"LAB_HOME is too long for a unix socket: {place.root} has {length} bytes, "
            f"at most {room} fit. Set LAB_HOME to a shorter path."
        )
