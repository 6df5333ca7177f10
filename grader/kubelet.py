"""A kubelet's rules about probes, as a machine without a clock: told what a probe saw, says what
becomes of the container. It probes nothing and starts nothing: that is ``node``'s.

The rules, with the page of the Kubernetes documentation that each is from ("Configure Liveness,
Readiness and Startup Probes" = C, "Pod Lifecycle" = P, "Liveness, Readiness, and Startup Probes"
under Concepts = L):

- Each probe is run every ``periodSeconds`` by itself; one that takes longer delays no other (C).
- ``initialDelaySeconds`` count from the container's start; where there is a startup probe, those of
  the liveness and the readiness probe count from its success (C).
- While a startup probe has not succeeded, the two others are not run (C, L).
- A success counts after ``successThreshold`` in a row, a failure after ``failureThreshold`` in a
  row (C). Until then the last verdict stands. At first a container is alive and not ready (P).
- Startup and liveness: when a failure counts, the container is ended and started again (P).
- Readiness: it only decides whether the container gets requests; nothing is ended (L).
- Without a startup probe a container has started at once; without a liveness probe it is alive as
  long as it runs; without a readiness probe it is ready as soon as it has started (P).
- To be ended is to get SIGTERM, and SIGKILL after ``terminationGracePeriodSeconds`` (P).
- The first restart comes at once, the following ones after 10 s, 20 s, 40 s … up to 300 s (P,
  "CrashLoopBackOff").
- ``httpGet`` succeeds with a status from 200 to 399, ``tcpSocket`` when the connection opens,
  ``exec`` with exit status 0; each fails after ``timeoutSeconds`` (C, P).

Left out: gRPC, redirects to other hosts, init containers and sidecars, programs that end by
themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from grader.kube import Probe, Role

Change = Literal["started", "ready", "unready", "killed"]
FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 300.0


def backoff(restarts: int) -> float:
    """Seconds before the next start, when so many restarts were before it."""
    return min(FIRST_BACKOFF * 2 ** (restarts - 1), LONGEST_BACKOFF) if restarts else 0.0


@dataclass
class _Worker:
    """One probe's own state: when it is next due, and its verdicts in a row."""

    probe: Probe
    due: float
    tick: float = 0
    running: bool = False
    last: bool | None = None
    row: int = 0

    def begin(self) -> None:
        """Its period counts from when it was due: who looks late does not slow it down."""
        self.tick, self.running = self.due, True

    def told(self, ok: bool, now: float) -> bool | None:
        """The verdict that counts now, if one does."""
        self.row = self.row + 1 if ok is self.last else 1
        self.last, self.running = ok, False
        self.due = max(self.tick + self.probe.period, now)
        return ok if self.row >= (self.probe.success if ok else self.probe.failure) else None


class Container:
    """One life of a container, from its start at ``now`` on. Times are the manifest's seconds."""

    def __init__(self, probes: Mapping[Role, Probe], now: float) -> None:
        self.workers = {r: _Worker(p, now + p.initial_delay) for r, p in probes.items()}
        self.started = "startup" not in probes
        self.ready = self.started and "readiness" not in probes
        self.killed: Role | None = None

    def due(self, now: float) -> list[Role]:
        """The probes to run now. They count as running until they are told."""
        roles = [r for r, w in self.workers.items() if self._runs(r) and w.due <= now]
        for role in roles:
            self.workers[role].begin()
        return roles

    def next_due(self) -> float | None:
        """When the next probe is due; None when none will be."""
        return min((w.due for r, w in self.workers.items() if self._runs(r)), default=None)

    def told(self, role: Role, ok: bool, now: float) -> Change | None:
        """What a probe saw. Gives what changed by that."""
        verdict = self.workers[role].told(ok, now)
        if verdict is None or self.killed:
            return None
        if role == "readiness":
            changed, self.ready = self.ready is not verdict, verdict
            return ("ready" if verdict else "unready") if changed else None
        if not verdict:
            self.killed, self.ready = role, False
            return "killed"
        return self._start(now) if role == "startup" else None

    def _start(self, now: float) -> Change:
        self.started = True
        self.ready = "readiness" not in self.workers
        for worker in self.workers.values():
            worker.due = now + worker.probe.initial_delay
        return "started"

    @property
    def active(self) -> list[Role]:
        """The probes that are run in this state."""
        return [r for r in self.workers if not self.killed and self.started is (r != "startup")]

    def _runs(self, role: Role) -> bool:
        return role in self.active and not self.workers[role].running


def forward(
    container: Container, says: Mapping[Role, bool], now: float, until: float
) -> tuple[float, Role] | None:
    """Go on as if each probe said the same for ever: when it is ended, and by which, if it is.

    ``container`` is used up by that.
    """
    for worker in container.workers.values():
        worker.running = False
    while (due := container.next_due()) is not None and max(due, now) <= until:
        now = max(due, now)
        for role in container.due(now):
            if container.told(role, says.get(role, False), now) == "killed":
                return now, role
    return None
