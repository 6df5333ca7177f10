"""Which Docker Engine is used, and what a child process needs so that plain `docker` reaches it.

Not here: starting an engine (engine, up), or asking one for anything but its version.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from grader.errors import EngineError
from grader.host import contexts, ping, tools
from grader.host.home import Home, home, static_chosen
from grader.host.ping import Address

OLDEST_API = (1, 43)  # Docker Engine 24
OLDEST_ENGINE = "24"
COMPOSED = "unix:///run/lab/docker.sock"  # the engine of docker-compose.yml, seen from the lab


@dataclass(frozen=True)
class Connection:
    """An engine that answered, and the way to it."""

    host: str
    kind: str  # "given" (DOCKER_HOST) | "context" | "private"
    environment: Mapping[str, str]
    buildx: tuple[str, ...]
    docker: str
    local: bool


def connect() -> Connection:
    """DOCKER_HOST, else the current context, else the private engine: the first that answers.

    A DOCKER_HOST that doesn't answer is an error and not passed over: somebody meant it.
    """
    place, passed_over = home(), ""
    given = os.environ.get("DOCKER_HOST", "")
    if given:
        return _given(place, given)
    for kind, address in (("context", contexts.current()), ("private", private(place))):
        reason = _unusable(address)
        if address is not None and not reason:
            return connection(place, kind, address)
        passed_over = passed_over or (reason if answers(address) else "")
    raise EngineError(passed_over or "No Docker Engine answers here. Start one with `make up`.")


def wanted() -> Connection:
    """As ``connect``, and an EngineError too where static mode was chosen."""
    if static_chosen():
        raise EngineError("static mode was chosen (LAB_STATIC is set)")
    return connect()


def _unusable(address: Address | None) -> str:
    """Why an engine can't be used; empty when it can."""
    if address is None:
        return "there is no such context"
    try:
        _new_enough(address)
    except (OSError, EngineError) as err:
        return str(err)
    return ""


def _given(place: Home, host: str) -> Connection:
    certificates = os.environ.get("DOCKER_CERT_PATH", "")
    address = Address(host, certificates if os.environ.get("DOCKER_TLS_VERIFY") else "")
    try:
        _new_enough(address)
    except OSError as err:
        raise EngineError(
            f"DOCKER_HOST is {host}, and no Docker Engine answers there ({err}). {_way(host)}"
        ) from err
    kind = "private" if address.socket == str(place.socket) else "given"
    return connection(place, kind, address)


def _way(host: str) -> str:
    if host == COMPOSED:
        return (
            "It starts again by itself: wait for some seconds. If it does not,"
            " `docker compose logs engine` on the machine says why."
        )
    return "Start that engine, or `unset DOCKER_HOST` to use another one."


def private(place: Home) -> Address:
    return Address(f"unix://{place.socket}")


def answers(address: Address | None) -> bool:
    if address is None:
        return False
    try:
        ping.api_version(address)
    except OSError:
        return False
    return True


def _new_enough(address: Address) -> None:
    version = ping.api_version(address)
    if _numbers(version) < OLDEST_API:
        raise EngineError(
            f"The Docker Engine at {address.host} speaks API {version or 'unknown'}; "
            f"the labs need {'.'.join(map(str, OLDEST_API))} or newer (Engine {OLDEST_ENGINE})."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def connection(place: Home, kind: str, address: Address) -> Connection:
    """Everything that a child process needs for this engine."""
    found = tools.find(place, own_engine=kind == "private")
    environment = {
        "DOCKER_HOST": address.host,
        "DOCKER_CONFIG": str(found.config),
        "PATH": tools.with_client(os.environ.get("PATH", os.defpath), found.docker),
        "DOCKER_BUILDKIT": "1",
        # buildx would else add a provenance attestation, and an image would become an index.
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }
    if address.certificates:
        environment |= {"DOCKER_CERT_PATH": address.certificates, "DOCKER_TLS_VERIFY": "1"}
    return Connection(
        host=address.host,
        kind=kind,
        environment=environment,
        buildx=(str(found.buildx),),
        docker=str(found.docker),
        local=bool(address.socket),
    )
