"""What the built image is, as the engine knows it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from grader.engine import Image, Layer
from grader.facts import Reference
from grader.layers import Base
from grader.references import Of
from grader.registry import check
from grader.results import Result, failed, passed
from grader.spec import Exercise
from grader.users import environment

MB = 1e6
SECOND = 1e9  # Docker counts in nanoseconds
DEFAULT_SECONDS = 30.0  # of a HEALTHCHECK's interval and timeout
SIGNALS = {"1": "HUP", "2": "INT", "3": "QUIT", "9": "KILL", "10": "USR1", "15": "TERM"}
_SECRET = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASS|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)$"
)


@check
def size(image: Image, reference: Reference, *, max_ratio: float, of: Of = "baseline") -> Result:
    """The image is at most {max_ratio:.0%} of the size of the {of}"""
    whole = reference.size(of)
    ratio = image.size / whole
    shown = math.ceil(ratio * 1000) / 1000  # never "70.0 %" for a bit more than 70 %
    seen = f"{image.size / MB:.0f} MB is {shown:.1%} of the {of}'s {whole / MB:.0f} MB"
    facts: dict[str, Any] = {"bytes": image.size, "of_bytes": whole, "ratio": round(ratio, 4)}
    if ratio <= max_ratio:
        return passed(seen, **facts)
    biggest = max(image.history, key=lambda layer: layer.size)
    return failed(
        f"{seen}; at most {max_ratio:.0%} are allowed. The biggest layer has"
        f" {biggest.size / MB:.0f} MB: {_short(biggest)}. `docker history` shows all of them.",
        **facts,
    )


@check
def own_size(image: Image, base: Base, exercise: Exercise, *, max_mb: float) -> Result:
    """The image adds at most {max_mb:g} MB to its base"""
    if not base.name:
        return failed(
            f"The image does not stand on {' or '.join(exercise.images)}: its lowest layers are"
            " others. Start the last stage FROM that."
        )
    own = image.size - base.size
    seen = f"{own / MB:.1f} MB on top of {base.name}"
    if own <= max_mb * MB:
        return passed(seen, bytes=own, base=base.name)
    biggest = max(image.history[base.steps :], key=lambda layer: layer.size)
    return failed(
        f"{seen}; at most {max_mb:g} MB are allowed. The biggest layer of its own has"
        f" {biggest.size / MB:.1f} MB: {_short(biggest)}.",
        bytes=own,
        base=base.name,
    )


@check
def labels(image: Image, *, names: list[str]) -> Result:
    """The image says what it is, in these labels: {names}"""
    known = image.config.get("Labels") or {}
    lost = [n for n in names if not str(known.get(n) or "").strip()]
    if not lost:
        return passed(", ".join(f"{n}={str(known[n])[:60]}" for n in names))
    return failed(
        f"There is no {', '.join(lost)}. Whoever finds the image on a server learns from labels"
        f' where it comes from: LABEL {lost[0]}="…".',
        missing=lost,
    )


@check
def exposes(image: Image, *, ports: list[int]) -> Result:
    """It tells its ports with EXPOSE: {ports}, and no others"""
    told = sorted(image.config.get("ExposedPorts") or {})
    wanted = sorted(f"{p}/tcp" for p in ports)
    if told == wanted:
        return passed(", ".join(told) or "none")
    return failed(
        f"EXPOSE tells {', '.join(told) or 'nothing'}, and the service listens on"
        f" {', '.join(wanted) or 'nothing'}. EXPOSE opens nothing; it is what people and tools"
        " go by.",
        ports=told,
    )


@check
def workdir(image: Image, *, path: str = "") -> Result:
    """It starts in a folder of its own"""
    seen = str(image.config.get("WorkingDir") or "/")
    if path and seen.rstrip("/") != path.rstrip("/"):
        return failed(f"It starts in {seen}. Write WORKDIR {path}.", workdir=seen)
    if seen.strip("/"):
        return passed(seen, workdir=seen)
    return failed(
        "It starts in /, among the system's folders, and `python app.py` looks for /app.py there."
        " Write a WORKDIR line.",
        workdir=seen,
    )


@check
def stop_signal(image: Image, *, signal: str = "SIGTERM") -> Result:
    """`docker stop` sends it {signal}"""
    seen = _signal(str(image.config.get("StopSignal") or "SIGTERM"))
    if seen == _signal(signal):
        return passed(seen, signal=seen)
    return failed(
        f"`docker stop` sends it {seen}; the service ends its work on {signal}. Write STOPSIGNAL"
        f" {signal}, or leave the line out if that is SIGTERM.",
        signal=seen,
    )


@check
def no_secret_env(image: Image) -> Result:
    """No variable of the image looks like a secret"""
    found = [n for n, v in environment(image).items() if v.strip() and _SECRET.search(n.upper())]
    if not found:
        return passed("none by its name")
    return failed(
        f"ENV sets {', '.join(found)}, and whoever has the image can read it (docker inspect)."
        " Give a value like that to the container that needs it, as a file.",
        names=found,
    )


@check
def health_sane(image: Image, *, min_start_seconds: float = 1) -> Result:
    """Its HEALTHCHECK has times that fit together"""
    if not (probe := image.healthcheck):
        return failed("The image has no HEALTHCHECK. Add one that asks the service.")
    interval, timeout = (_seconds(probe, key) or DEFAULT_SECONDS for key in ("Interval", "Timeout"))
    start = _seconds(probe, "StartPeriod")
    facts: dict[str, Any] = {"interval": interval, "timeout": timeout, "start_period": start}
    if timeout >= interval:
        return failed(
            f"A probe may take {timeout:g} s (--timeout) and is due each {interval:g} s"
            " (--interval). What takes that long is no sign of health: make the timeout shorter.",
            **facts,
        )
    if start < min_start_seconds:
        return failed(
            f"--start-period is {start:g} s: what fails while the model still loads already counts."
            f" Give it {min_start_seconds:g} s or more.",
            **facts,
        )
    return passed(f"each {interval:g} s, at most {timeout:g} s, after {start:g} s", **facts)


def _seconds(probe: Mapping[str, Any], key: str) -> float:
    return float(probe.get(key) or 0) / SECOND


def _signal(text: str) -> str:
    """SIGTERM, TERM and 15 are one."""
    name = text.strip().upper().removeprefix("SIG")
    return f"SIG{SIGNALS.get(name, name)}"


def _short(layer: Layer) -> str:
    text = " ".join(layer.created_by.split())
    for noise in ("/bin/sh -c #(nop) ", "/bin/sh -c ", " # buildkit", "RUN "):
        text = text.replace(noise, "")
    return text if len(text) <= 70 else text[:67] + "…"
