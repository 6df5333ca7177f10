"""All that we ask of Docker through its API; the only place that imports docker.

The daemon's and the network's errors become EngineError here, once. Everything made carries the
run's label and is removed by ``close``. Builds go through BuildKit's client: see ``build``.
"""

from __future__ import annotations

import io
import re
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self

import docker
import requests
import urllib3

from grader import labels, look, runs
from grader.cgroups import version
from grader.errors import EngineError, SubmissionError
from grader.host.cards import advice
from grader.host.connection import Connection, connect
from grader.look import File
from grader.objects import HealthProbe, Image, Layer, State, being_made, threads_together

__all__ = ["PROBE_IMAGE", "Engine", "HealthProbe", "Image", "Layer", "State", "translated"]

PROBE_IMAGE = "python:3.11-slim"  # whose Python our probes run; a container of it must work
OF_SUBMISSION = ("submission", "look")  # the kinds of containers that a student's image is in
TIMEOUT = 60  # seconds for one API call
LOOK = 0.05  # seconds between two looks at a command that runs
LOOKS = 8  # further ones at the processes, while one of them is only just being made
LATE = 124  # what is told of a command that did not end in time, as timeout(1) does
LINE_LENGTH = 500  # characters of one line of a container's output
BAD_REQUEST = 400
NOT_REGULAR = 0x8F280000 & ~(1 << 27)  # type bits of Go's file mode: folder, device, pipe, …
LOG_BYTES = 5_000_000  # what the daemon keeps of one container's output
_COMMAND = re.compile(
    r"unable to start container process: (error during container init: )?(exec:? |chdir to cwd )"
    r"|unable to find (user|group) |no command specified|uids and gids must be in range"
)
# a file where a folder was meant, a circle of links
_NO_WAY = re.compile("not a directory|too many links")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    try:
        yield
    except docker.errors.DockerException as err:
        why = getattr(err, "explanation", None) or str(err)
        raise EngineError(f"Docker failed to {doing}: {why}.{advice(str(why))}") from err
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as err:
        raise EngineError(f"The Docker daemon was lost ({doing}): {err}") from err


class Engine:
    """One connection for one run. Use it as a context manager: leaving removes what was made."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.run = runs.fresh()
        with translated("answer"):
            self.api = docker.APIClient(connection.host, version="auto", timeout=TIMEOUT)
        self._info: dict[str, Any] | None = None
        self._students: set[str] = set()  # containers of a submission's image
        self.too_big: set[str] = set()  # those that were ended because they filled the disk

    @classmethod
    def open(cls, connection: Connection | None = None) -> Engine:
        """Connect, and sweep up after runs that were killed. Raises EngineError."""
        engine = cls(connection or connect())
        engine.sweep()
        return engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(EngineError):  # what led here says more than a failed clean-up
            self.close()
        self.api.close()

    def labels(self, kind: str) -> dict[str, str]:
        return {labels.RUN: self.run, labels.KIND: kind}

    # -- the engine itself ---------------------------------------------------------------------

    def ping(self) -> None:
        with translated("answer"):
            self.api.ping()

    @property
    def info(self) -> Mapping[str, Any]:
        if self._info is None:
            with translated("describe itself"):
                self._info = {**self.api.info(), "ApiVersion": self.api.api_version}
        return self._info

    @property
    def data_root(self) -> Path | None:
        """Where the engine keeps its data, if that is a folder of this machine."""
        folder = Path(str(self.info.get("DockerRootDir") or "/nowhere"))
        return folder if self.connection.local and folder.is_dir() else None

    def facts(self) -> dict[str, object]:
        """What a report says of the engine that it was measured on."""
        info = self.info
        return {
            "version": info.get("ServerVersion", ""),
            "api": info["ApiVersion"],
            "kind": self.connection.kind,
            "gpu": _gpu(info),
            "cgroup": int(info.get("CgroupVersion") or version()),
            "storage": info.get("Driver", ""),
            "cpus": info.get("NCPU", 0),
            "memory_mb": round(info.get("MemTotal", 0) / 1e6),
        }

    # -- images --------------------------------------------------------------------------------

    def image_id(self, name: str) -> str:
        """The id of the image that has this name now; "" when there is none."""
        return str(self._look_up(name).get("Id") or "")

    def label_names(self, name: str) -> set[str]:
        """The labels of the image that has this name now; none when there is no such image."""
        return set((self._look_up(name).get("Config") or {}).get("Labels") or ())

    def _look_up(self, name: str) -> Mapping[str, Any]:
        if not name or ".." in name:  # would be another question to the API
            return {}
        with translated(f"look for {name}"):
            try:
                return dict(self.api.inspect_image(name))
            except docker.errors.ImageNotFound:
                return {}
            except docker.errors.APIError as err:
                if err.status_code == BAD_REQUEST:  # no name that an image could have
                    return {}
                raise

    def has_image(self, name: str) -> bool:
        return bool(self.image_id(name))

    def image(self, name: str) -> Image:
        with translated(f"inspect {name}"):
            data = self.api.inspect_image(name)
            lines = self.api.history(name)
        history = tuple(Layer(x.get("CreatedBy") or "", x["Size"]) for x in reversed(lines))
        layers = tuple((data.get("RootFS") or {}).get("Layers") or ())
        return Image(data["Id"], layers, history, data.get("Config") or {})

    def history(self, name: str) -> tuple[Layer, ...]:
        """An image's layers from the base up: for pictures."""
        return self.image(name).history

    def files(self, image: str) -> tuple[File, ...]:
        """Every path in the image's file system, without starting it."""
        layers = self.image(image).layers
        listing = look.kept(layers)
        if listing is None:
            with self.created(image) as container:
                connection = self.connection
                listing = look.exported(connection.docker, connection.environment, container)
            look.keep(layers, listing)
        return listing

    def saved(self, image: str) -> AbstractContextManager[IO[bytes]]:
        """The stream of ``docker save``: every layer as a tar, the config, the history."""
        return look.saved(self.connection.docker, self.connection.environment, image)

    def read(self, container: str, path: str, *, limit: int = 20_000_000) -> bytes | None:
        """The bytes of one file, links followed inside the container; None if it is not there."""
        with translated(f"read {path}"):
            try:
                stream, info = self.api.get_archive(container, path)
            except docker.errors.NotFound:
                return None
            except docker.errors.APIError as err:
                if _NO_WAY.search(str(err.explanation)):
                    return None
                raise
            if link := info.get("linkTarget"):
                stream.close()
                return self.read(container, link, limit=limit) if link != path else None
            if info["size"] > limit or info["mode"] & NOT_REGULAR:
                stream.close()
                return None
            data = io.BytesIO(b"".join(stream))
        with tarfile.open(fileobj=data) as tar:
            member = tar.next()
            content = tar.extractfile(member) if member and member.isreg() else None
            return content.read() if content else None

    def write(self, container: str, path: str, data: bytes) -> None:
        """Put one file that everybody may read into a container, folders above it included."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
        with translated(f"write {path}"):
            self.api.put_archive(container, "/", packed.getvalue())

    # -- containers ----------------------------------------------------------------------------

    def create(
        self,
        image: str,
        *,
        kind: str = "submission",
        command: Sequence[str] | None = None,
        entrypoint: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        user: str = "",
        healthcheck: Mapping[str, object] | None = None,
        network: str = "none",
        memory: int = 1_000_000_000,
        pids: int = 256,
        working_dir: str = "",
        ports: Sequence[int] = (),
        **host: Any,
    ) -> str:
        """Create, don't start; gives the container's id. ``memory`` is in bytes, swap included.

        Raises SubmissionError when only this image, made by a student, cannot become a container.
        """
        with translated("create a container"):
            config = self.api.create_host_config(
                network_mode=network,
                mem_limit=memory,
                memswap_limit=memory,
                pids_limit=pids,
                log_config={"type": "json-file", "config": {"max-size": str(LOG_BYTES)}},
                **host,
            )
            try:
                made = self.api.create_container(
                    image,
                    command=list(command) if command is not None else None,
                    entrypoint=list(entrypoint) if entrypoint is not None else None,
                    environment=dict(environment) if environment else None,
                    user=user or None,
                    working_dir=working_dir or None,
                    ports=list(ports) or None,
                    healthcheck=dict(healthcheck) if healthcheck else None,
                    labels=self.labels(kind),
                    host_config=config,
                )
            except docker.errors.APIError as err:
                if kind in OF_SUBMISSION and self._can_create():
                    why = err.explanation or err
                    raise SubmissionError(f"No container can be made of the image: {why}") from err
                raise
        if kind in OF_SUBMISSION:
            self._students.add(str(made["Id"]))
        return str(made["Id"])

    def _can_create(self) -> bool:
        """Whether a container of an image of ours can be made: then it is not the machine."""
        with suppress(EngineError):
            self.remove(self.create(PROBE_IMAGE, kind="canary", command=["true"]))
            return True
        return False

    @contextmanager
    def created(self, image: str) -> Iterator[str]:
        """A container that never runs, to look into an image."""
        container = self.create(image, kind="look", command=["/never-run"], entrypoint=[])
        try:
            yield container
        finally:
            with suppress(EngineError):
                self.remove(container)

    def start(self, container: str) -> str:
        """Start it. Gives "" or, when the image itself is at fault, why it does not start."""
        if container in self._students and (odd := self._odd_accounts(container)):
            return odd
        try:
            self.api.start(container)
        except docker.errors.APIError as err:
            why = str(err.explanation or err)
            if _command_at_fault(why) or (container in self._students and self._can_start()):
                return why
            text = f"Docker failed to start a container: {why}.{advice(why)}"
            raise EngineError(text) from err
        except (requests.RequestException, OSError) as err:
            raise EngineError(f"The Docker daemon was lost (start a container): {err}") from err
        return ""

    def _can_start(self) -> bool:
        """Whether a container of an image of ours starts: then it is not the machine."""
        with suppress(EngineError, docker.errors.DockerException, requests.RequestException):
            canary = self.create(PROBE_IMAGE, kind="canary", command=["true"])
            self.api.start(canary)
            return True
        return False

    def _odd_accounts(self, container: str) -> str:
        """What is wrong with the lists of users, which the daemon itself opens at the start.

        It would wait for ever at a named pipe, with the container locked.
        """
        for path in ("/etc/passwd", "/etc/group"):
            with translated(f"read {path}"):
                try:
                    stream, info = self.api.get_archive(container, path)
                except docker.errors.APIError:
                    continue
                stream.close()
            if not info.get("linkTarget") and info["mode"] & NOT_REGULAR:
                return f"{path} is no ordinary file in this image"
        return ""

    def state(self, container: str) -> State:
        with translated("inspect a container"):
            state = self.api.inspect_container(container)["State"]
        return State.of(state)

    def inspect(self, container: str) -> Mapping[str, Any]:
        """All that the engine says of a container: Config, HostConfig, State, Mounts …"""
        with translated("inspect a container"):
            return dict(self.api.inspect_container(container))

    def stats(self, container: str) -> Mapping[str, Any]:
        """One reading of its counters; answers at once, without a difference of the CPU time."""
        with translated("measure a container"):
            return dict(self.api.stats(container, stream=False, one_shot=True))

    def exec(self, container: str, command: Sequence[str], *, seconds: float) -> int:
        """The exit status of a command run in it: 127 where there is none, LATE where it is."""
        end = time.monotonic() + seconds
        try:
            with translated("run a command in a container"):
                made = self.api.exec_create(container, list(command))["Id"]
                self.api.exec_start(made, detach=True)
                while (about := self.api.exec_inspect(made))["Running"]:
                    if time.monotonic() > end:
                        return LATE
                    time.sleep(LOOK)
        except EngineError:  # no such program, or the container has just ended
            self.ping()
            return 127
        return int(about["ExitCode"] if about["ExitCode"] is not None else 127)

    def signal(self, container: str, name: str) -> None:
        """Send a signal to its process 1; one that has ended gets none."""
        try:
            with translated(f"send {name}"):
                self.api.kill(container, name)
        except EngineError as err:
            if "is not running" not in str(err):
                raise

    @contextmanager
    def paused(self, container: str) -> Iterator[None]:
        """None of its processes runs meanwhile; one that has ended is left as it is."""
        try:
            with translated("pause a container"):
                self.api.pause(container)
        except EngineError as err:
            if "is not running" not in str(err):
                raise
            yield
            return
        try:
            yield
        finally:
            with translated("let a container go on"):
                self.api.unpause(container)

    def stop(self, container: str, seconds: int) -> float:
        """``docker stop`` with that patience; gives the seconds it took."""
        start = time.monotonic()
        with translated("stop a container"):
            self.api.stop(container, timeout=seconds)
        return time.monotonic() - start

    def wait(self, container: str, seconds: int) -> int:
        """Wait until it ends; gives its exit code. Raises EngineError after ``seconds``."""
        with translated("wait for a container"):
            return int(self.api.wait(container, timeout=int(seconds))["StatusCode"])

    def logs(self, container: str, *, tail: int = 20, stderr: bool = True) -> str:
        """The last lines of its output, each cut to a length that a report can show."""
        with translated("read a container's output"):
            raw = self.api.logs(container, stdout=True, stderr=stderr, tail=tail)
        lines = raw.decode("utf-8", "replace").splitlines()
        return "\n".join(line[:LINE_LENGTH] for line in lines[-tail:])

    def output(self, container: str) -> str:
        """All of its standard output (at most what the daemon keeps)."""
        with translated("read a container's output"):
            raw = self.api.logs(container, stdout=True, stderr=False)
        return bytes(raw).decode("utf-8", "replace")

    def processes(self, container: str) -> list[tuple[int, int, str]]:
        """(pid, uid, command) of each process, as the engine's host sees them; [] when it ended.

        The UID is 0 as soon as one of a process's threads has 0 as its real, effective or saved
        one: who can become root again is root.
        """
        found = threads_together(self._top(container))
        for _ in range(LOOKS):
            if not any(being_made(command) for *_, command in found):
                break
            time.sleep(LOOK)
            found = threads_together(self._top(container))
        return found

    def _top(self, container: str) -> list[list[str]]:
        try:
            with translated("list a container's processes"):
                rows = self.api.top(container, ps_args="-eLo pid,uid,ruid,suid,args")
        except EngineError as err:
            if "is not running" in str(err):
                return []
            raise
        return list(rows["Processes"] or [])

    def written(self) -> dict[str, int]:
        """Bytes that each of this run's containers of a submission has written to its disk."""
        filters = {"label": f"{labels.RUN}={self.run}"}
        with translated("measure its containers"):
            rows = self.api.containers(size=True, filters=filters)
        return {c["Id"]: int(c.get("SizeRw") or 0) for c in rows if c["Id"] in self._students}

    def labelled(self, label: str) -> list[tuple[str, str, str]]:
        """(id, name, the label's value) of every container that has that label."""
        with translated("list containers"):
            rows = self.api.containers(all=True, filters={"label": label})
        return [(c["Id"], str(c["Names"][0]).lstrip("/"), c["Labels"][label]) for c in rows]

    def clear(self, kind: str) -> None:
        """Remove what this run has made of one kind."""
        self._remove_all({labels.RUN: self.run, labels.KIND: kind})

    def volume(self, name: str, *, kind: str) -> None:
        """Make an empty volume of that name, with this run's label."""
        with translated("make a volume"):
            self.api.create_volume(name, labels=self.labels(kind))

    def remove(self, container: str) -> None:
        """Remove it with its anonymous volumes, running or not; gone already is fine."""
        try:
            with translated("remove a container"), suppress(docker.errors.NotFound):
                self.api.remove_container(container, v=True, force=True)
        except EngineError as err:
            if "is already in progress" not in str(err):  # somebody else sweeps, too
                raise

    # -- leaving nothing behind ----------------------------------------------------------------

    def close(self) -> None:
        """Remove everything that carries this run's label."""
        self._remove_all({labels.RUN: self.run})

    def sweep(self) -> None:
        """Remove what runs of this machine left that were killed before they could."""
        for run in filter(runs.is_over, self._runs()):
            self._remove_all({labels.RUN: run})

    def cleanup(self, run: str) -> int:
        """Remove what somebody labelled ``lab.run=RUN``; gives the bytes that were freed."""
        before = self._used()
        self._remove_all({labels.RUN: run})
        return max(0, before - self._used())

    def _used(self) -> int:
        with translated("measure its disk"):
            return int(self.api.df().get("LayersSize") or 0)

    def _runs(self) -> set[str]:
        wanted = {"label": labels.RUN}
        with translated("list what earlier runs left"):
            found = [
                *(c.get("Labels") for c in self.api.containers(all=True, filters=wanted)),
                *(i.get("Labels") for i in self.api.images(filters=wanted)),
                *(n.get("Labels") for n in self.api.networks(filters=wanted)),
                *(v.get("Labels") for v in self.api.volumes(filters=wanted)["Volumes"] or ()),
            ]
        return {str(values[labels.RUN]) for values in found if values and labels.RUN in values}

    def _remove_all(self, wanted: Mapping[str, str]) -> None:
        filters = {"label": [f"{key}={value}" for key, value in wanted.items()]}
        with translated("clean up"):
            containers = [c["Id"] for c in self.api.containers(all=True, filters=filters)]
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self.remove, containers))
            for image in {i["Id"] for i in self.api.images(filters=filters)}:
                with suppress(docker.errors.NotFound, docker.errors.APIError):
                    self.api.remove_image(image, force=True)
            for network in self.api.networks(filters=filters):
                with suppress(docker.errors.APIError):
                    self.api.remove_network(network["Id"])
            for volume in self.api.volumes(filters=filters)["Volumes"] or ():
                with suppress(docker.errors.APIError):
                    self.api.remove_volume(volume["Name"], force=True)


def _command_at_fault(why: str) -> bool:
    """Whether a refused start is the image's doing: its command, user or folder (runc's words)."""
    return bool(_COMMAND.search(why))


def _gpu(info: Mapping[str, Any]) -> str:
    """``simulated``, ``nvidia`` or ``none``, by what the daemon tells of itself."""
    if labels.SIMULATED_GPU in (info.get("Labels") or ()):
        return "simulated"
    return "nvidia" if "nvidia" in (info.get("Runtimes") or {}) else "none"
