"""Who an image runs as, resolved as Docker does it, and what that user may write.

From the image's own files, read from outside: nothing of it is asked. Rules: GetExecUser in
moby/sys/user.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from grader.engine import Engine, Image, State
from grader.errors import SubmissionError
from grader.look import FOLDER, SYMLINK, File
from grader.peek import Peek, peek
from grader.registry import fact
from grader.running import Service

ROOT = 0
MOST_LINKS = 40  # as the kernel follows them
_LARGEST = 2**32 - 2


@dataclass(frozen=True)
class RunAs:
    """The user that an image's USER line (``spec``, maybe "") means in that image."""

    spec: str
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()
    home: str = "/"
    name: str = ""

    def __str__(self) -> str:
        named = f" ({self.name})" if self.name else ""
        return f"UID {self.uid}{named}"

    def may_write(self, file: File) -> bool:
        """Whether the mode bits let this user write to it; root may everything."""
        return self.uid == ROOT or bool(self._bits(file) & 2)

    def may_enter(self, file: File) -> bool:
        return self.uid == ROOT or bool(self._bits(file) & 1)

    def _bits(self, file: File) -> int:
        if file.uid == self.uid:
            return file.mode >> 6
        if file.gid == self.gid or file.gid in self.groups:
            return file.mode >> 3
        return file.mode


def resolve(spec: str, passwd: str, group: str) -> RunAs:
    """As Docker resolves it at the start. Raises SubmissionError for a name that nobody has."""
    user, _, of_group = spec.partition(":")
    uid, gid, home, name = ROOT, ROOT, "/", ""
    row = _find(passwd, user or "0", columns=7)
    if row:
        name, uid, gid, home = row[0], _number(row[2]), _number(row[3]), row[5] or "/"
    elif user:
        if not user.isdecimal() or int(user) > _LARGEST:
            raise SubmissionError(f"USER {spec}: the image's /etc/passwd has no user {user!r}.")
        uid = int(user)
    if not of_group:
        groups = frozenset(_number(g[2]) for g in _rows(group, 4) if name in g[3].split(","))
        return RunAs(spec, uid, gid, groups if name else frozenset(), home, name)
    row = _find(group, of_group, columns=3)
    if not row and not of_group.isdecimal():
        raise SubmissionError(f"USER {spec}: the image's /etc/group has no group {of_group!r}.")
    return RunAs(spec, uid, _number(row[2]) if row else int(of_group), frozenset(), home, name)


def _find(text: str, wanted: str, *, columns: int) -> list[str] | None:
    """The first row of that name, or of that number if ``wanted`` is one."""
    column = 2 if wanted.isdecimal() else 0
    return next((row for row in _rows(text, columns) if _same(row[column], wanted)), None)


def _same(one: str, other: str) -> bool:
    return int(one) == int(other) if one.isdecimal() and other.isdecimal() else one == other


def _rows(text: str, columns: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        row = line.strip().split(":")
        if line.strip() and not line.startswith("#"):
            yield row + [""] * (columns - len(row))


def _number(text: str) -> int:
    """What is no number counts as 0 there, too."""
    return int(text) if text.isdecimal() else 0


@dataclass(frozen=True)
class Tree:
    """An image's files by path, with links followed inside the image."""

    files: Mapping[str, File] = field(repr=False)

    @classmethod
    def of(cls, files: Iterable[File]) -> Tree:
        root = File("/", 0, 0o755, ROOT, ROOT, FOLDER)  # `docker export` leaves it out
        return cls({"/": root, **{f.path.rstrip("/") or "/": f for f in files}})

    def real(self, path: str) -> str:
        """The path with every link in it followed, as far as it is there."""
        done, rest, links = "/", _parts(path), 0
        while rest:
            here = posixpath.normpath(posixpath.join(done, rest.pop(0)))
            file = self.files.get(here)
            if file and file.kind == SYMLINK and links < MOST_LINKS:
                links += 1
                rest = _parts(file.link) + rest
                done = "/" if file.link.startswith("/") else done
                continue
            done = here
        return done

    def get(self, path: str) -> File | None:
        return self.files.get(self.real(path))

    def below(self, path: str) -> Iterator[File]:
        """The file or folder at ``path``, and all that is in it."""
        real = self.real(path)
        for name, file in self.files.items():
            if real in (name, "/") or name.startswith(f"{real}/"):
                yield file

    def why_not_writable(self, folder: str, who: RunAs) -> str:
        """ "" when ``who`` can write in that folder, or make it; else the reason, in words."""
        *folders, last = _above(self.real(folder))
        for path in (*folders, last):
            file = self.files.get(path)
            if file is None:  # whoever wants it there may have to make it
                parent = self.files[posixpath.dirname(path)]
                able = who.may_write(parent) and who.may_enter(parent)
                return "" if able else f"{path} does not exist, and {who} may not make it"
            if file.kind != FOLDER:
                return f"{path} is not a folder"
            if not who.may_enter(file):
                return f"{_told(file)}: {who} may not enter it"
        file = self.files[last]
        return "" if who.may_write(file) else f"{_told(file)}: {who} may not write to it"


def _parts(path: str) -> list[str]:
    return [p for p in path.split("/") if p and p != "."]


def _above(path: str) -> list[str]:
    """The path itself, after every folder above it, from the root on."""
    parts = _parts(path)
    return ["/" + "/".join(parts[:n]) for n in range(len(parts) + 1)]


def _told(file: File) -> str:
    return f"{file.path} belongs to {file.uid}:{file.gid} with mode {file.mode & 0o7777:04o}"


def environment(image: Image) -> dict[str, str]:
    """The image's ENV lines, the last one of a name counting."""
    rows = image.config.get("Env") or ()
    return {name: value for name, _, value in (row.partition("=") for row in rows)}


def cache_folder(image: Image, who: RunAs) -> tuple[str, str]:
    """Where programs of that user keep what they cache, and which variable says so."""
    known = environment(image)
    if cache := known.get("XDG_CACHE_HOME", ""):
        return cache, "XDG_CACHE_HOME"
    home = known.get("HOME") or who.home
    return posixpath.join(home, ".cache"), "HOME"


def is_numeric(spec: str) -> bool:
    return bool(re.fullmatch(r"[0-9]+(:[0-9]+)?", spec))


# -- facts -----------------------------------------------------------------------------------------


@fact
def runs_as(image: Image, engine: Engine) -> RunAs:
    """The user of the image, looked up in the image's own lists of users and groups."""
    spec = str(image.config.get("User") or "")
    with engine.created(image.id) as container:
        lists = [engine.read(container, f"/etc/{name}") or b"" for name in ("passwd", "group")]
    return resolve(spec, *(text.decode("utf-8", "replace") for text in lists))


@fact
def tree(files: tuple[File, ...]) -> Tree:
    """The final file system, to be asked by path."""
    return Tree.of(files)


@fact
def process_ids(service: Service, container: str, engine: Engine) -> Peek:  # noqa: ARG001  once up
    """All the IDs of every process while the service is up, as the kernel has them."""

    def ended(state: State) -> None:
        raise SubmissionError(f"The container ended with exit code {state.exit_code}.")

    return peek(engine, container, ended=ended)
