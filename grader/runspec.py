"""How a submission's container is to run, as its ``run.toml`` or ``compose.yaml`` says it.

Read and refused here, and made into a container that is not started; what the container then is
and does is judged by ``checks``. Compose files go through Compose's own client: see ``compose``.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader import refusals, yamls
from grader.context import Context
from grader.engine import LOG_BYTES, PROBE_IMAGE, Engine, Image
from grader.errors import EngineError, SubmissionError
from grader.registry import fact
from grader.running import HEALTH_INTERVAL
from grader.yamls import Doc, Where

RUN = "run.toml"
COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
SECONDS = 60  # for one call of the client
_LISTS = (
    "add-host cap-add cap-drop device env env-file expose group-add mount security-opt tmpfs ulimit"
)
_VALUES = """
cpu-shares cpus cpuset-cpus entrypoint gpus hostname ipc memory memory-reservation memory-swap
memory-swappiness pid pids-limit shm-size stop-signal stop-timeout user userns uts workdir"""
# Known, and left to us: no port of this machine, no network, no name, no restart, our own log.
_OURS = "detach label log-driver log-opt name network publish publish-all restart rm"
LISTS, VALUES = frozenset((*_LISTS.split(), "volume")), frozenset(_VALUES.split())
FLAGS, OURS = frozenset({"init", "privileged", "read-only"}), frozenset(_OURS.split())
KNOWN = LISTS | VALUES | FLAGS | OURS


@dataclass(frozen=True)
class RunSpec:
    """A run specification that asks for nothing that is refused.

    ``wanted`` are the keys of ``run.toml``, or those of the one service as the file has them;
    ``service`` is that service's name, "" for a ``run.toml``.
    """

    doc: Doc
    folder: Path
    wanted: Mapping[str, Any]
    service: str = ""

    @property
    def name(self) -> str:
        return self.doc.name

    def line(self, *keys: str) -> int | None:
        """The line of the first of these keys that is there, else of what holds them."""
        top: Where = ("services", self.service) if self.service else ()
        key = next((k for k in keys if k in self.wanted), None)
        return self.doc.line(*top, key) if key else self.doc.line(*top)


@fact
def runspec(context: Context) -> RunSpec:
    """How the submission's container is to run. Raises SubmissionError with file and line."""
    return read(context.folder)


def read(folder: Path) -> RunSpec:
    """The one run specification of a folder; it is refused here, before anything else."""
    there = [n for n in (RUN, *COMPOSE) if (folder / n).exists() or (folder / n).is_symlink()]
    if not there:
        raise SubmissionError(f"There is neither a {COMPOSE[0]} nor a {RUN}. Hand in one of them.")
    if len(there) > 1:
        raise SubmissionError(f"There are {there[0]} and {there[1]}. Hand in one of them.")
    path = folder / there[0]
    if path.is_symlink() or not path.is_file():
        raise SubmissionError(f"{there[0]} must be a plain file.")
    return _run_toml(path, folder) if there[0] == RUN else _compose(path, folder)


# -- reading ---------------------------------------------------------------------------------------


def _compose(path: Path, folder: Path) -> RunSpec:
    doc = yamls.read(path)
    if not isinstance(doc.data, dict) or not isinstance(doc.data.get("services"), dict):
        raise SubmissionError(
            f"{doc.name} has no services. Name one, as `docker compose` wants it."
        )
    refusals.refuse_compose(doc, folder=folder)
    if (folder / ".env").is_symlink():
        raise SubmissionError(".env must be a plain file.")
    services = doc.data["services"]
    if len(services) != 1:
        names = ", ".join(map(str, services)) or "none"
        raise SubmissionError(
            f"{doc.name}: exactly one service is graded here, and there are {len(services)}"
            f" ({names}). Leave the one that the task is about.",
            line=doc.line("services"),
        )
    name, service = next(iter(services.items()))
    if not isinstance(service, dict):
        raise _wrong(doc, ("services", name), f"the service {name} is empty")
    return RunSpec(doc, folder, service, str(name))


def _run_toml(path: Path, folder: Path) -> RunSpec:
    doc = toml(path)
    # What is refused is told first: that it is also no key of ours would hide why.
    refusals.refuse_run(doc, folder=folder)
    for key, value in doc.data.items():
        if key not in KNOWN:
            raise _wrong(doc, (key,), f"{key!r} is not known here{_meant(key)}")
        if why := _misfit(key, value):
            raise _wrong(doc, (key,), f"{key} {why}")
    return RunSpec(doc, folder, doc.data)


def _meant(key: str) -> str:
    """The known key that this one is a slip of, or all of them."""
    near = difflib.get_close_matches(key.lower().replace("_", "-"), sorted(KNOWN), 1)
    return f". Did you mean {near[0]}?" if near else f". Known are: {', '.join(sorted(KNOWN))}"


def _misfit(key: str, value: Any) -> str:
    """Why a value does not fit its flag; "" when it does."""
    if key in OURS or (key == "env" and isinstance(value, dict)):
        return ""
    if key in FLAGS:
        return "" if isinstance(value, bool) else "is true or false"
    if key in VALUES:
        fits = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        return "" if fits else "is a text or a number"
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, str) for row in rows):
        return "is a text or a list of texts"
    if key == "env" and not all("=" in row for row in rows):
        return 'is a list of "NAME=value": nothing is taken over from this machine'
    return ""


def _wrong(doc: Doc, where: Where, what: str) -> SubmissionError:
    line = doc.line(*where)
    place = f"{doc.name}, line {line}" if line else doc.name
    return SubmissionError(f"{place}: {what}.", line=line, file=doc.name)


def toml(path: Path) -> Doc:
    """A TOML file with the lines of its keys. Raises SubmissionError."""
    try:
        text = path.read_bytes()[: yamls.MOST_BYTES].decode("utf-8-sig")
        data = tomllib.loads(text)
    except UnicodeDecodeError as err:
        raise SubmissionError(f"{path.name} is not UTF-8 text.") from err
    except (tomllib.TOMLDecodeError, RecursionError) as err:
        found = re.search(r"line (\d+)", str(err))
        line = int(found[1]) if found else None
        raise SubmissionError(
            f"{path.name}: not valid TOML: {err}.", line=line, file=path.name
        ) from err
    lines = {(0, where): line for where, line in _toml_lines(text.splitlines(), data)}
    return Doc(path.name, (data,), {(0, ()): 1, **lines})


def _toml_lines(rows: list[str], data: Mapping[str, Any]) -> Iterator[tuple[Where, int]]:
    """The line of each top key, and of each entry of its list."""
    for key, value in data.items():
        start = re.compile(rf"""\s*(\[\s*)?["']?{re.escape(key)}["']?\s*[=.\]]""")
        first = next((n for n, row in enumerate(rows, 1) if start.match(row)), None)
        if first is None:
            continue
        yield (key,), first
        at = first
        for number, one in enumerate(value if isinstance(value, list) else ()):
            at = next((n for n in range(at, len(rows) + 1) if str(one) in rows[n - 1]), at)
            yield (key, number), at


# -- the container of a run.toml ------------------------------------------------------------------


def flags(spec: RunSpec) -> list[str]:
    """The flags of ``docker create`` that the keys stand for, those that are ours left out."""
    words = []
    for key, value in spec.wanted.items():
        if key in OURS:
            continue
        if isinstance(value, bool):
            words.append(f"--{key}={str(value).lower()}")
            continue
        rows = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else value
        words += [f"--{key}={row}" for row in (rows if isinstance(rows, list) else [rows])]
    return words


def create(engine: Engine, spec: RunSpec, image: Image) -> str:
    """``docker create`` with the flags of a ``run.toml``; gives the container's id."""
    words = ["create", "--pull", "never", *_named_volumes(engine, spec, flags(spec))]
    words += [w for k, v in engine.labels("submission").items() for w in ("--label", f"{k}={v}")]
    words += [
        "--network",
        "none",
        "--log-driver",
        "json-file",
        "--log-opt",
        f"max-size={LOG_BYTES}",
    ]
    if image.healthcheck:
        words += ["--health-interval", f"{HEALTH_INTERVAL // 1_000_000}ms"]
    made = client(engine, [*words, image.id], folder=spec.folder)
    if made.returncode:
        raise blamed(engine, spec, made.stderr)
    return made.stdout.strip().splitlines()[-1]


def _named_volumes(engine: Engine, spec: RunSpec, words: list[str]) -> list[str]:
    """Volumes are made anew, with names of this run's: one that is there is somebody else's."""
    prefix = re.sub(r"[^a-zA-Z0-9]+", "-", engine.run)
    marks = [w for k, v in engine.labels("submission").items() for w in ("--label", f"{k}={v}")]
    changed = []
    for word in words:
        if match := re.match(r"--volume=([A-Za-z0-9][\w.-]*):", word):
            name = f"{prefix}-{match[1]}"
            client(engine, ["volume", "create", *marks, name], folder=spec.folder)
            word = f"--volume={name}:{word[match.end() :]}"  # noqa: PLW2901
        changed.append(word)
    return changed


def client(
    engine: Engine, words: Sequence[str], *, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Docker's client, with nothing of this process's environment but the way to the engine."""
    environment = {**engine.connection.environment, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(
            [engine.connection.docker, *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise EngineError(f"Docker's client failed ({words[0]}): {err}") from err


def blamed(engine: Engine, spec: RunSpec, said: str) -> Exception:
    """Whose failure it is that no container comes about or starts: ours fails as well, or not."""
    engine.ping()
    marks = [w for k, v in engine.labels("canary").items() for w in ("--label", f"{k}={v}")]
    canary = ["run", "--rm", "--pull", "never", "--network", "none", *marks, PROBE_IMAGE, "true"]
    ours = client(engine, canary, folder=spec.folder)
    what = re.sub(r"\s+", " ", said.replace(str(spec.folder), ".")).strip()[-500:]
    what = re.sub(r" ?See 'docker \w+ --help'\.?", "", what)
    if ours.returncode:
        return EngineError(f"Docker can't run any container here: {ours.stderr.strip()[-300:]}")
    return SubmissionError(f"{spec.name}: Docker does not make the container: {what}")
