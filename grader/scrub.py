"""Takes out of a text what tells whose machine it was: folders, names, package mirrors, proxies.

It knows this machine only; what it is used on is ``record``'s.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from grader.host import apt, trust
from grader.host.home import home

COURSE, HOME, PYTHON = "/course", "/lab-home", "/course/.venv"
LEARNER, MACHINE, SOMEWHERE = "learner", "machine", "mirror.example"
NAMESERVER = "192.0.2.53"  # of those addresses that are for documents
RESOLVER = Path("/etc/resolv.conf")
# They tell nobody apart, and images and lessons are full of them.
COMMON = {"root", "user", "learner", "docker", "debian", "ubuntu", "localhost", "machine"}
COMMON |= {"runner", "vscode", "codespace", "jovyan", "app", "python", "lab"}
PUBLIC = re.compile(
    r"(.+\.)?(localhost|docker\.(io|com)|github\.com|example(\.(com|org|net))?|invalid"
    r"|host\.docker\.internal)"
)
NUMBERS = re.compile(r"[\d.:/]+")
URL = re.compile(r"\b[a-z][a-z0-9+]*://[^\s\"'<>,;\[\]]+")
LOGIN = re.compile(r"(://)[^/\s:@]+(:[^/\s@]*)?@")
SCRATCH = re.compile(r"(/tmp/[a-z0-9-]+-)[a-z0-9_]{8}\b")  # as tempfile names them
RUN = re.compile(r"\bnotebook-[0-9a-f]{8}-")
GRADED = re.compile(r"[\w.-]+/\d+/\d+/[0-9a-f]{8}\b")


@dataclass(frozen=True)
class Scrubber:
    """``words`` maps what must not be told to what stands for it."""

    words: Mapping[str, str]

    def __call__(self, text: str) -> str:
        text = LOGIN.sub(r"\1", text)
        for word in self._longest_first():
            text = _whole(word).sub(self.words[word], text)
        text = GRADED.sub("run/1/1/00000000", text)
        return SCRATCH.sub(r"\1xxxxxxxx", RUN.sub("notebook-00000000-", text))

    def left(self, text: str) -> list[str]:
        """What is still told in spite of it."""
        return [word for word in self._longest_first() if _whole(word).search(text)]

    def _longest_first(self) -> list[str]:
        return sorted(self.words, key=lambda word: (-len(word), word))


def scrubber(
    courses: Iterable[Path], more: Iterable[str] = (), machines: Iterable[str] = ()
) -> Scrubber:
    """For this machine. ``more`` are texts whose addresses must not be told either.

    ``machines`` are the names of others that have a part in it.
    """
    folders = {str(path): COURSE for path in courses}
    folders |= {str(home().root): HOME, **_python(), **_own_home()}
    names = dict.fromkeys(_users(), LEARNER)
    names |= dict.fromkeys({*machines, *_machine_names()} - {""}, MACHINE)
    known = {word: new for word, new in names.items() if word.casefold() not in COMMON}
    kernel = os.uname().release  # behind its number it often says who built it, and for what
    known |= {kernel: re.sub(r"^([\d.]+).*", r"\1", kernel)}
    words = {**addresses(os.environ, more), **dict.fromkeys(_nameservers(), NAMESERVER)}
    words |= {**known, **folders}
    return Scrubber({word: new for word, new in words.items() if word != new})


def addresses(environ: Mapping[str, str], more: Iterable[str] = ()) -> dict[str, str]:
    """Each proxy, mirror and index that this machine is set to use, with what stands for it."""
    pip, debian = trust.pip_values(), (source.uri for source in apt.sources())
    told = _told("\n".join([*environ.values(), *more, *pip.values(), *debian]))
    hosts = told | set(_not_proxied(environ)) | set(pip.get("trusted-host", "").split())
    return {host: SOMEWHERE for host in hosts if _private(host)}


def _told(text: str) -> set[str]:
    """The host of each address in a text; of one on this machine's disk, its folder."""
    parts = (urlsplit(address) for address in URL.findall(text))
    hosts = {part.hostname or part.path.rstrip("/") for part in parts if part.scheme != "unix"}
    return {host for host in hosts if host}


def _not_proxied(environ: Mapping[str, str]) -> Iterator[str]:
    """Names of the machine's own network."""
    for key in ("no_proxy", "NO_PROXY"):
        names = (name.strip().lstrip("*.") for name in environ.get(key, "").split(","))
        yield from (name for name in names if "." in name and not NUMBERS.fullmatch(name))


def _nameservers() -> set[str]:
    try:
        lines = RESOLVER.read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    words = [line.split() for line in lines if line.startswith("nameserver")]
    return {one[1] for one in words if len(one) > 1 and not _loopback(one[1])}


def _private(word: str) -> bool:
    return not PUBLIC.fullmatch(word) and not _loopback(word) and word.casefold() not in COMMON


def _loopback(word: str) -> bool:
    try:
        address = ip_address(word)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _machine_names() -> set[str]:
    return {socket.gethostname(), os.uname().nodename} - {""}


def _users() -> set[str]:
    names = {os.environ.get(key, "") for key in ("USER", "LOGNAME", "SUDO_USER")}
    with suppress(OSError, KeyError):  # a number without a name
        names.add(getpass.getuser())
    return names - {""}


def _python() -> dict[str, str]:
    """A virtual environment's folder; a system's Python is where everybody's is."""
    return {sys.prefix: PYTHON} if sys.prefix != sys.base_prefix else {}


def _own_home() -> dict[str, str]:
    """A folder like /home/jane; /root is every container's."""
    folder = Path.home()
    return {} if folder.name.casefold() in {*COMMON, ""} else {str(folder): f"/home/{LEARNER}"}


def _whole(word: str) -> re.Pattern[str]:
    """The word, and not a part of a longer one; a host with its port."""
    folder = word.startswith("/")
    port = "" if folder else r"(?::\d{2,5}\b)?"
    flags = re.NOFLAG if folder else re.IGNORECASE
    return re.compile(rf"(?<![\w-]){re.escape(word)}{port}(?![\w-])", flags)
