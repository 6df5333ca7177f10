"""Docker's objects as values: an image and its layers, a container's state and its health.

They are what ``engine`` gives; nothing here talks to Docker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OUTPUT = 2000  # characters of a health probe's output that are kept, from its end


@dataclass(frozen=True)
class Layer:
    """One line of an image's history. ``size`` is in bytes, unpacked."""

    created_by: str
    size: int


@dataclass(frozen=True)
class Image:
    """An image as the engine knows it. ``size`` is Σ history sizes, in bytes.

    Not the ``Size`` of inspect: with the containerd store that also counts compressed blobs.
    """

    id: str
    layers: tuple[str, ...]
    history: tuple[Layer, ...]
    config: Mapping[str, Any]

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.history)

    @property
    def healthcheck(self) -> Mapping[str, Any]:
        """Its HEALTHCHECK; empty where there is none, or one that says NONE."""
        found = self.config.get("Healthcheck") or {}
        return found if found.get("Test") and found["Test"][0] != "NONE" else {}


@dataclass(frozen=True)
class HealthProbe:
    """One run of a HEALTHCHECK. Times are Docker's text; ``exit_code`` is -1 for a time-out."""

    start: str
    end: str
    exit_code: int
    output: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> HealthProbe:
        """From a line of the engine's health log."""
        output = str(row.get("Output") or "")[-OUTPUT:]
        return cls(str(row["Start"]), str(row["End"]), int(row["ExitCode"]), output)


@dataclass(frozen=True)
class State:
    """What inspect says of a container now; ``health`` is None without a HEALTHCHECK.

    ``health_probes`` are the last runs, of which the engine keeps five, oldest first.
    """

    running: bool
    exit_code: int
    oom_killed: bool
    error: str
    started_at: str
    health: str | None = None
    health_log: str = ""
    health_probes: tuple[HealthProbe, ...] = ()
    failing_streak: int = 0
    finished_at: str = ""

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> State:
        """From the ``State`` of an inspected container."""
        health = state.get("Health") or {}
        probes = tuple(HealthProbe.of(row) for row in health.get("Log") or ())
        return cls(
            running=state["Running"],
            exit_code=state["ExitCode"],
            oom_killed=state["OOMKilled"],
            error=state.get("Error") or "",
            started_at=state["StartedAt"],
            health=health.get("Status"),
            health_log=probes[-1].output if probes else "",
            health_probes=probes,
            failing_streak=int(health.get("FailingStreak") or 0),
            finished_at=state.get("FinishedAt") or "",
        )


def being_made(command: str) -> bool:
    """Whether a process may be the engine's own first moment of a health probe, still root.

    One that only calls itself so is there at each further look.
    """
    return command.endswith("runc init")


def threads_together(rows: list[list[str]]) -> list[tuple[int, int, str]]:
    """One row a process of ps's rows, which are one a thread."""
    found: dict[int, tuple[int, int, str]] = {}
    for pid, *uids, args in rows:
        uid = 0 if "0" in uids else int(uids[0])
        before = found.get(int(pid), (0, uid, ""))[1]
        found[int(pid)] = (int(pid), min(uid, before), args)
    return list(found.values())
