"""What is in an image's file system, by tables of paths; the image is never run."""

from __future__ import annotations

import pytest

from grader.checks import files
from grader.dockerfile import Dockerfile
from grader.look import File
from grader.results import Outcome, Result
from grader.users import RunAs, Tree

P, F, S = Outcome.PASS, Outcome.FAIL, Outcome.SKIP
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


# -- not_writable, writable -----------------------------------------------------------------------

ME, ROOT = RunAs("10001:10002", 10001, 10002, frozenset((500,))), RunAs("", 0, 0)
NOTHING = Dockerfile.parse(b"FROM a:1")


def owned(path: str, mode: int = 0o644, *, uid: int = 0, gid: int = 0, **more: str) -> File:
    return File(path, 10, mode, uid, gid, more.get("kind", REGULAR), more.get("link", ""))


def folder(path: str, mode: int = 0o755, **more: int) -> File:
    return owned(path, mode, kind=FOLDER, **more)  # type: ignore[arg-type]


CODE = (folder("/app"), owned("/app/main.py"), folder("/opt"), folder("/opt/venv"))
HOME = (folder("/home"), folder("/home/me", uid=10001))
CHANGEABLE: list[tuple[str, list[File], Outcome]] = [
    ("all is root's", [], P),
    ("a file of its own", [owned("/app/x", uid=10001)], F),
    ("a file of its own that it may only read", [owned("/app/x", 0o444, uid=10001)], F),
    ("a folder of its own", [folder("/app/x", uid=10001)], F),
    ("the folder itself", [folder("/app", uid=10001)], F),
    ("everybody's file", [owned("/app/x", 0o646)], F),
    ("everybody's folder", [folder("/app/x", 0o757)], F),
    ("everybody's sticky folder", [folder("/app/x", 0o1777)], F),
    ("its group's file", [owned("/app/x", 0o664, gid=10002)], F),
    ("another group of its", [owned("/app/x", 0o664, gid=500)], F),
    ("a group that is not its", [owned("/app/x", 0o664, gid=501)], P),
    ("another user's", [owned("/app/x", uid=1000)], F),
    ("in the venv", [owned("/opt/venv/x", uid=10001)], F),
    ("the folder above", [folder("/opt", uid=10001)], F),
    ("the top", [folder("/", 0o777)], F),
    ("a sticky folder above", [folder("/opt", 0o1777)], P),
    ("its home, without code", [*HOME, owned("/home/me/notes", uid=10001)], P),
    ("Python in its home", [*HOME, owned("/home/me/a.py", uid=10001)], F),
    ("compiled Python in its home", [*HOME, owned("/home/me/a.pyc", uid=10001)], F),
    ("a library in its home", [*HOME, owned("/home/me/a.so", uid=10001)], F),
    ("a library with a version", [*HOME, owned("/home/me/a.so.1.2", uid=10001)], F),
    ("a program in its home", [*HOME, owned("/home/me/a", 0o755, uid=10001)], F),
    ("a program of everybody's", [owned("/usr/bin/a", 0o777)], F),
    ("a program of another user's", [owned("/srv/a", 0o755, uid=1000)], P),
    ("an empty file", [*HOME, File("/home/me/a.py", 0, 0o644, 10001, 0, REGULAR)], P),
    ("a folder called so", [*HOME, folder("/home/me/a.py", uid=10001)], P),
    (
        "a link is everybody's, and means nothing",
        [owned("/app/l", 0o777, kind=SYMLINK, link="x")],
        P,
    ),
    (
        "a link to what is its own",
        [*HOME, owned("/home/me/data", uid=10001), owned("/app/l", kind=SYMLINK, link="/home/me")],
        F,
    ),
    ("begins like it", [folder("/apple"), owned("/apple/x", uid=10001)], P),
    ("a hard link", [owned("/app/x", uid=10001, kind=HARD, link="/app/y")], F),
]


def not_writable(more: list[File], who: RunAs = ME, text: bytes = b"FROM a:1") -> Result:
    tree = Tree.of((*CODE, *more))
    return files.not_writable(tree, who, Dockerfile.parse(text), paths=["/app", "/opt/venv"])


@pytest.mark.parametrize(
    ("more", "outcome"), [c[1:] for c in CHANGEABLE], ids=[c[0] for c in CHANGEABLE]
)
def test_not_writable(more: list[File], outcome: Outcome) -> None:
    assert not_writable(more).outcome is outcome


def test_not_writable_for_root_is_no_pass() -> None:
    assert not_writable([], ROOT).outcome is S


def test_not_writable_of_what_is_not_there_is_no_pass() -> None:
    result = files.not_writable(Tree.of(CODE), ME, NOTHING, paths=["/app", "/srv/code"])
    assert result.outcome is F
    assert "/srv/code" in result.message


def test_not_writable_tells_whose_it_is() -> None:
    said = not_writable([owned("/app/x", 0o664, uid=10001, gid=7)]).message
    assert "/app/x (10001:7, mode 0664)" in said
    assert "UID 10001" in said


GIVEN_AWAY = [
    (b"COPY --chown=10001 app/ /app/", 2),
    (b"WORKDIR /app\nCOPY --chown=10001 app/ .", 3),
    (b'WORKDIR /\nWORKDIR app\nCOPY --chmod=777 ["a b", "./"]', 4),
    (b"ADD --chown=10001 app/x /app/x", 2),
    (b"COPY --chown=10001 app/ /", 2),
    (b"COPY app/ /app/", None),
    (b"COPY --chown=10001 app/ /srv/", None),
    (b"COPY --chown=10001 app/ /apple/", None),
    (b"COPY --chown=10001 app/ /app/\nFROM a:1\nCOPY app/ /app/", None),
]


@pytest.mark.parametrize(("lines", "line"), GIVEN_AWAY)
def test_not_writable_blames_the_line_that_gave_it_away(lines: bytes, line: int | None) -> None:
    assert not_writable([owned("/app/x", uid=10001)], text=b"FROM a:1\n" + lines).line == line


DATA: list[tuple[str, list[File], Outcome]] = [
    ("its own", [folder("/data", uid=10001)], P),
    ("its group's", [folder("/data", 0o775, gid=10002)], P),
    ("everybody's", [folder("/data", 0o777)], P),
    ("root's", [folder("/data")], F),
    ("another user's", [folder("/data", uid=1000)], F),
    ("its own, but it may not write", [folder("/data", 0o555, uid=10001)], F),
    ("not there", [], F),
    ("a file", [owned("/data", uid=10001)], F),
    ("a link to its own", [*HOME, owned("/data", kind=SYMLINK, link="/home/me")], P),
    ("a link to nothing", [owned("/data", kind=SYMLINK, link="/nowhere")], F),
]


@pytest.mark.parametrize(("more", "outcome"), [d[1:] for d in DATA], ids=[d[0] for d in DATA])
def test_writable(more: list[File], outcome: Outcome) -> None:
    text = b"FROM a:1\nCOPY --chown=me:me data/ /data/\n"
    tree = Tree.of((folder("/tmp", 0o1777), *more))
    result = files.writable(tree, ME, Dockerfile.parse(text), paths=["/tmp", "/data"])
    assert result.outcome is outcome
    if outcome is F:
        assert "/data" in result.message or "/nowhere" in result.message


def test_writable_blames_the_line_that_was_to_give_it() -> None:
    text = b"FROM a:1\nCOPY --chown=me:me data/ /data/\nRUN useradd me\n"
    tree = Tree.of((folder("/data"),))
    assert files.writable(tree, ME, Dockerfile.parse(text), paths=["/data"]).line == 2


def test_writable_for_root_is_no_pass() -> None:
    tree = Tree.of((folder("/data"),))
    assert files.writable(tree, ROOT, NOTHING, paths=["/data"]).outcome is S


# -- hygiene --------------------------------------------------------------------------------------

PATTERNS = [".git", ".env", "*.pyc", "tests", "/root/.cache/*"]
HYGIENE = [
    ("nothing of it", owned("/app/main.py"), P),
    ("in .git", owned("/app/.git/objects/1"), F),
    (".git as a file", owned("/app/.git"), F),
    ("not .gitignore", owned("/app/.gitignore"), P),
    (".env", owned("/app/.env"), F),
    ("not env", owned("/app/env"), P),
    ("compiled", owned("/app/x/__pycache__/a.cpython-311.pyc"), F),
    ("tests", owned("/app/tests/test_a.py"), F),
    ("not contests", owned("/app/contests/a.py"), P),
    ("an empty folder", folder("/app/.git"), P),
    ("a link", owned("/app/.env", kind=SYMLINK, link="x"), F),
    ("an empty file", File("/app/.env", 0, 0o644, 0, 0, REGULAR), F),
    ("a cache", owned("/root/.cache/pip/x"), F),
    ("a cache elsewhere", owned("/srv/root/.cache/pip/x"), P),
]


@pytest.mark.parametrize(("one", "outcome"), [h[1:] for h in HYGIENE], ids=[h[0] for h in HYGIENE])
def test_hygiene(one: File, outcome: Outcome) -> None:
    result = files.hygiene((*AROUND, one), patterns=PATTERNS)
    assert result.outcome is outcome
    if outcome is F:
        assert one.path in result.message
        assert result.evidence["bytes"] == one.size


@pytest.mark.parametrize(("size", "outcome"), [(1000, P), (1001, F)])
def test_hygiene_up_to_a_size(size: int, outcome: Outcome) -> None:
    one = file("/app/.env", size=size)
    assert files.hygiene((one,), patterns=PATTERNS, max_kb=1).outcome is outcome


@pytest.mark.parametrize(("path", "outcome"), [("/app/.env", F), ("/opt/venv/.env", P)])
def test_hygiene_under_a_folder(path: str, outcome: Outcome) -> None:
    assert files.hygiene((file(path),), patterns=PATTERNS, under="/app").outcome is outcome


def test_hygiene_adds_up_by_pattern() -> None:
    many = tuple(file(f"/app/tests/{n}", size=1000) for n in range(30))
    result = files.hygiene((*many, file("/app/.env", size=5)), patterns=PATTERNS)
    assert "tests (30 files, 30 kB, like /app/tests/0)" in result.message
    assert ".env (1 files, 0 kB, like /app/.env)" in result.message
    assert result.evidence["bytes"] == 30_005
