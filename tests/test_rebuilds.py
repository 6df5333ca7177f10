"""Variants of a build: which layers hold packages, what ran, what is laid in the copies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import cachemounts, rebuilds
from grader.archive import Entry
from grader.build import Build
from grader.buildlog import BuildLog, Step
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.engine import Image
from grader.errors import SubmissionError
from grader.facts import Canary
from grader.layers import Base, LayerFiles, Layers
from grader.look import File
from tests.conftest import ROOT

SITE = "/opt/venv/lib/python3.11/site-packages"
NAMES = frozenset({"bottle", "my-pkg"})


def layer(number: int, *paths: str, kind: str = "0", size: int = 1) -> LayerFiles:
    return LayerFiles(
        f"d{number}", "", None, tuple(Entry(p, size, 0o644, 0, 0, kind) for p in paths)
    )


FOUND = [
    ("one", [layer(1, f"{SITE}/bottle-0.13.dist-info/METADATA")], ("d1",), {SITE}),
    ("another name", [layer(1, f"{SITE}/bottles-1.dist-info/METADATA")], (), set()),
    ("another spelling", [layer(1, "/d/My_Pkg-1.dist-info/METADATA")], ("d1",), {"/d"}),
    ("another file of it", [layer(1, f"{SITE}/bottle-0.13.dist-info/RECORD")], (), set()),
    ("an empty one", [layer(1, f"{SITE}/bottle-0.13.dist-info/METADATA", size=0)], (), set()),
    ("a link", [layer(1, f"{SITE}/bottle-0.13.dist-info/METADATA", kind="2")], (), set()),
    (
        "in two layers",
        [layer(n, f"{SITE}/bottle-0.13.dist-info/METADATA") for n in (1, 2)],
        ("d1", "d2"),
        {SITE},
    ),
]


@pytest.mark.parametrize(
    ("made", "layers", "folders"), [f[1:] for f in FOUND], ids=[f[0] for f in FOUND]
)
def test_found_in(made: list[LayerFiles], layers: tuple[str, ...], folders: set[str]) -> None:
    found = rebuilds.found_in(Layers(Base("a:1"), tuple(made)), NAMES)
    assert (found.layers, set(found.folders)) == (layers, folders)


def step(name: str, *, line: int | None = 2, cached: bool = False) -> Step:
    return Step(name, "", line, cached, 1, 1, "", ())


def test_only_runs_that_ran_count() -> None:
    steps = [
        step("[builder 2/4] RUN pip"),
        step("[builder 2/4] RUN pip", cached=True),
        step("[2/4] COPY RUN ."),
        step("[internal] load RUN", line=None),
    ]
    assert rebuilds.ran(steps) == [steps[0]]


def test_what_began_before_the_earlier_build_was_over_is_shared_with_another() -> None:
    steps = [replace(step("[2/4] RUN pip", line=n), started=n) for n in (2, 3, 4)]
    earlier = [replace(step("[2/4] RUN pip"), started=1, seconds=2)]
    assert [s.line for s in rebuilds.ran_after(steps, earlier)] == [3, 4]
    assert rebuilds.ran_after(steps, ()) == steps


def test_the_lines_of_layers_with_packages_are_known_where_they_can_be() -> None:
    path = f"{SITE}/bottle-0.13.dist-info/METADATA"
    made = [replace(layer(n, p), line=n) for n, p in ((1, path), (2, "/x"))] + [layer(3, path)]
    assert rebuilds.found_in(Layers(Base("a:1"), tuple(made)), NAMES).lines == {1}


def test_a_stage_without_a_name_is_given_one_and_keeps_its_lines() -> None:
    parsed = Dockerfile.parse(b"FROM a:1\nRUN b\nFROM a:1 AS c\nFROM a:1\n")
    assert rebuilds._named(parsed, 1) == ("c", parsed.text)
    name, text = rebuilds._named(parsed, 0)
    again = Dockerfile.parse(text.encode())
    assert again.stages[0].name == name
    assert [s.line for s in again.stages] == [s.line for s in parsed.stages]


def test_the_names_are_those_of_the_given_requirements(course: Course) -> None:
    exercise = course.exercise("03-build-optimization/dont-reinstall")
    assert rebuilds.requirements(course, exercise) == {"bottle", "waitress"}


# -- the copies -----------------------------------------------------------------------------------


class Engine:
    """Knows the files of the one image that is built."""

    def __init__(self) -> None:
        self.paths: set[str] = set()

    def image(self, name: str) -> Image:
        return Image(name, ("base",), (), {})

    def files(self, image: str) -> tuple[File, ...]:
        return tuple(File(p, 1, 0o644, 0, 0, "0") for p in sorted(self.paths))


class Builder:
    """Keeps what it is asked to build."""

    def __init__(self, scratch: Path, **files: str) -> None:
        self.scratch, self.engine, self.files = scratch, Engine(), files
        self.asked: list[tuple[Path, dict[str, Any]]] = []

    def copy(self, name: str) -> Path:
        folder = self.scratch / name
        for path, text in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    def make(self, folder: Path, **how: Any) -> Build:
        self.asked.append((folder, how))
        return Build("sha256:2", (), 1, BuildLog(None))


FIRST = Build("sha256:1", (), 1, BuildLog(None))
FILE = Dockerfile.parse(b"FROM a:1\n")


@pytest.fixture
def builder(tmp_path: Path) -> Any:
    files = {"app/main.py": "x = 1\n", "requirements.txt": "bottle==1", "words.txt": "a\nb\n"}
    script = (ROOT / "labs/app/mounts/prepare.py").read_text()
    return Builder(tmp_path, **files, **{"prepare.py": script})


def test_an_edit_is_one_comment_more_and_another_one_each_time(builder: Any) -> None:
    added = rebuilds.Added("six", "1.17.0", "six.py", Image("i", (), (), {}), frozenset())
    first = rebuilds.edited(added, builder, FILE, Base("a:1"), NAMES)
    folder = builder.asked[0][0]
    assert (folder / "app/main.py").read_text() == f"x = 1\n\n# {first.token}\n"
    assert (folder / "requirements.txt").read_text() == "bottle==1\nsix==1.17.0\n"
    assert rebuilds.edited(added, builder, FILE, Base("a:1"), NAMES).token != first.token


def test_another_date_changes_times_and_no_byte(builder: Any) -> None:
    second = rebuilds.redated(FIRST, builder, FILE)
    folder, how = builder.asked[0]
    assert how["args"] == {"BUILD_DATE": second.token}
    assert (folder / "app/main.py").read_text() == "x = 1\n"
    untouched = builder.copy("other")
    times = [(f / "app/main.py").stat().st_mtime for f in (folder, untouched)]
    assert times[0] > times[1]


def metadata(name: str, version: str, place: str = SITE) -> str:
    return f"{place}/{name}-{version}.dist-info/METADATA"


def files(*paths: str) -> tuple[File, ...]:
    return tuple(File(p, 1, 0o644, 0, 0, "0") for p in paths)


def test_a_requirement_is_added_that_the_image_has_not(builder: Any) -> None:
    left = "six"
    there = files(*(metadata(n, "1") for n in rebuilds.ADDABLE if n != left))
    version, module = rebuilds.ADDABLE[left]
    builder.engine.paths = {metadata(left, version), f"{SITE}/{module}"}
    added = rebuilds.required(there, builder, FILE)
    assert (added.name, added.folders) == (left, {SITE})
    text = (builder.asked[0][0] / "requirements.txt").read_text()
    assert text == f"bottle==1\n{left}=={version}\n"


@pytest.mark.parametrize(
    "paths",
    [
        set(),
        {metadata("six", "1.17.0")},
        {f"{SITE}/six.py"},
        {metadata("six", "1.16.0"), f"{SITE}/six.py"},
        {metadata("six", "1.17.0"), "/elsewhere/six.py"},
    ],
)
def test_it_is_there_only_with_that_version_and_its_module(builder: Any, paths: set[str]) -> None:
    there = files(*(metadata(n, "1") for n in rebuilds.ADDABLE if n != "six"))
    builder.engine.paths = paths
    assert rebuilds.required(there, builder, FILE).folders == frozenset()


def test_who_has_all_of_them_already_is_told_so(builder: Any) -> None:
    there = files(*(metadata(n, "1") for n in rebuilds.ADDABLE))
    with pytest.raises(SubmissionError, match=r"does not name"):
        rebuilds.required(there, builder, FILE)


def test_two_builds_share_a_namespace_and_no_word_of_their_own(builder: Any) -> None:
    found = cachemounts.caches(builder, FILE, Canary("api_key", "k"))
    (one, first), (two, second) = builder.asked
    assert first["secrets"] == second["secrets"] == {"api_key": "k"}
    assert first["args"]["BUILDKIT_CACHE_MOUNT_NS"] == second["args"]["BUILDKIT_CACHE_MOUNT_NS"]
    assert first["args"]["BUILD_ID"] != second["args"]["BUILD_ID"]
    words = [set((f / "words.txt").read_text().split()) for f in (one, two)]
    assert words[0] & words[1] == {"a", "b"}
    assert len(words[0]) == len(words[1]) == 3
    assert found.first.digest != found.second.digest


def test_the_script_writes_down_by_whom_it_is_run(builder: Any) -> None:
    cachemounts.caches(builder, FILE, Canary("", ""))
    folder, _ = builder.asked[0]
    words = [sys.executable, "prepare.py", "words.txt", "index.json"]
    home = {"XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run(words, cwd=folder, check=True, env=home, capture_output=True)
    assert json.loads((folder / "index.json").read_text())["uid"] == os.getuid()


def test_another_run_has_another_namespace(builder: Any) -> None:
    for name in ("one", "two"):
        builder.scratch = builder.scratch / name
        cachemounts.caches(builder, FILE, Canary("", ""))
    spaces = {how["args"]["BUILDKIT_CACHE_MOUNT_NS"] for _, how in builder.asked}
    assert len(spaces) == 2
