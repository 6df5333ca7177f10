"""Reads a Deployment: what its container's probes ask, and what an API server would refuse.

The schemas are kubernetes-validate's, which needs no network and no cluster. What the probes do
over time is ``kubelet``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from grader import yamls
from grader.errors import SubmissionError
from grader.refusals import refuse_manifest
from grader.registry import fact
from grader.yamls import Doc, Where

NAMES = ("deployment.yaml", "deployment.yml")
SCHEMA = "1.37"  # the newest that kubernetes-validate 1.37 brings along
Role = Literal["startup", "liveness", "readiness"]
ROLES: tuple[Role, ...] = ("startup", "liveness", "readiness")
Kind = Literal["http", "tcp", "exec", "grpc", "none"]


@dataclass(frozen=True)
class Handler:
    """What a probe does once; ``port`` is 0 where the manifest names one that is not there."""

    kind: Kind
    port: int = 0
    path: str = ""
    scheme: str = "HTTP"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "http":
            return f"GET {self.path} on port {self.port}"
        return " ".join(self.command) if self.kind == "exec" else f"{self.kind} port {self.port}"


@dataclass(frozen=True)
class Probe:
    """One probe of a container with Kubernetes' defaults filled in, in seconds and counts."""

    role: Role
    handler: Handler
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    success: int = 1
    failure: int = 3
    grace: float | None = None
    line: int | None = None

    @property
    def key(self) -> str:
        return f"{self.role}Probe"


@dataclass(frozen=True)
class Manifest:
    """The container of a Deployment. ``grace`` is how long it may take to end."""

    doc: Doc
    probes: Mapping[Role, Probe]
    grace: float = 30
    line: int | None = None


@fact
def manifest_doc(submission: Path) -> Doc:
    """The file, read and found harmless. Raises SubmissionError with its line."""
    path = next((submission / n for n in NAMES if (submission / n).is_file()), None)
    if path is None or path.is_symlink():
        raise SubmissionError(f"There is no file {NAMES[0]} in {submission.name}.")
    doc = yamls.read(path)
    refuse_manifest(doc)
    return doc


@fact
def manifest(manifest_doc: Doc) -> Manifest:
    """The Deployment's one container. Raises SubmissionError when there is none, or more."""
    found = [n for n, d in enumerate(manifest_doc.documents) if _get(d, "kind") == "Deployment"]
    if len(found) != 1:
        raise SubmissionError(f"{manifest_doc.name} holds {len(found)} Deployments, not one.")
    number, where = found[0], ("spec", "template", "spec", "containers")
    pod = _get(manifest_doc.documents[number], "spec", "template", "spec")
    containers = _get(pod, "containers")
    line = manifest_doc.line(*where, document=number)
    if not isinstance(containers, list) or len(containers) != 1:
        count = len(containers) if isinstance(containers, list) else 0
        text = f"{manifest_doc.name}: the Pod has {count} containers, not one."
        raise SubmissionError(text, line=line, file=manifest_doc.name)
    probes = {
        role: probe
        for role in ROLES
        if (probe := _probe(manifest_doc, number, (*where, 0), containers[0], role))
    }
    grace = _number(_get(pod, "terminationGracePeriodSeconds"), 30)
    return Manifest(manifest_doc, probes, grace, line)


def refused(doc: Doc) -> Iterator[tuple[str, int | None]]:
    """Why an API server would not take a document, and the line."""
    for number, data in enumerate(doc.documents):
        if not isinstance(data, Mapping):
            yield "a document is no mapping of keys to values", doc.line(document=number)
            continue
        if lacking := [key for key in ("apiVersion", "kind") if not isinstance(data.get(key), str)]:
            yield f"a document has no {lacking[0]}", doc.line(document=number)
            continue
        if why := _against_schema(data):
            where = why[1]
            yield f"{'.'.join(map(str, where)) or 'it'}: {why[0]}", _line(doc, where, number)
            continue
        yield from _rules(doc, number, data)


def _line(doc: Doc, where: Where, number: int) -> int | None:
    return doc.line(*where, document=number)


def _against_schema(data: Mapping[str, Any]) -> tuple[str, Where] | None:
    import kubernetes_validate

    try:
        kubernetes_validate.validate(dict(data), SCHEMA, strict=True)
    except kubernetes_validate.ValidationError as err:
        return str(err.message)[:300], tuple(err.path)
    except kubernetes_validate.SchemaNotFoundError:
        return f"Kubernetes {SCHEMA} knows no {data['kind']} in {data['apiVersion']}", ("kind",)
    return None


def _rules(doc: Doc, number: int, data: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """What an API server checks beyond the schema, as far as this exercise can meet it."""
    if data["kind"] != "Deployment":
        return
    selector = _get(data, "spec", "selector", "matchLabels") or {}
    labels = _get(data, "spec", "template", "metadata", "labels") or {}
    if not selector or any(labels.get(key) != value for key, value in selector.items()):
        where = ("spec", "selector")
        yield "spec.selector does not match the labels of the template", _line(doc, where, number)
    inside = ("spec", "template", "spec", "containers")
    for at, container in enumerate(_get(data, *inside) or ()):
        for role in ROLES:
            probe = _probe(doc, number, (*inside, at), container, role)
            if probe and (why := _probe_rule(probe, _get(container, probe.key))):
                yield f"{probe.key}: {why}", probe.line


def _probe_rule(probe: Probe, data: Any) -> str:
    handlers = [key for key in ("httpGet", "tcpSocket", "exec", "grpc") if key in data]
    if len(handlers) != 1:
        return f"it needs exactly one of httpGet, tcpSocket, exec and grpc, and has {len(handlers)}"
    if probe.role != "readiness" and probe.success != 1:
        return "successThreshold must be 1 here"
    if (
        probe.initial_delay < 0
        or min(probe.period, probe.timeout, probe.failure, probe.success) < 1
    ):
        return "periods, time-outs and thresholds must be 1 or more"
    if probe.role == "readiness" and probe.grace is not None:
        return "terminationGracePeriodSeconds is only for probes that end the container"
    return ""


def _probe(doc: Doc, number: int, where: Where, container: Any, role: Role) -> Probe | None:
    data = _get(container, f"{role}Probe")
    if not isinstance(data, Mapping):
        return None
    grace = data.get("terminationGracePeriodSeconds")
    return Probe(
        role,
        _handler(container, data),
        initial_delay=_number(data.get("initialDelaySeconds"), 0),
        period=_number(data.get("periodSeconds"), 10),
        timeout=_number(data.get("timeoutSeconds"), 1),
        success=int(_number(data.get("successThreshold"), 1)),
        failure=int(_number(data.get("failureThreshold"), 3)),
        grace=_number(grace, 30) if grace is not None else None,
        line=doc.line(*where, f"{role}Probe", document=number),
    )


def _handler(container: Any, data: Mapping[str, Any]) -> Handler:
    if isinstance(http := data.get("httpGet"), Mapping):
        rows = http.get("httpHeaders") or ()
        path = str(http.get("path") or "/")
        return Handler(
            "http",
            _port(container, http.get("port")),
            path if path.startswith("/") else f"/{path}",
            str(http.get("scheme") or "HTTP").upper(),
            str(http.get("host") or ""),
            tuple((str(_get(r, "name")), str(_get(r, "value"))) for r in rows),
        )
    if isinstance(tcp := data.get("tcpSocket"), Mapping):
        port = _port(container, tcp.get("port"))
        return Handler("tcp", port, host=str(tcp.get("host") or ""))
    if isinstance(run := data.get("exec"), Mapping):
        return Handler("exec", command=tuple(map(str, run.get("command") or ())))
    return Handler("grpc" if "grpc" in data else "none")


def _port(container: Any, port: Any) -> int:
    """A number, or the one of the container's ports that has this name."""
    if isinstance(port, int):
        return port
    rows = _get(container, "ports") or ()
    named = [_get(r, "containerPort") for r in rows if _get(r, "name") == port]
    return named[0] if named and isinstance(named[0], int) else 0


def _get(data: Any, *keys: str) -> Any:
    """What lies there, or None wherever the way ends."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _number(value: Any, default: float) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if good else float(default)
