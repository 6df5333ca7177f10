"""Facts about installed packages, with fakes; the shipped advisories; no daemon."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import Version

from grader import packages
from grader.debian import Debian, Security
from grader.engine import Image, Layer
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.look import File
from grader.packages import Advisory, Distribution, snapshot

STATUS = b"Package: a\nStatus: install ok installed\nVersion: 1.0\n"


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("./link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


class Engine:
    """An engine whose client gives what a test says."""

    size = 100_000_000

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, Any, Any]) -> None:
        self.connection = SimpleNamespace(docker="docker", environment={}, local=True)
        self.answers, self.said = list(answers), list[list[str]]()
        monkeypatch.setattr(packages.subprocess, "run", self.run)

    def run(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[Any]:
        self.said.append(words)
        code, out, err = self.answers.pop(0)
        return subprocess.CompletedProcess(words, code, out, err)

    @contextmanager
    def created(self, image: str) -> Iterator[str]:
        yield f"of {image}"

    def files(self, image: str) -> tuple[File, ...]:
        return (File("/var/lib/dpkg/status", self.size, 0o644, 0, 0, "0"),)

    def image(self, name: str) -> Image:
        return Image(name, (), (Layer("base", 1),), {})


def test_dpkg_is_read_without_running_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch, (0, tar(status=STATUS), b""))
    found = packages.dpkg_of(engine, "i")  # type: ignore[arg-type]
    assert found == Debian({"a": "1.0"})
    assert engine.said == [["docker", "cp", "of i:/var/lib/dpkg/.", "-"]]


@pytest.mark.parametrize(
    "answer",
    [
        (1, b"", b"Error: Could not find the file /var/lib/dpkg in container"),
        (1, b"", b"Error response: No such container:path"),
        (0, tar(other=b"x"), b""),
        (0, tar(status=b""), b""),
    ],
)
def test_no_database_is_none(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    assert packages.dpkg_of(Engine(monkeypatch, answer), "i") is None  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [(1, b"", b"daemon is gone"), (0, b"no tar", b"")])
def test_a_lost_daemon_is_no_empty_database(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    with pytest.raises(EngineError):
        packages.dpkg_of(Engine(monkeypatch, answer), "i")  # type: ignore[arg-type]


def test_a_database_of_gigabytes_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch)
    engine.size += 1
    with pytest.raises(SubmissionError, match="100 MB"):
        packages.dpkg_of(engine, "i")  # type: ignore[arg-type]
    assert not engine.said


# -- the security suite ---------------------------------------------------------------------------

SAID: dict[str, Any] = {
    "why": "Err:1 could not resolve",
    "date": "Tue, 24 Nov 2026 00:34:33 UTC",
    "suite": "bookworm-security",
    "packages": {"a": ["1.9", "1.10"], "b": ["2.0"]},
}


def test_the_newest_of_each_package_counts() -> None:
    found = packages._security(json.dumps(SAID), "")
    assert found.versions == {"a": "1.10", "b": "2.0"}
    assert (found.suite, found.day) == ("bookworm-security", "24 Nov 2026")


@pytest.mark.parametrize("lost", [{"packages": {}}, {"date": ""}])
def test_without_lists_it_is_not_measured(lost: dict[str, Any]) -> None:
    with pytest.raises(NotMeasurable, match="could not resolve"):
        packages._security(json.dumps({**SAID, **lost}), "")


@pytest.mark.parametrize("output", ["", "Traceback", "[]", '{"date": "yesterday"}'])
def test_a_broken_probe_is_the_machines(output: str) -> None:
    with pytest.raises(EngineError, match="probe failed"):
        packages._security(output, "Traceback")


class Probing:
    """An engine whose probe says what a test says."""

    def __init__(self, output: str) -> None:
        self.said, self.made = output, 0

    def image_id(self, _: str) -> str:
        return "sha256:abc"

    def create(self, *_: Any, **__: Any) -> str:
        self.made += 1
        return "probe"

    def start(self, _: str) -> str:
        return ""

    def wait(self, *_: Any) -> int:
        return 0

    def output(self, _: str) -> str:
        return self.said

    logs = output

    def remove(self, _: str) -> None:
        return None


def test_the_list_is_fetched_once_an_hour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    engine: Any = Probing(json.dumps(SAID))
    assert packages.security(engine) == packages.security(engine)
    assert engine.made == 1
    (kept,) = (tmp_path / "security").iterdir()
    os.utime(kept, (1, 1))
    packages.security(engine)
    assert engine.made == 2


def test_a_list_that_was_not_fetched_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    engine: Any = Probing(json.dumps({**SAID, "packages": {}}))
    for _ in range(2):
        with pytest.raises(NotMeasurable):
            packages.security(engine)
    assert engine.made == 2


# -- which build is judged ------------------------------------------------------------------------

SUITE = Security("s", 1_000_000_000, {"a": "1.1"})
OLD, NEW = "2001-09-08T00:00:00Z", "2001-09-10T00:00:00+00:00"  # around SUITE's date
BUILT = Image("built", (), (Layer("base", 1), Layer("RUN", 1)), {})


class Builder:
    context = SimpleNamespace(folder=Path("/x"))

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def make(self, folder: Path, **how: Any) -> Any:
        self.made.append(how)
        return SimpleNamespace(image="again")


def patched(monkeypatch: pytest.MonkeyPatch, built: str, again: str, created: str) -> Any:
    engine = Engine(monkeypatch, (0, f"{created}\n2000-01-01T00:00:00Z\n", ""))
    versions = {packages.PROBE_IMAGE: "1.0", "built": built, "again": again}
    monkeypatch.setattr(packages, "dpkg_of", lambda _, image: Debian({"a": versions[image]}))
    builder = Builder()
    return packages.patched(BUILT, SUITE, builder, None, engine), builder.made  # type: ignore[arg-type]


def test_an_image_that_is_up_to_date_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found, made = patched(monkeypatch, "1.1", "1.0", OLD)
    assert (found.updates, found.again, made) == ((), False, [])


def test_a_fresh_image_with_updates_is_judged_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found, made = patched(monkeypatch, "1.0", "1.1", NEW)
    assert (len(found.updates), found.again, made) == (1, False, [])


def test_an_old_layer_of_the_cache_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    found, made = patched(monkeypatch, "1.0", "1.1", OLD)
    assert (found.updates, found.again, found.before) == ((), True, 1)
    assert made[0]["fresh"]


def test_what_still_waits_in_a_fresh_build_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = patched(monkeypatch, "1.0", "1.0", OLD)
    assert (len(found.updates), found.again) == (1, True)


def test_a_date_that_cannot_be_read_means_building_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert patched(monkeypatch, "1.0", "1.1", "N/A")[0].again


def test_a_base_without_dpkg_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "dpkg_of", lambda *_: None)
    with pytest.raises(NotMeasurable, match="not a Debian"):
        packages.patched(BUILT, SUITE, Builder(), None, Engine(monkeypatch))  # type: ignore[arg-type]


# -- Python's packages ----------------------------------------------------------------------------


def file(path: str) -> File:
    return File(path, 1, 0o644, 0, 0, "0")


SITE = "/opt/venv/lib/python3.11/site-packages"


def test_distributions_are_found_by_their_metadata() -> None:
    files = (
        file(f"{SITE}/Jinja2-3.1.2.dist-info/METADATA"),
        file(f"{SITE}/charset_normalizer-3.0.1.dist-info/METADATA"),
        file(f"{SITE}/certifi-2026.10.19.post1.dist-info/METADATA"),
        file(f"{SITE}/Jinja2-3.1.2.dist-info/RECORD"),
        file(f"{SITE}/pip/_vendor/urllib3/__init__.py"),
        file("/usr/share/doc/x-1.0/METADATA"),
    )
    assert packages.distributions(files) == (
        Distribution("jinja2", "3.1.2", f"{SITE}/Jinja2-3.1.2.dist-info"),
        Distribution("charset-normalizer", "3.0.1", f"{SITE}/charset_normalizer-3.0.1.dist-info"),
        Distribution("certifi", "2026.10.19.post1", f"{SITE}/certifi-2026.10.19.post1.dist-info"),
    )


def test_a_package_without_metadata_is_found() -> None:
    files = (
        file(f"{SITE}/urllib3/__init__.py"),
        file(f"{SITE}/idna/__init__.py"),
        file(f"{SITE}/other/__init__.py"),
        file(f"{SITE}/pip/_vendor/requests/__init__.py"),
    )
    known = (Distribution("idna", "3.4", "x"),)
    names = {"urllib3", "idna", "requests"}
    assert packages.without_metadata(files, known, names) == [f"{SITE}/urllib3"]


URLLIB3 = Advisory("urllib3", "CVE-1", "GHSA-1", "x", ("<1.26.17", ">=2.0.0,<2.0.6"))
HITS = [
    ("1.26.16", True),
    ("1.26.17", False),
    ("1.26.20", False),
    ("2.0.0", True),
    ("2.0.5", True),
    ("2.0.6", False),
    ("2.6.3", False),
    ("2.0.6rc1", True),
    ("0.1", True),
    ("not a version", False),
]


@pytest.mark.parametrize(("version", "hit"), HITS)
def test_an_advisory_hits_its_ranges(version: str, hit: bool) -> None:
    assert URLLIB3.hits(version) is hit


def test_the_repair_is_the_newest_end() -> None:
    other = Advisory("urllib3", "CVE-2", "GHSA-2", "x", (">=1.0,<2.0.10",))
    assert packages.newest([URLLIB3]) == "2.0.6"
    assert packages.newest([URLLIB3, other]) == "2.0.10"


def test_the_shipped_advisories_are_in_order() -> None:
    found = snapshot()
    assert date.fromisoformat(found.date).year >= 2026
    assert len(found.advisories) >= 12
    assert len({a.id for a in found.advisories}) == len(found.advisories)
    assert len({a.alias for a in found.advisories}) == len(found.advisories)
    for one in found.advisories:
        assert one.id.startswith("CVE-")
        assert one.alias.startswith("GHSA-")
        assert one.package == packages.normal(one.package)
        assert one.what
        for affected in one.affected:
            assert all(part.startswith((">=", "<")) for part in affected.split(","))
            assert "<" in affected.split(",")[-1]
        end = packages.newest([one])
        assert not one.hits(end)
        assert one.hits(str(Version(affected.rpartition("<")[2])) + ".dev0")


# -- the second opinion ---------------------------------------------------------------------------


def opinion(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *answer: Any, database: bool = True
) -> tuple[str, list[str]]:
    home = tmp_path / "home"
    (home / ".cache/trivy/db").mkdir(parents=True)
    if database:
        (home / ".cache/trivy/db/trivy.db").write_text("x")
    monkeypatch.setattr(packages.Path, "home", lambda: home)
    monkeypatch.setattr(packages.shutil, "which", lambda _: "/usr/bin/trivy")
    return packages.trivy(Engine(monkeypatch, *answer), "i")  # type: ignore[arg-type]


def test_trivys_findings_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = {"Results": [{"Vulnerabilities": [{"VulnerabilityID": "CVE-1", "PkgName": "a"}]}, {}]}
    text, found = opinion(monkeypatch, tmp_path, (0, json.dumps(rows), ""))
    assert found == ["CVE-1 in a"]
    assert "1 HIGH or CRITICAL" in text


def test_trivy_finds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text, found = opinion(monkeypatch, tmp_path, (0, '{"Results": null}', ""))
    assert (found, "0 HIGH" in text) == ([], True)


def test_without_a_database_trivy_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text, found = opinion(monkeypatch, tmp_path, database=False)
    assert "not measured here" in text
    assert not found


@pytest.mark.parametrize("answer", [(1, "", "no database"), (0, "not json", ""), (0, "[]", "")])
def test_a_trivy_that_fails_is_not_nothing_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Any
) -> None:
    assert "not measured here" in opinion(monkeypatch, tmp_path, answer)[0]
