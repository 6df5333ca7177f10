from __future__ import annotations

import pytest

from grader.host.cards import Card, card, cards

# Each as a daemon or client words it.
KNOWN = [
    ("permission denied while trying to connect to the Docker daemon socket", "socket-permission"),
    ("dial unix /var/run/docker.sock: connect: permission denied", "socket-permission"),
    ("client version 1.52 is too new. Maximum supported API version is 1.45", "api-version"),
    ("client version 1.24 is too old. Minimum supported API version is 1.44", "api-version"),
    ("The Docker Engine at unix:///x speaks API 1.41; the labs need 1.43 or newer", "api-version"),
    ("the input device is not a TTY", "no-tty"),
    ("cannot attach stdin to a TTY-enabled container because stdin is not a terminal", "no-tty"),
    ("write /var/lib/docker/tmp/x: no space left on device", "disk-full"),
    ('could not select device driver "" with capabilities: [[gpu]].', "no-gpu"),
    ("unresolvable CDI devices nvidia.com/gpu=0: unknown", "no-gpu"),
    ("nvidia-container-cli (simulated): device error: 9: unknown device: unknown", "unknown-gpu"),
    ("cannot set both Count and DeviceIDs on device request.", "gpu-ids-unquoted"),
    ("Bind for 0.0.0.0:8080 failed: port is already allocated", "port-taken"),
    ("listen tcp4 0.0.0.0:80: bind: address already in use", "port-taken"),
    ("toomanyrequests: You have reached your unauthenticated pull rate limit.", "rate-limit"),
    ("x509: certificate signed by unknown authority", "untrusted-certificate"),
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "untrusted-certificate"),
    ("all predefined address pools have been fully subnetted", "address-pools"),
    ("Pool overlaps with other one on this address space", "address-pools"),
    ("could not find bridge docker0: route ip+net: no such network interface", "bridge-lost"),
    ("failed to create endpoint web on network bridge: link not found", "bridge-lost"),
    ("iptables: No chain/target/match by that name.", "bridge-lost"),
    ("pull access denied for nginxx, repository does not exist", "no-image"),
    ("docker.io/library/python:3.99: manifest unknown", "no-image"),
    ("curl: (6) Could not resolve host: example.org", "no-dns"),
    ("dial tcp: lookup registry-1.docker.io on 10.0.0.2:53: no such host", "no-dns"),
    ("exec /usr/local/bin/python: exec format error", "platform"),
    ('The container name "/web" is already in use by container "0123"', "name-taken"),
    ("cgroups: cgroup mountpoint does not exist: not mounted", "no-cgroups"),
    ("docker: 'buildx' is not a docker command.", "no-buildx"),
    ("Cannot connect to the Docker daemon. Is the docker daemon running?", "daemon-down"),
    ("dial unix /run/x/docker.sock: connect: no such file or directory", "daemon-down"),
    ("error during connect: this error may indicate that the docker daemon is not", "daemon-down"),
    ("No Docker Engine answers here. Start one with `make up`.", "daemon-down"),
]


@pytest.mark.parametrize(("message", "name"), KNOWN)
def test_a_well_known_error_has_its_card(message: str, name: str) -> None:
    found = card(message)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("message", ["", "exit code: 1", "ModuleNotFoundError: No module named x"])
def test_any_other_error_has_none(message: str) -> None:
    assert card(message) is None


def test_each_card_is_known_by_an_example_and_says_what_to_do() -> None:
    assert {one.name for one in cards()} == {name for _, name in KNOWN}
    assert all(one.do.endswith(".") and one.means.endswith(".") for one in cards())


@pytest.mark.parametrize("one", cards(), ids=lambda one: one.name)
def test_the_example_that_a_card_shows_is_known_by_that_card(one: Card) -> None:
    assert card(one.says) == one
