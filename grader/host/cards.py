"""Well-known errors of a Docker daemon or client, each with what to do about it.

Not here: whose mistake an error is in a graded build (grader.blame).
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One trouble: its name, what it means, the way out, and an example of how it is worded."""

    name: str
    means: str
    do: str
    says: str = ""


# The first pattern that fits wins, so the special stands before the general.
_TABLE: tuple[tuple[str, Card], ...] = (
    (
        r"permission denied.*docker(\.sock| daemon socket)|docker\.sock.*permission denied",
        Card(
            "socket-permission",
            "The engine runs, but this user may not talk to it.",
            "`sudo usermod -aG docker $USER`, then log in again; or use rootless Docker.",
            "permission denied while trying to connect to the Docker daemon socket",
        ),
    ),
    (
        (
            r"(server|daemon) API version.*(too old|too new)|client version .* is too (old|new)"
            r"|minimum supported API version|speaks API"
        ),
        Card(
            "api-version",
            "Client and engine are too far apart in age.",
            "Update the older one; the labs need Docker Engine 24 or newer.",
            "client version 1.24 is too old. Minimum supported API version is 1.44",
        ),
    ),
    (
        r"input device is not a TTY|cannot attach stdin to a TTY-enabled container",
        Card(
            "no-tty",
            "`-t` asks for a terminal, and a notebook or a script has none.",
            "Leave out `-t` (and `-i`, if nothing is typed).",
            "the input device is not a TTY",
        ),
    ),
    (
        r"no space left on device|disk quota exceeded",
        Card(
            "disk-full",
            "The engine's disk is full.",
            "`docker system df` shows by what; `docker builder prune` gives the build cache back.",
            "no space left on device",
        ),
    ),
    (
        r"device error: .*unknown device",
        Card(
            "unknown-gpu",
            "There is no GPU of that number or UUID.",
            "See which there are: `docker run --rm --gpus all IMAGE nvidia-smi -L`.",
            "nvidia-container-cli: device error: 9: unknown device: unknown",
        ),
    ),
    (
        r"cannot set both Count and DeviceIDs",
        Card(
            "gpu-ids-unquoted",
            "The comma between two GPUs was read as one between two options of `--gpus`.",
            "Quote the list twice, for the shell and for Docker: --gpus '\"device=0,1\"'.",
            "cannot set both Count and DeviceIDs on device request.",
        ),
    ),
    (
        (
            r"could not select device driver|nvidia-container-cli|unknown runtime.*nvidia"
            r"|unresolvable CDI devices"
        ),
        Card(
            "no-gpu",
            "The engine can't hand a GPU to a container.",
            "Leave out `--gpus`, or install the NVIDIA Container Toolkit and restart the engine.",
            'could not select device driver "" with capabilities: [[gpu]].',
        ),
    ),
    (
        r"port is already allocated|address already in use|ports are not available",
        Card(
            "port-taken",
            "Something already listens on that port of this machine.",
            "`docker ps` shows whether it is a container; else publish another port, "
            "`-p 8081:8000`.",
            "Bind for 0.0.0.0:8080 failed: port is already allocated",
        ),
    ),
    (
        r"toomanyrequests|pull rate limit|429 Too Many Requests",
        Card(
            "rate-limit",
            "Docker Hub counts anonymous pulls, and this network's are used up.",
            "`docker login`, wait some hours, or use a mirror.",
            "toomanyrequests: You have reached your unauthenticated pull rate limit.",
        ),
    ),
    (
        (
            r"x509|certificate signed by unknown authority|CERTIFICATE_VERIFY_FAILED"
            r"|unable to get local issuer certificate"
        ),
        Card(
            "untrusted-certificate",
            "Something between here and there signs with a certificate that isn't trusted.",
            "Give the engine, or the image, the network's CA certificate; "
            "stand-ins made by `make up` have it.",
            "x509: certificate signed by unknown authority",
        ),
    ),
    (
        (
            r"all predefined address pools have been fully subnetted"
            r"|non-overlapping IPv4 address pool|Pool overlaps with other one"
        ),
        Card(
            "address-pools",
            "The engine has no network left to give to a new one.",
            "`docker network prune` removes those that no container uses.",
            "all predefined address pools have been fully subnetted",
        ),
    ),
    (
        (
            r"(bridge|docker0|lab[0-9a-f]{8}).*(not found|no such|does not exist)|Link not found"
            r"|could not find bridge|failed to (add|create|set up).*(bridge|veth|endpoint)"
            r"|no chain/target/match by that name|adding interface \S+ to bridge"
        ),
        Card(
            "bridge-lost",
            "The engine's network bridge or its firewall rules are gone: another program, or a "
            "second dockerd started with `--bridge=none`, took them away.",
            "Restart that engine; the private one: `make down`, then `make up`.",
            "could not find bridge docker0: route ip+net: no such network interface",
        ),
    ),
    (
        (
            r"manifest unknown|manifest for .* not found|pull access denied"
            r"|repository does not exist|failed to resolve source metadata"
        ),
        Card(
            "no-image",
            "There is no such image, or this machine can't reach where it is.",
            "Look for a typo in name and tag; `grader doctor` tries to reach the registry.",
            "docker.io/library/python:3.99: manifest unknown",
        ),
    ),
    (
        (
            r"temporary failure in name resolution|could not resolve host|no such host"
            r"|server misbehaving|Temporary failure resolving"
        ),
        Card(
            "no-dns",
            "A name could not be looked up from there.",
            "`grader doctor` tries it from a container; check the network, a VPN or the proxy.",
            "Could not resolve host: example.org",
        ),
    ),
    (
        r"exec format error|does not match the (detected|specified).*platform",
        Card(
            "platform",
            "The program is for another kind of processor.",
            "Build with `--platform linux/amd64` or whatever this machine is.",
            "exec /usr/local/bin/python: exec format error",
        ),
    ),
    (
        r"is already in use by container|Conflict\. The container name",
        Card(
            "name-taken",
            "A container of that name is still there, running or not.",
            "`docker rm -f NAME`, or start new ones with `--rm`.",
            'The container name "/web" is already in use by container "0123"',
        ),
    ),
    (
        r"cgroups?: .*(not mounted|no such file|cannot find)|Devices cgroup isn't mounted",
        Card(
            "no-cgroups",
            "The kernel's control groups are not where an engine looks for them.",
            "In a container: start it with `--privileged` and `--cgroupns=host`.",
            "cgroups: cgroup mountpoint does not exist: not mounted",
        ),
    ),
    (
        (
            r"docker.*(buildx|compose)' is not a docker command|unknown flag: --(load|progress)"
            r"|BuildKit is enabled but the buildx component is missing"
        ),
        Card(
            "no-buildx",
            "The docker client has no buildx.",
            "`make up` brings one; or install the package docker-buildx-plugin.",
            "docker: 'buildx' is not a docker command.",
        ),
    ),
    (
        (
            r"cannot connect to the docker daemon|is the docker daemon running"
            r"|error during connect|no Docker Engine answers|dial (unix|tcp).*"
            r"(connection refused|no such file)|docker\.sock.*(refused|no such file)"
        ),
        Card(
            "daemon-down",
            "No Docker Engine answers at that address.",
            "`make up` starts one; or start yours (`sudo systemctl start docker`, Docker Desktop) "
            "and look at DOCKER_HOST.",
            "Cannot connect to the Docker daemon. Is the docker daemon running?",
        ),
    ),
)


def card(message: str) -> Card | None:
    """The card for an error message, if it is a well-known one."""
    found = (one for pattern, one in _TABLE if re.search(pattern, message, re.I | re.S))
    return next(found, None)


def advice(message: str) -> str:
    """What to do about an error, to be put behind its message; "" when it is not well-known."""
    known = card(message)
    return f" {known.means} {known.do}" if known else ""


def cards() -> list[Card]:
    """All of them."""
    return [one for _, one in _TABLE]
