"""``@check`` and ``@fact``: plain functions, found by name and called with what they name.

Nothing is measured here. A check's positional parameters are facts; its keyword-only ones are
settings that a lab.toml gives. A fact's parameters are other facts.
"""

from __future__ import annotations

import graphlib
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from grader.errors import SpecError
from grader.results import Result

F = TypeVar("F", bound=Callable[..., Any])
REQUIRED = inspect.Parameter.empty

CHECKS: dict[str, Check] = {}
FACTS: dict[str, Fact] = {}


@dataclass(frozen=True)
class Check:
    """One check: ``name`` is ``module.function``; ``settings`` maps each setting to its default."""

    name: str
    run: Callable[..., Result]
    facts: tuple[str, ...]
    settings: Mapping[str, Any]
    types: Mapping[str, Any] = field(default_factory=dict)

    def title(self, settings: Mapping[str, object]) -> str:
        """The docstring's first line with the settings filled in; lists read as words."""
        words = {k: _words(v) for k, v in settings.items()}
        doc = inspect.getdoc(self.run) or self.name
        return doc.splitlines()[0].format(**words)

    @property
    def timed(self) -> bool:
        """Whether somebody may fail it by being late."""
        return any(FACTS[name].timed for name in self.facts if name in FACTS)

    def bind(self, given: Mapping[str, object]) -> dict[str, object]:
        """The settings with defaults filled in. Raises SpecError for a typo or a wrong type."""
        if unknown := sorted(given.keys() - self.settings.keys()):
            known = ", ".join(self.settings) or "none"
            raise SpecError(f"{self.name} has no setting {unknown[0]!r} (it has: {known})")
        full = {**self.settings, **given}
        if missing := [k for k, v in full.items() if v is REQUIRED]:
            raise SpecError(f"{self.name} needs the setting {missing[0]!r}")
        for key, value in given.items():
            kind = self.types.get(key, Any)
            if not _fits(value, kind):
                raise SpecError(f"{self.name}: {key} = {value!r} is not {_wanted(kind)}")
        return full


@dataclass(frozen=True)
class Fact:
    """One thing to find out about a submission; ``needs`` are the facts it is worked out from.

    ``timed``: what it tells depends on how soon something came.
    """

    name: str
    work: Callable[..., Any]
    needs: tuple[str, ...]
    timed: bool = False


def check(func: F) -> F:
    """Register ``func`` as a check, and leave it a plain function."""
    name = f"{func.__module__.rpartition('.')[2]}.{func.__name__}"
    params = inspect.signature(func).parameters.values()
    settings = {p.name: p.default for p in params if p.kind is p.KEYWORD_ONLY}
    hints = get_type_hints(func)
    CHECKS[name] = Check(
        name,
        func,
        facts=tuple(p.name for p in params if p.kind is not p.KEYWORD_ONLY),
        settings=settings,
        types={k: hints[k] for k in settings if k in hints},
    )
    return func


def fact(func: F) -> F:
    """Register ``func`` as the way to work out the fact called like it.

    Raises SpecError for a second one of that name: it would silently take the first one's place.
    """
    other = FACTS.get(func.__name__)
    if other and other.work.__module__ != func.__module__:
        raise SpecError(
            f"Two facts are called {func.__name__}: in {other.work.__module__} and in"
            f" {func.__module__}"
        )
    FACTS[func.__name__] = Fact(func.__name__, func, tuple(inspect.signature(func).parameters))
    return func


def timed(func: F) -> F:
    """Mark a fact, already registered, as one that a busy machine can spoil."""
    FACTS[func.__name__] = replace(FACTS[func.__name__], timed=True)
    return func


def load_checks() -> None:
    """Import every module of ``grader.checks`` and the facts they name. Raises SpecError."""
    from grader import checks, facts, running  # noqa: F401  (importing registers)

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    for name, wanted in (
        *((c.name, c.facts) for c in CHECKS.values()),
        *((f.name, f.needs) for f in FACTS.values()),
    ):
        if unknown := [f for f in wanted if f not in FACTS and f not in facts.GIVEN]:
            raise SpecError(f"{name} asks for a fact that nobody works out: {unknown[0]!r}")
    try:
        graphlib.TopologicalSorter({f.name: f.needs for f in FACTS.values()}).prepare()
    except graphlib.CycleError as err:
        raise SpecError(f"Facts that wait for each other: {', '.join(err.args[1])}") from err


def _words(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _wanted(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    return f"a {getattr(kind, '__name__', kind)}"


def _fits(value: Any, kind: Any) -> bool:
    """Whether a TOML value fits an annotation: plain types, ``list[...]`` and unions of them."""
    if kind in (Any, REQUIRED):
        return True
    if kind is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is list:
        (inner,) = get_args(kind)
        return isinstance(value, list) and all(_fits(v, inner) for v in value)
    if get_origin(kind) is None:
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    return any(_fits(value, k) for k in get_args(kind))
