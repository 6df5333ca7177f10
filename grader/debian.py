"""dpkg's database and Debian's versions: what is installed, what is newer, what was made up.

Values in, values out: no image is read and nothing is fetched here, see ``packages``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grader.look import REGULAR, File

# -- Debian's versions -----------------------------------------------------------------------------


def compare(one: str, other: str) -> int:
    """Below 0, 0 or above 0, as ``dpkg --compare-versions`` orders them (deb-version(7))."""
    mine, theirs = _version(one), _version(other)
    return (mine > theirs) - (mine < theirs)


@functools.lru_cache(maxsize=50_000)
def _version(text: str) -> tuple[int, list[Any], list[Any]]:
    epoch, colon, rest = text.strip().partition(":")
    if not colon:
        epoch, rest = "0", text.strip()
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return int(epoch) if epoch.isdigit() else 0, _parts(upstream), _parts(revision)


def _parts(text: str) -> list[Any]:
    """Pieces that compare as Debian wants: text, number, text, number, and an end.

    A tilde sorts before everything, even the end; letters before the other signs.
    """
    pieces: list[Any] = []
    for letters, digits in re.findall(r"(\D*)(\d*)", text):
        if letters or digits:
            pieces.append([*(_order(c) for c in letters), 0])
            pieces.append(int(digits or 0))
    return [*pieces, [0], 0]


def _order(sign: str) -> int:
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 256


# -- what is installed -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Debian:
    """dpkg's database of an image: version by package, and each package's list of checksums."""

    versions: Mapping[str, str]
    sums: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def debian(folder: Mapping[str, bytes]) -> Debian:
    """From the files of ``/var/lib/dpkg``, by their names in it."""
    text = folder.get("status", b"").decode("utf-8", "replace")
    versions = {}
    for stanza in text.split("\n\n"):
        keys = dict(re.findall(r"(?m)^(Package|Status|Version):[ \t]*(.*?)[ \t]*$", stanza))
        state = keys.get("Status", "").split()[-1:]
        if keys.get("Version") and state not in (["not-installed"], ["config-files"], []):
            versions[keys["Package"]] = keys["Version"]
    sums = {}
    for name, data in folder.items():
        if match := re.fullmatch(r"info/([^:]+)(:\w+)?\.md5sums", name):
            sums[match[1]] = data
    return Debian(versions, sums)


# -- what is repaired


@dataclass(frozen=True)
class Security:
    """Debian's security suite now: the newest version of each package in it.

    ``date`` is when it last changed, in seconds since 1970.
    """

    suite: str
    date: float
    versions: Mapping[str, str]

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.date, UTC).strftime("%-d %b %Y")


@dataclass(frozen=True)
class Update:
    """One package that Debian has repaired and the image has not."""

    package: str
    installed: str
    repaired: str


def pending(installed: Debian, security: Security) -> tuple[Update, ...]:
    """The updates that the image has not got, by name."""
    return tuple(
        Update(name, version, security.versions[name])
        for name, version in sorted(installed.versions.items())
        if name in security.versions and compare(version, security.versions[name]) < 0
    )


# -- what was made up


def unlike(installed: Debian, base: Debian, files: tuple[File, ...]) -> str:
    """Where dpkg's database says something else than the files do; "" when it seems honest.

    Against an edited ``status``. The base's own packages are the measure: the same version has the
    same checksums, a newer one has others, and one that is gone leaves no files. Who forges the
    checksums as well is not found out here.
    """
    paths = {f.path for f in files if f.kind == REGULAR}
    for name, version in base.versions.items():
        sums, mine = base.sums.get(name, b""), installed.sums.get(name, b"")
        said = installed.versions.get(name)
        if said is None:
            if left := [p for p in _paths(sums) if p in paths]:
                return f"{name} is not in dpkg's list, and {left[0]} is still there"
        elif sums and said == version and mine != sums:
            return f"dpkg's list says {name} {said}, and its files are another version's"
        elif sums and mine == sums and compare(said, version) > 0:
            return f"dpkg's list says {name} {said}, and its files are those of {version}"
    return ""


def _paths(sums: bytes) -> list[str]:
    rows = (line.split(None, 1) for line in sums.decode("utf-8", "replace").splitlines())
    return [f"/{row[1]}" for row in rows if len(row) == 2]
