"""What a submission may not ask of this machine: said, with file and line, before anything starts.

For the three ways of saying how a container is to run: a Compose file, a ``run.toml``, a Kubernetes
manifest. Nothing is read from the disk but where a link leads, and nothing is started here.
"""

from __future__ import annotations

import csv
import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from grader.errors import SubmissionError
from grader.yamls import Doc, Where

_ORDINARY = """
AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID
SETPCAP SETUID SYS_CHROOT"""
_SERVICE = """
annotations attach build cap_add cap_drop cgroup command configs container_name cpu_shares cpus
cpuset depends_on deploy dns dns_opt dns_search domainname entrypoint env_file environment expose
extends extra_hosts gpus group_add healthcheck hostname image init ipc labels logging mac_address
mem_limit mem_reservation mem_swappiness memswap_limit network_mode networks pid pids_limit platform
ports privileged profiles pull_policy read_only restart scale secrets security_opt shm_size
stdin_open stop_grace_period stop_signal tmpfs tty ulimits user userns_mode uts volumes working_dir
"""
# The capabilities that every container has unless they are dropped. Any other one is refused.
ORDINARY = frozenset(_ORDINARY.split())
# Keys of a Compose service that can do this machine no harm, or whose values are looked at below.
SERVICE = frozenset(_SERVICE.split())
# Why a key is refused whatever it says.
NEVER = {
    "blkio_config": "it names devices of this machine",
    "cgroup_parent": "it would leave the limits that a submission runs in",
    "credential_spec": "it reads files of this machine",
    "device": "it hands over a device of this machine",
    "device_cgroup_rules": "it hands over devices of this machine",
    "device-cgroup-rule": "it hands over devices of this machine",
    "devices": "it hands over devices of this machine",
    "extends": "one file is graded, without others",
    "external_links": "it reaches for containers that are not the submission's",
    "include": "one file is graded, without others",
    "link": "it reaches for containers that are not the submission's",
    "links": "it reaches for containers that are not the submission's",
    "models": "it has the engine run programs beside the container",
    "oom_kill_disable": "a container that is out of memory would hang for ever",
    "oom-kill-disable": "a container that is out of memory would hang for ever",
    "oom_score_adj": "other programs would be ended in its place",
    "oom-score-adj": "other programs would be ended in its place",
    "post_start": "it runs commands with other rights than the container's",
    "pre_stop": "it runs commands with other rights than the container's",
    "provider": "it runs a program on this machine",
    "runtime": "it replaces what keeps the container apart",
    "storage_opt": "it changes how the engine stores",
    "sysctl": "it changes the kernel's settings",
    "sysctls": "it changes the kernel's settings",
    "use_api_socket": "that is the Docker socket, and with it this machine",
    "volumes_from": "it reaches for containers that are not the submission's",
    "volumes-from": "it reaches for containers that are not the submission's",
}
_SPACES = "cgroup cgroupns ipc network network_mode pid userns userns_mode uts"
SPACES = frozenset(_SPACES.split())
_MODES = "cached consistent delegated nocopy private ro rprivate rw z Z"
MODES = frozenset(_MODES.split())
SOCKETS = ("/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock")
TRUE = ("true", "yes", "on", "1", "y")
_GPU = re.compile(r"nvidia\.com/gpu=[\w-]+")
_REMOTE = re.compile(r"^[\w.-]+@|://|^(?:github|gitlab|bitbucket)\.|\.git(?:$|#)")


@dataclass(frozen=True)
class Refusal:
    """One thing that is refused, with the key that asks for it."""

    where: Where
    what: str
    document: int = 0


def refuse_compose(doc: Doc, *, folder: Path | None = None, resolved: bool = False) -> None:
    """Raise SubmissionError for what a Compose file may not ask for.

    ``folder`` is where the submission lies, to see where links lead. ``resolved`` is for Compose's
    own output, in which each path is absolute.
    """
    _raise_first(doc, _Compose(_Paths(folder, resolved)).refusals(doc.data))


def refuse_run(doc: Doc, *, folder: Path | None = None) -> None:
    """Raise SubmissionError for what a ``run.toml`` may not ask for: keys are flags of docker."""
    _raise_first(doc, _run(doc.data, _Paths(folder)))


def refuse_manifest(doc: Doc) -> None:
    """Raise SubmissionError for what a Kubernetes manifest may not ask of a machine."""
    found = [r for at, one in enumerate(doc.documents) for r in _manifest(one, (), at)]
    _raise_first(doc, iter(found))


def _raise_first(doc: Doc, found: Iterator[Refusal]) -> None:
    for refusal in found:
        line = doc.line(*refusal.where, document=refusal.document)
        where = f"{doc.name}, line {line}" if line else doc.name
        raise SubmissionError(
            f"{where}: {refusal.what}. Nothing was started. Take it out.",
            line=line,
            file=doc.name,
            evidence={"refused": ".".join(map(str, refusal.where))},
        )


# -- paths and mounts ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Paths:
    """Tells whether a path stays inside the submission."""

    folder: Path | None = None
    resolved: bool = False

    def refused(self, path: Any) -> str:
        """Why a path is refused; "" when it stays inside."""
        text = str(path)
        if "$" in text and not self.resolved:
            return f"{text} takes a path from a variable: write it out"
        if _is_socket(text):
            return f"{text} is or holds the Docker socket, and with it this machine"
        if not self._inside(text):
            return f"{text} lies outside of the submission"
        return f"{text} is a link that leads out of the submission" if self._link(text) else ""

    def _inside(self, text: str) -> bool:
        if text.startswith("~") or "\\" in text or _REMOTE.search(text):
            return False
        if text.startswith("/"):
            home = self.folder and self.folder.resolve()
            return bool(self.resolved and home and _plain(text).is_relative_to(home))
        return not os.path.normpath(text).startswith("..")

    def _link(self, text: str) -> bool:
        if self.folder is None:
            return False
        try:
            home = self.folder.resolve()
            return not (home / text).resolve().is_relative_to(home)
        except (OSError, RuntimeError):
            return True


def _plain(text: str) -> PurePosixPath:
    return PurePosixPath(os.path.normpath(text))


def _is_socket(text: str) -> bool:
    if re.search(r"(docker|containerd|podman|crio)\.sock", text):
        return True
    here = os.path.normpath(text)
    here = here.removeprefix("/var") if here.startswith("/var/run") else here
    return text.startswith("/") and any(PurePosixPath(s).is_relative_to(here) for s in SOCKETS)


def _mount(volume: Any, paths: _Paths) -> str:
    """Why a mount is refused: ``SOURCE:TARGET:MODE``, or a table of Compose's or of --mount's."""
    if isinstance(volume, Mapping):
        return _long_mount(volume, paths)
    source, _, rest = str(volume).partition(":")
    mode = rest.partition(":")[2]
    if odd := [m for m in mode.split(",") if m and m not in MODES]:
        return f"the mount option {odd[0]} could reach beyond the container"
    return paths.refused(source) if _is_path(source) and rest else ""


def _long_mount(volume: Mapping[str, Any], paths: _Paths) -> str:
    kind, bind = str(volume.get("type", "volume")).lower(), volume.get("bind")
    sources = [str(volume[key]) for key in ("source", "src") if key in volume]
    spread = volume.get("bind-propagation") or (_table(bind).get("propagation"))
    if kind not in ("bind", "volume", "tmpfs"):
        return f"a mount of type {kind} is not taken"
    if spread and spread not in MODES:
        return f"the mount option {spread} could reach beyond the container"
    if any(str(key).startswith(("volume-opt", "volume-driver")) for key in volume):
        return "options of a volume's driver could mount anything of this machine"
    reach = [s for s in sources if kind == "bind" or _is_path(s)]
    return next((why for s in reach if (why := paths.refused(s))), "")


def _is_path(source: str) -> bool:
    """Whether it is a folder of the machine and not the name of a volume."""
    return source.startswith((".", "/", "~", "\\")) or "/" in source or "$" in source


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _is_true(value: Any) -> bool:
    return value is True or str(value).strip().lower() in TRUE


# -- what Compose and docker run have in common ---------------------------------------------------


def _space(key: str, value: Any) -> str:
    """Namespaces of the host, or of a container that is not the submission's."""
    text = str(value).strip().lower()
    if text == "host":
        return f"{key}: host gives the container a namespace of this machine"
    if text.startswith(("container:", "ns:", "/")):
        return f"{key}: {text} reaches for what is not the submission's"
    return f"{key} is taken from a variable: write it out" if "$" in text else ""


def _capability(value: Any) -> str:
    name = str(value).upper().removeprefix("CAP_")
    if name in ORDINARY:
        return ""
    return f"the capability {name} gives rights over this machine"


def _security_opt(value: Any) -> str:
    text = str(value).strip().lower().replace("=", ":", 1)
    known = ("apparmor:docker-default", "seccomp:builtin")
    if text in known or re.fullmatch(r"no-new-privileges(:(true|false))?", text):
        return ""
    return f"the security option {value} loosens what keeps the container apart"


def _never(key: str) -> str:
    return f"{key} is refused: {NEVER[key]}"


# -- Compose --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Compose:
    paths: _Paths

    def refusals(self, data: Any) -> Iterator[Refusal]:
        data = _table(data)
        if data.get("include"):
            yield Refusal(("include",), _never("include"))
        for name, service in _table(data.get("services")).items():
            for key, value in _table(service).items():
                where = ("services", str(name), str(key))
                yield from self.service(where, str(key), value)
        for kind in ("networks", "volumes", "secrets", "configs"):
            for name, table in _table(data.get(kind)).items():
                yield from self.thing((kind, str(name)), _table(table))

    def service(self, where: Where, key: str, value: Any) -> Iterator[Refusal]:
        if value in (None, False, [], {}):
            return
        if why := self.key(key, value):
            yield Refusal(where, why)
        for at, one in enumerate(_list(value)):
            if why := self.entry(key, one):
                yield Refusal((*where, at) if isinstance(value, list) else where, why)

    def key(self, key: str, value: Any) -> str:
        """Why the whole of a key is refused."""
        if key in NEVER:
            same_file = key == "extends" and not _table(value).get("file")
            return "" if same_file else _never(key)
        if key.startswith("x-"):
            return ""
        if key not in SERVICE:
            near = difflib.get_close_matches(key, sorted(SERVICE), 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            return f"the key {key} of a service is not taken here{meant}"
        if key == "privileged":
            return _privileged(key, value)
        return _space(key, value) if key in SPACES else self.table(key, value)

    def table(self, key: str, value: Any) -> str:
        if key == "build":
            return self.build(value)
        driver = _table(value).get("driver", "json-file") if key == "logging" else "json-file"
        if driver not in ("json-file", "local", "none"):
            return f"the log driver {driver} sends the output away from here"
        return ""

    def entry(self, key: str, one: Any) -> str:
        """Why one entry of a list is refused."""
        rules: dict[str, Callable[[Any], str]] = {
            "cap_add": _capability,
            "security_opt": _security_opt,
            "volumes": lambda v: _mount(v, self.paths),
            "env_file": lambda v: self.paths.refused(_table(v).get("path", v)),
        }
        return rules[key](one) if key in rules else ""

    def build(self, value: Any) -> str:
        table = value if isinstance(value, Mapping) else {"context": value}
        for key in ("privileged", "entitlements", "ssh", "isolation"):
            if table.get(key):
                return f"build.{key} is refused: it gives the build rights over this machine"
        if table.get("network") == "host":
            return _space("build.network", "host")
        more = _table(table.get("additional_contexts")).values()
        for path in (table.get("context"), table.get("dockerfile"), *more):
            if path and (why := self.paths.refused(path)):
                return f"build: {why}"
        return ""

    def thing(self, where: Where, table: Mapping[str, Any]) -> Iterator[Refusal]:
        """One network, volume, secret or config."""
        if table.get("external"):
            yield Refusal((*where, "external"), f"{where[1]} is not the submission's own")
        if _table(table.get("driver_opts")):
            what = "options of a driver could mount or join anything of this machine"
            yield Refusal((*where, "driver_opts"), what)
        if table.get("driver") not in (None, "", "local", "bridge"):
            yield Refusal((*where, "driver"), f"the driver {table['driver']} is not taken here")
        if table.get("file") and (why := self.paths.refused(table["file"])):
            yield Refusal((*where, "file"), why)


def _privileged(key: str, value: Any) -> str:
    if value is False or str(value).strip().lower() in ("false", "no", "off", "0"):
        return ""
    return f"{key} switches off all that keeps the container apart from this machine"


# -- run.toml -------------------------------------------------------------------------------------


def _run(data: Any, paths: _Paths) -> Iterator[Refusal]:
    for key, value in _table(data).items():
        if key in NEVER and value not in (False, [], "") and not _is_gpu(key, value):
            yield Refusal((key,), _never(key))
            continue
        for at, one in enumerate(_list(value)):
            if why := _flag(key, one, paths):
                yield Refusal((key, at) if isinstance(value, list) else (key,), why)


def _is_gpu(key: str, value: Any) -> bool:
    """A GPU by its CDI name: the same as --gpus, and no device of the student's choice."""
    return key == "device" and all(_GPU.fullmatch(str(one)) for one in _list(value))


def _flag(key: str, one: Any, paths: _Paths) -> str:
    rules: dict[str, Callable[[Any], str]] = {
        "cap-add": _capability,
        "env-file": paths.refused,
        "mount": lambda v: _mount(_pairs(v), paths),
        "privileged": lambda v: _privileged("privileged", v),
        "security-opt": _security_opt,
        "volume": lambda v: _mount(v, paths),
    }
    if key in SPACES:
        return _space(key, one)
    return rules[key](one) if key in rules else ""


def _pairs(text: Any) -> dict[str, str]:
    """``type=bind,source=x,target=y``, as --mount takes it: a line of CSV, quotes and all."""
    parts = (part.partition("=") for row in csv.reader([str(text)]) for part in row)
    return {key.strip().lower(): value.strip() for key, _, value in parts}


# -- Kubernetes -----------------------------------------------------------------------------------

HOST_KEYS = ("hostnetwork", "hostpid", "hostipc", "hostprocess", "privileged")
OPAQUE = ("metadata", "data", "stringdata", "binarydata", "matchlabels", "env", "args", "command")


def _manifest(value: Any, where: Where, document: int) -> Iterator[Refusal]:
    """Wherever it stands in a document: in a Pod, a template, a List of them."""
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield from _manifest(one, (*where, at), document)
    if not isinstance(value, Mapping):
        return
    for key, child in value.items():
        here = (*where, str(key))
        if why := _manifest_key(str(key).lower(), child, where):
            yield Refusal(here, why, document)
        elif str(key).lower() not in OPAQUE:
            yield from _manifest(child, here, document)


def _manifest_key(key: str, child: Any, where: Where) -> str:  # noqa: PLR0911  a table of rules
    inside = str(where[-1]).lower() if where else ""
    if key in HOST_KEYS and _is_true(child):
        return f"{key} gives the pod what is the node's" if key != "privileged" else _ALL_RIGHTS
    if key == "local" and _table(child).get("path"):
        return f"a local volume reaches into the node: {child['path']}"
    if key == "hostpath" and child is not None:
        return f"a hostPath volume reaches into the node: {_table(child).get('path', child)}"
    if key == "hostport" and child not in (None, 0, "0"):
        return f"hostPort {child} takes a port of the node; a Service needs none"
    if key == "add" and inside == "capabilities" and child:
        return f"the capabilities {', '.join(map(str, _list(child)))} are added"
    if key == "procmount" and str(child).lower() == "unmasked":
        return "procMount: Unmasked shows the node's /proc"
    if key == "type" and inside in _PROFILES and str(child).lower() == "unconfined":
        return f"{where[-1]} of type Unconfined loosens what keeps the container apart"
    if key == "sysctls" and child:
        return "sysctls change the node's kernel settings"
    return ""


_PROFILES = ("seccompprofile", "apparmorprofile")
_ALL_RIGHTS = "privileged switches off all that keeps the container apart from the node"
