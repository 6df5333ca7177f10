"""Debian's order of versions, against dpkg's own; dpkg's database; what was made up in it."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest

from grader.debian import Debian, Security, Update, compare, debian, pending, unlike
from grader.look import File

ORDER = [
    ("1.0", "1.0", 0),
    ("1.0", "1.00", 0),
    ("1.0-0", "1.0", 0),
    ("0:1.0", "1.0", 0),
    ("1.0", "1.1", -1),
    ("1.9", "1.10", -1),
    ("1.0~rc1", "1.0", -1),
    ("1.0~~", "1.0~", -1),
    ("1.0~~a", "1.0~", -1),
    ("1.0", "1.0a", -1),
    ("1.0a", "1.0+", -1),
    ("1.0a", "1.0.1", -1),
    ("1.0", "1.0.1", -1),
    ("9.9", "1:0.1", -1),
    ("1.0-1", "1.0-2", -1),
    ("1.0-1", "1.0-1+b1", -1),
    ("1.0-1", "1.0-1+deb12u1", -1),
    ("1.0-1+deb12u9", "1.0-1+deb12u14", -1),
    ("3.0.20-1~deb12u2", "3.0.22-1~deb12u2", -1),
    ("2026b-0+deb12u1", "2026f-0+deb12u1", -1),
    ("20230311+deb12u1", "20250419~deb12u2", -1),
    ("1.0-1-2", "1.0-1-10", -1),
    ("2.36-9+deb12u7", "2.36-9+deb12u14", -1),
    ("1:1.2.13.dfsg-1", "1:1.3.dfsg+really1.3.1-1", -1),
]


@pytest.mark.parametrize(("one", "other", "sign"), ORDER, ids=[f"{a} {b}" for a, b, _ in ORDER])
def test_compare(one: str, other: str, sign: int) -> None:
    assert compare(one, other) == sign
    assert compare(other, one) == -sign
    assert compare(one, one) == 0


@pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg on this machine")
def test_compare_says_what_dpkg_says() -> None:
    versions = {v for one, other, _ in ORDER for v in (one, other) if v}
    versions |= {"1.2~git2020+dfsg-1~bpo11+1", "0.0~r131-2", "7.88.1-10+deb12u5", "1a~"}
    signs = {-1: "lt", 0: "eq", 1: "gt"}
    for one, other in itertools.combinations(sorted(versions), 2):
        words = ["dpkg", "--compare-versions", one, signs[compare(one, other)], other]
        assert subprocess.run(words, stderr=subprocess.DEVNULL).returncode == 0, (one, other)


# -- dpkg's database ------------------------------------------------------------------------------

STATUS = b"""Package: openssl
Status: install ok installed
Architecture: amd64
Version: 3.0.20-1
Description: a tool
 Version: 9 is not a key of it

Package: held
Status: hold ok installed
Version: 1.0

Package: half
Status: install ok half-configured
Version: 2.0

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: never
Status: purge ok not-installed

Package: nothing
"""


def test_dpkgs_database_is_read() -> None:
    files = {
        "status": STATUS,
        "info/openssl.md5sums": b"1",
        "info/held:amd64.md5sums": b"2",
        "info/held:amd64.list": b"x",
        "status-old": b"x",
    }
    found = debian(files)
    assert found.versions == {"openssl": "3.0.20-1", "held": "1.0", "half": "2.0"}
    assert found.sums == {"openssl": b"1", "held": b"2"}


def test_an_empty_database_holds_nothing() -> None:
    assert debian({}).versions == {}


# -- pending --------------------------------------------------------------------------------------


def security(**versions: str) -> Security:
    return Security("bookworm-security", 1_795_000_000, versions)


PENDING = [
    ("older", "1.0", [Update("a", "1.0", "1.1")]),
    ("the same", "1.1", []),
    ("newer", "1.2", []),
    ("older by its revision", "1.1~1", [Update("a", "1.1~1", "1.1")]),
]


@pytest.mark.parametrize(
    ("version", "found"), [p[1:] for p in PENDING], ids=[p[0] for p in PENDING]
)
def test_pending(version: str, found: list[Update]) -> None:
    assert list(pending(Debian({"a": version, "other": "0"}), security(a="1.1", c="9"))) == found


def test_the_day_is_that_of_the_last_repair() -> None:
    assert Security("x", 1_795_000_000, {}).day == "18 Nov 2026"


# -- what was made up -----------------------------------------------------------------------------

BASE = Debian({"a": "1.0", "b": "1.0"}, {"a": b"aa  usr/bin/a\n", "b": b"bb  usr/bin/b\n"})
A, B = (File(f"/usr/bin/{n}", 1, 0o755, 0, 0, "0") for n in "ab")
NEW = b"cc  usr/bin/a\n"
UNLIKE = [
    ("untouched", BASE, (A, B), ""),
    ("really upgraded", Debian({**BASE.versions, "a": "2.0"}, {**BASE.sums, "a": NEW}), (A, B), ""),
    ("really downgraded", Debian({**BASE.versions, "a": "0.9"}, {**BASE.sums, "a": NEW}), (), ""),
    ("older, with the base's sums", Debian({**BASE.versions, "a": "0.9"}, BASE.sums), (A, B), ""),
    ("really purged", Debian({"b": "1.0"}, {"b": BASE.sums["b"]}), (B,), ""),
    ("something installed", Debian({**BASE.versions, "c": "1"}, BASE.sums), (A, B), ""),
    ("edited upwards", Debian({**BASE.versions, "a": "2.0"}, BASE.sums), (A, B), "a 2.0"),
    (
        "an old one, edited up to the base's",
        Debian(BASE.versions, {**BASE.sums, "a": NEW}),
        (A, B),
        "another version's",
    ),
    ("its sums removed", Debian(BASE.versions, {"b": BASE.sums["b"]}), (A, B), "a 1.0"),
    ("out of the list", Debian({"b": "1.0"}, BASE.sums), (A, B), "/usr/bin/a is still there"),
    ("all out of the list", Debian({}), (A, B), "is not in dpkg's list"),
]


@pytest.mark.parametrize(
    ("installed", "files", "words"), [u[1:] for u in UNLIKE], ids=[u[0] for u in UNLIKE]
)
def test_unlike(installed: Debian, files: tuple[File, ...], words: str) -> None:
    said = unlike(installed, BASE, files)
    assert words in said
    assert bool(said) == bool(words)
