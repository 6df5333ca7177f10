"""The reference of every check, from the registry, every lab.toml and every wrong.toml."""

from __future__ import annotations

import importlib
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from grader.course import Course
from grader.lint_files import wrong_answers
from grader.pages.markdown import link
from grader.pages.needs import need
from grader.registry import CHECKS, REQUIRED, Check, load_checks

# The checks that no lab has proven so far have a course of their own.
PROVING = "tests/course"


@dataclass
class Use:
    """Where a check is used: exercises by id, and the wrong answers that it finds out."""

    exercises: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def text(course: Course) -> str:
    """One heading a family and one a check."""
    load_checks()
    uses = used(course)
    families = groupby(sorted(CHECKS), key=lambda name: name.partition(".")[0])
    return "\n\n".join(p for family, names in families for p in _family(family, names, uses))


def used(course: Course) -> Mapping[str, Use]:
    """Every check's uses, in the course and in the one that proves checks."""
    found: dict[str, Use] = defaultdict(Use)
    for at, one in (("", course), (f"{PROVING}/", Course(course.root / PROVING))):
        for lab in one.labs():
            wrong = wrong_answers(one, lab)
            for exercise in lab.exercises:
                checks = {item.id: item.check.name for item in exercise.items}
                for name in dict.fromkeys(checks.values()):
                    found[name].exercises.append(f"{at}{exercise.id}")
                for answer, id_ in wrong.get(exercise.name, {}).items():
                    place = f"{at}solutions/{lab.name}/{exercise.name}.wrong/{answer}"
                    found[checks[id_]].wrong.append(place)
    return found


def _family(family: str, names: Iterator[str], uses: Mapping[str, Use]) -> Iterator[str]:
    doc = inspect.getdoc(importlib.import_module(f"grader.checks.{family}")) or ""
    yield f"## {family}"
    yield doc.partition("\n\n")[0].replace("``", "`").replace("\n", " ")
    for name in names:
        yield from _check(CHECKS[name], uses.get(name, Use()))


def _check(check: Check, use: Use) -> Iterator[str]:
    title, _, more = (inspect.getdoc(check.run) or "").replace("``", "`").partition("\n")
    rows = {
        "Needs": need(check.facts).value + (", and may be late" if check.timed else ""),
        "Facts": ", ".join(f"`{name}`" for name in check.facts),
        "Settings": ", ".join(_settings(check)),
        "Used by": ", ".join(_exercise(id_) for id_ in use.exercises),
        "Proven by": ", ".join(_wrong(path) for path in use.wrong),
    }
    yield f"### {check.name}"
    yield f"{title}."
    if more.strip():
        yield " ".join(more.split())
    yield "\n".join(f"- {name}: {said}" for name, said in rows.items() if said)


def _settings(check: Check) -> Iterator[str]:
    for name, default in check.settings.items():
        yield f"`{name}`" if default is REQUIRED else f"`{name} = {default!r}`"


def _exercise(id_: str) -> str:
    if id_.startswith(PROVING):
        lab, _, name = id_.removeprefix(f"{PROVING}/").partition("/")
        return link(f"{lab}/{name}", f"../{PROVING}/labs/{lab}/lab.toml")
    return link(id_, "labs.md", id_)


def _wrong(path: str) -> str:
    return link(path.rpartition("/")[2], f"../{path}")
