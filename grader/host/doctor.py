"""`grader doctor`: what this machine can and can't grade, and what to do about it.

Not here: repairing anything. Where it can, a probe does the real thing on a small scale.
"""

import json
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grader import labels
from grader.console import Console
from grader.errors import EngineError
from grader.host import gpu as simulator
from grader.host import gpus, images, modes, recipes, registry, tools, trust
from grader.host.bridge import Bridge, bridge_works
from grader.host.cards import card
from grader.host.client import call, docker
from grader.host.connection import Connection, wanted
from grader.host.home import home

MARKS = {"ok": "✓", "bad": "✗", "note": "!"}
LEAST_DISK_GB, LEAST_MEMORY_GB = 5.0, 2.0

# Asks BuildKit for what the labs lean on: a heredoc, and a secret that must be there.
PROBE = """\
FROM {image} AS probe
RUN --mount=type=secret,id=probe,required=true <<EOF
set -e
cat /run/secrets/probe > /seen
EOF
FROM scratch
COPY --from=probe /seen /
"""


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. ``key`` is stable; programs may rely on it."""

    key: str
    title: str
    state: str  # ok | bad (labs 00 and 01 can't be graded in full) | note (worth knowing)
    seen: str
    do: str = ""


@dataclass(frozen=True)
class Patient:
    """What every probe may look at."""

    connection: Connection
    facts: dict[str, Any]
    info: dict[str, Any]


Probe = Callable[[Patient], Row]


def doctor(*, as_json: bool = False) -> int:
    """Show every row; 0 when all that labs 00 and 01 need is here, else 1."""
    rows = examine()
    good = all(row.state != "bad" for row in rows)
    if as_json:
        table = {"version": 1, "ok": good, "rows": [asdict(row) for row in rows]}
        print(json.dumps(table, ensure_ascii=False, indent=2))
    else:
        show(rows, Console())
    return 0 if good else 1


def show(rows: list[Row], console: Console) -> None:
    width = max(len(row.title) for row in rows)
    for row in rows:
        console.line(f"{MARKS[row.state]} {row.title:<{width}}  {row.seen}")
        if row.do:
            console.line(f"  {'':<{width}}  → {row.do}")
    if any(row.state == "bad" for row in rows):
        console.line("✗ has to be repaired before the labs can be graded in full.")


def examine() -> list[Row]:
    """Look at everything; an engine that doesn't answer leaves what needs none."""
    try:
        connection = wanted()
        patient = Patient(connection, _facts(connection), _info(connection))
    except EngineError as err:
        return [_no_engine(err), *_machine()]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda probe: _safely(probe, patient), PROBES))
    return [*rows[: -len(LAST)], *_network(patient), *rows[-len(LAST) :], *_machine()]


def _safely(probe: Probe, patient: Patient) -> Row:
    try:
        return probe(patient)
    except EngineError as err:
        return Row(probe.__name__, probe.__name__, "bad", _short(str(err)), _fix(str(err)))


def _no_engine(err: EngineError) -> Row:
    static = modes.why_static(home())
    way = static.how if static is not None else "`make up` starts one."
    return Row("engine", "Docker Engine", "bad", _short(str(err)), way)


def _facts(connection: Connection) -> dict[str, Any]:
    from grader.engine import Engine

    return dict(Engine(connection).facts())


def _info(connection: Connection) -> dict[str, Any]:
    done = docker(connection, "info", "--format", "{{json .}}")
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def engine(patient: Patient) -> Row:
    kinds = {"private": "private", "given": "from DOCKER_HOST", "context": "current context"}
    facts, connection = patient.facts, patient.connection
    seen = f"{facts['version']}, API {facts['api']}, {kinds[connection.kind]}: {connection.host}"
    return Row("engine", "Docker Engine", "ok", seen)


def builder(patient: Patient) -> Row:
    """One real build with the features that the labs lean on."""
    done = _probe_build(patient.connection)
    version = ".".join(map(str, tools.buildx_version(home(), Path(patient.connection.buildx[0]))))
    if done:
        return Row("builder", "BuildKit", "bad", f"buildx {version}: {_short(done)}", _fix(done))
    return Row("builder", "BuildKit", "ok", f"buildx {version}; heredocs and secrets work")


def _probe_build(connection: Connection) -> str:
    """What went wrong with the probe's build; empty for nothing."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "Dockerfile").write_text(PROBE.format(image=images.PYTHON), "utf-8")
        (folder / "secret").write_text("probe", "utf-8")
        words = ["build", "--no-cache", "--secret", f"id=probe,src={folder}/secret"]
        output = f"--output=type=local,dest={folder}/out"
        command = [*connection.buildx, *words, output, str(folder)]
        done = call(command, connection, timeout=60)
        return "" if done.returncode == 0 else done.stderr


def storage(patient: Patient) -> Row:
    driver = str(patient.facts["storage"])
    if driver == "vfs":
        way = "Use an engine whose disk supports overlay2; vfs copies each layer whole."
        return Row("storage", "storage driver", "note", driver, way)
    return Row("storage", "storage driver", "ok", driver)


def limits(patient: Patient) -> Row:
    """Can a build's memory and processes be limited?"""
    from grader.cgroups import CgroupUnavailable, Guard, Limit

    title, seen = "limits on builds", f"cgroup v{patient.facts['cgroup']}"
    if not patient.connection.local:
        way = "Builds run on another machine, so only time and size are limited."
        return Row("limits", title, "note", f"{seen}, not on this machine", way)
    try:
        with Guard("/lab-doctor", Limit(memory=1 << 30, pids=64)):
            return Row("limits", title, "ok", f"{seen}: memory and processes can be limited")
    except CgroupUnavailable as err:
        way = "Grade only what you trust here: a build may take all memory. Root can set limits."
        return Row("limits", title, "note", f"{seen}: {_short(str(err))}", way)


def gpu(patient: Patient) -> Row:
    """What a container sees that asks for all GPUs."""
    kind = str(patient.facts["gpu"])
    private = patient.connection.kind == "private"
    without = simulator.why_no_libraries(home()) if private and kind == "simulated" else ""
    seen = gpus.seen(patient.connection, kind)
    if without:
        way = (
            f"Programs find no GPU there, only nvidia-smi does: {without}. Install gcc, `make up`."
        )
        return Row("gpu", "GPU", "note", seen, way)
    late = private and simulator.wanted() and not simulator.started_with(home())
    if late:
        way = "This engine runs from before there were simulated ones: `make down`, then `make up`."
        return Row("gpu", "GPU", "note", seen, way)
    return Row("gpu", "GPU", "ok", seen)


def standins(patient: Patient) -> Row:
    """Which base images are real, and which were made here?"""
    made: list[str] = []
    real: list[str] = []
    missing: list[str] = []
    for one in recipes.load():
        state = images.inspect(patient.connection, one.tag)
        if state is None:
            missing.append(one.tag)
        elif one.standin:
            mine = labels.STANDIN in images.image_labels(state)
            (made if mine else real).append(one.tag)
    if missing:
        return Row("images", "base images", "bad", f"missing: {', '.join(missing)}", "`make up`")
    if made:
        seen = f"stand-ins from Debian packages: {', '.join(made)}"
        return Row("images", "base images", "note", seen, "Sizes differ from the real ones.")
    return Row("images", "base images", "ok", f"real: {', '.join(real)}", _ca_note())


def _ca_note() -> str:
    if not trust.machine().certificates:
        return ""
    return (
        "This machine trusts certificates of its own, which a pulled image doesn't: "
        "builds that download over TLS may fail."
    )


def disk(patient: Patient) -> Row:
    """Room where the engine keeps its data, if that is here, else what we can see."""
    root = Path(str(patient.info.get("DockerRootDir", "")))
    if not (patient.connection.local and root.is_dir()):
        return Row("disk", "engine's disk", "note", "not on this machine, can't be seen", "")
    free = shutil.disk_usage(root).free / 1e9
    seen = f"{free:.0f} GB free at {root}"
    if free < LEAST_DISK_GB:
        way = f"Make room: the labs want {LEAST_DISK_GB:.0f} GB. `docker builder prune` is a start."
        return Row("disk", "engine's disk", "bad", seen, way)
    return Row("disk", "engine's disk", "ok", seen)


def power(patient: Patient) -> Row:
    """The engine's processors and memory."""
    cpus, memory = int(patient.facts["cpus"]), float(patient.facts["memory_mb"]) / 1000
    seen = f"{cpus} CPUs, {memory:.1f} GB"
    if memory < LEAST_MEMORY_GB:
        way = f"Give the engine {LEAST_MEMORY_GB:.0f} GB or more, else training may be killed."
        return Row("power", "CPUs and memory", "note", seen, way)
    return Row("power", "CPUs and memory", "ok", seen)


def swarm(patient: Patient) -> Row:
    """Later labs: can an ingress port work? That needs IPVS in the kernel."""
    if not patient.connection.local:
        return Row("swarm", "Swarm", "note", "the engine's kernel is not this one's")
    if _ipvs():
        return Row("swarm", "Swarm", "ok", "the kernel has IPVS")
    return Row(
        "swarm",
        "Swarm",
        "note",
        "the kernel has no IPVS: no virtual IPs, no ingress port",
        "Use `--endpoint-mode dnsrr` and `--publish mode=host`. Labs 00 and 01 need no Swarm.",
    )


def _ipvs(proc: Path = Path("/proc"), modules: Path = Path("/lib/modules")) -> bool:
    if (proc / "net/ip_vs").exists():
        return True
    return any((modules / platform.release()).glob("kernel/net/netfilter/ipvs/ip_vs.ko*"))


PROBES: tuple[Probe, ...] = (
    engine, builder, storage, limits, standins, gpu, disk, power, swarm,
)  # fmt: skip
LAST: tuple[Probe, ...] = (gpu, disk, power, swarm)


def _network(patient: Patient) -> Iterator[Row]:
    """A real container on the default bridge, and what it reaches."""
    seen = bridge_works(patient.connection)
    if not seen.works:
        yield Row("bridge", "default bridge", "bad", _short(seen.said), _fix(seen.said))
        return
    yield Row("bridge", "default bridge", "ok", seen.said)
    yield _egress(seen)


def _egress(seen: Bridge) -> Row:
    if seen.mirror:
        way = "Builds that download packages fail until containers get out: firewall, DNS, VPN?"
        return Row("egress", "packages, from a container", "bad", seen.mirror, way)
    return Row("egress", "packages, from a container", "ok", "the package mirror is reached")


def _machine() -> list[Row]:
    """What can be seen without an engine."""
    if registry.reachable():
        return [Row("registry", "Docker Hub", "ok", "reached")]
    way = "Nothing, for these labs: base images are made from Debian packages."
    return [Row("registry", "Docker Hub", "note", "not reached", way)]


def _short(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"ERROR|error|docker:", line)]
    return (errors or lines or ["no reason given"])[-1][:300]


def _fix(text: str) -> str:
    known = card(text)
    return f"{known.means} {known.do}" if known else "Look at the engine's log."
