"""A lab as data: reads ``labs/NN-name/lab.toml`` into Lab, Exercise and Item.

It finds each mistake at load, with the file and the key; it does not look at any submission.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from grader.errors import SpecError
from grader.registry import CHECKS, Check, load_checks

HINT_STEPS = 3
NEEDS = ("engine", "gpu", "network")


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds, or MB of 1,000,000 bytes."""

    build_seconds: float = 300
    build_memory_mb: int = 4000
    build_pids: int = 1024
    build_disk_mb: float = 8000
    build_log_mb: float = 10
    context_mb: float = 100
    ready_seconds: float = 60
    memory_mb: int = 1000
    disk_mb: float = 2000
    pids: int = 256


@dataclass(frozen=True)
class Seen:
    """Hints for one way to fail: where ``words`` stand in what was observed, in any case."""

    words: str
    hints: tuple[str, ...]

    def fits(self, message: str) -> bool:
        return self.words.lower() in message.lower()


@dataclass(frozen=True)
class Item:
    """One row of an exercise: a check with its settings, points and hints.

    ``needs`` are ids of earlier items: unless they pass, this one is skipped, so that one cause
    gives one red line. ``hints`` are three steps: where to look, which concept, which line of
    the docs; ``seen`` has better ones for what may be observed, the first that fits is taken.
    """

    id: str
    check: Check
    settings: Mapping[str, object]
    points: float
    hints: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()

    @property
    def title(self) -> str:
        return self.check.title(self.settings)

    def hints_for(self, message: str) -> tuple[str, ...]:
        """The three steps for what a report says of it; "" where nothing is known."""
        fitting = (seen.hints for seen in self.seen if seen.fits(message))
        return next(fitting, self.hints)


@dataclass(frozen=True)
class Exercise:
    """One task of a lab.

    ``given`` are paths in ``labs/app`` that are laid under the starter; of one that ends in a
    slash, what is in it. ``secret`` is the id of a build secret that the build is given. ``image``
    names one of the course's own images, where the task is not to write a Dockerfile. ``ready`` is
    the path at which the service says that it can serve.
    """

    lab: str
    name: str
    title: str
    task: str
    items: tuple[Item, ...]
    folder: Path
    given: tuple[str, ...] = ()
    teaches: tuple[str, ...] = ()
    port: int = 8000
    ready: str = "/ready"
    minutes: int = 10
    images: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    secret: str = ""
    image: str = ""

    @property
    def id(self) -> str:
        return f"{self.lab}/{self.name}"

    @property
    def max_points(self) -> float:
        return sum(i.points for i in self.items)

    @property
    def is_gate(self) -> bool:
        """A gate teaches nothing and gives nothing: its starter is its own solution."""
        return not self.teaches and not self.max_points


@dataclass(frozen=True)
class Lab:
    """One section of the lecture. ``images`` are the base images that its Dockerfiles build on."""

    name: str
    title: str
    summary: str
    minutes: int
    needs: tuple[str, ...]
    images: tuple[str, ...]
    exercises: tuple[Exercise, ...]
    folder: Path
    cell_seconds: float = 60

    def __getitem__(self, name: str) -> Exercise:
        for exercise in self.exercises:
            if exercise.name == name:
                return exercise
        raise KeyError(name)

    @classmethod
    def load(cls, path: Path) -> Lab:
        """Read one lab.toml. Raises SpecError naming the file and the key."""
        try:
            return _Reader(path).lab()
        except tomllib.TOMLDecodeError as err:
            raise SpecError(f"{path}: not valid TOML: {err}") from err
        except (OSError, UnicodeDecodeError) as err:
            raise SpecError(f"{path}: cannot be read: {err}") from err


class _Reader:
    """Takes keys out of the TOML one by one, so that what is left over is a typo."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent

    def lab(self) -> Lab:
        load_checks()
        data = tomllib.loads(self.path.read_text(encoding="utf-8"))
        rows = self.take(data, "exercise", list, [])
        images = self.words(data, "images")
        lab = Lab(
            name=self.folder.name,
            title=self.take(data, "title", str),
            summary=self.take(data, "summary", str),
            minutes=self.number(data, "minutes", int),
            needs=self.words(data, "needs", NEEDS),
            images=images,
            cell_seconds=self.number(data, "cell_seconds", float, 60.0),
            exercises=tuple(self.exercise(row, at, images) for at, row in enumerate(rows, 1)),
            folder=self.folder,
        )
        self.nothing_left(data, "")
        self.no_twins([e.name for e in lab.exercises], "exercise")
        return lab

    def exercise(self, row: Any, number: int, images: tuple[str, ...]) -> Exercise:
        where = f"exercise {number}"
        name = self.take(self.table(row, where), "name", str, where=where)
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise self.wrong(f"{where}.name", f"{name!r} is not small letters, digits and dashes")
        items = tuple(self.item(item, name) for item in self.take(row, "check", list, where=name))
        ids = [i.id for i in items]
        self.checks_fit(name, items, ids)
        exercise = Exercise(
            lab=self.folder.name,
            name=name,
            title=self.take(row, "title", str, where=name),
            task=self.take(row, "task", str, where=name),
            items=items,
            folder=self.folder / name,
            given=self.words(row, "given", where=name),
            teaches=self.words(row, "teaches", ids, where=name),
            port=self.number(row, "port", int, 8000, where=name, most=65535),
            ready=self.route(row, "ready", name),
            minutes=self.number(row, "minutes", int, 10, where=name),
            images=images,
            limits=self.limits(self.take(row, "limits", dict, {}, where=name), name),
            secret=self.secret(row, name),
            image=self.shared_image(row, name),
        )
        self.nothing_left(row, name)
        self.given_is_there(exercise)
        return exercise

    def checks_fit(self, name: str, items: tuple[Item, ...], ids: list[str]) -> None:
        if not items:
            raise self.wrong(f"{name}.check", "has no check")
        self.no_twins(ids, f"{name}: check (give the second one an id)")
        for at, item in enumerate(items):
            if late := [n for n in item.needs if n not in ids[:at]]:
                raise self.wrong(f"{name}.{item.id}.needs", f"no earlier check {late[0]!r}")

    def given_is_there(self, exercise: Exercise) -> None:
        app = self.folder.parent / "app"
        for name in exercise.given:
            if ".." in Path(name).parts or not (app / name).exists():
                raise self.wrong(f"{exercise.name}.given", f"there is no {name!r} in {app}")

    def secret(self, row: dict[str, Any], where: str) -> str:
        id_: str = self.take(row, "secret", str, "", where=where)
        if id_ and not re.fullmatch(r"[a-z][a-z0-9_]*", id_):
            raise self.wrong(f"{where}.secret", f"{id_!r} is not small letters, digits and _")
        return id_

    def route(self, row: dict[str, Any], key: str, where: str) -> str:
        path: str = self.take(row, key, str, "/ready", where=where)
        if not re.fullmatch(r"/[\w./-]*", path):
            raise self.wrong(f"{where}.{key}", f"{path!r} is not a path such as /ready")
        return path

    def shared_image(self, row: dict[str, Any], where: str) -> str:
        name: str = self.take(row, "image", str, "", where=where)
        images = self.folder.parent.parent / "images"
        if name and not (images / name / "Dockerfile").is_file():
            raise self.wrong(
                f"{where}.image", f"there is no {name!r} with a Dockerfile in {images}"
            )
        return name

    def item(self, row: Any, where: str) -> Item:
        name = self.take(self.table(row, f"{where}.check"), "use", str, where=where)
        if name not in CHECKS:
            raise self.wrong(f"{where}.check.use", f"no check {name!r}")
        points = self.take(row, "points", float, where=f"{where}.{name}")
        if not 0 <= points < math.inf:
            raise self.wrong(f"{where}.{name}.points", f"must not be negative, nor {points}")
        id_ = self.take(row, "id", str, name, where=f"{where}.{name}")
        hints = self.hints(row, f"{where}.{id_}")
        needs = self.words(row, "needs", where=f"{where}.{id_}")
        seen = self.seen(row, f"{where}.{id_}")
        try:
            settings = CHECKS[name].bind(row)
            CHECKS[name].title(settings)
        except (SpecError, KeyError, ValueError, TypeError) as err:
            raise self.wrong(f"{where}.{id_}", str(err)) from err
        return Item(id_, CHECKS[name], settings, points, hints, needs, seen)

    def hints(self, row: dict[str, Any], where: str) -> tuple[str, ...]:
        hints = self.words(row, "hints", where=where)
        if hints and len(hints) != HINT_STEPS:
            raise self.wrong(f"{where}.hints", f"{HINT_STEPS} steps, not {len(hints)}")
        return hints

    def seen(self, row: dict[str, Any], where: str) -> tuple[Seen, ...]:
        rows: list[Any] = self.take(row, "seen", list, [], where=where)
        found = []
        for number, one in enumerate(rows, 1):
            place = f"{where}.seen {number}"
            table = self.table(one, place)
            words: str = self.take(table, "words", str, where=place)
            hints = self.hints(table, place)
            self.nothing_left(table, place)
            if not words.strip() or not hints:
                raise self.wrong(place, "it needs words and hints")
            found.append(Seen(words, hints))
        return tuple(found)

    def limits(self, row: dict[str, Any], where: str) -> Limits:
        where = f"{where}.limits"
        known = {
            f.name: self.number(row, f.name, float, f.default, where=where) for f in fields(Limits)
        }
        self.nothing_left(row, where)
        return Limits(**known)

    def table(self, row: Any, where: str) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise self.wrong(where, f"must be a table, not {row!r}")
        return row

    def take(
        self, row: dict[str, Any], key: str, kind: type, default: Any = None, *, where: str = ""
    ) -> Any:
        name = f"{where}.{key}" if where else key
        if key not in row:
            if default is None:
                raise self.wrong(name, "is missing")
            return default
        value = row.pop(key)
        kinds = (int, float) if kind is float else kind
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self.wrong(name, f"must be a {kind.__name__}, not {value!r}")
        return value

    def number(
        self,
        row: dict[str, Any],
        key: str,
        kind: type,
        default: Any = None,
        *,
        where: str = "",
        most: float = math.inf,
    ) -> Any:
        """A number above 0 and at most ``most``; not nan, not infinite."""
        value = self.take(row, key, kind, default, where=where)
        if not (0 < value < math.inf and value <= most):
            raise self.wrong(f"{where}.{key}" if where else key, f"{value} is out of range")
        return value

    def words(
        self,
        row: dict[str, Any],
        key: str,
        known: tuple[str, ...] | list[str] | None = None,
        *,
        where: str = "",
    ) -> tuple[str, ...]:
        values = self.take(row, key, list, [], where=where)
        name = f"{where}.{key}" if where else key
        for value in values:
            if not isinstance(value, str):
                raise self.wrong(name, f"must hold strings, not {value!r}")
            if known is not None and value not in known:
                raise self.wrong(name, f"{value!r} is none of {', '.join(known)}")
        return tuple(values)

    def no_twins(self, names: list[str], what: str) -> None:
        if twins := sorted({n for n in names if names.count(n) > 1}):
            raise self.wrong(what, f"{twins[0]!r} stands twice")

    def nothing_left(self, row: dict[str, Any], where: str) -> None:
        if row:
            key = sorted(row)[0]
            raise self.wrong(f"{where}.{key}" if where else key, "unknown key")

    def wrong(self, key: str, why: str) -> SpecError:
        return SpecError(f"{self.path}: {key}: {why}")
