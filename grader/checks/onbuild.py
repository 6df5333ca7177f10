"""A base image whose ONBUILD lines build what stands on it: judged by a child and a grandchild."""

from __future__ import annotations

from grader.engine import Image
from grader.onbuild import Child, Parent, Ran
from grader.packages import normal
from grader.registry import check
from grader.results import Result, failed, passed
from grader.users import ROOT

PROGRAM = "/app/main.py"
PROJECT = ("main.py", "requirements.txt")  # the files of a project, by name
# Where Python and its packages lie: some of their own modules are called main.py.
INSTALLED = ("/lib/python3", "/site-packages/", "/dist-packages/")


@check
def triggers(parent: Parent) -> Result:
    """The image carries its ONBUILD lines, and no project yet"""
    if not parent.triggers:
        return failed(
            "The image has no ONBUILD lines (docker inspect --format '{{json .Config.OnBuild}}')."
            " What a RUN or COPY does is done now, for this image; put ONBUILD before what is to"
            " happen in the images that stand on it."
        )
    found = sorted(path for path in parent.content.paths if _is_project(path))
    if found:
        return failed(
            f"The base itself already has {', '.join(found[:3])}. A base is for many projects:"
            " leave copying to the ONBUILD lines.",
            found=found[:50],
        )
    return passed(f"{len(parent.triggers)} of them", triggers=list(parent.triggers))


@check
def child(child: Child) -> Result:
    """A child with FROM and CMD alone gets its packages, and its program at /app/main.py"""
    project = child.project
    seen = child.content.packages.get(normal(project.package))
    if seen != project.version:
        return failed(
            f"Our child asks for {project.package}=={project.version} in its requirements.txt, and"
            f" its image has {seen or 'no such package'}. Install from that file, in an ONBUILD"
            " RUN below the ONBUILD COPY that brings it."
        )
    if PROGRAM not in child.content.paths:
        near = sorted(p for p in child.added if p.endswith("/main.py"))
        where = f"at {near[0]}" if near else "nowhere"
        return failed(
            f"The program of our child, app/main.py in its folder, is {where} in its image, and not"
            f" at {PROGRAM}. COPY of a folder copies what is in it."
        )
    return passed(f"{project.package} {project.version}, and {PROGRAM}")


@check
def runs(child: Child) -> Result:
    """The child, started, runs its program"""
    return _runs(child.ran, child, "python main.py")


@check
def tidy(child: Child) -> Result:
    """Nothing of the child's project lies outside of /app"""
    stray = sorted(p for p in child.added if _is_project(p) and not p.startswith("/app/"))
    if not stray:
        return passed("all of it is in /app")
    return failed(
        f"The child's image has {', '.join(stray[:3])}. A relative path counts from the WORKDIR"
        " that is set at that moment, / if none is; the WORKDIR line is not the first of yours.",
        found=stray[:50],
    )


@check
def user(child: Child) -> Result:
    """The child does not run as root"""
    if child.user.uid != ROOT:
        return passed(str(child.user), uid=child.user.uid)
    return failed(
        "The child runs as UID 0. Whoever writes FROM + CMD names no user, so the base must: as a"
        " number, and behind what has to be done as root.",
        uid=ROOT,
    )


@check
def keeps(child: Child, edited_child: Image) -> Result:
    """After an edit of the child's program, its packages are not installed again"""
    if not child.layers:
        return failed("No layer of the child holds its package.")
    if set(child.layers) <= set(edited_child.layers):
        return passed(f"{len(child.layers)} layer(s) with packages kept")
    return failed(
        "One comment was added to the child's app/main.py, and its packages were installed anew."
        " Triggers are lines like any others, in the order of the base: let the first one copy"
        " requirements.txt alone."
    )


@check
def once(grandchild: Child, child: Child) -> Result:
    """A grandchild is not built by them again: it still is the child's program"""
    if left := grandchild.content.image.config.get("OnBuild"):
        return failed(f"The grandchild would run triggers again: {left}.")
    if normal(grandchild.project.package) in grandchild.content.packages:
        return failed(
            "The grandchild has the packages of its own folder, so that something installs them"
            " once more. ONBUILD fires in the direct child alone."
        )
    return _runs(grandchild.ran, child, "the grandchild's CMD, python main.py")


def _runs(ran: Ran, child: Child, what: str) -> Result:
    if ran.said.get("token") == child.project.token:
        return passed(f"in {ran.said.get('folder')}", exit_code=ran.exit_code)
    lines = "\n".join(f"    {line}" for line in ran.output.splitlines()[-8:])
    printed = f" It printed:\n{lines}" if lines else " It printed nothing."
    return failed(
        f"`{what}` ended with exit code {ran.exit_code}, and was not the child's program. It is"
        f" started in the last WORKDIR, by the python that is first on PATH.{printed}",
        exit_code=ran.exit_code,
    )


def _is_project(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in PROJECT and not any(part in path for part in INSTALLED)
