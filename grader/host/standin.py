"""An honest stand-in for an image that can't be pulled: its file system, from Debian's packages.

Not here: what goes into it (the recipe), and bringing it into an engine (images).
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grader.errors import EngineError
from grader.host import packages, trust
from grader.host.apt import Apt, Source, archive, codename, sources, unpack
from grader.host.home import Home
from grader.host.recipes import Recipe

TIMEOUT_S = 600
# What nobody reads in a container; the official slim images leave the same out.
NOT_NEEDED = ("doc", "groff", "info", "linda", "lintian", "locale", "man")


def why_not() -> str:
    """Why no stand-in can be made here; empty when one can."""
    if os.geteuid() != 0:
        return "making a stand-in needs root"
    return packages.why_not()


def root_tar(one: Recipe, place: Home) -> Path:
    """The stand-in's file system as a file; one that was made before is used."""
    folder = place.root / "images"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{one.folder.name}-{one.digest}.tar"
    with (folder / f"{one.folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return target if target.exists() else _make(one, place, target)


def _make(one: Recipe, place: Home, target: Path) -> Path:
    reason = why_not()
    if reason:
        raise EngineError(f"{one.tag} can't be pulled, and no stand-in can be made: {reason}")
    tool = debstrap(place)
    with tempfile.TemporaryDirectory(prefix="make-", dir=target.parent) as scratch:
        work = Path(scratch)
        trust.machine().write(work / "trust")
        unpack(_apt(place, one.suite).download(one.unpack, work / "debs"), work / "unpacked")
        _run(command(tool, one, work, place), environment(tool, work), one)
        return (work / "root.tar").replace(target)


def debstrap(place: Home) -> Path:
    """mmdebstrap, unpacked."""
    folder = place.root / "debstrap"
    if not folder.is_dir():
        debs = packages.fresh_folder(place.apt / "debs" / "debstrap")
        unpack(packages.native_apt(place).download_missing(["mmdebstrap"], debs), folder)
        shutil.rmtree(debs, ignore_errors=True)
    return folder


def _apt(place: Home, suite: str) -> Apt:
    if suite == codename():
        return packages.native_apt(place)
    apt = Apt(place.apt / suite, tuple(lines(sources(), codename(), suite)))
    apt.update()
    return apt


def lines(known: Sequence[Source], own: str, suite: str) -> list[str]:
    """The machine's archives for one suite of Debian, as an image may know them."""
    wanted = (own, f"{own}-updates", f"{own}-security")
    found = [source for name in wanted if (source := archive(known, name)) is not None]
    return [_public(one.line(suite=one.suite.replace(own, suite, 1))) for one in found]


def _public(line: str) -> str:
    """Without a keyring's path, which is the machine's, and without a password."""
    return re.sub(r"://[^/@ ]+@", "://", re.sub(r"\[[^\]]*\] ", "", line))


def command(tool: Path, one: Recipe, work: Path, place: Home) -> list[str]:
    """The call of mmdebstrap."""
    native = packages.native_apt(place)
    return [
        str(tool / "usr/bin/mmdebstrap"),
        "--mode=root",
        "--variant=minbase",
        "--quiet",
        f"--keyring={packages.keyring(place, native)}",
        # /bin is a link from the start, so the package that converts it isn't needed.
        f"--hook-dir={tool}/usr/share/mmdebstrap/hooks/merged-usr",
        f"--include={','.join(one.include)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in NOT_NEEDED),
        # A licence stays with what it licenses.
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        *(f'--aptopt={key} "{value}"' for key, value in trust.machine().apt),
        f'--customize-hook=sh "{one.folder / one.customize}" "$1"',
        one.suite,
        str(work / "root.tar"),
        *lines(sources(), codename(), one.suite),
    ]


def environment(tool: Path, work: Path) -> dict[str, str]:
    """Without the settings of the Python and the pip that run us: the image has its own."""
    folders = ("usr/share/perl*", "usr/share/perl/*", "usr/lib/*/perl/*")
    modules = [str(path) for folder in folders for path in tool.glob(folder)]
    dropped = ("PYTHON", "PIP_")
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(dropped)},
        "PATH": f"{tool}/usr/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PERL5LIB": ":".join(modules),
        "LAB_UNPACKED": str(work / "unpacked"),
        "LAB_TRUST": str(work / "trust"),
        "TMPDIR": str(work),
        "LC_ALL": "C.UTF-8",
    }


def _run(words: Sequence[str], env: dict[str, str], one: Recipe) -> None:
    try:
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as err:
        raise EngineError(f"making {one.tag} did not end within {TIMEOUT_S} s") from err
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise EngineError(f"making {one.tag} failed:\n{said}")
