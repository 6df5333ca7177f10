"""How the running container behaves, seen from the engine's host."""

from __future__ import annotations

from typing import Any

from grader.behaviour import AnyUser, Powerless, Ran, ReadOnly
from grader.engine import Image
from grader.observed import TIMES, Broods, Listening
from grader.peek import Peek
from grader.registry import check
from grader.results import Result, failed, passed
from grader.users import ROOT, RunAs


@check
def not_root(
    processes: list[tuple[int, int, str]], process_ids: Peek, runs_as: RunAs, image: Image
) -> Result:
    """No process of the container runs as root, or could go back to it"""
    users = sorted({uid for _, uid, _ in processes})
    if not processes:
        return failed("No process of it was running any more. `docker logs` may say why.")
    roots = [p for p in process_ids.processes if ROOT in p.uids]
    running = [p for p in roots if p.uids[1] == ROOT]
    if running:
        return failed(
            f"{len(running)} process(es) run as UID 0 ({running[0].command[:80]}). Add a USER line"
            " with a number.",
            uids=users,
        )
    if roots:
        return failed(
            f"{roots[0].command[:80]!r} has root in reserve: its user IDs (real, effective, saved,"
            f" file system) are {', '.join(map(str, roots[0].uids))}, so it can go back to UID 0."
            " Let Docker start it as another user: add a USER line with a number.",
            uids=users,
        )
    if runs_as.uid == ROOT and image.healthcheck:
        # Decided by what the image says, since a probe is there for a moment only.
        return failed(
            "Its program gives up root, but Docker starts the HEALTHCHECK as the image's user, and"
            " that is root. Add a USER line with a number.",
            uids=users,
        )
    return passed(f"every process is UID {', '.join(map(str, users))}", uids=users)


@check
def read_only(read_only_run: ReadOnly) -> Result:
    """It serves with a read-only root file system (only /tmp can be written to)"""
    return _serves(
        read_only_run.ran,
        "a read-only root file system",
        "Write to /tmp only, or name a volume for what must stay. `docker diff` shows what it"
        " writes.",
    )


@check
def no_capabilities(powerless_run: Powerless) -> Result:
    """It serves without any of root's capabilities, and without a way to get one"""
    return _serves(
        powerless_run.ran,
        "all capabilities dropped and no-new-privileges",
        "Let it need none: prepare files and owners in the build, and start as the user that it"
        " ends as.",
    )


@check
def arbitrary_uid(any_user_run: AnyUser) -> Result:
    """It serves as a user ID that the image does not know, in group 0"""
    uid, others = any_user_run.uid, set(any_user_run.ran.uids) - {any_user_run.uid}
    if others:
        return failed(
            f"Started as UID {uid}, it runs as UID {min(others)}: some program in the image has the"
            " setuid bit and changes the user. Start the service itself.",
            uids=any_user_run.ran.uids,
        )
    return _serves(
        any_user_run.ran,
        f"UID {uid}",
        "Let everybody read what it reads, and give group 0 what it must write: chgrp -R 0 and"
        " chmod -R g=u.",
    )


def _serves(ran: Ran, how: str, advice: str) -> Result:
    evidence: dict[str, Any] = {
        "seconds": round(ran.ready_seconds, 2),
        "health": ran.health or "none",
    }
    if ran.wrong:
        return failed(
            f"With {how} it gets ready, and then {len(ran.wrong)} of {len(ran.asked.bodies)}"
            f" answers are not right: {ran.wrong[0]}. {advice}",
            **evidence,
        )
    if ran.health not in (None, "healthy"):
        return failed(
            f"With {how} it answers, and its HEALTHCHECK calls it {ran.health}. {advice}",
            **evidence,
        )
    return passed(f"ready after {ran.ready_seconds:.1f} s, and it answers", **evidence)


@check
def listens(listening: Listening) -> Result:
    """It listens on 0.0.0.0, on the ports that EXPOSE names and on no others"""
    port, exposed, reached = listening.port, listening.exposed, listening.reached
    evidence: dict[str, Any] = {"reached": sorted(reached), "exposed": sorted(exposed)}
    if port not in reached:
        at = listening.addresses(port)
        seen = f"listens on {', '.join(at)} only" if at else "does not listen at all"
        return failed(
            f"On port {port} it {seen}, so nobody outside the container can reach it. Listen on"
            " 0.0.0.0.",
            **evidence,
        )
    if port not in exposed:
        named = f"names {', '.join(map(str, sorted(exposed)))}" if exposed else "is missing"
        return failed(
            f"It serves on port {port}, and EXPOSE {named}. It opens nothing, but it tells people"
            f" and programs where to knock: EXPOSE {port}.",
            line=listening.line,
            **evidence,
        )
    if silent := sorted(exposed - reached):
        return failed(
            f"EXPOSE names {silent[0]}, and nothing listens there. Name the ports it serves on.",
            line=listening.line,
            **evidence,
        )
    if more := sorted(reached - exposed):
        return failed(
            f"It also listens on port {more[0]}, which no EXPOSE names. Is it meant for everybody?"
            " Let it listen on 127.0.0.1, or name it.",
            line=listening.line,
            **evidence,
        )
    return passed(f"port {', '.join(map(str, sorted(reached)))}", **evidence)


@check
def no_zombies(broods: Broods, *, path: str) -> Result:
    """Children that end are waited for: GET {path} leaves no zombie"""
    bred = broods.by_path[path]
    if bred.zombies:
        dead = bred.zombies[0]
        return failed(
            f"{len(bred.zombies)} process(es) ended and nobody waited for them, after GET {path}"
            f" {TIMES} times; PID {dead.pid}'s parent is PID {dead.ppid}. Each holds a place until"
            " the container can start no process. Orphans come to process 1: start with --init, or"
            " with an init of the image's own, or wait for every child.",
            zombies=len(bred.zombies),
        )
    return passed(f"{len(bred.processes)} processes, none of them dead", zombies=0)


@check
def processes(broods: Broods, *, path: str, most: int) -> Result:
    """After some requests for {path} it has at most {most} processes that live"""
    bred = broods.by_path[path]
    alive = [p for p in bred.processes if p.state != "Z"]
    count = len(alive)
    evidence: dict[str, Any] = {"processes": count, "before": bred.before}
    if count <= most:
        return passed(f"{count}, and {bred.before} before them", **evidence)
    newest = max(alive, key=lambda p: p.pid)
    return failed(
        f"{count} processes after GET {path} {TIMES} times, and {bred.before} before; {most} are"
        f" allowed. The newest: `{newest.command[:80]}`. End what a request starts when it is"
        " answered.",
        **evidence,
    )
