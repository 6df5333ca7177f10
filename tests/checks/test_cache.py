"""What a cache mount does: a table a check; the builds are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.archive import Entry
from grader.build import Build
from grader.buildlog import BuildLog
from grader.cachemounts import Caches, Run, file_names
from grader.checks import cache
from grader.layers import Base, LayerFiles, Layers
from grader.results import Outcome
from grader.users import RunAs

P, F = Outcome.PASS, Outcome.FAIL
PATH, UID = "/app/made/index.json", 10001
BUILD = Build("sha256:1", (), 1, BuildLog(None))


class Reader:
    def __init__(self, data: bytes | None) -> None:
        self.data = data

    def read(self, path: str) -> bytes | None:
        assert path == PATH
        return self.data


def pair(index: object) -> Caches:
    """Two builds, of which the second wrote ``index``; bytes are taken as they are."""
    data = index if isinstance(index, bytes) or index is None else json.dumps(index).encode()
    nothing: Any = Reader(None)
    second: Any = Reader(data)
    return Caches(Run("d1", ("a",), BUILD, nothing), Run("d2", ("b",), BUILD, second))


# -- shared ---------------------------------------------------------------------------------------

SHARED = [
    ("both runs", {"runs": ["d1", "d2"], "cache": "used"}, P, "run 2"),
    ("and earlier ones", {"runs": ["x", "d1", "d2"], "cache": "used"}, P, "run 3"),
    ("an empty cache", {"runs": ["d2"], "cache": "used"}, F, "not the same one"),
    ("another cache", {"runs": ["x", "d2"], "cache": "used"}, F, "not the same one"),
    ("no cache", {"runs": ["d2"], "cache": "/c: Permission denied"}, F, "Permission denied"),
    ("not of this build", {"runs": ["d1"], "cache": "used"}, F, "not made from the words.txt"),
    ("no runs", {"cache": "used"}, F, "not made from the words.txt"),
    ("runs that are none", {"runs": "d1 d2"}, F, "not made from the words.txt"),
    ("not there", None, F, f"There is no {PATH}"),
    ("no JSON", b"d1 d2", F, f"There is no {PATH}"),
    ("other JSON", ["d1", "d2"], F, f"There is no {PATH}"),
]


@pytest.mark.parametrize(
    ("index", "outcome", "words"), [s[1:] for s in SHARED], ids=[s[0] for s in SHARED]
)
def test_shared(index: object, outcome: Outcome, words: str) -> None:
    result = cache.shared(pair(index), path=PATH)
    assert result.outcome is outcome
    assert words in result.message


# -- not_shipped ----------------------------------------------------------------------------------

WORDS = ("anchor", "beacon")
ONE = sorted(file_names(WORDS) - {"runs.txt"})[0]


def layers(*paths: str, uid: int = UID) -> Layers:
    """One layer a path, on the lines from 2 on."""
    found = (Entry(path, 1, 0o644, uid, uid, "0") for path in paths)
    made = (LayerFiles(f"d{n}", "RUN x", n, (entry,)) for n, entry in enumerate(found, 2))
    return Layers(Base("a:1"), tuple(made))


SHIPPED = [
    ("nothing", (), P, None),
    ("the index", (PATH,), P, None),
    ("a file of the cache", (PATH, f"/made/prepare/{ONE}"), F, 3),
    ("at the top", (f"/{ONE}",), F, 2),
    ("the list of runs", ("/cache/prepare/runs.txt",), F, 2),
    ("a word that is none of ours", (f"/cache/{'0' * 32}.json",), P, None),
    ("hidden by a later layer", (f"/c/{ONE}", "/c"), F, 2),
]


@pytest.mark.parametrize(
    ("paths", "outcome", "line"), [s[1:] for s in SHIPPED], ids=[s[0] for s in SHIPPED]
)
def test_not_shipped(paths: tuple[str, ...], outcome: Outcome, line: int | None) -> None:
    result = cache.not_shipped(layers(*paths), WORDS)
    assert (result.outcome, result.line) == (outcome, line)


# -- owner ----------------------------------------------------------------------------------------

OWNER = [
    ("both", UID, layers(PATH), UID, P, ""),
    ("the file is root's", 0, layers(PATH, uid=0), UID, F, "belongs to UID 0"),
    ("the file is somebody's", 10002, layers(PATH, uid=10002), UID, F, "belongs to UID 10002"),
    ("given away", 0, layers(PATH), UID, F, "ran as UID 0"),
    ("nobody says who", None, layers(PATH), UID, F, "ran as UID None"),
    ("the image is root's", UID, layers(PATH), 0, F, "The image runs as UID 0"),
    ("not there", UID, layers("/other"), UID, F, f"no file {PATH}"),
]


@pytest.mark.parametrize(
    ("ran", "made", "user", "outcome", "words"), [o[1:] for o in OWNER], ids=[o[0] for o in OWNER]
)
def test_owner(ran: int | None, made: Layers, user: int, outcome: Outcome, words: str) -> None:
    who = RunAs(str(user), user, user)
    result = cache.owner(pair({"uid": ran}), made, who, path=PATH, uid=UID)
    assert result.outcome is outcome
    assert words in result.message


def test_the_last_layer_that_has_it_tells_the_owner() -> None:
    first, second = layers(PATH, uid=0).layers[0], layers(PATH).layers[0]
    made = Layers(Base("a:1"), (first, second))
    who, caches = RunAs("10001", UID, UID), pair({"uid": UID})
    assert cache.owner(caches, made, who, path=PATH, uid=UID).outcome is P
