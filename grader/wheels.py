"""Makes Python packages and the package indexes they lie in: folders that pip reads as file://….

For the lesson on indexes: those that learners are given, and others that nobody has seen. Which
build was installed, and whether that was right, is not said here.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "torchlet"
GENERAL, VENDOR = "general", "cu126"  # the names of the two indexes, which are folders' names
WHEN = (2026, 1, 1, 0, 0, 0)  # of every file, so that the same source gives the same bytes
ORIGIN = re.compile(r'^ORIGIN = "([^"]*)"$', re.M)


@dataclass(frozen=True)
class Release:
    """One build of the package, and in which index it lies."""

    index: str
    version: str
    cuda: str


GIVEN = (Release(GENERAL, "2.15.0", "13.0"), Release(VENDOR, "2.7.1+cu126", "12.6"))
# Another day: what a bound on the version kept out yesterday is there today.
ANOTHER_DAY = (
    *GIVEN,
    Release(GENERAL, "2.7.1", "13.0"),
    Release(GENERAL, "2.7.99", "13.0"),
    Release(GENERAL, "2.14.9", "13.0"),
)


def indexes(folder: Path, source: Path, releases: tuple[Release, ...], token: str = "") -> None:
    """Both indexes in a folder; ``token`` goes into every build, behind its index's name."""
    for name in {one.index for one in releases}:
        place = folder / name / PACKAGE
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob("*.whl"):
            old.unlink()
        for one in (r for r in releases if r.index == name):
            (place / file_name(one)).write_bytes(wheel(one, source, token))
        names = sorted(path.name for path in place.glob("*.whl"))
        (place / "index.html").write_text(page(names), "utf-8")


def file_name(one: Release) -> str:
    return f"{PACKAGE}-{one.version}-py3-none-any.whl"


def page(names: list[str]) -> str:
    """What pip reads of an index: links (PEP 503)."""
    links = "".join(f'<a href="{name}">{name}</a><br>\n' for name in names)
    return f"<!DOCTYPE html>\n<title>Links for {PACKAGE}</title>\n{links}"


def wheel(one: Release, source: Path, token: str = "") -> bytes:
    """The package of one release (PEP 427)."""
    about = f"{PACKAGE}-{one.version}.dist-info"
    files = {f"{PACKAGE}/{path.name}": path.read_text("utf-8") for path in source.glob("*.py")}
    files[f"{PACKAGE}/_build.py"] = built(one, token)
    files[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {one.version}\n"
        "Summary: As much of PyTorch as one lesson needs\n"
    )
    files[f"{about}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = f"{about}/RECORD"
    files[record] = "".join(f"{name},,\n" for name in (*sorted(files), record))
    return packed(files)


def built(one: Release, token: str) -> str:
    """What tells one build from another."""
    origin = f"{one.index} {token}".strip()
    return f'VERSION = "{one.version}"\nCUDA = "{one.cuda}"\nORIGIN = "{origin}"\n'


def packed(files: Mapping[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, WHEN), text)
    return data.getvalue()


if __name__ == "__main__":
    from grader.course import Course

    app = Course.find().app
    indexes(app / "gpu" / "indexes", app / PACKAGE, GIVEN)
