"""Debian packages without installing them: an apt state of our own, and dpkg -x.

Not here: what the packages are for. Nothing of the system's apt state is written.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.errors import EngineError

ETC = Path("/etc")
APT_TIMEOUT_S = 300
FRESH_S = 600
KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Source:
    """One line of a sources file: where packages come from, and who signed them."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    def line(self, *, suite: str = "", signed_by: str = "") -> str:
        """The same archive in the one-line format, perhaps for another suite or keyring."""
        key = signed_by or self.signed_by
        option = f"[signed-by={key}] " if key else ""
        return f"deb {option}{self.uri} {suite or self.suite} {' '.join(self.components)}"


def codename(etc: Path = ETC) -> str:
    """The machine's own suite, as os-release names it."""
    return os_release(etc).get("VERSION_CODENAME", "")


def os_release(etc: Path = ETC) -> dict[str, str]:
    path = etc / "os-release"
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text("utf-8").splitlines())
    return {key.strip(): value.strip().strip('"') for key, _, value in pairs if key.strip()}


def sources(etc: Path = ETC) -> list[Source]:
    """Every archive that the machine's own apt uses, in both of its formats."""
    found: list[Source] = []
    for path in [etc / "apt/sources.list", *sorted((etc / "apt/sources.list.d").glob("*.list"))]:
        if path.is_file():
            found += one_line(path.read_text("utf-8", "replace"))
    for path in sorted((etc / "apt/sources.list.d").glob("*.sources")):
        found += deb822(path.read_text("utf-8", "replace"))
    return [resolved for source in found if (resolved := resolve(source))]


def one_line(text: str) -> Iterator[Source]:
    """`deb [options] uri suite component…`"""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)", line)
        if match:
            options, uri, suite, rest = match.groups()
            key = re.search(r"signed-by=(\S+)", options or "", re.IGNORECASE)
            yield Source(uri, suite, tuple(rest.split()), key.group(1) if key else "")


def deb822(text: str) -> Iterator[Source]:
    """Stanzas of `Field: values`; each URI with each suite is one source."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "") == "no":
            continue
        key = fields.get("signed-by", "")
        signed_by = "" if "BEGIN PGP" in key else key.strip()
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, components, signed_by)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += "\n" + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def resolve(source: Source) -> Source | None:
    """Follow a mirror list to its first mirror; drop what is no network archive (cdrom:, file:)."""
    uri = source.uri
    if uri.startswith("mirror+file:"):
        path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
        lines = path.read_text("utf-8").split() if path.is_file() else []
        uri = next((word for word in lines if "://" in word), "")
    if not uri.startswith(("http://", "https://")):
        return None
    return Source(uri, source.suite, source.components, source.signed_by)


def archive(found: Sequence[Source], suite: str) -> Source | None:
    """The source that carries a suite's `main`."""
    fits = (s for s in found if s.suite == suite and "main" in s.components)
    return next(fits, None)


@dataclass(frozen=True)
class Apt:
    """apt-get with lists, cache and sources in a folder of our own."""

    folder: Path
    lines: tuple[str, ...]
    status: Path = Path("/var/lib/dpkg/status")

    def update(self) -> None:
        """Fetch the package lists, unless that was done just now; apt checks their signatures."""
        for name in ("lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._fresh():
                self._fetch_lists()

    def _fresh(self) -> bool:
        stamp, written = self.folder / "updated", self.folder / "sources.list"
        if not stamp.exists() or written.read_text("utf-8") != self._sources():
            return False
        return time.time() - stamp.stat().st_mtime < FRESH_S

    def _sources(self) -> str:
        return "\n".join(self.lines) + "\n"

    def _fetch_lists(self) -> None:
        (self.folder / "updated").unlink(missing_ok=True)
        (self.folder / "sources.list").write_text(self._sources(), "utf-8")
        (self.folder / "apt.conf").write_text(self._conf(), "utf-8")
        self.get("update", "-o", "APT::Update::Error-Mode=any")
        (self.folder / "updated").touch()

    def download(self, names: Iterable[str], into: Path) -> list[Path]:
        """The named packages only, without what they depend on."""
        into.mkdir(parents=True, exist_ok=True)
        self.get("download", *names, cwd=into)
        return sorted(into.glob("*.deb"))

    def download_missing(self, names: Iterable[str], into: Path) -> list[Path]:
        """The named packages and those of their dependencies that the machine lacks."""
        (into / "partial").mkdir(parents=True, exist_ok=True)
        keep = f"Dir::Cache::archives={into}"
        wanted = ("install", "--download-only", "--no-install-recommends", "--yes")
        self.get(*wanted, "-o", keep, "-o", "Debug::NoLocking=true", *names)
        return sorted(into.glob("*.deb"))

    def get(self, *arguments: str, cwd: Path | None = None) -> str:
        command = ["apt-get", "-q", "-c", str(self.folder / "apt.conf"), *arguments]
        return run(command, what=f"apt-get {arguments[0]}", cwd=cwd)

    def _conf(self) -> str:
        # `#clear` drops the system's hooks: our update must not run its scripts.
        return f"""\
#clear APT::Update;
#clear DPkg;
Dir::Etc::sourcelist "{self.folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::Lists "{self.folder}/lists";
Dir::State::status "{self.status}";
Dir::Cache "{self.folder}/cache";
Dir::Cache::archives "{self.folder}/cache/archives";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
"""


def unpack(debs: Iterable[Path], folder: Path) -> None:
    """All packages into one folder, which appears only when it is complete."""
    fresh = folder.with_name(folder.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for deb in debs:
        run(["dpkg", "-x", str(deb), str(fresh)], what=f"unpacking {deb.name}")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def run(command: Sequence[str], *, what: str, cwd: Path | None = None) -> str:
    """One command of the system's package tools; its own words are in the error."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=APT_TIMEOUT_S
        )
    except FileNotFoundError as err:
        raise EngineError(f"{command[0]} is not on this machine") from err
    except subprocess.TimeoutExpired as err:
        raise EngineError(f"{what} did not end within {APT_TIMEOUT_S} s") from err
    if done.returncode:
        raise EngineError(f"{what} failed: {_last_words(done.stderr or done.stdout)}")
    return done.stdout


def _last_words(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return " | ".join((errors or lines or ["no output"])[-3:])
