"""Pending updates and known weaknesses, both sides of each edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grader.checks import packages
from grader.debian import Debian, Update
from grader.look import File
from grader.packages import Distribution, Patched
from grader.results import Outcome, Result

P, F = Outcome.PASS, Outcome.FAIL
BASE = Debian({"a": "1.0"}, {"a": b"aa  usr/bin/a\n"})
FILES = (File("/usr/bin/a", 1, 0o755, 0, 0, "0"),)
UPDATE = Update("openssl", "3.0.20", "3.0.22")
CLEAN = Patched(BASE, BASE, (), day="24 Nov 2026")


@pytest.fixture(autouse=True)
def no_trivy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "trivy", lambda *_: ("Trivy: not measured here", []))


def updates(patched: Patched) -> Result:
    image: Any = type("Image", (), {"id": "i"})
    return packages.updates(patched, FILES, image, None)  # type: ignore[arg-type]


def test_no_update_waits() -> None:
    result = updates(CLEAN)
    assert result.outcome is P
    assert "none of 1 packages as of 24 Nov 2026" in result.message
    assert "Trivy: not measured here" in result.message
    assert result.evidence["trivy"] == "Trivy: not measured here"


def test_a_cached_layer_is_told_and_costs_nothing() -> None:
    result = updates(replace(CLEAN, again=True, before=7))
    assert result.outcome is P
    assert "7 wait there" in result.message
    assert "--no-cache" in result.message


@pytest.mark.parametrize("count", [1, 4, 5, 40])
def test_updates_wait(count: int) -> None:
    result = updates(replace(CLEAN, updates=(UPDATE,) * count))
    assert result.outcome is F
    assert result.message.startswith(f"{count} security updates")
    assert ("more" in result.message) is (count > 4)
    pending = result.evidence["pending"]
    assert isinstance(pending, list)
    assert pending[0] == "openssl 3.0.20 (repaired: 3.0.22)"
    assert len(pending) == count
    assert "apt-get update" in result.message


def test_updates_that_wait_in_a_fresh_build_are_told_so() -> None:
    result = updates(replace(CLEAN, updates=(UPDATE,), again=True, before=1))
    assert "even when it is built without the cache" in result.message


def test_no_database_is_not_up_to_date() -> None:
    result = updates(replace(CLEAN, installed=None))
    assert result.outcome is F
    assert "/var/lib/dpkg/status" in result.message


def test_an_edited_database_is_found_out() -> None:
    edited = Debian({"a": "2.0"}, BASE.sums)
    result = updates(replace(CLEAN, installed=edited))
    assert result.outcome is F
    assert "a 2.0" in result.message
    assert updates(replace(CLEAN, installed=Debian({}))).outcome is F


def test_what_trivy_finds_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [f"CVE-{n} in a" for n in range(9)]
    monkeypatch.setattr(packages, "trivy", lambda *_: ("Trivy: 9 HIGH or CRITICAL", found))
    result = updates(CLEAN)
    assert result.outcome is F
    assert "CVE-0 in a" in result.message
    assert "CVE-5" not in result.message


# -- advisories -----------------------------------------------------------------------------------

ADVISORIES = [
    ("nothing installed", {}, P, 0),
    ("newest", {"jinja2": "3.1.6", "urllib3": "2.6.3", "requests": "2.32.4"}, P, 0),
    ("just below", {"jinja2": "3.1.5"}, F, 1),
    ("two of one package", {"jinja2": "3.1.3"}, F, 2),
    ("three of one package", {"jinja2": "3.1.2"}, F, 3),
    ("in the second range", {"urllib3": "2.0.5"}, F, 7),
    ("between the ranges of some", {"urllib3": "1.26.20"}, F, 4),
    ("the repair itself", {"idna": "3.7"}, P, 0),
    ("one below", {"idna": "3.6"}, F, 1),
    ("before the range", {"aiohttp": "1.0.4"}, P, 0),
    ("nobody knows it", {"left-pad": "0.1"}, P, 0),
    ("one of many", {"certifi": "2024.7.4", "idna": "3.20", "h11": "0.14.0"}, F, 1),
]


def advisories(*files: File, **versions: str) -> Result:
    found = tuple(Distribution(n.replace("_", "-"), v, "x") for n, v in versions.items())
    return packages.advisories(found, files)


@pytest.mark.parametrize(
    ("versions", "outcome", "count"),
    [a[1:] for a in ADVISORIES],
    ids=[a[0] for a in ADVISORIES],
)
def test_advisories(versions: dict[str, str], outcome: Outcome, count: int) -> None:
    result = advisories(**versions)
    assert result.outcome is outcome
    assert "2026" in result.message  # the snapshot's date
    if outcome is F:
        found = result.evidence["found"]
        assert isinstance(found, list)
        assert len(found) == count
        assert result.message.startswith(f"{count} advisories")


def test_each_package_is_told_with_its_repair() -> None:
    message = advisories(jinja2="3.1.2", idna="3.4").message
    assert "jinja2 3.1.2 (repaired: 3.1.6)" in message
    assert "idna 3.4 (repaired: 3.7)" in message


def test_a_package_without_metadata_is_no_pass() -> None:
    file = File("/usr/lib/python3/dist-packages/urllib3/__init__.py", 1, 0o644, 0, 0, "0")
    result = advisories(file)
    assert result.outcome is F
    assert "no metadata" in result.message
    assert advisories(file, urllib3="2.6.3").outcome is P
