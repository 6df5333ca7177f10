"""An `iptables` for the private engine: unpacked beside the system, with chains of its own.

Not here: which rules there are; dockerd writes them. Docker removes and remakes the chain DOCKER
when it starts, so two engines that share it break each other's published ports.
"""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from grader.errors import EngineError
from grader.host.home import Home

PROGRAMS = ("iptables", "ip6tables")
TABLES = ("filter", "nat", "mangle", "raw")
FORWARD = "forward-policy"
WINDOWS = "conntrack-windows"
BE_LIBERAL = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")

WRAPPER = """\
#!/bin/sh
# Docker's chains get a name of this engine's own; everything else is passed on.
for word do
  shift
  case "$word" in
    DOCKER) word={chain} ;;
    DOCKER-USER) word={chain}-USER ;;
    DOCKER-ISOLATION-STAGE-*) word={chain}-ISO-${{word##*-}} ;;
    DOCKER-INGRESS) word={chain}-INGRESS ;;
  esac
  set -- "$@" "$word"
done
{environment}exec {program} "$@"
"""


def chain(place: Home) -> str:
    return f"LAB{place.slot:08X}"


def install(place: Home) -> None:
    """Write the wrappers into the engine's `bin`, around the variant that this kernel has."""
    prefix = usable(place)
    for name in PROGRAMS:
        program, environment = _program(place, name, prefix)
        script = place.bin / name
        script.write_text(
            WRAPPER.format(chain=chain(place), environment=environment, program=program), "utf-8"
        )
        script.chmod(0o755)


def _program(place: Home, name: str, variant: str) -> tuple[str, str]:
    """What to run, and the shell assignments before it: (program, environment)."""
    unpacked = place.engine / "usr/sbin" / f"xtables-{variant}-multi"
    if unpacked.exists():
        lib = next((place.engine / "usr/lib").glob("*-linux-gnu*"))
        modules = f"XTABLES_LIBDIR={lib}/xtables"
        return f"{unpacked} {name}", f"LD_LIBRARY_PATH={lib} {modules} "
    system = shutil.which(f"{name}-{variant}", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if system is None:
        raise EngineError(f"there is no {name} here, neither unpacked nor installed")
    return system, ""


def usable(place: Home) -> str:
    """`nft` or `legacy`, whichever answers on this kernel."""
    said = ""
    for variant in ("nft", "legacy"):
        program, environment = _program(place, "iptables", variant)
        command = f"{environment}{program} -w -t nat -S"
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=20
        )
        if done.returncode == 0:
            return variant
        said = done.stderr.strip()
    raise EngineError(f"the kernel lets no iptables work: {said}")


def call(place: Home, name: str, *arguments: str) -> str:
    """One call of a wrapper; empty when it fails, since a missing rule is no fault."""
    program = place.bin / name
    if not program.exists():
        return ""
    done = subprocess.run([program, "-w", *arguments], capture_output=True, text=True, timeout=20)
    return done.stdout if done.returncode == 0 else ""


def sweep(place: Home, bridges: Iterable[str], slot: IPv4Network) -> None:
    """Remove this engine's chains, and the rules that name its bridges or its addresses."""
    words = {chain(place), *bridges}
    for name in PROGRAMS:
        for table in TABLES:
            rules = call(place, name, "-t", table, "-S").splitlines()
            for rule in ours(rules, words, slot):
                call(place, name, "-t", table, *_delete(rule))
            for title in _chains(rules, chain(place)):
                call(place, name, "-t", table, "-F", title)
            for title in _chains(rules, chain(place)):
                call(place, name, "-t", table, "-X", title)


def ours(rules: Iterable[str], words: set[str], slot: IPv4Network) -> list[str]:
    """The appended rules that name one of our chains or bridges, or an address of ours."""
    parts = {rule: rule.split() for rule in rules if rule.startswith("-A ")}
    return [rule for rule, its in parts.items() if any(_ours(part, words, slot) for part in its)]


def _ours(part: str, words: set[str], slot: IPv4Network) -> bool:
    if part in words or part.partition("-")[0] in words:
        return True
    try:
        return IPv4Network(part).subnet_of(slot)
    except ValueError:  # no address, or one of IPv6
        return False


def _delete(rule: str) -> list[str]:
    return ["-D", *rule.split()[1:]]


def _chains(rules: Iterable[str], prefix: str) -> list[str]:
    names = [rule.split()[1] for rule in rules if rule.startswith("-N ")]
    return [name for name in names if name == prefix or name.startswith(prefix + "-")]


def remember_policy(place: Home) -> None:
    """dockerd sets FORWARD to DROP when it is the first to forward; keep what it was."""
    rules = call(place, "iptables", "-S", "FORWARD").splitlines()
    policy = next((rule.split()[2] for rule in rules if rule.startswith("-P FORWARD")), "")
    forwarding = IP_FORWARD.read_text("ascii").strip()
    note = place.run / FORWARD
    if policy and not note.exists():
        note.write_text(f"{policy} {forwarding}\n", "ascii")


def trust_windows(place: Home) -> None:
    """Let connection tracking forward packets outside of the window that it worked out.

    It calls them invalid, and with FORWARD at DROP they are lost: with a few downloads at once
    from containers, one of them stalled until its time-out in most builds, and none since.
    """
    note = place.run / WINDOWS
    with contextlib.suppress(OSError):  # no such file on this kernel, or a read-only /proc/sys
        if BE_LIBERAL.read_text("ascii").strip() == "0":
            BE_LIBERAL.write_text("1\n", "ascii")
            note.write_text("0\n", "ascii")


def _others(place: Home) -> bool:
    """Does another engine still forward? Its chain is Docker's own, or one of ours."""
    rules = call(place, "iptables", "-t", "nat", "-S").splitlines()
    names = [rule.split()[1] for rule in rules if rule.startswith("-N ")]
    return any(re.fullmatch(r"DOCKER|LAB[0-9A-F]{8}", name) for name in names)


def restore_policy(place: Home) -> None:
    """Give back what was changed as it was found, unless another engine needs it."""
    note = place.run / WINDOWS
    if note.exists():
        if not _others(place):
            with contextlib.suppress(OSError):
                BE_LIBERAL.write_text(note.read_text("ascii"), "ascii")
        note.unlink()
    note = place.run / FORWARD
    if not note.exists():
        return
    policy, forwarding = note.read_text("ascii").split()
    if forwarding == "0" and not _others(place):
        call(place, "iptables", "-P", "FORWARD", policy)
        IP_FORWARD.write_text("0\n", "ascii")
    note.unlink()
