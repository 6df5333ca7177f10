"""What a submission's folder may hold, and the copy of it that is built. No Docker."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import context
from grader.context import assemble, measure
from grader.errors import EngineError, SubmissionError

Folder = Callable[..., Path]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The course's own files."""
    place = tmp_path / "app-of-the-course"
    (place / "app" / "__pycache__").mkdir(parents=True)
    (place / "app" / "__pycache__" / "main.pyc").write_bytes(b"x")
    (place / "app" / "main.py").write_text("course = 1\n")
    (place / "app" / "deep").mkdir()
    (place / "app" / "deep" / "er.py").write_text("deep = 1\n")
    (place / "train.py").write_text("train\n")
    (place / "run.sh").write_text("#!/bin/sh\n")
    (place / "run.sh").chmod(0o755)
    return place


# -- measure --------------------------------------------------------------------------------------


def test_the_size_is_the_sum_of_all_files(folder: Folder) -> None:
    place = folder(Dockerfile="FROM a:1\n", b=b"x" * 100)
    (place / "c").mkdir()
    (place / "c" / "d").write_bytes(b"x" * 50)
    size, paths = measure(place, max_mb=1)
    assert size == 159
    assert sorted(str(p.relative_to(place)) for p in paths) == ["Dockerfile", "b", "c/d"]


@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False)])
def test_the_limit_itself_still_fits(folder: Folder, size: int, fits: bool) -> None:
    place = folder(data=b"x" * size)
    if fits:
        assert measure(place, max_mb=0.001)[0] == size
        return
    with pytest.raises(SubmissionError, match=r"at most 0\.001 MB"):
        measure(place, max_mb=0.001)


def test_too_big_names_the_three_biggest_and_what_to_do(folder: Folder) -> None:
    place = folder(Dockerfile="FROM a:1\n")
    for at, size in enumerate((1, 40, 30, 20)):
        with (place / f"data{at}.bin").open("wb") as file:
            file.truncate(size * 1_000_000)
    with pytest.raises(SubmissionError) as caught:
        measure(place, max_mb=50)
    said = str(caught.value)
    assert "The folder holds 91 MB; at most 50 MB" in said
    assert "data1.bin (40 MB), data2.bin (30 MB), data3.bin (20 MB)" in said
    assert "data0.bin" not in said
    assert ".dockerignore" in said


def test_a_sparse_file_of_2_gb_is_refused_without_being_read(folder: Folder) -> None:
    place = folder(Dockerfile="FROM a:1\n")
    with (place / "model.bin").open("wb") as file:
        file.truncate(2_000_000_000)
    with pytest.raises(SubmissionError, match="2000 MB"):
        measure(place, max_mb=100)


def test_what_a_link_points_at_does_not_count(folder: Folder, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * 10_000)
    place = folder(a="x")
    (place / "link").symlink_to(big)
    (place / "up").symlink_to("..")
    assert measure(place, max_mb=0.001)[0] < 1000


@pytest.mark.parametrize(("count", "fits"), [(4, True), (5, True), (6, False)])
def test_the_number_of_files_is_limited(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, count: int, fits: bool
) -> None:
    monkeypatch.setattr(context, "MAX_FILES", 5)
    place = folder(**{f"f{n}": "" for n in range(count)})
    if fits:
        assert len(measure(place, max_mb=1)[1]) == count
        return
    with pytest.raises(SubmissionError, match="more than 5 files"):
        measure(place, max_mb=1)


def test_folders_count_too(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million empty folders are no less work than a million files."""
    monkeypatch.setattr(context, "MAX_FILES", 5)
    place = folder()
    for n in range(20):
        (place / f"d{n}").mkdir()
    with pytest.raises(SubmissionError, match="more than 5"):
        measure(place, max_mb=1)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no folder gone"):
        measure(tmp_path / "gone", max_mb=1)


def test_a_file_instead_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SubmissionError, match="no folder file"):
        measure(tmp_path / "file", max_mb=1)


def test_the_real_limit_on_files_is_far_above_what_anybody_hands_in() -> None:
    assert context.MAX_FILES >= 5_000


def test_a_named_pipe_is_refused_and_not_read(folder: Folder) -> None:
    place = folder(Dockerfile="FROM a:1\n")
    (place / "sub").mkdir()
    os.mkfifo(place / "sub" / "pipe")
    with pytest.raises(SubmissionError, match=r"sub/pipe is a named pipe.*Remove it"):
        measure(place, max_mb=1)


def test_a_socket_is_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder()
    monkeypatch.chdir(place)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        with pytest.raises(SubmissionError, match="s is a socket"):
            measure(place, max_mb=1)


def test_a_device_is_refused(folder: Folder) -> None:
    place = folder()
    try:
        os.mknod(place / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root can make a device")
    with pytest.raises(SubmissionError, match="null is a device"):
        measure(place, max_mb=1)


def test_odd_names_are_only_names(folder: Folder, app: Path, tmp_path: Path) -> None:
    place = folder()
    names = ["with blank", "a,b", "quote'\"", "new\nline", "😀", "-rf", "$(x)"]
    for name in names:
        (place / name).write_text("x")
    (place / os.fsdecode(b"\xff")).write_text("x")
    made = assemble(place, app, (), tmp_path / "out", max_mb=1)
    assert sorted(made.own) == sorted([*names, "\udcff"])
    assert len(list((tmp_path / "out").iterdir())) == 8


# -- assemble -------------------------------------------------------------------------------------

GIVEN = ("app", "train.py")


def test_the_given_files_are_laid_under_what_was_handed_in(
    folder: Folder, app: Path, tmp_path: Path
) -> None:
    place = folder(Dockerfile="FROM a:1\n")
    made = assemble(place, app, GIVEN, tmp_path / "out", max_mb=1)
    files = sorted(str(p.relative_to(made.folder)) for p in made.folder.rglob("*") if p.is_file())
    assert files == ["Dockerfile", "app/deep/er.py", "app/main.py", "train.py"]
    assert made.own == ("Dockerfile",)
    assert made.replaced == ()
    assert made.outside_links == ()
    assert made.size == sum(p.stat().st_size for p in made.folder.rglob("*") if p.is_file())


def test_compiled_files_of_the_course_stay_out(folder: Folder, app: Path, tmp_path: Path) -> None:
    assemble(folder(), app, ("app",), tmp_path / "out", max_mb=1)
    assert not (tmp_path / "out/app/__pycache__").exists()


def test_the_submission_itself_is_never_written_to(
    folder: Folder, app: Path, tmp_path: Path
) -> None:
    place = folder(**{"train.py": "mine\n"})
    assemble(place, app, GIVEN, tmp_path / "out", max_mb=1)
    assert [p.name for p in place.iterdir()] == ["train.py"]
    assert (place / "train.py").read_text() == "mine\n"


@pytest.mark.parametrize(("text", "replaced"), [("train\n", ()), ("other\n", ("train.py",))])
def test_a_changed_given_file_is_replaced_and_named(
    folder: Folder, app: Path, tmp_path: Path, text: str, replaced: tuple[str, ...]
) -> None:
    made = assemble(folder(**{"train.py": text}), app, GIVEN, tmp_path / "out", max_mb=1)
    assert made.replaced == replaced
    assert (made.folder / "train.py").read_text() == "train\n"


def test_a_given_file_keeps_its_mode(folder: Folder, app: Path, tmp_path: Path) -> None:
    made = assemble(folder(), app, ("run.sh",), tmp_path / "out", max_mb=1)
    assert (made.folder / "run.sh").stat().st_mode & 0o111


def test_files_beside_the_given_ones_stay(folder: Folder, app: Path, tmp_path: Path) -> None:
    place = folder()
    (place / "app").mkdir()
    (place / "app" / "extra.py").write_text("mine\n")
    made = assemble(place, app, GIVEN, tmp_path / "out", max_mb=1)
    assert (made.folder / "app" / "extra.py").read_text() == "mine\n"
    assert made.replaced == ()


OBSTACLES = ["a link to a file outside", "a link that hangs", "a folder"]


@pytest.mark.parametrize("kind", OBSTACLES)
def test_something_else_in_the_place_of_a_given_file_is_replaced_and_named(
    folder: Folder, app: Path, tmp_path: Path, kind: str
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret\n")
    place = folder()
    goal = place / "train.py"
    if kind == OBSTACLES[0]:
        goal.symlink_to(outside)
    elif kind == OBSTACLES[1]:
        goal.symlink_to("nowhere")
    else:
        (goal / "x").mkdir(parents=True)
    made = assemble(place, app, GIVEN, tmp_path / "out", max_mb=1)
    assert made.replaced == ("train.py",)
    assert not (made.folder / "train.py").is_symlink()
    assert (made.folder / "train.py").read_text() == "train\n"
    assert outside.read_text() == "secret\n"


def test_through_a_link_in_the_place_of_a_given_folder_nothing_is_written(
    folder: Folder, app: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "main.py").write_text("theirs\n")
    place = folder()
    (place / "app").symlink_to(outside)
    made = assemble(place, app, GIVEN, tmp_path / "out", max_mb=1)
    assert [p.name for p in outside.iterdir()] == ["main.py"]
    assert (outside / "main.py").read_text() == "theirs\n"
    assert (made.folder / "app" / "main.py").read_text() == "course = 1\n"


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_something_else_in_the_place_of_a_given_folder_is_named_too(
    folder: Folder, app: Path, tmp_path: Path, kind: str
) -> None:
    place = folder()
    (place / "app").symlink_to("..") if kind == "a link" else (place / "app").write_text("x")
    made = assemble(place, app, GIVEN, tmp_path / "out", max_mb=1)
    assert (made.folder / "app" / "main.py").is_file()
    assert "app" in [name.partition("/")[0] for name in made.replaced]


LINKS = [
    ("inside", "data/file", ()),
    ("inside, by a detour", "../{name}/Dockerfile", None),
    ("to the folder itself", ".", ()),
    ("hanging inside", "nothing", ()),
    ("up", "..", ("link -> ..",)),
    ("absolute", "/etc/passwd", ("link -> /etc/passwd",)),
    ("up and elsewhere", "../../etc/passwd", ("link -> ../../etc/passwd",)),
]


@pytest.mark.parametrize(("goal", "told"), [r[1:] for r in LINKS], ids=[r[0] for r in LINKS])
def test_links_that_lead_out_are_named_and_not_followed(
    folder: Folder, app: Path, tmp_path: Path, goal: str, told: tuple[str, ...] | None
) -> None:
    place = folder(Dockerfile="FROM a:1\n")
    (place / "link").symlink_to(goal.format(name=place.name))
    made = assemble(place, app, (), tmp_path / "out", max_mb=1)
    assert (made.folder / "link").is_symlink()
    if told is not None:
        assert made.outside_links == told


def test_a_link_in_a_circle_is_only_a_link(folder: Folder, app: Path, tmp_path: Path) -> None:
    place = folder()
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    made = assemble(place, app, (), tmp_path / "out", max_mb=1)
    assert made.outside_links == ()


@pytest.mark.parametrize(
    ("depth", "fits"), [(context.MAX_DEPTH, True), (context.MAX_DEPTH + 1, False)]
)
def test_how_deep_folders_may_be(folder: Folder, depth: int, fits: bool) -> None:
    place = folder()
    deepest = place.joinpath(*["d"] * depth)
    deepest.mkdir(parents=True)
    (deepest / "file").touch()
    if fits:
        assert measure(place, max_mb=1)[1][-1].name == "file"
        return
    with pytest.raises(SubmissionError, match="deep"):
        measure(place, max_mb=1)


def test_very_deep_folders_are_the_submissions_mistake(
    folder: Folder, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying them recursively would end in a RecursionError of ours."""
    place = folder(Dockerfile="FROM a:1\n")
    monkeypatch.chdir(place)
    for _ in range(700):
        Path("d").mkdir()
        os.chdir("d")
    try:
        with pytest.raises(SubmissionError, match="deep"):
            assemble(place, app, (), tmp_path / "out", max_mb=1)
    finally:
        os.chdir(tmp_path)
        for top in (place / "d", tmp_path / "out" / "d"):
            _remove_deep(top)


def _remove_deep(top: Path) -> None:
    """shutil.rmtree is recursive, too."""
    chain = [top] if top.exists() else []
    while chain and (chain[-1] / "d").exists():
        chain.append(chain[-1] / "d")
    for path in reversed(chain):
        shutil.rmtree(path)


def test_a_full_disk_of_ours_is_the_machines_fault(
    folder: Folder, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(EngineError, match="No space left"):
        assemble(folder(), app, GIVEN, tmp_path / "out", max_mb=1)
