"""What a Deployment's probes say and do: read, and played against real containers.

Seconds in the messages are the manifest's own.
"""

from __future__ import annotations

import copy

from grader.kube import ROLES, Manifest, Role, refused
from grader.kubelet import forward
from grader.node import Story
from grader.pods import FOREVER
from grader.registry import check
from grader.results import Result, failed, passed
from grader.yamls import Doc


@check
def valid(manifest_doc: Doc) -> Result:
    """A Kubernetes API server would take it"""
    found = list(refused(manifest_doc))
    if not manifest_doc.documents:
        return failed(f"{manifest_doc.name} is empty.")
    if found:
        why, line = found[0]
        more = f" And {len(found) - 1} more." if found[1:] else ""
        place = f"Line {line}: " if line else ""
        return failed(f"{place}{why}.{more}", line=line, file=manifest_doc.name)
    return passed(f"{len(manifest_doc.documents)} document(s)")


@check
def probes(manifest: Manifest) -> Result:
    """It has a liveness and a readiness probe, and they ask different things"""
    for role in ("liveness", "readiness"):
        if role not in manifest.probes:
            return _failed(manifest, f"There is no {role}Probe. Add one.", line=manifest.line)
    live, ready = manifest.probes["liveness"], manifest.probes["readiness"]
    if live.handler == ready.handler:
        return _failed(
            manifest,
            f"Both probes ask the same: {live.handler}. When it says no, the container is taken out"
            " of the traffic and restarted as well. Ask for liveness what a restart can mend, and"
            " no more.",
            line=live.line,
        )
    if hosted := [p for p in manifest.probes.values() if p.handler.host]:
        return _failed(
            manifest,
            f"{hosted[0].key} asks the host {hosted[0].handler.host}: that is the node's or another"
            " machine, not this Pod. Leave host out.",
            line=hosted[0].line,
        )
    told = (f"{role}: {manifest.probes[role].handler}" for role in ROLES if role in manifest.probes)
    return passed("; ".join(told))


@check
def survives_load(slow_pod: Story, manifest: Manifest) -> Result:
    """A slow start and a long load cost no restart"""
    if not slow_pod.restarts:
        return passed(f"loaded after {slow_pod.first('loaded') or 0:.0f} s, no restart")
    role, at = slow_pod.killers[0], slow_pod.first("killed") or 0
    seen = "before anything listened" if _before(slow_pod, "killed", "listening") else "in the load"
    return _failed(
        manifest,
        f"The {role} probe had it ended after {at:.0f} s, {seen}. The next one starts from the"
        " beginning and comes no further. Give it time to start: a startupProbe holds the others"
        " back, and its periodSeconds × failureThreshold is how long it waits.",
        line=_line(manifest, role),
        restarts=slow_pod.restarts,
        killed_after=at,
    )


@check
def ready_after_load(slow_pod: Story, manifest: Manifest) -> Result:
    """It gets requests once its model is loaded, and not before"""
    loaded, ready = slow_pod.first("loaded"), slow_pod.first("ready")
    line = _line(manifest, "readiness")
    if ready is not None and (slow_pod.early or loaded is None):
        return _failed(
            manifest,
            f"It was ready after {ready:.0f} s, with its model still loading: the requests of that"
            " time get status 503. Ask /ready.",
            line=line,
        )
    if ready is None or loaded is None:
        return _failed(
            manifest,
            f"Its model was loaded after {loaded or 0:.0f} s, and it was never ready. What does the"
            " readiness probe get as an answer? Only a status from 200 to 399 is a yes.",
            line=line,
        )
    return passed(f"after {max(ready, loaded):.0f} s", loaded=loaded, ready=ready)


@check
def restarts_frozen(frozen_pod: Story, manifest: Manifest, *, max_seconds: float) -> Result:
    """One that hangs is restarted within {max_seconds} s, once, and is ready again"""
    line, froze = _line(manifest, "liveness"), frozen_pod.first("frozen")
    if froze is None:
        why = f" The {frozen_pod.killers[0]} probe had it ended." if frozen_pod.killers else ""
        return _failed(
            manifest,
            f"It never got ready, so it could not be frozen.{why}",
            line=line,
        )
    killed = frozen_pod.first("killed", froze)
    if killed is None:
        return _failed(
            manifest,
            "All its processes were stopped, nobody got an answer any more, and it was not"
            " restarted. The liveness probe must need an answer.",
            line=line,
        )
    if killed - froze > max_seconds:
        return _failed(
            manifest,
            f"It hung for {killed - froze:.0f} s before it was ended. Fewer failures, a shorter"
            f" period or a shorter time-out: {max_seconds:g} s are allowed.",
            line=line,
            seconds=killed - froze,
        )
    if frozen_pod.restarts != 1 or frozen_pod.first("ready", killed) is None:
        return _failed(
            manifest,
            f"After its restart it did not get ready again ({frozen_pod.restarts} restarts).",
            line=line,
            restarts=frozen_pod.restarts,
        )
    return passed(f"ended after {killed - froze:.0f} s, then ready again", restarts=1)


@check
def keeps_unready(unready_pod: Story, manifest: Manifest) -> Result:
    """One that is alive and not ready gets no requests, and no restart"""
    ready = unready_pod.first("ready")
    if ready is not None:
        return _failed(
            manifest,
            f"Without a model it was ready after {ready:.0f} s: requests come, and fail. Ask"
            " /ready.",
            line=_line(manifest, "readiness"),
        )
    role: str
    if unready_pod.restarts:
        role, at = unready_pod.killers[0], unready_pod.first("killed") or 0
    elif ended := _later(unready_pod):
        at, role = ended
    else:
        return passed("not ready, and left alone")
    return _failed(
        manifest,
        f"There is no model, and the {role} probe has it ended after {at:.0f} s, again and again. A"
        " restart brings no model, and while it restarts nobody can ask what is wrong: that probe"
        " must not depend on the model.",
        line=_line(manifest, role),
        killed_after=round(at),
    )


def _failed(manifest: Manifest, said: str, *, line: int | None, **evidence: object) -> Result:
    """The line is one of the manifest."""
    return failed(said, line=line, file=manifest.doc.name, **evidence)


def _later(story: Story) -> tuple[float, Role] | None:
    """When it would be ended, if all goes on as it was seen: nothing changes in it any more."""
    if story.container is None:
        return None
    now = story.events[-1].at if story.events else 0.0
    return forward(copy.deepcopy(story.container), story.says, now, now + FOREVER)


def _before(story: Story, one: str, other: str) -> bool:
    first, second = story.first(one), story.first(other)
    return first is not None and (second is None or first < second)


def _line(manifest: Manifest, role: str) -> int | None:
    for name, probe in manifest.probes.items():
        if name == role:
            return probe.line
    return manifest.line
