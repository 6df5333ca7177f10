"""Whether a program with workers has the shared memory that it needs, inside its memory limit."""

from __future__ import annotations

from grader.boxed import Program, how, printed
from grader.loaders import Fed, shm_bytes
from grader.locked import Confined
from grader.registry import check
from grader.results import Result, failed, passed

MIB = 2**20
KEYS = ("shm_size", "shm-size", "tmpfs", "volumes", "mount")
SIGBUS = 135  # 128 + 7
# What the given program and the C library say of a signal 7.
BUS_ERROR = "Bus error"


@check
def loads(fed: Fed, confined: Confined) -> Result:
    """The program gets to its end: no worker is killed, every batch arrives"""
    if fed.state.exit_code == 0 and not fed.state.oom_killed:
        return passed("exit code 0", exit_code=0)
    bus = fed.state.exit_code == SIGBUS or BUS_ERROR in fed.log
    return failed(
        f"It ended with {how(fed.state)} {_why(fed, confined, bus=bus)}{printed(fed.log)}",
        file=confined.spec.name,
        line=confined.spec.line(*KEYS) if bus else confined.spec.line("mem_limit", "memory"),
        exit_code=fed.state.exit_code,
        oom_killed=fed.state.oom_killed,
    )


def _why(fed: Fed, confined: Confined, *, bus: bool) -> str:
    if fed.state.oom_killed:
        limit = int(confined.host.get("Memory") or 0)
        return (
            f"What lies in /dev/shm counts against the memory limit ({limit / MIB:.0f} MiB), and so"
            " do the processes. Give it room for both."
        )
    if bus:
        size = shm_bytes(confined.host)
        return (
            f"That is SIGBUS: somebody wrote to shared memory, and /dev/shm ({size / MIB:.0f} MiB)"
            " was full. Make it bigger (compose: shm_size, docker run: --shm-size)."
        )
    return "What it printed says more."


@check
def workers(fed: Fed, *, least: int = 2) -> Result:
    """At least {least} workers make its batches"""
    seen = max(0, fed.alike - 1)  # the first process has the same command line
    if seen >= least:
        return passed(f"{seen} seen", workers=seen)
    return failed(
        f"{seen} seen while it ran: then the first process makes the batches itself, and the"
        f" training waits for each. Let at least {least} work (WORKERS).",
        workers=seen,
    )


@check
def size(program: Program, *, batch_mib: int, ahead: int = 2, most_mib: int = 1024) -> Result:
    """Its /dev/shm holds all batches that are under way at once, and at most {most_mib} MiB"""
    host, spec = program.confined.host, program.confined.spec
    has, count = shm_bytes(host), program.environment.get("WORKERS", "")
    if not count.isdecimal():
        line = spec.line("environment", "env")
        return failed(f"WORKERS is {count!r}: give a number.", file=spec.name, line=line)
    need = (int(count) * ahead + 1) * batch_mib
    sum_ = f"({count} workers × {ahead} batches + 1 in use) × {batch_mib} MiB = {need} MiB"
    if need * MIB <= has <= most_mib * MIB:
        return passed(f"{has / MIB:.0f} MiB, and {sum_}", bytes=has, need=need * MIB)
    end = "at least that" if has and has < need * MIB else f"that and a little, {most_mib} at most"
    seen = f"has {has / MIB:.0f} MiB" if has else "has no limit"
    return failed(
        f"/dev/shm {seen}. Under way are {sum_}: make it {end}. It is memory, and the one who"
        " fills it by mistake takes it from all the others.",
        file=spec.name,
        line=spec.line(*KEYS),
        bytes=has,
        need=need * MIB,
    )


@check
def private(confined: Confined) -> Result:
    """Its shared memory is its own: no other container can join"""
    mode = str(confined.host.get("IpcMode") or "")
    if mode == "private":
        return passed("ipc: private")
    return failed(
        f"Its ipc mode is {mode or 'not set'}: a container that joins can read and remove what lies"
        " in /dev/shm. Nobody has to, here: the workers are in the same container. Leave it private"
        " (compose: ipc, docker run: --ipc).",
        file=confined.spec.name,
        line=confined.spec.line("ipc"),
        mode=mode,
    )


@check
def inside_memory(confined: Confined, *, beside_mib: int = 64) -> Result:
    """Its memory limit holds a full /dev/shm and {beside_mib} MiB beside it"""
    limit, shm = int(confined.host.get("Memory") or 0), shm_bytes(confined.host)
    need = shm + beside_mib * MIB
    if shm and limit >= need:
        return passed(f"{limit / MIB:.0f} MiB, of which {shm / MIB:.0f} may be shared memory")
    has = f"{limit / MIB:.0f} MiB" if limit else "not limited"
    full = f"{shm / MIB:.0f} MiB" if shm else "without an end"
    return failed(
        f"Its memory is {has}, and /dev/shm alone may grow to {full}. Both count against one limit:"
        f" a full /dev/shm would end the processes. Leave them {beside_mib} MiB at least (compose:"
        " mem_limit, docker run: --memory).",
        file=confined.spec.name,
        line=confined.spec.line("mem_limit", "memory", "deploy", *KEYS),
        memory=limit,
        shm=shm,
    )
