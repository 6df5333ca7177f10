"""Whether what is installed in the image has been repaired since; nothing of it is run or asked."""

from __future__ import annotations

from grader.debian import Update, unlike
from grader.engine import Engine, Image
from grader.look import File
from grader.packages import (
    Advisory,
    Distribution,
    Patched,
    matching,
    newest,
    snapshot,
    trivy,
    without_metadata,
)
from grader.registry import check
from grader.results import Result, failed, passed

SHOWN = 4


@check
def updates(patched: Patched, files: tuple[File, ...], image: Image, engine: Engine) -> Result:
    """No security update of Debian waits for the image"""
    if patched.installed is None:
        return failed(
            "The image has no dpkg database (/var/lib/dpkg/status): what is in it can't be told,"
            " which is not the same as up to date. Leave it where it is."
        )
    if why := unlike(patched.installed, patched.base, files):
        return failed(f"What dpkg says and what is there don't fit: {why}. Install the updates.")
    if patched.updates:
        return _waiting(patched)
    # Not a row of its own: one that most machines can't measure would leave nobody full marks.
    opinion, found = trivy(engine, image.id)
    if found:
        return failed(f"{opinion}: {', '.join(found[:SHOWN])}.", found=found[:50])
    fresh = ""
    if patched.again:
        fresh = (
            f" The layers in your build cache are older: {patched.before} wait there, so build with"
            " --no-cache from time to time."
        )
    told = f"none of {len(patched.installed.versions)} packages as of {patched.day}.{fresh}"
    return passed(f"{told} {opinion}.", pending=[], as_of=patched.day, trivy=opinion)


@check
def advisories(distributions: tuple[Distribution, ...], files: tuple[File, ...]) -> Result:
    """No Python package has a weakness that the shipped advisories know"""
    known, hits = snapshot(), matching(distributions)
    if hits:
        one, first = hits[0]
        return failed(
            f"{len(hits)} advisories fit what is installed: {', '.join(_repairs(hits))}. The first"
            f" is {first.id}, {one.name} {one.version}: {first.what}. Change the pins in"
            f" requirements.txt and build again. (Snapshot of {known.date}.)",
            found=[f"{a.id} {d.name} {d.version}" for d, a in hits],
            as_of=known.date,
        )
    names = {a.package for a in known.advisories}
    if silent := without_metadata(files, distributions, names):
        return failed(
            f"{silent[0]} can be imported and has no metadata, so its version can't be told. Leave"
            " the *.dist-info folders where pip puts them.",
            found=silent,
        )
    told = f"none of {len(known.advisories)} advisories of the snapshot of {known.date} fits"
    return passed(f"{told}; it is a sample, not a scanner.", as_of=known.date)


def _repairs(hits: list[tuple[Distribution, Advisory]]) -> list[str]:
    """Each package with the version from which on none of its advisories fits."""
    ends: dict[Distribution, list[Advisory]] = {}
    for one, advisory in hits:
        ends.setdefault(one, []).append(advisory)
    return [f"{d.name} {d.version} (repaired: {newest(found)})" for d, found in ends.items()]


def _waiting(patched: Patched) -> Result:
    found = patched.updates
    rest = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    how = " even when it is built without the cache" if patched.again else ""
    return failed(
        f"{len(found)} security updates of Debian wait for it{how}, as of {patched.day}:"
        f" {', '.join(map(_told, found[:SHOWN]))}{rest}. Fetch the lists and install the updates in"
        " one RUN; without `apt-get update` there is nothing to upgrade to.",
        pending=[_told(u) for u in found],
        as_of=patched.day,
    )


def _told(update: Update) -> str:
    return f"{update.package} {update.installed} (repaired: {update.repaired})"
