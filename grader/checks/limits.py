"""Whether a service lives within limits: a smaller memory, a share of a processor, a load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grader import usage
from grader.behaviour import Cramped
from grader.boxed import Held, Loaded
from grader.errors import SubmissionError
from grader.locked import Confined
from grader.registry import check
from grader.results import Result, failed, passed, unmeasurable


@check
def fits(cramped_runs: Cramped, *, memory_mb: int) -> Result:
    """With {memory_mb} MB of memory and no swap it gets ready and answers"""
    ran = cramped_runs.by_limit[memory_mb]
    if isinstance(ran, SubmissionError):
        return failed(
            f"{ran} How much does it take without the limit? `docker stats` shows it.",
            line=ran.line,
            file=ran.file,
        )
    evidence: dict[str, Any] = {
        "memory_mb": round(ran.memory / 1e6, 1),
        "oom_killed": ran.oom_killed,
    }
    if ran.oom_killed:
        return failed(
            f"With {memory_mb} MB it answers, and the kernel had to kill a process of it: something"
            " was started again. `docker inspect` shows OOMKilled.",
            **evidence,
        )
    if ran.wrong:
        return failed(f"With {memory_mb} MB it gets ready, and then: {ran.wrong[0]}.", **evidence)
    return passed(f"it uses {ran.memory / 1e6:.0f} MB", **evidence)


@check
def cpus(confined: Confined, *, most: float) -> Result:
    """It may use at most {most:g} of a processor"""
    limit = usage.limits({"HostConfig": confined.host}, {}, 0)
    if limit.own_cpus and limit.cpus <= most:
        return passed(f"{limit.cpus:g}", cpus=limit.cpus)
    seen = f"It may use {limit.cpus:g}" if limit.own_cpus else "It may use all processors"
    return failed(
        f"{seen}. Limit it to {most:g} (compose: cpus, docker run: --cpus).",
        file=confined.spec.name,
        line=confined.spec.line("cpus", "deploy"),
        cpus=limit.cpus if limit.own_cpus else None,
    )


@check
def survives(loaded: Loaded, confined: Confined) -> Result:
    """Under the load no process of it is killed, and every answer is right"""
    asked = f"{len(loaded.milliseconds)} pictures and {loaded.batches} batches"
    if not loaded.oom_killed and not loaded.wrong and loaded.milliseconds and loaded.batches:
        return passed(f"{asked}, all right")
    seen = f" An answer was {loaded.wrong[0]}." if loaded.wrong else f" It was sent {asked}."
    if loaded.oom_killed:
        return failed(
            "Out of memory: the kernel killed a process of it, and not the first one. So the"
            " container runs on, and only OOMKilled in `docker inspect` tells of it."
            f"{seen} How much does it take under the load, at most? `docker stats` shows it.",
            file=confined.spec.name,
            line=confined.spec.line("mem_limit", "memory", "deploy"),
            oom_killed=True,
        )
    return failed(f"Under the load something went wrong.{seen}", wrong=list(loaded.wrong))


@check
def steady(
    held: Held, confined: Confined, *, cost_ms: float, most: float = 0.5, waste: float = 4
) -> Result:
    """Under the load it is on hold in less than {most:.0%} of the periods, and burns no time"""
    if not held.periods:
        return unmeasurable("Not measured: this machine's kernel counts no periods.")
    answers = max(1, len(held.milliseconds))
    late, each = percentile(held.milliseconds, 0.95), 1000 * held.cpu / answers
    told = (
        f"on hold in {held.held} of {held.periods} periods, 95 of 100 answers in {late:.0f} ms, and"
        f" each took {each:.0f} ms of a processor"
    )
    evidence = {
        "held": held.held,
        "periods": held.periods,
        "p95_ms": round(late, 1),
        "cpu_ms": round(each, 1),
    }
    # A busy machine may leave it so little that it meets no limit. It burns that there, too.
    if held.held / held.periods < most and each < waste * cost_ms:
        return passed(told, **evidence)
    return failed(
        f"It was {told}. An answer is worth {cost_ms:g} ms. The rest is used by who has nothing to"
        " do; and once a period's share is used up, all of its threads wait for the next one. A"
        " thread for each processor of the machine is too many for a part of one: the variables"
        " that say how many are at the top of serve.py.",
        file=confined.spec.name,
        line=confined.spec.line("environment", "env", "cpus"),
        **evidence,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies; 0 without any."""
    row = sorted(values)
    return row[min(len(row) - 1, int(len(row) * share))] if row else 0.0
