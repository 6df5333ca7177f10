"""What a rebuild keeps and follows: a table a check, both sides of each edge."""

from __future__ import annotations

from typing import Any

import pytest

from grader.build import Build
from grader.buildlog import BuildLog, Step
from grader.checks import edit
from grader.dockerfile import Dockerfile
from grader.engine import Image
from grader.rebuilds import Added, Installed, Rebuilt
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
TOKEN, DATE = "lab0123456789abcdef", "2026-11-25T10:00:00Z"
LABEL = "org.opencontainers.image.created"
SITE = "/opt/venv/lib/python3.11/site-packages"
TEXT = f"FROM a:1\nARG BUILD_DATE\nCOPY . .\nRUN pip\nLABEL {LABEL}=$BUILD_DATE\n"


def step(text: str, line: int, *, cached: bool) -> Step:
    return Step(f"[2/4] {text}", "", line, cached, 1.0, 1.0, "", ())


STEPS = (
    step("RUN venv", 2, cached=False),  # shared with another build that ran at the same time
    step("COPY . .", 3, cached=False),
    step("RUN pip", 4, cached=False),
)


def rebuilt(
    layers: tuple[str, ...],
    *,
    token: str = TOKEN,
    again: tuple[str, ...] = (),
    labels: dict[str, str] | None = None,
    steps: tuple[Step, ...] = STEPS,
    ran: frozenset[int] = frozenset(),
) -> Rebuilt:
    image = Image("sha256:2", layers, (), {"Labels": labels} if labels is not None else {})
    return Rebuilt(Build("sha256:2", steps, 1.5, BuildLog(None)), image, token, again, ran)


def installed(*layers: str) -> Installed:
    return Installed(layers, frozenset({SITE}), frozenset({4}))


# -- keeps_dependencies ---------------------------------------------------------------------------

KEEPS = [
    ("all kept", ("deps",), rebuilt(("base", "deps", "new app")), P, None, "1 layer(s)"),
    ("two of two", ("a", "b"), rebuilt(("base", "a", "b", "new app")), P, None, "2 layer(s)"),
    ("another layer below", ("deps",), rebuilt(("other", "deps")), P, None, ""),
    ("anew", ("deps",), rebuilt(("base", "app", "deps 2")), F, 3, "line 3 (COPY . .)"),
    ("one of two anew", ("a", "b"), rebuilt(("base", "a", "b 2")), F, 3, "anew"),
    ("the first of two anew", ("a", "b"), rebuilt(("base", "a 2", "b")), F, 3, "anew"),
    ("in a stage", ("deps",), rebuilt(("base", "deps"), again=("builder",)), F, 3, "anew"),
    ("again, to the byte", ("deps",), rebuilt(("deps",), ran=frozenset({2, 4})), F, 3, "anew"),
    ("another line", ("deps",), rebuilt(("deps",), ran=frozenset({2, 5})), P, None, "1 layer"),
    ("nothing installed", (), rebuilt(("base",)), F, None, "No layer"),
]


@pytest.mark.parametrize(
    ("layers", "second", "outcome", "line", "words"),
    [k[1:] for k in KEEPS],
    ids=[k[0] for k in KEEPS],
)
def test_keeps_dependencies(
    layers: tuple[str, ...], second: Rebuilt, outcome: Outcome, line: int | None, words: str
) -> None:
    result = edit.keeps_dependencies(installed(*layers), second)
    assert (result.outcome, result.line) == (outcome, line)
    assert words in result.message


def test_without_a_line_that_copies_the_first_that_ran_is_named() -> None:
    second = rebuilt(("base",), steps=(STEPS[2], STEPS[0]))
    assert edit.keeps_dependencies(installed("deps"), second).line == 2


def test_a_copy_from_another_stage_is_not_where_it_begins() -> None:
    steps = (step("COPY --from=b /x /x", 2, cached=False), step("COPY app .", 5, cached=False))
    assert edit.keeps_dependencies(installed("deps"), rebuilt((), steps=steps)).line == 5


def test_steps_from_the_cache_are_never_where_it_begins() -> None:
    steps = (step("COPY a .", 2, cached=True), step("COPY b .", 3, cached=False))
    result = edit.keeps_dependencies(installed("deps"), rebuilt((), steps=steps))
    assert result.line == 3
    assert result.evidence["steps"] == [
        {"line": 2, "step": "COPY a .", "cached": True},
        {"line": 3, "step": "COPY b .", "cached": False},
    ]


# -- keeps_when_dated -----------------------------------------------------------------------------

DATED = [
    ("kept", rebuilt(("base", "deps"), token=DATE), P, None, DATE),
    ("anew", rebuilt(("base", "deps 2"), token=DATE), F, 2, "line 2"),
    ("again, to the byte", rebuilt(("deps",), token=DATE, ran=frozenset({4})), F, 2, "line 2"),
    ("gone", rebuilt((), token=DATE), F, 2, "ARG BUILD_DATE below the last RUN"),
]


@pytest.mark.parametrize(
    ("second", "outcome", "line", "words"), [d[1:] for d in DATED], ids=[d[0] for d in DATED]
)
def test_keeps_when_dated(second: Rebuilt, outcome: Outcome, line: int | None, words: str) -> None:
    result = edit.keeps_when_dated(installed("deps"), second, Dockerfile.parse(TEXT.encode()))
    assert (result.outcome, result.line) == (outcome, line)
    assert words in result.message


# -- follows_program ------------------------------------------------------------------------------

PATH = "/app/app/main.py"
FOLLOWS = [
    ("the comment is there", f"x\n# {TOKEN}\n".encode(), P, "is there"),
    ("the old one", b"x\n", F, "still the old one"),
    ("half of it", TOKEN[:-1].encode(), F, "still the old one"),
    ("empty", b"", F, "still the old one"),
    ("not there", None, F, f"no file {PATH}"),
]


@pytest.mark.parametrize(
    ("data", "outcome", "words"), [f[1:] for f in FOLLOWS], ids=[f[0] for f in FOLLOWS]
)
def test_follows_program(
    data: bytes | None, outcome: Outcome, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(reader: Any, path: str) -> bytes | None:
        assert (reader.image, path) == ("sha256:2", PATH)
        return data

    monkeypatch.setattr("grader.facts.Reader.read", read)
    engine: Any = None
    result = edit.follows_program(rebuilt(()), engine, path=PATH)
    assert result.outcome is outcome
    assert words in result.message


# -- follows_requirements -------------------------------------------------------------------------

ELSEWHERE = "/opt/unused"
ADDED = [
    ("beside the others", {SITE}, P, "six==1.17.0"),
    ("there and elsewhere", {SITE, ELSEWHERE}, P, "six==1.17.0"),
    ("elsewhere", {ELSEWHERE}, F, ELSEWHERE),
    ("nowhere", set(), F, "no such package"),
]


@pytest.mark.parametrize(
    ("folders", "outcome", "words"), [a[1:] for a in ADDED], ids=[a[0] for a in ADDED]
)
def test_follows_requirements(folders: set[str], outcome: Outcome, words: str) -> None:
    image = Image("sha256:3", (), (), {})
    added = Added("six", "1.17.0", "six.py", image, frozenset(folders))
    result = edit.follows_requirements(installed("deps"), added)
    assert result.outcome is outcome
    assert words in result.message


# -- dated ----------------------------------------------------------------------------------------

LABELS = [
    ("the date", {LABEL: DATE}, P),
    ("another date", {LABEL: "today"}, F),
    ("empty", {LABEL: ""}, F),
    ("another label", {"created": DATE}, F),
    ("no label", {}, F),
    ("no labels at all", None, F),
]


@pytest.mark.parametrize(("labels", "outcome"), [r[1:] for r in LABELS], ids=[r[0] for r in LABELS])
def test_dated(labels: dict[str, str] | None, outcome: Outcome) -> None:
    result = edit.dated(rebuilt((), token=DATE, labels=labels), label=LABEL)
    assert result.outcome is outcome
    assert (LABEL in result.message) is (outcome is F)
