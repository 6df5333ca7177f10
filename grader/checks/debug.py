"""A debugger in a container: there for its developer alone, and not in what is shipped."""

from __future__ import annotations

import ipaddress
import re

from grader.debugger import PORT, Debugged, DevTarget, Published
from grader.look import File
from grader.registry import check
from grader.results import Result, failed, passed

# A distribution's metadata, its package, or what debugpy is made of.
_DEBUGGER = re.compile(r"/(debugpy|pydevd|_pydevd_bundle|ptvsd)(-\d[^/]*\.dist-info|\.py)?(/|$)")
SHOWN = 3


@check
def builds(dev_target: DevTarget) -> Result:
    """The target that the run specification names builds"""
    return passed(f"target {dev_target.name}" if dev_target.name else "the last stage")


@check
def serves(debugged: Debugged) -> Result:
    """It serves although nobody has attached a debugger"""
    if debugged.ready:
        return passed("GET /ready answers 200, and nobody was attached")
    return failed(
        f"Nothing answered GET /ready ({debugged.error or 'no answer'}) while no debugger was"
        " attached. With --wait-for-client the program does not even begin before one is: its port"
        " is closed, and every health check fails. Let it start; a debugger can attach later."
        f"{_printed(debugged.log)}",
    )


@check
def attaches(debugged: Debugged, *, path: str, mark: str, variable: str) -> Result:
    """A debugger attaches on port 5678, stops at a line of {path} and reads `{variable}`"""
    if debugged.loopback_only:
        return failed(
            f"Port {PORT} answers at the container's own 127.0.0.1 only, which no published port"
            " reaches. In here listen on 0.0.0.0; who may come in from outside is decided where the"
            " port is published."
        )
    if debugged.attached and not debugged.found:
        return failed(
            f"No debugger can attach at port {PORT}: {debugged.attached}. Start the program under"
            " debugpy, with --listen.",
        )
    if not debugged.found or debugged.value is None:
        return failed(
            f"A debugger attached, and the program never stopped at the breakpoint in {path}"
            f" ({debugged.attached or 'its line is not known there'}). The code has to lie in /app,"
            " and the process that serves must be the one that is debugged.",
            found=debugged.found,
        )
    if not debugged.right:
        return failed(
            f"At the breakpoint `{variable}` was {debugged.value[:60]!r}, and for the picture that"
            f" we had sent it is {debugged.wanted:g}. Is it the given service that is debugged?",
            value=debugged.value[:60],
        )
    return passed(f"it was {debugged.value}", value=debugged.value)


@check
def loopback(published: Published) -> Result:
    """The debugger's port is published on this machine alone (127.0.0.1)"""
    found = published.addresses(PORT)
    if not found:
        return failed(
            f"Port {PORT} is not published: your editor can't reach the debugger. Publish it, on"
            " an address that only this machine has.",
            file=published.file,
            line=published.line,
        )
    if open_ := [address for address in found if not _is_loopback(address)]:
        where = open_[0] or "every address of this machine"
        return failed(
            f"Port {PORT} is published on {where}. Who speaks to a debugger runs code in your"
            " container, without a password. Publish it on the address that only this machine has.",
            file=published.file,
            line=published.line,
            addresses=found,
        )
    return passed(f"on {', '.join(found)}", addresses=found)


@check
def not_root(debugged: Debugged) -> Result:
    """Nothing in the container with the debugger runs as root"""
    if not debugged.roots:
        return passed("no process is UID 0")
    return failed(
        f"{len(debugged.roots)} process(es) run as UID 0 ({debugged.roots[0][:80]}). What a"
        " debugger is told to run, runs with the program's rights: give that stage a USER line with"
        " a number, too.",
        count=len(debugged.roots),
    )


@check
def absent(files: tuple[File, ...]) -> Result:
    """What is shipped (the last stage) has no debugger in it"""
    found = ((f.path, _DEBUGGER.search(f.path)) for f in files)
    places = sorted({path[: match.end()].rstrip("/") for path, match in found if match})
    if not places:
        return passed(f"none of {len(files)} paths")
    return failed(
        f"The final image has {', '.join(places[:SHOWN])}. A debugger is a way in, and 15 MB more"
        " to patch: install it in the stage that is only for you.",
        found=places[:20],
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _printed(log: str) -> str:
    lines = "\n".join(f"    {line}" for line in log.splitlines() if line.strip())
    return f" It printed:\n{lines}" if lines else ""
