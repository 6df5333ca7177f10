"""What the image's own layers hold: bytes that nobody can see, rights that nobody needs."""

from __future__ import annotations

from collections import defaultdict

from grader.layers import Base, LayerFiles, Layers, Waste
from grader.leaks import short
from grader.look import FOLDER, HARD_LINK, REGULAR, File
from grader.registry import check
from grader.results import Result, failed, passed

MB = 1e6
SETUID, SETGID, STICKY, ANYBODY = 0o4000, 0o2000, 0o1000, 0o002
SHOWN = 3


@check
def reclaimable(layers: Layers, *, max_mb: float) -> Result:
    """At most {max_mb:g} MB are shipped that a later layer deletes or overwrites"""
    waste = layers.waste
    total = sum(w.size for w in waste)
    rows = [_row(layers, w) for w in sorted(waste, key=lambda w: -w.size)[:50]]
    if total <= max_mb * MB:
        return passed(f"{total / MB:.1f} MB", bytes=total, files=rows)
    worst, size = _worst(waste)
    made, by = layers.layers[worst.layer], layers.layers[worst.by]
    return failed(
        f"{total / MB:.1f} MB are shipped that nobody can see. Most of it ({size / MB:.1f} MB, like"
        f" {worst.path}) was written by {_step(made)} and is {worst.how} by {_step(by)}. Do both in"
        " one RUN, or write it in a stage that is not shipped.",
        line=by.line,
        bytes=total,
        files=rows,
    )


@check
def no_setuid(files: tuple[File, ...], base_files: tuple[File, ...], base: Base) -> Result:
    """No setuid or setgid program was added to the base"""
    known = {f.path: (f.mode, f.uid) for f in base_files}
    added = [f for f in files if _lends(f) and known.get(f.path) != (f.mode, f.uid)]
    seen = [f"{f.path} (mode {f.mode & 0o7777:04o}, UID {f.uid})" for f in added]
    if not added:
        had = sum(map(_lends, base_files))
        return passed(f"none; {base.name or 'the base'} has {had} of its own", base=had)
    return failed(
        f"Whoever starts {', '.join(seen[:SHOWN])}{_more(seen)} gets the owner's rights. Leave out"
        " what brought that in, or take the bit away: chmod a-s.",
        found=[f.path for f in added[:50]],
    )


@check
def no_world_writable(files: tuple[File, ...], *, paths: list[str]) -> Result:
    """Nothing below {paths} may be written by everybody"""
    under = [f for f in files if any(f.path == p or f.path.startswith(f"{p}/") for p in paths)]
    found = [f for f in under if f.kind in (REGULAR, HARD_LINK, FOLDER) and f.mode & ANYBODY]
    seen = [f"{f.path} (mode {f.mode & 0o7777:04o})" for f in found]
    if not under:
        return failed(f"The image has nothing at {', '.join(paths)}.")
    if not found:
        return passed(f"none of {len(under)} paths")
    return failed(
        f"{', '.join(seen[:SHOWN])}{_more(seen)}: whoever gets in, as whichever user, may change"
        " it. Take the right away (chmod o-w), and give one folder to the one who needs it.",
        found=[f.path for f in found[:50]],
    )


def _lends(file: File) -> bool:
    """Setgid on a folder says only which group new files get."""
    if file.kind not in (REGULAR, HARD_LINK):
        return False
    return bool(file.mode & SETUID or (file.mode & SETGID and file.mode & 0o010))


def _worst(waste: tuple[Waste, ...]) -> tuple[Waste, int]:
    """The pair of layers that wastes most, by its biggest file."""
    pairs = defaultdict[tuple[int, int], list[Waste]](list)
    for one in waste:
        pairs[one.layer, one.by].append(one)
    rows = max(pairs.values(), key=lambda rows: sum(w.size for w in rows))
    return max(rows, key=lambda w: w.size), sum(w.size for w in rows)


def _row(layers: Layers, one: Waste) -> dict[str, object]:
    made, by = layers.layers[one.layer], layers.layers[one.by]
    return {
        "path": one.path,
        "bytes": one.size,
        "how": one.how,
        "line": made.line,
        "by_line": by.line,
        "created_by": short(made.created_by),
    }


def _step(layer: LayerFiles) -> str:
    what = short(layer.created_by) or "a layer without a history"
    return f"line {layer.line} ({what})" if layer.line else what


def _more(seen: list[str]) -> str:
    return f" and {len(seen) - SHOWN} more" if len(seen) > SHOWN else ""
