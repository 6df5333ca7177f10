"""What the image's own HEALTHCHECK says: of a service that is ready, and of one that is broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grader.engine import HealthProbe
from grader.faults import Broken, Cost, Frozen, Healthcheck, Replaced, Slow
from grader.registry import check
from grader.results import Result, failed, passed
from grader.running import Health

TIMED_OUT = -1  # the engine's exit code for a probe that it had to end
TOLD = 200  # characters of a probe's output in a message


@check
def healthy(health: Health) -> Result:
    """Its HEALTHCHECK calls it healthy"""
    if health.status == "healthy":
        return passed("healthy")
    if health.status in (None, "none"):
        return failed("The image has no HEALTHCHECK. Add one that asks the service.")
    said = f" The probe said: {health.log.strip()}" if health.log.strip() else ""
    return failed(f"The service is ready, yet its HEALTHCHECK says {health.status}.{said}")


@check
def fails_replaced(replaced: Replaced, healthcheck: Healthcheck) -> Result:
    """It never calls a container healthy in which no service runs"""
    if good := _good(replaced.watched.probes):
        return failed(
            f"With the command replaced by `{replaced.command}`, so that nothing serves at all, the"
            f" probe still said yes: {_told(good[0])}. Ask the service something that only the"
            " service can answer.",
            line=healthcheck.line,
            probes=len(replaced.watched.probes),
        )
    if replaced.watched.last != "unhealthy":
        return failed(
            f"Nothing serves in it, and it is still called {replaced.watched.last}.",
            line=healthcheck.line,
        )
    return passed(f"unhealthy: {_told(replaced.watched.probes[-1])}")


@check
def fails_frozen(frozen: Frozen, healthcheck: Healthcheck) -> Result:
    """A frozen service is called unhealthy, and healthy again when it goes on"""
    if frozen.during.last != "unhealthy":
        return failed(
            "All its processes were stopped (SIGSTOP), nobody got an answer any more, and the probe"
            f" still said {frozen.during.last}. The kernel takes connections for a process that"
            " hangs, and its files are still there: wait for an answer, with a time-out.",
            line=healthcheck.line,
        )
    if frozen.after.last != "healthy":
        return failed(
            f"It went on (SIGCONT) and answers again, and it is still called {frozen.after.last}.",
            line=healthcheck.line,
        )
    seen = f"unhealthy {frozen.seconds:.1f} s after the stop, " if frozen.seconds else ""
    return passed(f"{seen}healthy again afterwards")


@check
def fails_broken(broken: Broken, healthcheck: Healthcheck) -> Result:
    """A service that can't load its model is called unhealthy"""
    what = "MODEL_PATH points to a file that is no model"
    if broken.settled is None:
        return failed(
            f"{what}, and GET /ready did not say so with status 500 in time.", line=healthcheck.line
        )
    if good := _good(broken.counted):
        return failed(
            f"{what}, so that GET /ready answers 500 and no prediction is possible, and the probe"
            f" said yes: {_told(good[0])}. Ask an address that answers for the model, and let the"
            " answer's status decide.",
            line=healthcheck.line,
        )
    if broken.watched.last != "unhealthy":
        return failed(
            f"{what}, and it is called {broken.watched.last} all the same.", line=healthcheck.line
        )
    return passed(f"unhealthy: {_told(broken.counted[-1])}")


@check
def waits(slow: Slow, healthcheck: Healthcheck) -> Result:
    """While the model loads it is not called healthy, afterwards it is"""
    if slow.ready is None:
        return failed(
            "With a model that is slow to load, GET /ready never answered 200.",
            line=healthcheck.line,
        )
    if early := slow.early:
        return failed(
            f"The model took {slow.delay:.1f} s to load. The probe said yes while GET /ready still"
            f" answered 503: {_told(early[0])}. Whatever waits for `healthy` would send requests"
            " now.",
            line=healthcheck.line,
        )
    if slow.watched.last != "healthy":
        return failed(
            f"Once the model was loaded, GET /ready answered 200, and it was still called"
            f" {slow.watched.last}. (MODEL_PATH and LOAD_DELAY_S were set, both to good values.)",
            line=healthcheck.line,
        )
    return passed(f"healthy only after {slow.delay:.1f} s of loading", delay=round(slow.delay, 2))


@check
def exit_status(broken: Broken, healthcheck: Healthcheck) -> Result:
    """When it says no, it ends with status 1"""
    codes = sorted({p.exit_code for p in broken.watched.probes} - {0, TIMED_OUT})
    if not codes:
        return failed(
            "Without a model it never said no by itself: Docker had to end it each time. Let it"
            " give up before its --timeout.",
            line=healthcheck.line,
        )
    if other := [code for code in codes if code != 1]:
        return failed(
            f"It ended with status {other[0]}. Docker knows 0 for healthy and 1 for unhealthy;"
            " 2 is reserved, and what another number means is not said. End with 1.",
            line=healthcheck.line,
            codes=codes,
        )
    return passed("1", codes=codes)


@check
def own_timing(healthcheck: Healthcheck, *, load_seconds: float, max_seconds: float) -> Result:
    """Its own numbers allow {load_seconds} s of loading, and not {max_seconds} s of failing"""
    interval, timeout = healthcheck.seconds("Interval"), healthcheck.seconds("Timeout")
    start, retries = healthcheck.seconds("StartPeriod"), healthcheck.retries
    numbers: dict[str, Any] = {
        "interval": interval,
        "timeout": timeout,
        "start_period": start,
        "retries": retries,
    }
    said = f"interval {interval:g} s, time-out {timeout:g} s, start period {start:g} s, {retries}×"
    if timeout >= interval:
        return failed(
            f"{said}: a probe may take as long as the time between two of them, or longer. A"
            " service that hangs is then noticed late. Set a --timeout below the --interval.",
            line=healthcheck.line,
            **numbers,
        )
    patient = start + retries * interval
    if patient < load_seconds:
        return failed(
            f"{said}: after {patient:g} s without a yes it is unhealthy, and this model may take"
            f" {load_seconds:g} s to load. Give it a longer --start-period.",
            line=healthcheck.line,
            **numbers,
        )
    late = start + retries * (interval + timeout)
    if late > max_seconds:
        return failed(
            f"{said}: a container that never works is called unhealthy only after {late:g} s;"
            f" until then it is `starting`, or was healthy. At most {max_seconds:g} s are allowed.",
            line=healthcheck.line,
            **numbers,
        )
    return passed(f"{said}: unhealthy after {patient:g} to {late:g} s", **numbers)


@check
def cheap(cost: Cost, healthcheck: Healthcheck, *, max_cpu_seconds: float = 1.0) -> Result:
    """One probe takes at most {max_cpu_seconds} s of CPU time"""
    seen = f"{cost.cpu_seconds:.2f} s"
    if cost.cpu_seconds <= max_cpu_seconds:
        return passed(seen, cpu_seconds=round(cost.cpu_seconds, 3), probes=cost.probes)
    return failed(
        f"One probe takes {seen} of CPU time, and it runs for as long as the container does. Ask"
        " once, import little, and don't wait in a loop: Docker asks again by itself.",
        line=healthcheck.line,
        cpu_seconds=round(cost.cpu_seconds, 3),
        probes=cost.probes,
    )


@check
def leaves_nothing(cost: Cost, healthcheck: Healthcheck) -> Result:
    """A probe leaves no process behind"""
    if not cost.left:
        return passed(f"none after {cost.probes} probes")
    return failed(
        f"{cost.left} process(es) more than before were there after {cost.probes} probes had ended."
        " They are never cleaned up: after some hours the container can't start any process. Start"
        " nothing in the background.",
        line=healthcheck.line,
        left=cost.left,
        probes=cost.probes,
    )


def _good(probes: Sequence[HealthProbe]) -> list[HealthProbe]:
    return [p for p in probes if p.exit_code == 0]


def _told(probe: HealthProbe) -> str:
    """What a probe said, in one line: shown, not believed."""
    if probe.exit_code == TIMED_OUT:
        return "it took too long"
    said = " ".join(probe.output.split())[-TOLD:]
    return f"status {probe.exit_code}{f', {said}' if said else ', without a word'}"
