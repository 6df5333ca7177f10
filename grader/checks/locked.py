"""What a container that was made from the submission's run specification may do.

The first ones judge what the engine holds it to (HostConfig), the last ones what the kernel says of
it while it runs. That it can be read at all is ``runspec``'s.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from grader.checks.service import predicts
from grader.locked import Confined, Guarded
from grader.peek import Mount, Peek
from grader.registry import check
from grader.results import Outcome, Result, failed, passed, unmeasurable
from grader.running import Health

MIB = 2**20


@check
def read_only(confined: Confined) -> Result:
    """Its root file system is read-only"""
    if confined.host.get("ReadonlyRootfs") is True:
        return passed("read-only")
    return failed(
        "Its root file system can be written to: who breaks in can leave a program there. Make it"
        " read-only (compose: read_only, docker run: --read-only).",
        file=confined.spec.name,
        line=confined.spec.line("read_only", "read-only"),
    )


@check
def capabilities(confined: Confined) -> Result:
    """It has no capability: all are dropped, none is added"""
    dropped = [_capability(c) for c in confined.host.get("CapDrop") or ()]
    added = [_capability(c) for c in confined.host.get("CapAdd") or ()]
    if "ALL" not in dropped:
        some = f" ({', '.join(dropped)} is all that is dropped)" if dropped else ""
        return failed(
            f"It keeps capabilities{some}. Drop all of them (compose: cap_drop, docker run:"
            " --cap-drop).",
            file=confined.spec.name,
            line=confined.spec.line("cap_drop", "cap-drop"),
            dropped=dropped,
        )
    if added:
        return failed(
            f"{', '.join(added)} is given back. Nothing here needs it: a process that is not root"
            " may listen on any port of its container, port 80 too. Take the line out.",
            file=confined.spec.name,
            line=confined.spec.line("cap_add", "cap-add"),
            added=added,
        )
    return passed("none")


@check
def no_new_privileges(confined: Confined) -> Result:
    """No program in it can gain rights (no-new-privileges)"""
    options = [str(o).replace("=", ":", 1) for o in confined.host.get("SecurityOpt") or ()]
    if {"no-new-privileges", "no-new-privileges:true"} & set(options):
        return passed("no-new-privileges")
    return failed(
        "A setuid program in the image still makes a root of anybody who calls it. Set"
        " no-new-privileges (compose: security_opt, docker run: --security-opt).",
        file=confined.spec.name,
        line=confined.spec.line("security_opt", "security-opt"),
        options=options,
    )


@check
def pids(confined: Confined, *, most: int = 256) -> Result:
    """It may have at most {most} processes"""
    limit = int(confined.host.get("PidsLimit") or 0)
    if 1 <= limit <= most:
        return passed(f"at most {limit}", limit=limit)
    seen = f"{limit} processes are allowed" if limit > most else "Nothing limits its processes"
    return failed(
        f"{seen}: one loop that starts itself twice takes the whole machine along. Memory and CPU"
        f" limits don't stop that; set one of at most {most} (compose: pids_limit, docker run:"
        " --pids-limit).",
        file=confined.spec.name,
        line=confined.spec.line("pids_limit", "pids-limit", "deploy"),
        limit=limit,
    )


@check
def memory(confined: Confined, *, most_mib: int = 1024) -> Result:
    """Its memory is limited, to at most {most_mib} MiB"""
    limit = int(confined.host.get("Memory") or 0)
    if 0 < limit <= most_mib * MIB:
        return passed(f"at most {limit / MIB:.0f} MiB", bytes=limit)
    seen = f"It may take {limit / MIB:.0f} MiB" if limit else "It may take all of the memory"
    return failed(
        f"{seen}. Limit it to {most_mib} MiB or less (compose: mem_limit, docker run: --memory).",
        file=confined.spec.name,
        line=confined.spec.line("mem_limit", "memory", "deploy"),
        bytes=limit,
    )


@check
def swap(confined: Confined) -> Result:
    """Its memory limit counts swap in"""
    limit, both = (int(confined.host.get(key) or 0) for key in ("Memory", "MemorySwap"))
    if limit and both == limit:
        return passed("no swap beyond the memory limit")
    if not confined.counts_swap:
        return unmeasurable("Not measured: this machine's kernel can't limit swap.")
    more = "without end" if both < 0 else f"{(both or 2 * limit) / MIB:.0f} MiB"
    return failed(
        f"With swap it may take {more}: a leak then slows the whole machine down instead of being"
        " stopped. Set memory and swap together to the memory limit (compose: memswap_limit, docker"
        " run: --memory-swap).",
        file=confined.spec.name,
        line=confined.spec.line("memswap_limit", "memory-swap", "mem_limit", "memory", "deploy"),
        memory=limit,
        memory_and_swap=both,
    )


@check
def serves(guarded: Guarded) -> Result:
    """Locked down so, the service still gets ready and answers rightly"""
    result = predicts(guarded.service, count=len(guarded.service.questions.noisy))
    if result.outcome is Outcome.PASS:
        return result
    printed = "".join(f"\n    {line}" for line in guarded.log.splitlines() if line.strip())
    return failed(
        f"{result.message} What may write nowhere fails at its first attempt; give it a tmpfs where"
        f" it writes. `docker logs` says where that is: {printed or 'but it printed nothing.'}",
        right=result.evidence.get("right"),
        asked=result.evidence.get("asked"),
    )


@check
def healthy(guarded_health: Health) -> Result:
    """Its own HEALTHCHECK calls it healthy, locked down as it is"""
    if guarded_health.status == "healthy":
        return passed("healthy")
    said = f" The probe said: {guarded_health.log.strip()}" if guarded_health.log.strip() else ""
    return failed(f"It answers, yet its HEALTHCHECK says {guarded_health.status}.{said}")


@check
def powerless(inside: Peek) -> Result:
    """Seen from the kernel, no process in it is root, has a capability or can gain one"""
    for process in inside.processes:
        name = f"PID {process.pid} ({process.command[:60]})"
        if 0 in process.uids:
            return failed(f"{name} runs as UID 0. Run it as the user that the image names.")
        if process.cap_eff:
            return failed(f"{name} has capabilities: CapEff is {process.cap_eff:016x}.")
        if not process.no_new_privs:
            return failed(f"{name} may gain rights: NoNewPrivs is 0.")
    if not inside.processes:
        return failed("No process of it was running any more. `docker logs` may say why.")
    if not inside.root_read_only:
        return failed("Its root is mounted for writing.")
    return passed(f"{len(inside.processes)} process(es): CapEff 0, NoNewPrivs 1, root read-only")


@check
def code_sealed(inside: Peek, confined: Confined, *, code: list[str]) -> Result:
    """Nothing that can be written to is mounted over the code ({code})"""
    for mount in inside.mounts:
        if mount.writable and mount.path != "/" and _over(mount, code):
            return failed(
                f"{mount.path} is mounted for writing ({mount.kind}): whoever gets in can change"
                " the program itself, and the change outlives the container. The code is in the"
                " image: take the mount out.",
                file=confined.spec.name,
                line=confined.spec.line("volumes", "volume", "mount", "tmpfs"),
                path=mount.path,
            )
    return passed("nothing")


def _over(mount: Mount, code: list[str]) -> bool:
    """Whether a mount covers one of these folders or lies in it."""
    path = PurePosixPath(mount.path)
    return any(path.is_relative_to(c) or PurePosixPath(c).is_relative_to(path) for c in code)


def _capability(name: str) -> str:
    return str(name).upper().removeprefix("CAP_")
