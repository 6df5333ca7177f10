"""Each mistake of a lab.toml is found at load and names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.errors import SpecError
from grader.spec import Lab, Limits

TOP = """\
title = "Small"
summary = "For tests."
minutes = 5
needs = ["engine"]
images = ["python:3.11-slim"]
"""
EXERCISE = """
[[exercise]]
name = "one"
title = "One"
task = "Do it."
"""
CHECK = """
[[exercise.check]]
use = "dockerfile.parses"
points = 1
"""
SIZE = """
[[exercise.check]]
use = "image.size"
max_ratio = 0.7
points = 2
"""
WHOLE = TOP + EXERCISE + CHECK + SIZE


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The lab.toml to write; what it names is there."""
    (tmp_path / "labs" / "app" / "app").mkdir(parents=True)
    (tmp_path / "labs" / "app" / "train.py").touch()
    folder = tmp_path / "labs" / "90-small"
    folder.mkdir()
    return folder / "lab.toml"


def load(place: Path, text: str) -> Lab:
    place.write_text(text, encoding="utf-8")
    return Lab.load(place)


def test_a_secret_and_an_image_of_the_course_are_read(place: Path) -> None:
    (place.parent.parent.parent / "images" / "digits").mkdir(parents=True)
    (place.parent.parent.parent / "images" / "digits" / "Dockerfile").touch()
    text = TOP + EXERCISE + 'secret = "api_key"\nimage = "digits"\n' + CHECK
    one = load(place, text)["one"]
    assert (one.secret, one.image) == ("api_key", "digits")


# -- what is right --------------------------------------------------------------------------------


def test_a_lab_is_read_whole(place: Path) -> None:
    lab = load(
        place,
        TOP
        + "cell_seconds = 90.5\n"
        + EXERCISE
        + 'given = ["app", "train.py"]\nteaches = ["image.size"]\nport = 9000\nminutes = 7\n'
        + "[exercise.limits]\nbuild_seconds = 20\ncontext_mb = 0.5\n"
        + CHECK
        + 'hints = ["a", "b", "c"]\n'
        + 'seen = [{ words = "curl: Not", hints = ["d", "e", "f"] }]\n'
        + SIZE
        + 'needs = ["dockerfile.parses"]\n',
    )
    assert (lab.name, lab.title, lab.summary, lab.minutes) == ("90-small", "Small", "For tests.", 5)
    assert (lab.needs, lab.images, lab.cell_seconds) == (("engine",), ("python:3.11-slim",), 90.5)
    one = lab["one"]
    assert (one.id, one.title, one.task) == ("90-small/one", "One", "Do it.")
    assert (one.given, one.teaches, one.port, one.minutes) == (
        ("app", "train.py"),
        ("image.size",),
        9000,
        7,
    )
    assert one.folder == place.parent / "one"
    assert one.images == lab.images
    assert one.max_points == 3
    assert (one.limits.build_seconds, one.limits.context_mb) == (20, 0.5)
    assert one.limits.build_pids == Limits().build_pids
    first, second = one.items
    assert (first.id, first.points, first.hints, first.needs) == (
        "dockerfile.parses",
        1,
        ("a", "b", "c"),
        (),
    )
    assert first.hints_for("sh: curl: not found") == ("d", "e", "f")
    assert first.hints_for("wget: not found") == ("a", "b", "c")
    assert (second.id, second.settings, second.needs) == (
        "image.size",
        {"max_ratio": 0.7, "of": "baseline"},
        ("dockerfile.parses",),
    )
    assert second.title == "The image is at most 70% of the size of the baseline"


def test_what_is_left_out_has_its_default(place: Path) -> None:
    one = load(place, WHOLE)["one"]
    assert (one.port, one.minutes, one.given, one.teaches) == (8000, 10, (), ())
    assert one.ready == "/ready"
    assert one.limits == Limits()


def test_a_lab_without_exercises_is_fine(place: Path) -> None:
    assert load(place, TOP).exercises == ()


def test_a_check_used_twice_needs_an_id_of_its_own(place: Path) -> None:
    lab = load(place, WHOLE + SIZE + 'id = "image.size.small"\nneeds = ["image.size"]\n')
    assert [i.id for i in lab["one"].items] == [
        "dockerfile.parses",
        "image.size",
        "image.size.small",
    ]


def test_half_points_and_none_are_fine(place: Path) -> None:
    text = WHOLE.replace("points = 1", "points = 0").replace("points = 2", "points = 0.5")
    assert load(place, text)["one"].max_points == 0.5


def test_an_unknown_exercise_is_a_key_error(place: Path) -> None:
    with pytest.raises(KeyError):
        load(place, WHOLE)["two"]


EDGES = [
    ("port = 1", "port", 1),
    ("port = 65535", "port", 65535),
    ("minutes = 1", "minutes", 1),
    ('ready = "/v2/"', "ready", "/v2/"),
]


@pytest.mark.parametrize(("line", "key", "value"), EDGES)
def test_the_edges_themselves_are_fine(place: Path, line: str, key: str, value: object) -> None:
    assert getattr(load(place, f"{TOP}{EXERCISE}{line}\n{CHECK}")["one"], key) == value


def test_what_a_submission_may_use_when_nothing_else_is_said() -> None:
    """As the documentation says: a change here changes every exercise."""
    assert Limits() == Limits(
        build_seconds=300,
        build_memory_mb=4000,
        build_pids=1024,
        build_disk_mb=8000,
        build_log_mb=10,
        context_mb=100,
        ready_seconds=60,
        memory_mb=1000,
        pids=256,
    )


# -- what is wrong: text, what the message must hold ----------------------------------------------


def without(line: str) -> str:
    assert line in WHOLE
    return WHOLE.replace(line, "")


MISTAKES = [
    # typos
    ("a typo at the top", TOP + "tilte = 'x'\n", ["tilte", "unknown key"]),
    ("a typo in an exercise", TOP + EXERCISE + "prot = 1\n" + CHECK, ["one.prot", "unknown key"]),
    (
        "a typo in a check",
        TOP + EXERCISE + CHECK + "piont = 1\n",
        ["one.dockerfile.parses", "piont"],
    ),
    ("a typo in a setting", WHOLE.replace("max_ratio", "maxratio"), ["one.image.size", "maxratio"]),
    (
        "a typo in a limit",
        TOP + EXERCISE + "[exercise.limits]\nbuild_second = 1\n" + CHECK,
        ["one.limits.build_second"],
    ),
    (
        "a typo in a check's name",
        WHOLE.replace("image.size", "image.sise"),
        ["one.check.use", "image.sise"],
    ),
    ("a typo in of", WHOLE + 'of = "basline"\n', ["image.size", "basline"]),
    # what is missing
    ("no title", without('title = "Small"\n'), ["title", "missing"]),
    ("no summary", without('summary = "For tests."\n'), ["summary", "missing"]),
    ("no minutes", without("minutes = 5\n"), ["minutes", "missing"]),
    ("no name", without('name = "one"\n'), ["exercise 1.name", "missing"]),
    ("no title of an exercise", without('title = "One"\n'), ["one.title", "missing"]),
    ("no task", without('task = "Do it."\n'), ["one.task", "missing"]),
    ("no check at all", TOP + EXERCISE, ["one.check", "missing"]),
    ("an empty list of checks", TOP + EXERCISE + "check = []\n", ["one.check"]),
    ("no use", without('use = "dockerfile.parses"\n'), ["one.use", "missing"]),
    ("no points", without("points = 1\n"), ["one.dockerfile.parses.points", "missing"]),
    ("no setting", without("max_ratio = 0.7\n"), ["one.image.size", "max_ratio"]),
    # wrong types
    ("minutes as text", WHOLE.replace("minutes = 5", 'minutes = "5"'), ["minutes", "int", "'5'"]),
    (
        "minutes as a truth value",
        WHOLE.replace("minutes = 5", "minutes = true"),
        ["minutes", "int"],
    ),
    ("minutes with a fraction", WHOLE.replace("minutes = 5", "minutes = 5.5"), ["minutes", "int"]),
    ("a number as title", WHOLE.replace('"Small"', "1"), ["title", "str"]),
    (
        "points as text",
        WHOLE.replace("points = 1", 'points = "1"'),
        ["one.dockerfile.parses.points", "float"],
    ),
    (
        "points as a truth value",
        WHOLE.replace("points = 1", "points = true"),
        ["one.dockerfile.parses.points"],
    ),
    ("needs as text", WHOLE.replace('["engine"]', '"engine"'), ["needs", "list"]),
    (
        "images with a number",
        WHOLE.replace('["python:3.11-slim"]', "[1]"),
        ["images", "strings", "1"],
    ),
    ("a setting of a wrong type", WHOLE.replace("0.7", '"0.7"'), ["one.image.size", "max_ratio"]),
    ("hints as text", WHOLE + 'hints = "a"\n', ["hints", "list"]),
    ("a hint that is a number", WHOLE + 'hints = ["a", "b", 3]\n', ["hints", "strings"]),
    ("limits as a number", TOP + EXERCISE + "limits = 1\n" + CHECK, ["one.limits", "dict"]),
    (
        "a limit as text",
        TOP + EXERCISE + "[exercise.limits]\npids = '1'\n" + CHECK,
        ["pids", "'1'"],
    ),
    ("exercise as text", TOP + 'exercise = "one"\n', ["exercise", "list"]),
    ("exercise as a list of texts", TOP + 'exercise = ["one"]\n', ["exercise 1"]),
    ("exercise as a list of numbers", TOP + "exercise = [1]\n", ["exercise 1"]),
    ("check as a list of texts", TOP + EXERCISE + 'check = ["use"]\n', ["one"]),
    ("check as a list of numbers", TOP + EXERCISE + "check = [1]\n", ["one"]),
    # wrong values
    (
        "negative points",
        WHOLE.replace("points = 1", "points = -1"),
        ["one.dockerfile.parses.points", "negative"],
    ),
    (
        "points that are no number",
        WHOLE.replace("points = 1", "points = nan"),
        ["one.dockerfile.parses.points"],
    ),
    (
        "endless points",
        WHOLE.replace("points = 1", "points = inf"),
        ["one.dockerfile.parses.points"],
    ),
    ("a setting that is no number", WHOLE.replace("0.7", "nan"), ["image.size", "max_ratio"]),
    (
        "a limit of nothing",
        TOP + EXERCISE + "[exercise.limits]\nbuild_seconds = 0\n" + CHECK,
        ["build_seconds"],
    ),
    (
        "a negative limit",
        TOP + EXERCISE + "[exercise.limits]\nmemory_mb = -1\n" + CHECK,
        ["memory_mb"],
    ),
    ("no minutes at all", WHOLE.replace("minutes = 5", "minutes = -5"), ["minutes"]),
    ("a port one too high", TOP + EXERCISE + "port = 65536\n" + CHECK, ["port", "65536"]),
    ("a path without a slash", TOP + EXERCISE + 'ready = "v2"\n' + CHECK, ["one.ready", "v2"]),
    ("a path with a space", TOP + EXERCISE + 'ready = "/a b"\n' + CHECK, ["one.ready", "/a b"]),
    ("port 0", TOP + EXERCISE + "port = 0\n" + CHECK, ["port", "0"]),
    ("a port that there is not", TOP + EXERCISE + "port = 70000\n" + CHECK, ["port", "70000"]),
    (
        "an unknown need of the lab",
        WHOLE.replace('["engine"]', '["engin"]'),
        ["needs", "'engin'", "engine, gpu, network"],
    ),
    ("two hints", WHOLE + 'hints = ["a", "b"]\n', ["one.image.size.hints", "3 steps, not 2"]),
    (
        "four hints",
        WHOLE + 'hints = ["a", "b", "c", "d"]\n',
        ["one.image.size.hints", "3 steps, not 4"],
    ),
    (
        "two hints for what is seen",
        WHOLE + 'seen = [{ words = "x", hints = ["a", "b"] }]\n',
        ["one.image.size.seen 1.hints", "3 steps, not 2"],
    ),
    (
        "hints for nothing that is seen",
        WHOLE + 'seen = [{ words = " ", hints = ["a", "b", "c"] }]\n',
        ["one.image.size.seen 1", "words and hints"],
    ),
    (
        "seen without hints",
        WHOLE + 'seen = [{ words = "x" }]\n',
        ["one.image.size.seen 1", "words and hints"],
    ),
    (
        "an unknown key in seen",
        WHOLE + 'seen = [{ words = "x", hints = ["a", "b", "c"], hint = 1 }]\n',
        ["one.image.size.seen 1.hint", "unknown key"],
    ),
    ("two checks of one id", WHOLE + SIZE, ["one", "'image.size'", "twice"]),
    ("two exercises of one name", WHOLE + EXERCISE + CHECK, ["exercise", "'one'", "twice"]),
    (
        "it needs a later check",
        TOP + EXERCISE + CHECK + 'needs = ["image.size"]\n' + SIZE,
        ["one.dockerfile.parses.needs", "'image.size'"],
    ),
    (
        "it needs itself",
        WHOLE + 'needs = ["image.size"]\n',
        ["one.image.size.needs", "'image.size'"],
    ),
    (
        "it needs what is not there",
        WHOLE + 'needs = ["image.sise"]\n',
        ["one.image.size.needs", "'image.sise'"],
    ),
    (
        "it needs the check, not the id",
        WHOLE + SIZE.replace("points", 'id = "x"\npoints') + 'needs = ["size"]\n',
        ["one.x.needs", "'size'"],
    ),
    (
        "it teaches what is not there",
        TOP + EXERCISE + 'teaches = ["files.absent"]\n' + CHECK,
        ["teaches", "'files.absent'"],
    ),
    (
        "given that is not there",
        TOP + EXERCISE + 'given = ["no-such"]\n' + CHECK,
        ["given", "no-such"],
    ),
    (
        "secret that no variable could be called",
        TOP + EXERCISE + 'secret = "api key"\n' + CHECK,
        ["one.secret", "api key"],
    ),
    (
        "image that the course has not got",
        TOP + EXERCISE + 'image = "nope"\n' + CHECK,
        ["one.image", "nope"],
    ),
    (
        "given out of the app",
        TOP + EXERCISE + 'given = ["../90-small"]\n' + CHECK,
        ["given", "../90-small"],
    ),
    ("a name that is a path", WHOLE.replace('name = "one"', 'name = "../one"'), ["name", "../one"]),
    ("an empty name", WHOLE.replace('name = "one"', 'name = ""'), ["name"]),
    # no TOML
    ("no TOML", TOP + "x = \n", ["not valid TOML", "line 6"]),
    ("a key twice", TOP + 'title = "x"\n', ["not valid TOML"]),
]


@pytest.mark.parametrize(("text", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_names_the_file_and_the_key(place: Path, text: str, words: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        load(place, text)
    for word in (str(place), *words):
        assert word in str(caught.value)


LOST = [
    ("needs of a check", WHOLE + "needs = [1]\n", "one.image.size.needs"),
    ("hints of a check", WHOLE + "hints = [1, 2, 3]\n", "one.image.size.hints"),
    ("given of an exercise", TOP + EXERCISE + "given = [1]\n" + CHECK, "one.given"),
    ("teaches of an exercise", TOP + EXERCISE + 'teaches = ["x"]\n' + CHECK, "one.teaches"),
]


@pytest.mark.parametrize(("text", "key"), [r[1:] for r in LOST], ids=[r[0] for r in LOST])
def test_a_list_is_named_with_its_exercise_and_check(place: Path, text: str, key: str) -> None:
    with pytest.raises(SpecError, match=f": {key}: "):
        load(place, text)


def test_a_file_that_is_not_utf8_is_the_authors_mistake(place: Path) -> None:
    place.write_bytes(b'title = "\xff"\n')
    with pytest.raises(SpecError, match=str(place)):
        Lab.load(place)


def test_a_file_that_is_not_there_is_named(place: Path) -> None:
    with pytest.raises(SpecError, match=str(place)):
        Lab.load(place)


def test_a_folder_instead_of_the_file_is_named(place: Path) -> None:
    place.mkdir()
    with pytest.raises(SpecError, match=str(place)):
        Lab.load(place)
