"""What is in an image's file system, by tables of paths; the image is never run."""

from __future__ import annotations

import pytest

from grader.checks import files
from grader.look import File
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
COMPILER = ["as", "c++", "cc", "cc1", "cc1plus", "cpp", "g++", "gcc", "ld", "make"]
SHELL = ["apt", "apt-get", "ash", "bash", "busybox", "dash", "dpkg", "sh"]
REGULAR, HARD, SYMLINK, FOLDER, DEVICE = "0", "1", "2", "5", "3"


def file(
    path: str, *, mode: int = 0o755, kind: str = REGULAR, size: int = 10, link: str = ""
) -> File:
    return File(path, size, mode, 0, 0, kind, link)


AROUND = (file("/usr/local/bin/python3.11"), file("/app/main.py", mode=0o644))

# -- absent ---------------------------------------------------------------------------------------

ABSENT = [
    # programs, wherever they are and however they are called
    ("gcc", file("/usr/bin/gcc"), F),
    ("gcc with a version", file("/usr/bin/gcc-12"), F),
    ("gcc with a longer version", file("/usr/bin/gcc-12.2.0"), F),
    ("gcc with a triplet", file("/usr/bin/x86_64-linux-gnu-gcc-12"), F),
    ("gcc of another machine", file("/usr/bin/aarch64-linux-gnu-gcc"), F),
    ("gcc with an ABI", file("/usr/bin/arm-linux-gnueabihf-gcc-12"), F),
    ("gcc of conda", file("/opt/conda/bin/x86_64-conda-linux-gnu-gcc"), F),
    ("gcc of Alpine", file("/usr/bin/x86_64-alpine-linux-musl-gcc"), F),
    ("gcc with a vendor", file("/usr/bin/x86_64-pc-linux-gnu-gcc-12"), F),
    ("g++", file("/usr/bin/g++"), F),
    ("g++ with a version", file("/usr/bin/g++-12"), F),
    ("c++", file("/usr/bin/c++"), F),
    ("the real compiler", file("/usr/lib/gcc/x86_64-linux-gnu/12/cc1"), F),
    ("the assembler", file("/usr/bin/as"), F),
    ("the assembler with a triplet", file("/usr/bin/x86_64-linux-gnu-as"), F),
    ("the linker", file("/usr/bin/x86_64-linux-gnu-ld"), F),
    ("in a hidden place", file("/opt/.x/y/gcc"), F),
    ("in a venv", file("/opt/venv/bin/make"), F),
    ("a link", file("/usr/bin/cc", kind=SYMLINK, link="/etc/alternatives/cc"), F),
    ("a link that hangs", file("/usr/bin/gcc", kind=SYMLINK, link="/nowhere"), F),
    ("a hard link", file("/usr/bin/gcc", kind=HARD, link="usr/bin/x"), F),
    ("only the owner may run it", file("/usr/bin/gcc", mode=0o700), F),
    ("only others may run it", file("/usr/bin/gcc", mode=0o641), F),
    ("with setuid", file("/usr/bin/gcc", mode=0o4755), F),
    # what only sounds like one
    ("a folder", file("/usr/lib/gcc", kind=FOLDER), P),
    ("the documentation's folder", file("/usr/share/doc/gcc-12-base", kind=FOLDER), P),
    (
        "its link in the documentation",
        file("/usr/share/doc/libgcc-s1", kind=SYMLINK, link="gcc-12-base"),
        P,
    ),
    ("the documentation itself", file("/usr/share/doc/gcc-12-base/copyright", mode=0o644), P),
    ("a data file called as", file("/usr/share/x/as", mode=0o644), P),
    ("a locale called as", file("/usr/share/locale/as", kind=FOLDER), P),
    ("a Python file", file("/usr/lib/python3.11/make.py"), P),
    ("a source file", file("/usr/src/gcc.c"), P),
    ("the runtime library", file("/lib/x86_64-linux-gnu/libgcc_s.so.1"), P),
    ("the loader", file("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), P),
    ("the old loader", file("/lib/ld-2.31.so"), P),
    ("the loader's link", file("/lib64/ld-linux-x86-64.so.2", kind=SYMLINK, link="/lib/x"), P),
    ("the loader of another machine", file("/lib/ld-linux-aarch64.so.1"), P),
    ("ldconfig", file("/sbin/ldconfig"), P),
    ("ldd", file("/usr/bin/ldd"), P),
    ("a longer name", file("/usr/bin/makedepend"), P),
    ("a name before it", file("/usr/bin/cmake"), P),
    ("a name in the middle", file("/usr/bin/x-gcc-y"), P),
    ("gcc-ar", file("/usr/bin/gcc-ar-12"), P),
    ("c++filt", file("/usr/bin/c++filt"), P),
    ("capitals", file("/usr/bin/GCC"), P),
    ("a device", file("/dev/make", kind=DEVICE), P),
    ("completions of the shell", file("/usr/share/bash-completion/completions/gcc", mode=0o644), P),
]


@pytest.mark.parametrize(("one", "outcome"), [r[1:] for r in ABSENT], ids=[r[0] for r in ABSENT])
def test_absent(one: File, outcome: Outcome) -> None:
    result = files.absent((*AROUND, one), names=COMPILER, what="compiler")
    assert result.outcome is outcome
    if outcome is F:
        assert result.evidence["found"] == [one.path]
        assert one.path in result.message


SHELLS = [
    ("sh", file("/bin/sh"), F),
    ("sh as a link to dash", file("/bin/sh", kind=SYMLINK, link="dash"), F),
    ("busybox", file("/busybox/busybox"), F),
    ("an applet", file("/busybox/sh", kind=HARD, link="busybox/busybox"), F),
    ("apt-get", file("/usr/bin/apt-get"), F),
    ("dpkg's database is no program", file("/var/lib/dpkg/status", mode=0o644), P),
    ("a script", file("/app/run.sh"), P),
    ("apt's lists", file("/var/lib/apt", kind=FOLDER), P),
    ("Python's own", file("/usr/lib/python3.11/shlex.py"), P),
]


@pytest.mark.parametrize(("one", "outcome"), [r[1:] for r in SHELLS], ids=[r[0] for r in SHELLS])
def test_absent_of_shells(one: File, outcome: Outcome) -> None:
    assert files.absent((*AROUND, one), names=SHELL).outcome is outcome


def test_absent_tells_few_of_many_and_keeps_more_as_evidence() -> None:
    many = tuple(file(f"/opt/{n:03}/gcc") for n in range(200))
    result = files.absent(many, names=COMPILER)
    assert "/opt/000/gcc" in result.message
    assert "and 195 more" in result.message
    assert "/opt/005/gcc" not in result.message
    found = result.evidence["found"]
    assert isinstance(found, list)
    assert len(found) == 50


def test_absent_tells_all_of_five() -> None:
    result = files.absent(tuple(file(f"/opt/{n}/gcc") for n in range(5)), names=COMPILER)
    assert "/opt/4/gcc." in result.message
    assert "more" not in result.message


def test_absent_of_an_empty_image() -> None:
    assert files.absent((), names=COMPILER).outcome is P


# -- no_packages ----------------------------------------------------------------------------------

TRAINING = ["onnx", "scikit-learn", "scipy", "skl2onnx"]
SITE = "/opt/venv/lib/python3.11/site-packages"
PACKAGES = [
    ("a wheel", f"{SITE}/scipy-1.17.1.dist-info/METADATA", "scipy"),
    ("only its folder", f"{SITE}/scipy-1.17.1.dist-info", "scipy"),
    ("with an underscore", f"{SITE}/scikit_learn-1.5.0.dist-info/METADATA", "scikit-learn"),
    ("with a dot and capitals", f"{SITE}/Scikit.Learn-1.5.0.dist-info/METADATA", "scikit-learn"),
    ("Debian's", "/usr/lib/python3/dist-packages/scipy-1.10.1.egg-info/PKG-INFO", "scipy"),
    (
        "Debian's as a file",
        "/usr/lib/python3/dist-packages/scikit_learn-1.2.1.egg-info",
        "scikit-learn",
    ),
    ("setuptools' with Python's version", f"{SITE}/scipy-1.10.1-py3.11.egg-info/PKG-INFO", "scipy"),
    ("editable, without a version", "/src/scipy.egg-info/PKG-INFO", "scipy"),
    ("a local version", f"{SITE}/onnx-1.17.0+cpu.dist-info/METADATA", "onnx"),
    ("a pre-release", f"{SITE}/onnx-1.18.0rc1.dist-info/METADATA", "onnx"),
    (
        "for a user",
        "/home/x/.local/lib/python3.11/site-packages/onnx-1.17.0.dist-info/RECORD",
        "onnx",
    ),
    ("hidden elsewhere", "/opt/.hidden/onnx-1.17.0.dist-info/RECORD", "onnx"),
    ("onnxruntime is not onnx", f"{SITE}/onnxruntime-1.23.2.dist-info/METADATA", ""),
    ("onnx-something is not onnx", f"{SITE}/onnx_ir-0.1.0.dist-info/METADATA", ""),
    ("something-onnx is not onnx", f"{SITE}/tf2onnx-1.16.1.dist-info/METADATA", ""),
    ("scipy-stubs is not scipy", f"{SITE}/scipy_stubs-1.15.0.dist-info/METADATA", ""),
    ("another package", f"{SITE}/numpy-2.4.6.dist-info/METADATA", ""),
    ("its folder alone", f"{SITE}/scipy/__init__.py", ""),
    ("a wheel that is not unpacked", "/wheels/scipy-1.17.1-cp311-cp311-linux_x86_64.whl", ""),
    ("a file that sounds like it", "/usr/share/scipy-1.17.1.dist-information", ""),
]


@pytest.mark.parametrize(("path", "name"), [r[1:] for r in PACKAGES], ids=[r[0] for r in PACKAGES])
def test_no_packages(path: str, name: str) -> None:
    result = files.no_packages((*AROUND, file(path, mode=0o644)), names=TRAINING)
    assert result.outcome is (F if name else P)
    if name:
        found = result.evidence["found"]
        assert isinstance(found, dict)
        assert list(found) == [name]
        assert path.startswith(found[name])
        assert name in result.message


def test_no_packages_tells_each_once() -> None:
    inside = [f"{SITE}/{p}-1.dist-info/{f}" for p in ("scipy", "onnx") for f in ("RECORD", "WHEEL")]
    result = files.no_packages(tuple(map(file, inside)), names=TRAINING)
    assert sorted(result.evidence["found"]) == ["onnx", "scipy"]  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["scikit-learn", "scikit_learn", "Scikit.Learn", "SCIKIT--LEARN"])
def test_no_packages_takes_any_spelling_of_the_setting(name: str) -> None:
    one = file(f"{SITE}/scikit_learn-1.5.0.dist-info/METADATA")
    assert files.no_packages((one,), names=[name]).outcome is F


# -- no_apt_lists ---------------------------------------------------------------------------------

LISTS = "/var/lib/apt/lists"
APT = [
    ("a list", file(f"{LISTS}/deb_dists_bookworm_main_binary-amd64_Packages", mode=0o644), F),
    ("a packed list", file(f"{LISTS}/deb_dists_bookworm_main_binary-amd64_Packages.lz4"), F),
    ("a release file", file(f"{LISTS}/deb_dists_bookworm_InRelease", mode=0o644), F),
    ("half a list", file(f"{LISTS}/partial/deb_Packages", mode=0o600), F),
    ("a package", file("/var/cache/apt/archives/gcc_12_amd64.deb", mode=0o644), F),
    ("half a package", file("/var/cache/apt/archives/partial/gcc_12_amd64.deb"), F),
    ("apt's cache", file("/var/cache/apt/pkgcache.bin", mode=0o644), F),
    ("apt's other cache", file("/var/cache/apt/srcpkgcache.bin", mode=0o644), F),
    ("the lock", file(f"{LISTS}/lock", mode=0o640), P),
    ("the lock, not empty", file(f"{LISTS}/lock", size=1), P),
    ("the lock of the archives", file("/var/cache/apt/archives/lock", mode=0o640, size=0), P),
    ("the folder", file(LISTS, kind=FOLDER), P),
    ("the folder of the halves", file(f"{LISTS}/partial", kind=FOLDER), P),
    ("an empty file", file(f"{LISTS}/deb_Packages", size=0), P),
    ("what dpkg knows", file("/var/lib/dpkg/status", mode=0o644), P),
    ("apt's own state", file("/var/lib/apt/extended_states", mode=0o644), P),
    ("a folder that begins so", file("/var/lib/apt/lists-of-mine/x", mode=0o644), P),
    ("another file in apt's cache", file("/var/cache/apt/archives/README", mode=0o644), P),
    ("a package of the service's own", file("/opt/x.deb", mode=0o644), P),
    ("another's cache", file("/var/cache/debconf/config.dat", mode=0o644), P),
]


@pytest.mark.parametrize(("one", "outcome"), [r[1:] for r in APT], ids=[r[0] for r in APT])
def test_no_apt_lists(one: File, outcome: Outcome) -> None:
    result = files.no_apt_lists((*AROUND, one))
    assert result.outcome is outcome
    if outcome is F:
        assert result.evidence == {"bytes": one.size, "found": [one.path]}


def test_no_apt_lists_adds_up_what_is_left() -> None:
    left = tuple(file(f"{LISTS}/{n}", size=1_000_000) for n in range(60))
    result = files.no_apt_lists(left)
    assert "60.0 MB of apt's files are left" in result.message
    assert "and 55 more" in result.message
    assert result.evidence["bytes"] == 60_000_000
