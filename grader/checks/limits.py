"""Whether a service lives within limits."""

from __future__ import annotations

from typing import Any

from grader.behaviour import Cramped
from grader.errors import SubmissionError
from grader.registry import check
from grader.results import Result, failed, passed


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
