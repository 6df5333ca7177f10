"""What is in the image's final file system, read from outside: nothing in it is run."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator

from grader.dockerfile import Dockerfile
from grader.look import HARD_LINK, REGULAR, SYMLINK, File
from grader.packages import normal
from grader.registry import check
from grader.results import Result, failed, passed, skipped
from grader.users import ROOT, RunAs, Tree

_DISTRIBUTION = re.compile(r"/([^/]+?)(?:-\d[^/-]*(?:-py[\d.]+)?)?\.(?:dist-info|egg-info)(?:/|$)")
# x86_64-linux-gnu-gcc-12 is gcc too
_DECORATION = re.compile(r"^(?:\w+-(?:\w+-)?linux-\w+-)?(?P<name>.+?)(?:-[0-9.]+)?$")
SHOWN = 5
STICKY = 0o1000  # in such a folder one may only replace what is one's own


@check
def absent(files: tuple[File, ...], *, names: list[str], what: str = "program") -> Result:
    """No {what} in the final image ({names})"""
    wanted = set(names)
    found = sorted(f.path for f in files if _is_program(f) and _plain_name(f.path) & wanted)
    if not found:
        return passed(f"none of {len(files)} paths")
    return failed(
        f"The final image has {_some(found)}. It is there to build with, not to run with: leave it"
        " in a stage that is not shipped.",
        found=found[:50],
    )


@check
def no_packages(files: tuple[File, ...], *, names: list[str]) -> Result:
    """The final image has no Python package of these: {names}"""
    wanted = {normal(n) for n in names}
    found: dict[str, str] = {}
    for file in files:
        match = _DISTRIBUTION.search(file.path)
        if match and normal(match[1]) in wanted:
            found.setdefault(normal(match[1]), file.path[: match.end()].rstrip("/"))
    if not found:
        return passed("none of them")
    return failed(
        f"The final image has {', '.join(sorted(found))} ({_some(sorted(found.values()))}). They"
        " train the model; serving it needs none of them.",
        found=found,
    )


@check
def no_apt_lists(files: tuple[File, ...]) -> Result:
    """No package lists or archives of apt are left in the final image"""
    left = [f for f in files if f.kind == REGULAR and f.size and _is_apt(f.path)]
    size = sum(f.size for f in left)
    if not left:
        return passed("none left")
    return failed(
        f"{size / 1e6:.1f} MB of apt's files are left: {_some([f.path for f in left])}. Remove them"
        " in the RUN that fetched them.",
        bytes=size,
        found=[f.path for f in left[:50]],
    )


@check
def not_writable(tree: Tree, runs_as: RunAs, dockerfile: Dockerfile, *, paths: list[str]) -> Result:
    """The service can't change its own code: {paths} and other programs"""
    if runs_as.uid == ROOT:
        return skipped("It runs as root, who may change anything: give it a user first.")
    if absent := [p for p in paths if not tree.get(p)]:
        return failed(f"The image has no {absent[0]}. The code is to lie there.")
    found = list(dict.fromkeys(_changeable(tree, runs_as, paths)))
    if not found:
        return passed(f"{runs_as} may change nothing of it", uid=runs_as.uid)
    shown = [f"{f.path} ({f.uid}:{f.gid}, mode {f.mode & 0o7777:04o})" for f in found]
    return failed(
        f"Not root's alone: {_some(shown)}. The service is {runs_as}, and whoever breaks into it"
        " can make it another one. Leave code to root: COPY without --chown, no chmod, packages"
        " installed above USER, and WORKDIR above USER: a folder that it makes is the user's.",
        line=_given_away(dockerfile, found[0].path),
        uid=runs_as.uid,
        found=[f.path for f in found[:50]],
    )


@check
def writable(tree: Tree, runs_as: RunAs, dockerfile: Dockerfile, *, paths: list[str]) -> Result:
    """The service can write to {paths}"""
    if runs_as.uid == ROOT:
        return skipped("It runs as root, who may write anywhere: give it a user first.")
    for path in paths:
        if not tree.get(path):
            return failed(f"The image has no {path}. Make it, and give it to the service's user.")
        if why := tree.why_not_writable(path, runs_as):
            return failed(
                f"{why}. Give that folder to the user, by number: --chown=UID:GID. (A name that is"
                " not there yet when the line runs is taken for root by BuildKit, without a word.)",
                line=_given_away(dockerfile, path),
            )
    return passed(f"{runs_as} can")


@check
def hygiene(
    files: tuple[File, ...], *, patterns: list[str], under: str = "/", max_kb: float = 0
) -> Result:
    """Nothing is shipped that only a developer needs: {patterns}"""
    found: dict[str, list[File]] = {}
    for file in files:
        name = _matched(file, patterns) if file.path.startswith(under) else ""
        if name and file.kind in (REGULAR, SYMLINK, HARD_LINK):
            found.setdefault(name, []).append(file)
    size = sum(f.size for rows in found.values() for f in rows)
    if not found or (max_kb and size <= max_kb * 1000):
        return passed(f"{size / 1000:.0f} kB of it", bytes=size)
    told = [f"{n} ({_kilobytes(rows)}, like {rows[0].path})" for n, rows in found.items()]
    return failed(
        f"The image has {_some(told)}. Name in COPY what the service needs, and the rest in"
        " .dockerignore.",
        bytes=size,
        found={n: [f.path for f in rows[:20]] for n, rows in found.items()},
    )


def _changeable(tree: Tree, who: RunAs, paths: list[str]) -> Iterator[File]:
    """What is not root's alone below the paths and above them, where links lead, and other code."""
    for path in paths:
        for file in tree.below(path):
            goal = tree.get(file.path) if file.kind == SYMLINK else file
            if goal and not _is_roots(goal, who):
                yield goal
        for above in _folders_above(tree.real(path)):
            folder = tree.files.get(above)
            if folder and not _is_roots(folder, who) and not folder.mode & STICKY:
                yield folder
    for file in tree.files.values():
        if _is_code(file) and (file.uid == who.uid or who.may_write(file)):
            yield file


def _is_roots(file: File, who: RunAs) -> bool:
    """An owner may give himself the right to write, so that he has it."""
    return file.uid == ROOT and not who.may_write(file)


def _is_code(file: File) -> bool:
    if file.kind not in (REGULAR, HARD_LINK) or not file.size:
        return False
    return bool(file.mode & 0o111) or bool(re.search(r"\.(py|pyc|so(\.[\d.]+)?)$", file.path))


def _given_away(dockerfile: Dockerfile, path: str) -> int | None:
    """The last stage's COPY or ADD with --chown or --chmod that put the path there, if one did."""
    line, here = None, "/"
    for one in dockerfile.stages[-1].instructions if dockerfile.stages else ():
        if one.name == "WORKDIR":
            here = posixpath.join(here, one.text.strip())
        elif one.name in ("COPY", "ADD") and (one.flag("chown") or one.flag("chmod")):
            words = re.sub(r'[\[\]",]', " ", one.text).split()
            goal = posixpath.normpath(posixpath.join(here, words[-1])) if words else "/"
            inside = f"{path}/".startswith(f"{goal.rstrip('/')}/")
            line = one.line if inside or goal.startswith(f"{path}/") else line
    return line


def _folders_above(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:n]) for n in range(len(parts))]


def _matched(file: File, patterns: list[str]) -> str:
    """The pattern that a part of the path matches; one with a slash is for the whole path."""
    for pattern in patterns:
        whole = "/" in pattern.rstrip("/")
        parts = [file.path] if whole else file.path.strip("/").split("/")
        if any(fnmatch.fnmatchcase(p, pattern.rstrip("/")) for p in parts):
            return pattern
    return ""


def _kilobytes(files: list[File]) -> str:
    return f"{len(files)} files, {sum(f.size for f in files) / 1000:.0f} kB"


def _is_program(file: File) -> bool:
    if file.kind in (SYMLINK, HARD_LINK):
        return True
    return file.kind == REGULAR and bool(file.mode & 0o111)


def _plain_name(path: str) -> set[str]:
    """The base name as it is, and without a target triplet in front and a version behind."""
    name = path.rpartition("/")[2]
    match = _DECORATION.match(name)
    return {name, match["name"]} if match else {name}


def _is_apt(path: str) -> bool:
    if path.startswith("/var/lib/apt/lists/"):
        return not path.endswith(("/lock", "/partial"))
    return path.startswith("/var/cache/apt/") and path.endswith((".deb", ".bin"))


def _some(paths: Iterable[str]) -> str:
    every = list(paths)
    rest = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + rest
