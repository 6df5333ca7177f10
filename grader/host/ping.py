"""Who is behind a DOCKER_HOST address? One small request, without a client library.

Not here: anything that changes an engine; `grader.engine` is the client for that.
"""

import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# A socket that nobody listens on refuses at once; only an engine under load is slow.
ANSWER_S = 10.0


@dataclass(frozen=True)
class Address:
    """Where an engine listens; `certificates` is the folder with its TLS files, if it uses TLS."""

    host: str
    certificates: str = ""

    @property
    def socket(self) -> str:
        """The socket's path for an engine of this machine, else empty."""
        return self.host.removeprefix("unix://") if self.host.startswith("unix://") else ""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def api_version(address: Address, *, timeout: float = ANSWER_S) -> str:
    """The engine's API version. OSError, with the reason, when nobody answers."""
    if address.host.startswith("ssh://"):
        return _over_ssh(address, timeout=timeout + 10)
    return str(version(address, timeout=timeout).get("ApiVersion", ""))


def version(address: Address, *, timeout: float = ANSWER_S) -> dict[str, Any]:
    """What `GET /version` says."""
    with contextlib.closing(_connection(address, timeout)) as connection:
        try:
            connection.request("GET", "/version")
            answer = connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as err:
            raise OSError(f"not an answer of a Docker Engine: {err!r}") from err
    return _document(answer.status, body)


def _document(status: int, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as err:
        raise OSError(f"status {status} and no JSON: not a Docker Engine") from err
    if status != 200 or not isinstance(document, dict):
        raise OSError(f"status {status}: {document}")
    return document


def _connection(address: Address, timeout: float) -> http.client.HTTPConnection:
    if address.socket:
        return UnixConnection(address.socket, timeout)
    parts = urlsplit(address.host)
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        raise OSError(f"{address.host} is no address that a Docker client knows")
    if address.certificates:
        context = _tls(Path(address.certificates))
        return http.client.HTTPSConnection(
            parts.hostname, parts.port or 2376, timeout=timeout, context=context
        )
    return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout)


def _tls(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    return context


def _over_ssh(address: Address, *, timeout: float) -> str:
    client = shutil.which("docker")
    if client is None:
        raise OSError("an ssh:// engine needs a docker client on the PATH")
    command = [client, "-H", address.host, "version", "--format", "{{.Server.APIVersion}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as err:
        raise OSError(f"no answer within {timeout:.0f} s") from err
    if done.returncode:
        raise OSError(done.stderr.strip())
    return done.stdout.strip()
