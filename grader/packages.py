"""What is installed in an image, and what has been repaired since: Debian's packages and Python's.

Read from outside: nothing of the image is run, and its own apt is not asked. Debian's news come
through a container of ours, Python's from a shipped snapshot. No verdicts here.
"""

from __future__ import annotations

import functools
import io
import json
import re
import secrets
import shutil
import subprocess
import tarfile
import time
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from grader.builder import Builder
from grader.debian import Debian, Security, Update, compare, debian, pending
from grader.dockerfile import Dockerfile
from grader.engine import PROBE_IMAGE, Engine, Image
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.host.home import home
from grader.look import REGULAR, File
from grader.registry import fact

DPKG = "/var/lib/dpkg"
ADVISORIES = Path(__file__).parent / "advisories" / "python.toml"
MOST_BYTES = 100_000_000  # of dpkg's database: all of Debian's packages together have less
KEPT_SECONDS = 3600  # that a fetched list serves
SECONDS = 100  # for one call; the probe itself gives up after half of that
_DIST = re.compile(r"^(?P<site>.*/)(?P<name>[^/]+?)-(?P<version>\d[^/]*)\.dist-info/METADATA$")

# Runs in a container of ours: the security suite's packages, by the base image's own apt sources.
_SCRIPT = r"""
import glob, json, os, re, subprocess
os.makedirs("/tmp/parts"); os.makedirs("/tmp/lists/partial")
lines, stanzas = [], []
for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.list")]:
    if os.path.exists(path):
        lines += [x for x in open(path) if re.match(r"\s*deb\s", x) and "security" in x]
for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
    stanzas += [s for s in re.split(r"\n\s*\n", open(path).read())
                if re.search(r"(?m)^Suites:.*security", s)]
open("/tmp/parts/lab.list", "w").write("".join(lines))
open("/tmp/parts/lab.sources", "w").write("\n\n".join(stanzas) + "\n")
words = ["apt-get", "-o", "Dir::Etc::sourcelist=/dev/null",
    "-o", "Dir::Etc::sourceparts=/tmp/parts", "-o", "Dir::State::lists=/tmp/lists",
    "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3",
    "-o", "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15", "update"]
try:
    ran = subprocess.run(words, capture_output=True, text=True, timeout=70)
    why = ran.stdout + ran.stderr
except subprocess.TimeoutExpired:
    why = "it took too long"
said = {"why": why[-600:], "date": "", "suite": "", "packages": {}}
for path in glob.glob("/tmp/lists/*InRelease"):
    head = dict(re.findall(r"(?m)^(\w+): (.*)$", open(path).read(5000)))
    said["date"], said["suite"] = head.get("Date", ""), head.get("Codename", "")
for path in glob.glob("/tmp/lists/*_Packages*"):
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path],
        capture_output=True, text=True).stdout
    for stanza in text.split("\n\n"):
        keys = dict(re.findall(r"(?m)^(Package|Version): (.*)$", stanza))
        if keys:
            said["packages"].setdefault(keys["Package"], []).append(keys["Version"])
print(json.dumps(said))
"""


def dpkg_of(engine: Engine, image: str) -> Debian | None:
    """dpkg's database as it lies in the image; None when there is none."""
    size = sum(file.size for file in engine.files(image) if file.path.startswith(f"{DPKG}/"))
    if size > MOST_BYTES:
        raise SubmissionError(
            f"{DPKG} holds {size / 1e6:.0f} MB; dpkg's own database has a few. Leave it to dpkg."
        )
    with engine.created(image) as container:
        folder = _folder(engine, container, DPKG)
    return debian(folder) if folder.get("status") else None


def _folder(engine: Engine, container: str, path: str) -> dict[str, bytes]:
    """The regular files of one folder of a container; empty when it is not there."""
    command = [engine.connection.docker, "cp", f"{container}:{path}/.", "-"]
    try:
        done = subprocess.run(
            command,
            env={**engine.connection.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise EngineError(f"Docker's client failed (cp): {err}") from err
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")
        if re.search(r"could not find|no such|not a directory", said, re.I):
            return {}
        raise EngineError(f"The image's files cannot be read: {said.strip()[-300:]}")
    return dict(_files(done.stdout))


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content:
                    yield member.name.removeprefix("./"), content.read()
    except tarfile.TarError as err:
        raise EngineError(f"The image's files cannot be read: {err}") from err


# -- what Debian has repaired ----------------------------------------------------------------------


@fact
def security(engine: Engine) -> Security:
    """Debian's security suite, fetched by our own container from where the base image's apt looks.

    Kept for an hour: a class is graded with one fetch. Raises NotMeasurable when it can't be had.
    """
    kept = home().root / "security" / f"{engine.image_id(PROBE_IMAGE)[-24:]}.json"
    with suppress(OSError, EngineError, NotMeasurable):
        if time.time() - kept.stat().st_mtime < KEPT_SECONDS:
            return _security(kept.read_text(), "")
    probe = engine.create(
        PROBE_IMAGE,
        kind="probe",
        entrypoint=["/usr/local/bin/python3", "-I", "-S", "-c", _SCRIPT],
        command=[],
        network="bridge",
        memory=400_000_000,
        pids=32,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    try:
        if why := engine.start(probe):
            raise EngineError(f"The grader's probe does not start: {why}")
        engine.wait(probe, SECONDS)
        output = engine.output(probe)
        found = _security(output, engine.logs(probe))
        _keep(kept, output)
        return found
    finally:
        engine.remove(probe)


def _keep(path: Path, text: str) -> None:
    """A LAB_HOME that can't be written is no failure."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{uuid.uuid4().hex}")
        fresh.write_text(text)
        fresh.replace(path)


def _security(output: str, log: str) -> Security:
    try:
        said = json.loads(output)
        date = parsedate_to_datetime(said["date"]).timestamp() if said["date"] else 0.0
    except (ValueError, KeyError, TypeError) as err:
        raise EngineError(f"The grader's probe failed: {log[-300:]}") from err
    if not said["packages"] or not date:
        lost = " ".join(said["why"].split())[-200:]
        raise NotMeasurable(f"Not measured: Debian's security suite can't be fetched ({lost}).")
    newest = {
        name: max(versions, key=functools.cmp_to_key(compare))
        for name, versions in said["packages"].items()
    }
    return Security(said["suite"], date, newest)


@dataclass(frozen=True)
class Patched:
    """How up to date an image's Debian packages are.

    ``again`` when it had to be built afresh to tell, as its layers were older than the last repair;
    ``before`` is how many the cached one lacked. ``installed`` is None where no dpkg database is.
    """

    installed: Debian | None
    base: Debian
    updates: tuple[Update, ...]
    day: str = ""
    again: bool = False
    before: int = 0


@fact
def patched(
    image: Image, security: Security, builder: Builder, dockerfile: Dockerfile, engine: Engine
) -> Patched:
    """What Debian has repaired since, in a build that is not older than the last repair."""
    base = dpkg_of(engine, PROBE_IMAGE)
    if base is None:
        raise NotMeasurable(f"Not measured: {PROBE_IMAGE} here is not a Debian.")
    installed = dpkg_of(engine, image.id)
    first = _patched(installed, base, security)
    if not first.updates or _newer(engine, image, security):
        return first
    # A layer from the cache holds what was the newest on its day: that is no mistake in the file.
    fresh = secrets.token_hex(8)
    made = builder.make(builder.context.folder, parsed=dockerfile, fresh=fresh)
    second = _patched(dpkg_of(engine, made.image), base, security)
    return replace(second, again=True, before=len(first.updates))


def _patched(installed: Debian | None, base: Debian, security: Security) -> Patched:
    updates = pending(installed, security) if installed else ()
    return Patched(installed, base, updates, security.day)


def _newer(engine: Engine, image: Image, security: Security) -> bool:
    """Whether each layer above the base was made after the security suite last changed."""
    words = [engine.connection.docker, "history", "--format", "{{.CreatedAt}}", image.id]
    environment = dict(engine.connection.environment)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS)
    own = len(image.history) - len(engine.image(PROBE_IMAGE).history)
    times = [_seconds(line) for line in done.stdout.split()[: max(own, 0)]]
    return bool(times) and min(times) > security.date


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


# -- what is known of Python packages --------------------------------------------------------------


@dataclass(frozen=True)
class Advisory:
    """One known weakness: the versions in any of ``affected`` have it."""

    package: str
    id: str
    alias: str
    what: str
    affected: tuple[str, ...]

    def hits(self, version: str) -> bool:
        try:
            found = Version(version)
        except InvalidVersion:
            return False
        return any(_within(found, a.split(",")) for a in self.affected)


def _within(version: Version, bounds: list[str]) -> bool:
    """Not by pip's specifiers: to them a release candidate of a repair is no version below it."""
    above = (Version(b[2:]) <= version for b in bounds if b.startswith(">="))
    below = (version < Version(b[1:]) for b in bounds if b.startswith("<"))
    return all((*above, *below))


def newest(found: list[Advisory]) -> str:
    """The version from which on none of these advisories fits."""
    ranges = [part for one in found for a in one.affected for part in a.split(",")]
    return str(max(Version(part[1:]) for part in ranges if part.startswith("<")))


@dataclass(frozen=True)
class Snapshot:
    """The shipped advisories and their date."""

    date: str
    advisories: tuple[Advisory, ...]


@functools.lru_cache(maxsize=4)
def snapshot(path: Path = ADVISORIES) -> Snapshot:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    rows = tuple(
        Advisory(a["package"], a["id"], a["alias"], a["what"], tuple(a["affected"]))
        for a in data["advisory"]
    )
    return Snapshot(data["date"], rows)


@dataclass(frozen=True)
class Distribution:
    """One installed Python package, by its metadata's folder and by the file in it."""

    name: str
    version: str
    folder: str


@fact
def distributions(files: tuple[File, ...]) -> tuple[Distribution, ...]:
    """Every Python package that has metadata in the final image."""
    found = (_DIST.match(f.path) for f in files if f.kind == REGULAR)
    return tuple(
        Distribution(normal(m["name"]), m["version"], m[0].rpartition("/")[0]) for m in found if m
    )


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it (PEP 503)."""
    return str(canonicalize_name(name))


def matching(found: tuple[Distribution, ...]) -> list[tuple[Distribution, Advisory]]:
    """Each shipped advisory that fits an installed package."""
    known = snapshot().advisories
    return [(d, a) for d in found for a in known if a.package == d.name and a.hits(d.version)]


def without_metadata(
    files: tuple[File, ...], known: tuple[Distribution, ...], names: set[str]
) -> list[str]:
    """Packages of these names that can be imported, and that say no version of themselves."""
    there = {d.name for d in known}
    found = []
    for file in files:
        match = re.search(r"/(?:site|dist)-packages/([^/]+)/__init__\.py$", file.path)
        if match and normal(match[1]) in names - there:
            found.append(file.path.rpartition("/")[0])
    return sorted(set(found))


# -- a second opinion ------------------------------------------------------------------------------


def trivy(engine: Engine, image: str) -> tuple[str, list[str]]:
    """Trivy's fixable HIGH and CRITICAL findings in Debian's packages, and what to say of it.

    Where there is no Trivy, or no database of it, it says so: that is never "nothing found".
    """
    program, database = shutil.which("trivy"), Path.home() / ".cache/trivy/db/trivy.db"
    if not program or not database.is_file():
        return "Trivy: not measured here (no trivy with a database)", []
    words = [program, "image", "--quiet", "--format", "json", "--skip-db-update", "--offline-scan"]
    words += ["--severity", "HIGH,CRITICAL", "--ignore-unfixed", "--ignorefile", "/dev/null"]
    words += ["--scanners", "vuln", "--vuln-type", "os", image]
    environment = {**engine.connection.environment, "HOME": str(Path.home())}
    start = time.monotonic()
    try:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=SECONDS, cwd="/"
        )
        found = [
            f"{v['VulnerabilityID']} in {v['PkgName']}"
            for result in json.loads(done.stdout).get("Results") or ()
            for v in result.get("Vulnerabilities") or ()
        ]
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, AttributeError) as err:
        return f"Trivy: not measured here ({type(err).__name__})", []
    return f"Trivy: {len(found)} HIGH or CRITICAL, in {time.monotonic() - start:.0f} s", found
