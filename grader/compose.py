"""Makes the container of a Compose file's one service through ``docker compose``, not started.

What a file may say is decided by ``refusals``; here Compose reads it, and what it made of it is
looked at a second time. No network and no port of this machine is taken.
"""

from __future__ import annotations

import copy
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from grader import refusals
from grader.engine import LOG_BYTES, Engine, Image
from grader.errors import EngineError, NotMeasurable, SubmissionError
from grader.running import HEALTH_INTERVAL
from grader.runspec import RunSpec, blamed, client

_NO_PLUGIN = re.compile(r"is not a docker command|unknown (shorthand )?(command|flag)", re.I)
# Of these a submission's container has ours, or none.
OURS = (
    "build",
    "container_name",
    "depends_on",
    "networks",
    "ports",
    "profiles",
    "restart",
    "scale",
)


def resolved(engine: Engine, spec: RunSpec) -> dict[str, Any]:
    """The file as Compose understands it. Raises SubmissionError for what Compose says of it."""
    words = ["compose", *_variables(spec), "-f", spec.name, "-p", project(engine)]
    words += ["config", "--format", "json"]
    said = client(engine, words, folder=spec.folder)
    if said.returncode:
        if _NO_PLUGIN.search(said.stderr):
            raise NotMeasurable("Not measured: there is no `docker compose` here.")
        raise _unreadable(spec, said.stderr)
    data: dict[str, Any] = json.loads(said.stdout)
    # Variables and defaults are filled in now: what they hid is refused here.
    again = replace(spec.doc, documents=(data,))
    refusals.refuse_compose(again, folder=spec.folder, resolved=True)
    if spec.service not in (data.get("services") or {}):
        raise SubmissionError(f"{spec.name}: Compose leaves the service {spec.service} out.")
    return data


def _variables(spec: RunSpec) -> list[str]:
    """Only the submission's own ``.env``: named, so that nothing in it can name another file."""
    own = (spec.folder / ".env").is_file()
    return ["--env-file", ".env" if own else os.devnull]


def _unreadable(spec: RunSpec, said: str) -> SubmissionError:
    text = re.sub(r"\s+", " ", said.replace(str(spec.folder), ".")).strip()[-500:]
    found = re.search(r"services\.([\w.-]+)", text)
    line = spec.doc.line("services", *found[1].split(".")) if found else None
    place = f"{spec.name}, line {line}" if line else spec.name
    return SubmissionError(f"{place}: Compose can't read it: {text}", line=line, file=spec.name)


def create(engine: Engine, spec: RunSpec, image: Image, scratch: Path) -> str:
    """``docker compose create`` of the one service, as ours; gives the container's id."""
    data = ours(resolved(engine, spec), spec.service, image, engine.labels("submission"))
    path = scratch / "compose.json"
    path.write_text(json.dumps(data))
    words = ["compose", "--env-file", os.devnull, "-f", str(path)]
    words += ["--project-directory", str(spec.folder)]
    words += ["-p", project(engine), "create", "--no-build", "--pull", "never"]
    made = client(engine, words, folder=spec.folder)
    if made.returncode:
        raise blamed(engine, spec, made.stderr)
    return _container(engine, spec)


def ours(
    data: dict[str, Any], service: str, image: Image, labels: dict[str, str]
) -> dict[str, Any]:
    """The same file with our image, labels and log, without ports and networks."""
    data = copy.deepcopy(data)
    kept = {k: v for k, v in data["services"][service].items() if k not in OURS}
    kept["labels"] = {**_texts(kept.get("labels")), **labels}
    logging = {"driver": "json-file", "options": {"max-size": str(LOG_BYTES)}}
    kept |= {"image": image.id, "network_mode": "none", "logging": logging}
    if str(kept.get("memswap_limit", "")).startswith("-"):
        kept["memswap_limit"] = -1  # Compose writes it as a text that it can't read itself
    kept.pop("healthcheck", None)  # the image's own is asked, only more often
    if image.healthcheck:
        kept["healthcheck"] = {"interval": f"{HEALTH_INTERVAL // 1_000_000}ms"}
    if isinstance(deploy := kept.get("deploy"), dict):
        kept["deploy"] = {k: v for k, v in deploy.items() if k == "resources"}
    found = {k: data[k] for k in ("configs", "secrets") if data.get(k)}
    volumes = {name: {"labels": labels} for name in data.get("volumes") or {}}
    return {**found, "services": {service: kept}, **({"volumes": volumes} if volumes else {})}


def _texts(labels: Any) -> dict[str, Any]:
    return dict(labels) if isinstance(labels, dict) else {}


def project(engine: Engine) -> str:
    """A name for what Compose makes: this run's, so that two runs never meet."""
    return re.sub(r"[^a-z0-9]+", "-", f"lab-{engine.run}".lower())


def _container(engine: Engine, spec: RunSpec) -> str:
    wanted = ["ps", "-aq", "--no-trunc", "--filter"]
    wanted.append(f"label=com.docker.compose.project={project(engine)}")
    found = client(engine, wanted, folder=spec.folder).stdout.split()
    if len(found) != 1:
        raise EngineError(f"Compose made {len(found)} containers instead of one.")
    return found[0]
