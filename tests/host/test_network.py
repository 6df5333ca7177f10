from __future__ import annotations

import ipaddress
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from grader.errors import EngineError
from grader.host import firewall, network
from grader.host.home import Home

HOME = Home(Path("/srv/labs"))
HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"


def route(name: str, net: str) -> str:
    """A line of /proc/net/route, whose numbers are in the machine's byte order."""
    value = IPv4Network(net)
    words = (int.from_bytes(part.packed, "little") for part in (value[0], value.netmask))
    address, mask = (f"{word:08X}" for word in words)
    return f"{name}\t{address}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"


@pytest.mark.parametrize(
    ("lines", "without", "expected"),
    [
        ([route("eth0", "0.0.0.0/0")], (), []),
        ([route("eth0", "192.0.2.0/24")], (), ["192.0.2.0/24"]),
        ([route("lab0", "10.70.0.0/20"), route("eth0", "10.1.0.0/16")], ("lab0",), ["10.1.0.0/16"]),
    ],
)
def test_routes_are_read_without_the_default_one(
    lines: list[str], without: tuple[str, ...], expected: list[str]
) -> None:
    found = network.routed(HEADER + "".join(lines), without=without)
    assert found == [IPv4Network(one) for one in expected]


def test_a_slot_that_a_route_overlaps_is_passed_over() -> None:
    first, second, *_ = network.slots(HOME)
    assert network.choose(HOME, []) == first
    inside = IPv4Network((int(first[0]) + 256, 30))
    assert network.choose(HOME, [inside]) == second


def test_no_free_slot_is_an_error_and_not_an_overlap() -> None:
    with pytest.raises(EngineError, match="no private network is free"):
        network.choose(HOME, [IPv4Network("10.0.0.0/8")])


def test_bridge_and_pool_share_a_slot_and_nothing_else() -> None:
    slot = IPv4Network("10.70.0.0/16")
    bridge, pool = network.bridge_subnet(slot), network.pool(slot)
    assert bridge.subnet_of(slot)
    assert pool.subnet_of(slot)
    assert not bridge.overlaps(pool)


def test_two_homes_begin_with_different_slots() -> None:
    firsts = {next(iter(network.slots(Home(Path(f"/h{n}"))))) for n in range(20)}
    assert len(firsts) > 10


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([route("eth0", "0.0.0.0/0")], 1400),
        ([route("eth1", "0.0.0.0/0"), route("eth0", "192.0.2.0/24")], 9000),
        ([route("eth1", "0.0.0.0/0"), route("eth0", "0.0.0.0/0")], 1400),
        ([route("gone", "0.0.0.0/0")], 1500),
        ([], 1500),
    ],
)
def test_containers_send_packets_that_fit_the_way_out(
    tmp_path: Path, lines: list[str], expected: int
) -> None:
    for name, mtu in (("eth0", 1400), ("eth1", 9000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mtu").write_text(f"{mtu}\n")
    assert network.way_out_mtu(HEADER + "".join(lines), tmp_path) == expected


def test_an_interface_without_an_address_has_none() -> None:
    assert network.address_of("no-such-if") is None
    assert network.address_of("lo") == ipaddress.IPv4Address("127.0.0.1")


CHAIN = firewall.chain(HOME)
RULES = f"""\
-P FORWARD DROP
-N DOCKER
-N {CHAIN}
-N {CHAIN}-ISO-1
-A FORWARD -j {CHAIN}-ISO-1
-A FORWARD -o {HOME.bridge} -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A POSTROUTING -s 10.70.0.3/32 -d 10.70.0.3/32 -p tcp -m tcp --dport 8000 -j MASQUERADE
-A POSTROUTING -s 10.71.0.3/32 -d 10.71.0.3/32 -p tcp -m tcp --dport 8000 -j MASQUERADE
-A {CHAIN} -i {HOME.bridge} -j RETURN
-A FORWARD -o br-0123456789ab -j ACCEPT
""".splitlines()


def test_only_rules_of_this_engine_are_swept() -> None:
    words = {CHAIN, HOME.bridge, "br-0123456789ab"}
    found = firewall.ours(RULES, words, IPv4Network("10.70.0.0/16"))
    kept = [rule for rule in RULES if rule.startswith("-A") and rule not in found]
    assert kept == [
        "-A FORWARD -o docker0 -j DOCKER",
        "-A POSTROUTING -s 10.71.0.3/32 -d 10.71.0.3/32 -p tcp -m tcp --dport 8000 -j MASQUERADE",
    ]


def test_only_chains_of_this_engine_are_removed() -> None:
    assert firewall._chains(RULES, CHAIN) == [CHAIN, f"{CHAIN}-ISO-1"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["-A", "DOCKER", "-j", "DOCKER-USER"], ["-A", "{c}", "-j", "{c}-USER"]),
        (["-N", "DOCKER-ISOLATION-STAGE-2"], ["-N", "{c}-ISO-2"]),
        (["-A", "FORWARD", "-o", "docker0"], ["-A", "FORWARD", "-o", "docker0"]),
        (["--comment", "two words"], ["--comment", "two words"]),
    ],
)
def test_the_wrapper_renames_dockers_chains_and_nothing_else(
    tmp_path: Path, given: list[str], expected: list[str]
) -> None:
    import subprocess

    echo = tmp_path / "echo"
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    echo.chmod(0o755)
    text = firewall.WRAPPER.format(chain="C", environment="", program=echo)
    script = tmp_path / "iptables"
    script.write_text(text)
    script.chmod(0o755)
    done = subprocess.run([script, *given], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [word.format(c="C") for word in expected]


@pytest.mark.parametrize(
    ("others", "expected"),
    [("", True), ("-N DOCKER", False), ("-N LAB0123ABCD", False), ("-N LABX", True)],
)
def test_forwarding_is_given_back_only_when_no_other_engine_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: str, expected: bool
) -> None:
    place = Home(tmp_path)
    calls: list[tuple[str, ...]] = []

    def call(_: Home, __: str, *words: str) -> str:
        calls.append(words)
        return others

    place.run.mkdir()
    (place.run / firewall.FORWARD).write_text("ACCEPT 0\n")
    monkeypatch.setattr(firewall, "call", call)
    monkeypatch.setattr(firewall, "IP_FORWARD", tmp_path / "ip_forward")
    firewall.restore_policy(place)
    assert (("-P", "FORWARD", "ACCEPT") in calls) is expected
    assert (tmp_path / "ip_forward").exists() is expected


@pytest.mark.parametrize(
    ("found", "others", "after"),
    [("0\n", "", "0\n"), ("0\n", "-N DOCKER", "1\n"), ("1\n", "", "1\n")],
)
def test_conntrack_is_made_liberal_and_given_back_as_it_was_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: str,
    others: str,
    after: str,
) -> None:
    place, setting = Home(tmp_path), tmp_path / "be_liberal"
    place.run.mkdir()
    setting.write_text(found)
    monkeypatch.setattr(firewall, "BE_LIBERAL", setting)
    monkeypatch.setattr(firewall, "call", lambda *_: others)
    for _ in range(2):  # a second start must not take our own value for what was found
        firewall.trust_windows(place)
        assert setting.read_text() == "1\n"
    assert (place.run / firewall.WINDOWS).exists() is (found == "0\n")
    firewall.restore_policy(place)
    assert setting.read_text() == after
    assert not (place.run / firewall.WINDOWS).exists()


def test_a_kernel_without_conntrack_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Home(tmp_path)
    place.run.mkdir()
    monkeypatch.setattr(firewall, "BE_LIBERAL", tmp_path / "none")
    firewall.trust_windows(place)
    assert list(place.run.iterdir()) == []
