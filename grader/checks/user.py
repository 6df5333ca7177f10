"""Which user the image names, and whether that user can live in it."""

from __future__ import annotations

from typing import Any

from grader.dockerfile import Dockerfile
from grader.engine import Image
from grader.registry import check
from grader.results import Result, failed, passed, skipped
from grader.users import ROOT, RunAs, Tree, cache_folder, is_numeric


@check
def numeric(runs_as: RunAs, dockerfile: Dockerfile) -> Result:
    """The image's user is a number, and not root's"""
    line = _user_line(dockerfile)
    facts: dict[str, Any] = {"user": runs_as.spec, "uid": runs_as.uid, "gid": runs_as.gid}
    if not runs_as.spec:
        return failed("The last stage has no USER line, so it starts as root. Add one.", **facts)
    if runs_as.uid == ROOT:
        named = f" ({runs_as.name})" if runs_as.name else ""
        return failed(
            f"USER {runs_as.spec} is UID 0{named} in this image: root by another name. Take a"
            " number that nobody has, like 10001.",
            line=line,
            **facts,
        )
    if not is_numeric(runs_as.spec):
        why = "Kubernetes (runAsNonRoot) can't see that it is not root and refuses to start it."
        if runs_as.spec.partition(":")[0].isdecimal():
            why = "Nobody can tell which group that is without looking into the image."
        return failed(
            f"USER {runs_as.spec} has a name in it. {why} Write the numbers:"
            f" {runs_as.uid}:{runs_as.gid}.",
            line=line,
            **facts,
        )
    return passed(f"USER {runs_as.spec}", **facts)


@check
def cache_writable(runs_as: RunAs, tree: Tree, image: Image) -> Result:
    """Its user can write to the cache folder of programs ($XDG_CACHE_HOME, else $HOME/.cache)"""
    if runs_as.uid == ROOT:
        return skipped("It runs as root, who may write anywhere: give it a user first.")
    folder, variable = cache_folder(image, runs_as)
    why = tree.why_not_writable(folder, runs_as)
    facts: dict[str, Any] = {"folder": folder, "by": variable, "home": runs_as.home}
    if not why:
        return passed(f"{folder}, by ${variable}", **facts)
    return failed(
        f"${variable} leads to {folder}, and {why}. Libraries that cache something fail there with"
        " PermissionError. Give the user a home that exists and is its own, or point"
        " XDG_CACHE_HOME at a folder that it may write to.",
        **facts,
    )


def _user_line(dockerfile: Dockerfile) -> int | None:
    if not dockerfile.stages:
        return None
    lines = [i.line for i in dockerfile.stages[-1].instructions if i.name == "USER"]
    return lines[-1] if lines else None
