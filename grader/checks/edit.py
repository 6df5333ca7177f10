"""What a build does after a small edit: keeps what did not change, and follows what did.

Judged by the layers' digests and the builder's own word for each step, never by how long one takes.
"""

from __future__ import annotations

import re
from typing import Any

from grader.buildlog import Step
from grader.dockerfile import Dockerfile
from grader.engine import Engine
from grader.facts import Reader
from grader.rebuilds import DATE, EDITED, Added, Installed, Rebuilt
from grader.registry import check
from grader.results import Result, failed, passed


@check
def keeps_dependencies(installed_then: Installed, edited: Rebuilt) -> Result:
    """After an edit of the program, the layers with its packages stay as they are"""
    if not installed_then.layers:
        return failed(
            "No layer of the image holds the packages of requirements.txt. Install them with pip,"
            " from that file, while the image is built."
        )
    why = f"An edit of {EDITED} makes all packages anew"
    if not (_lost(installed_then, edited) or edited.again or _anew(installed_then, edited)):
        return passed(f"{len(installed_then.layers)} layer(s) with packages kept", **_told(edited))
    what = "copy the program below the lines that bring the packages"
    return _blamed(why, edited, _first_copy(edited), what)


@check
def keeps_when_dated(installed: Installed, redated: Rebuilt, dockerfile: Dockerfile) -> Result:
    """With every file touched and another build date, those layers stay as they are"""
    if not (_lost(installed, redated) or _anew(installed, redated)):
        return passed(f"{DATE}={redated.token}: packages kept", **_told(redated))
    why = f"Another {DATE} makes all packages anew, though no file has changed"
    what = f"declare ARG {DATE} below the last RUN, where the label needs it"
    return _blamed(why, redated, _date_line(dockerfile), what)


@check
def follows_program(edited: Rebuilt, engine: Engine, *, path: str) -> Result:
    """An edit of the program is in the next image, at {path}"""
    data = Reader(engine, edited.image.id).read(path)
    if data is None:
        return failed(f"There is no file {path} in the image. Copy the program there.")
    if edited.token.encode() in data:
        return passed("the added comment is there")
    return failed(
        f"{EDITED} was edited, and {path} in the next image is still the old one: it does not come"
        " from this build's context. Copy it from there."
    )


@check
def follows_requirements(installed: Installed, required: Added) -> Result:
    """A package that is added to requirements.txt is in the next image, and can be imported"""
    asked = f"{required.name}=={required.version}"
    if required.folders & installed.folders:
        return passed(f"{asked} was added", folder=sorted(required.folders & installed.folders)[0])
    if required.folders:
        return failed(
            f"{asked} was added to requirements.txt and is in {min(required.folders)}, where the"
            " service does not look: its packages are in"
            f" {min(installed.folders, default='no folder')}. Install both together."
        )
    return failed(
        f"{asked} was added to requirements.txt, and the next image has no such package. Install"
        " from that file (pip install -r), not by names that stand in the Dockerfile."
    )


@check
def dated(redated: Rebuilt, *, label: str) -> Result:
    """The label {label} tells the build date that the build was given"""
    seen = (redated.image.config.get("Labels") or {}).get(label)
    if seen == redated.token:
        return passed(seen)
    return failed(
        f"Built with --build-arg {DATE}={redated.token}, the image has the label"
        f" {label}={seen!r}. Declare ARG {DATE} in the last stage, and below it write LABEL"
        f" {label}=${DATE}."
    )


def _lost(installed: Installed, second: Rebuilt) -> list[str]:
    return [layer for layer in installed.layers if layer not in second.image.layers]


def _anew(installed: Installed, second: Rebuilt) -> frozenset[int]:
    """The lines that made these layers and ran again, be their layer the same to the byte."""
    return installed.lines & second.ran


def _blamed(why: str, second: Rebuilt, line: int | None, what: str) -> Result:
    """Name the line with which it begins; all that stands below it in its stage is done anew."""
    step = next((s for s in second.build.steps if s.line and s.line == line), None)
    begins = f" It begins with line {line}{f' ({_short(step)})' if step else ''}." if line else ""
    return failed(f"{why}.{begins} To repair it, {what}.", line=line, **_told(second))


def _first_copy(second: Rebuilt) -> int | None:
    """The first line that did not come from the cache; one that copies, if there is one.

    A step that another build does at the same time is shared with it, and not called cached.
    """
    fresh = sorted((s for s in second.build.steps if _is_fresh(s)), key=lambda s: s.line or 0)
    copies = [s for s in fresh if re.search(r"\] (COPY|ADD) (?!--from)", s.name)]
    return next((s.line for s in copies or fresh), None)


def _date_line(dockerfile: Dockerfile) -> int | None:
    """The last stage's first line that names the date."""
    stage = dockerfile.stages[-1].instructions if dockerfile.stages else ()
    return next((i.line for i in stage if re.search(rf"\b{DATE}\b", i.raw)), None)


def _is_fresh(step: Step) -> bool:
    return bool(step.line and not step.cached and not re.search(r"\] FROM ", step.name))


def _short(step: Step) -> str:
    text = re.sub(r"^\[[^]]*\] ", "", step.name)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _told(second: Rebuilt) -> dict[str, Any]:
    rows = [(s.line, _short(s), s.cached) for s in second.build.steps if s.line]
    return {
        "steps": [{"line": line, "step": step, "cached": cached} for line, step, cached in rows],
        "seconds": round(second.build.seconds, 2),
        "again": list(second.again),
    }
