"""Two flavours of one Dockerfile, told apart by what is in the images that it gives."""

from __future__ import annotations

from collections.abc import Iterable

from grader.checks.dockerfile import arg_scope
from grader.dockerfile import Dockerfile
from grader.flavours import ARGUMENT, DEVELOPMENT, PRODUCTION, Flavour, Refused
from grader.registry import check
from grader.results import Outcome, Result, failed, passed

SHOWN = 5


@check
def has_tools(
    development: Flavour,
    production: Flavour,
    dockerfile: Dockerfile,
    *,
    packages: list[str],
    tools: list[str],
) -> Result:
    """Built with ENV=development it has the packages {packages}, and one of {tools}"""
    lost = [name for name in packages if not development.has(name)]
    found = development.tools(tools)
    if found and not lost:
        return passed(f"{', '.join(packages)} and {found[0]}")
    missing = ", ".join(lost) if lost else f"none of {', '.join(tools)}"
    seen = f"{missing} {'is not there' if lost else 'is there'}"
    same = _contents(development) == _contents(production)
    twin = f", and what is in it is the same as with {ARGUMENT}={PRODUCTION}" if same else ""
    scope = arg_scope(dockerfile)
    if scope.outcome is Outcome.FAIL:
        return failed(
            f"Built with --build-arg {ARGUMENT}={DEVELOPMENT}, {seen}{twin}. {scope.message}",
            line=scope.line,
            same=same,
        )
    return failed(
        f"Built with --build-arg {ARGUMENT}={DEVELOPMENT}, {seen}{twin}. Let a RUN look at"
        f" ${ARGUMENT}, and install what belongs to it.",
        same=same,
    )


@check
def has_none(production: Flavour, *, packages: list[str], tools: list[str]) -> Result:
    """Built with ENV=production it has none of {packages}, {tools}"""
    found = [name for name in packages if production.shows(name)] + production.tools(tools)
    if not found:
        return passed(f"{len(production.packages)} packages, none of them")
    return failed(
        f"Built with --build-arg {ARGUMENT}={PRODUCTION} it has {', '.join(found)}. Install them"
        " only in the other flavour.",
        found=found,
    )


@check
def default(plain_flavour: Flavour, production: Flavour) -> Result:
    """Built without the argument it is the production flavour"""
    more, less = _differences(_contents(plain_flavour), _contents(production))
    if more or less:
        return failed(
            f"Without --build-arg {ARGUMENT} the image has{_told(' more', more)}"
            f"{_told(' less', less)} than with {ARGUMENT}={PRODUCTION}. Whoever forgets the"
            " argument must get what may be shipped: give the ARG that default, inside the stage.",
            more=more[:50],
            less=less[:50],
        )
    if odd := _other_settings(plain_flavour, production):
        return failed(
            f"Without --build-arg {ARGUMENT}, {odd} is set otherwise than with"
            f" {ARGUMENT}={PRODUCTION}."
        )
    return passed("the same packages, programs and settings")


@check
def unknown(unknown_flavour: Refused) -> Result:
    """With a value that there is no flavour for, the build stops"""
    if not unknown_flavour.built:
        return passed(f"{ARGUMENT}={unknown_flavour.value} is refused")
    return failed(
        f"--build-arg {ARGUMENT}={unknown_flavour.value} gives an image without a word. Whoever"
        " mistypes a value gets the wrong flavour: let a RUN end with an error where the value is"
        " none that you know.",
        value=unknown_flavour.value,
    )


@check
def smaller(development: Flavour, production: Flavour) -> Result:
    """The production flavour is the smaller one"""
    small, big = production.image.size, development.image.size
    seen = f"production {small / 1e6:.1f} MB and development {big / 1e6:.1f} MB"
    if small < big:
        return passed(seen, production=small, development=big)
    return failed(
        f"{seen}. What a later RUN removes still lies in the layer below: do not install it in the"
        " first place.",
        production=small,
        development=big,
    )


@check
def environment(development: Flavour, production: Flavour) -> Result:
    """Which flavour it is does not stay behind in the environment of what runs"""
    one, other = (set(map(str, f.image.config.get("Env") or ())) for f in (development, production))
    odd = sorted(row.partition("=")[0] for row in one ^ other)
    odd += [ARGUMENT for row in one & other if row.startswith(f"{ARGUMENT}=")]
    if not odd:
        return passed("both flavours start with the same variables")
    return failed(
        f"The image carries {', '.join(dict.fromkeys(odd))} into each container, where any program"
        " may act by it. An ARG is for the build and ends with it: take the ENV line out.",
        found=odd,
    )


def _contents(flavour: Flavour) -> frozenset[str]:
    packages = (f"{name} {version}" for name, version in flavour.packages.items())
    return frozenset((*packages, *flavour.programs))


def _differences(one: frozenset[str], other: frozenset[str]) -> tuple[list[str], list[str]]:
    return sorted(one - other), sorted(other - one)


def _other_settings(one: Flavour, other: Flavour) -> str:
    return next((k for k, v in one.settings.items() if v != other.settings[k]), "")


def _told(what: str, names: Iterable[str]) -> str:
    every = list(names)
    rest = f" and {len(every) - SHOWN} others" if len(every) > SHOWN else ""
    return f"{what} ({', '.join(every[:SHOWN])}{rest})" if every else ""
