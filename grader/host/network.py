"""The private engine's bridge and addresses, and the firewall rules that it leaves behind.

Not here: the engine. The kernel is asked directly, because a bare machine has no `ip`.
"""

import contextlib
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from grader.errors import EngineError
from grader.host.home import Home

ROUTES = Path("/proc/net/route")
INTERFACES = Path("/sys/class/net")

# linux/sockios.h and linux/if.h
ADD_BRIDGE, DELETE_BRIDGE = 0x89A0, 0x89A1
SET_FLAGS, GET_FLAGS = 0x8914, 0x8913
SET_ADDRESS, GET_ADDRESS, SET_MASK = 0x8916, 0x8915, 0x891C
UP = 0x1
MTU = 1500

Network = ipaddress.IPv4Network


def slots(place: Home) -> Iterable[Network]:
    """Private /16 networks in an order that differs between two LAB_HOMEs."""
    for step in range(128):
        yield Network(f"10.{64 + (place.slot + step) % 128}.0.0/16")


def choose(place: Home, taken: Iterable[Network]) -> Network:
    """The first of them that no route of this machine overlaps."""
    busy = list(taken)
    for candidate in slots(place):
        if not any(candidate.overlaps(network) for network in busy):
            return candidate
    raise EngineError("no private network is free: every 10.64.0.0/10 slot has a route already")


def routed(text: str | None = None, *, without: Iterable[str] = ()) -> list[Network]:
    """The networks that the machine has a route to, the default route left out."""
    found, ignored = [], set(without)
    for line in (ROUTES.read_text("ascii") if text is None else text).splitlines()[1:]:
        fields = line.split()
        address, mask = (socket.htonl(int(fields[n], 16)) for n in (1, 7))
        if mask and fields[0] not in ignored:
            found.append(Network((address, bin(mask).count("1"))))
    return found


def way_out_mtu(text: str | None = None, interfaces: Path = INTERFACES) -> int:
    """The packet size of the interface with the default route; behind a tunnel it is smaller.

    A container that sends larger ones relies on messages that many firewalls swallow.
    """
    lines = (ROUTES.read_text("ascii") if text is None else text).splitlines()[1:]
    names = [line.split()[0] for line in lines if line.split()[1] == "00000000"]
    files = [interfaces / name / "mtu" for name in names]
    return min((int(file.read_text("ascii")) for file in files if file.exists()), default=MTU)


def bridge_subnet(slot: Network) -> Network:
    """The default bridge's part of a slot."""
    return next(slot.subnets(new_prefix=20))


def pool(slot: Network) -> Network:
    """The part of a slot that user-defined networks are cut from."""
    return list(slot.subnets(new_prefix=17))[1]


def add_bridge(name: str, subnet: Network) -> None:
    """A bridge with the subnet's first address, up."""
    if not (INTERFACES / name).exists():
        _ioctl(ADD_BRIDGE, name.encode() + b"\0")
    address = next(subnet.hosts())
    _ioctl(SET_ADDRESS, _request(name, _address(address)))
    _ioctl(SET_MASK, _request(name, _address(subnet.netmask)))
    _ioctl(SET_FLAGS, _request(name, struct.pack("h", _flags(name) | UP)))


def remove_bridge(name: str) -> None:
    if not (INTERFACES / name).exists():
        return
    _ioctl(SET_FLAGS, _request(name, struct.pack("h", _flags(name) & ~UP)))
    _ioctl(DELETE_BRIDGE, name.encode() + b"\0")


def address_of(name: str) -> ipaddress.IPv4Address | None:
    """An interface's IPv4 address, if it has one."""
    try:
        answer = _ioctl(GET_ADDRESS, _request(name, b""))
    except EngineError:
        return None
    return ipaddress.IPv4Address(answer[20:24])


def bridges_in(slot: Network) -> list[str]:
    """The bridges whose address is in a slot: ours, and those of the engine's networks."""
    names = [path.name for path in INTERFACES.iterdir() if (path / "bridge").is_dir()]
    return sorted(n for n in names if (address := address_of(n)) is not None and address in slot)


def _flags(name: str) -> int:
    flags: int = struct.unpack_from("h", _ioctl(GET_FLAGS, _request(name, b"")), 16)[0]
    return flags


def _request(name: str, value: bytes) -> bytes:
    return struct.pack("16s24s", name.encode(), value)


def _address(address: ipaddress.IPv4Address) -> bytes:
    return struct.pack("HH4s", socket.AF_INET, 0, address.packed)


def _ioctl(request: int, argument: bytes) -> bytes:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as channel:
        try:
            return fcntl.ioctl(channel, request, argument)
        except OSError as err:
            name = argument[:16].split(b"\0")[0].decode()
            raise EngineError(f"the kernel refused the network bridge {name}: {err}") from err
