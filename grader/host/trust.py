"""What this machine trusts and how it reaches its package indexes, for the base images made here.

Not here: putting it into an image. No secret is handed on: an address with a password is left out.
"""

import configparser
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
DISTRIBUTED = Path("/usr/share/ca-certificates")
LOCAL = Path("/usr/local/share/ca-certificates")
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
IN_IMAGE = "/etc/ssl/certs/ca-certificates.crt"
APT_SETTINGS = (
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
)
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "default-timeout", "timeout")
# A machine may be patient with a slow mirror; in a build that has a time limit of its own, a
# connection that has died must not take all of it.
LONGEST_TIMEOUT_S = 60


@dataclass(frozen=True)
class Trust:
    """Certificates beyond the usual ones, and settings that make sense inside an image."""

    certificates: tuple[str, ...]
    pip: tuple[tuple[str, str], ...]
    apt: tuple[tuple[str, str], ...]

    @property
    def environment(self) -> list[str]:
        """pip and OpenSSL programs with a bundle of their own are pointed at the system's."""
        if not self.certificates:
            return []
        names = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
        return [f"{name}={IN_IMAGE}" for name in names]

    def write(self, folder: Path) -> None:
        """As files, at the names that images/python/customize.sh looks for."""
        for number, certificate in enumerate(self.certificates, 1):
            _write(folder / "ca" / f"machine-{number:02}.crt", certificate)
        if self.pip:
            lines = [f"{key} = {value}" for key, value in self.pip]
            _write(folder / "pip.conf", "\n".join(["[global]", *lines, ""]))
        if self.apt:
            lines = [f'{key} "{value}";' for key, value in self.apt]
            _write(folder / "apt/apt.conf.d/90machine", "\n".join([*lines, ""]))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def machine() -> Trust:
    """What is set on this machine now."""
    return Trust(
        certificates=tuple(extra_certificates(_bundles(), _distributed())),
        pip=tuple(pip_settings(pip_values())),
        apt=tuple(apt_settings(_apt_dump())),
    )


def _bundles() -> Iterator[str]:
    paths = {Path(os.environ[name]) for name in BUNDLES if os.environ.get(name)}
    for path in sorted({*paths, SYSTEM_BUNDLE, *LOCAL.glob("**/*.crt")}):
        if path.is_file():
            yield path.read_text("utf-8", "replace")


def _distributed() -> Iterator[str]:
    for path in sorted(DISTRIBUTED.glob("**/*.crt")):
        yield path.read_text("utf-8", "replace")


def certificates(text: str) -> Iterator[str]:
    """The PEM certificates in a file, in one normal form."""
    for part in text.split(BEGIN)[1:]:
        body = "".join(part.split(END)[0].split())
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        yield "\n".join([BEGIN, *lines, END, ""])


def extra_certificates(bundles: Iterable[str], distributed: Iterable[str]) -> list[str]:
    """Those that the machine trusts and the distribution did not bring."""
    usual = {one for text in distributed for one in certificates(text)}
    found = dict.fromkeys(one for text in bundles for one in certificates(text))
    return [one for one in found if one not in usual]


def pip_values() -> dict[str, str]:
    """pip's settings, weakest first: files, then PIP_… variables."""
    values: dict[str, str] = {}
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
        except configparser.Error:
            continue
        if parser.has_section("global"):
            values |= dict(parser.items("global"))
    for name in PIP_SETTINGS:
        if variable := os.environ.get(f"PIP_{name.upper().replace('-', '_')}"):
            values[name] = variable
    return values


def _pip_files() -> list[Path]:
    folders = os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    site = [Path(folder) / "pip/pip.conf" for folder in reversed(folders)]
    users = [Path.home() / ".pip/pip.conf", config / "pip/pip.conf"]
    given = [Path(os.environ["PIP_CONFIG_FILE"])] if os.environ.get("PIP_CONFIG_FILE") else []
    return [*site, Path("/etc/pip.conf"), *users, *given]


def pip_settings(values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Those that mean something inside an image: no folder of this machine, no password."""
    for key in PIP_SETTINGS:
        words = values.get(key, "").split()
        if key.endswith("index-url"):
            words = [word for word in words if sharable(word)]
        if key.endswith("timeout"):
            words = [f"{min(float(word), LONGEST_TIMEOUT_S):g}" for word in words if _number(word)]
        if words:
            yield key, " ".join(words)


def _number(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def _apt_dump() -> str:
    command = ["apt-config", "dump", "--no-empty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def apt_settings(dump: str) -> Iterator[tuple[str, str]]:
    """`apt-config dump` lines that a build in an image needs too."""
    for line in dump.splitlines():
        key, _, value = line.rstrip(";").partition(" ")
        value = value.strip('"')
        if key in APT_SETTINGS and ("Proxy" not in key or value == "DIRECT" or sharable(value)):
            yield key, value


def sharable(address: str) -> bool:
    """A network address that is the same seen from a container, and has no password in it."""
    parts = urlsplit(address)
    here = parts.hostname in (None, "localhost", "127.0.0.1", "::1")
    return parts.scheme in ("http", "https") and not here and parts.username is None
