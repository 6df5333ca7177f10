"""How the running container behaves, seen from the engine's host."""

from __future__ import annotations

from grader.registry import check
from grader.results import Result, failed, passed


@check
def not_root(processes: list[tuple[int, int, str]]) -> Result:
    """No process of the container runs as root"""
    roots = [(pid, args) for pid, uid, args in processes if uid == 0]
    users = sorted({uid for _, uid, _ in processes})
    if not processes:
        return failed("No process of it was running any more. `docker logs` may say why.")
    if not roots:
        return passed(f"every process is UID {', '.join(map(str, users))}", uids=users)
    return failed(
        f"{len(roots)} process(es) run as UID 0 ({roots[0][1][:80]}). Add a USER line with a"
        " number.",
        uids=users,
    )
