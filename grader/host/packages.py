"""Which Debian packages make a Docker client and a Docker Engine, and from which suite.

Not here: starting anything. Nothing is installed; each group is unpacked into LAB_HOME.
"""

import fcntl
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.errors import EngineError
from grader.host.apt import KEYRING, Apt, Source, archive, codename, os_release, sources, unpack
from grader.host.home import Home

Say = Callable[[str], None]

# Engine 26 is in this suite; older ones have Engine 20, without buildx and Compose v2.
ENGINE_SUITE = "trixie"
OLD_SUITES = ("bookworm",)
CLIENT = ("docker-cli", "docker-buildx", "docker-compose")
ENGINE = ("docker.io", "containerd")
# runc of the newer suite needs a newer glibc than the machine has, so these are its own suite's.
NATIVE = ("runc", "iptables", "tini")
OLDEST_GLIBC = (2, 34)


@dataclass(frozen=True)
class Group:
    """A set of packages that is unpacked into one folder."""

    name: str
    packages: tuple[str, ...]


def client_here(place: Home) -> bool:
    return _complete(place.client)


def engine_here(place: Home) -> bool:
    return _complete(place.client) and _complete(place.engine)


def _complete(folder: Path) -> bool:
    # The folder gets its name by one rename at the very end, so being there is being whole.
    return folder.is_dir()


def why_not(etc: Path = Path("/etc")) -> str:
    """Why this machine can't fetch an engine's packages; empty when it can."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "there is no apt-get here to fetch an engine with"
    if os_release(etc).get("ID") != "debian":
        return (
            "the machine is not a Debian, and its package mirror has no engine that is known to fit"
        )
    if _glibc() < OLDEST_GLIBC:
        return f"the C library is older than {'.'.join(map(str, OLDEST_GLIBC))}"
    if archive(sources(etc), codename(etc)) is None:
        return f"apt has no network archive for {codename(etc) or 'this release'}"
    return ""


def _glibc() -> tuple[int, ...]:
    name, version = platform.libc_ver()
    return tuple(int(part) for part in version.split(".")) if name == "glibc" else (0,)


def fetch_client(place: Home, say: Say) -> None:
    """docker, buildx and compose for an engine that somebody else runs."""
    if client_here(place):
        return
    say("fetching the docker client (34 MB)")
    with_keyring = native_apt(place)
    newer = newer_apt(place, with_keyring)
    _group(newer, place.client, CLIENT)


def fetch_engine(place: Home, say: Say) -> None:
    """Everything that the private engine runs."""
    if engine_here(place):
        return
    say("fetching Docker Engine (90 MB)")
    native = native_apt(place)
    newer = newer_apt(place, native)
    if not client_here(place):
        _group(newer, place.client, CLIENT)
    _group(newer, place.engine, ENGINE, extra=_native_debs(native, NATIVE))
    shutil.rmtree(place.apt / "debs" / "native", ignore_errors=True)


def _group(apt: Apt, folder: Path, names: tuple[str, ...], extra: tuple[Path, ...] = ()) -> None:
    debs = fresh_folder(apt.folder.parent / "debs" / folder.name)
    unpack([*apt.download(names, debs), *extra], folder)
    shutil.rmtree(debs, ignore_errors=True)


def _native_debs(apt: Apt, names: tuple[str, ...]) -> tuple[Path, ...]:
    debs = fresh_folder(apt.folder.parent / "debs" / "native")
    return tuple(apt.download_missing(names, debs))


def fresh_folder(folder: Path) -> Path:
    """An empty folder: what a broken-off run left there is not trusted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def native_apt(place: Home) -> Apt:
    """The machine's own Debian archives, in an apt state of our own."""
    apt = Apt(place.apt / "native", tuple(native_lines(sources(), codename())))
    apt.update()
    return apt


def native_lines(known: Sequence[Source], own: str) -> list[str]:
    """Debian's archives only: somebody else's may be broken, and has nothing that we need."""
    suites = (own, f"{own}-updates", f"{own}-security")
    system = Path("/") / KEYRING
    keys = str(system) if system.exists() else ""
    return [
        source.line(signed_by=source.signed_by or keys)
        for source in known
        if source.suite in suites and "main" in source.components
    ]


def newer_apt(place: Home, native: Apt) -> Apt:
    """The machine's mirror again, for the suite that has the engine."""
    if codename() not in OLD_SUITES:
        return native
    mirror = debian_mirror()
    line = mirror.line(suite=ENGINE_SUITE, signed_by=str(keyring(place, native)))
    apt = Apt(place.apt / ENGINE_SUITE, (line,))
    apt.update()
    return apt


def debian_mirror() -> Source:
    """Where the machine gets Debian itself from."""
    mirror = archive(sources(), codename())
    if mirror is None:
        raise EngineError(f"apt has no network archive for {codename()}")
    return mirror


def keyring(place: Home, native: Apt) -> Path:
    """The archive's keys, taken from the machine's own suite: an old machine lacks new keys."""
    folder = place.apt / "keyring"
    with (place.apt / "keyring.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / KEYRING).is_file():
            debs = fresh_folder(place.apt / "debs" / "keyring")
            unpack(native.download(["debian-archive-keyring"], debs), folder)
            shutil.rmtree(debs, ignore_errors=True)
    return folder / KEYRING
