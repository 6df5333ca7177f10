"""Builds of a submission and of its variants: what is asked for, and whose failure one is."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grader import builder as module
from grader import facts, labels
from grader.build import Build, Request
from grader.builder import Builder, Watcher
from grader.buildlog import BuildLog
from grader.context import Context
from grader.dockerfile import Dockerfile
from grader.errors import EngineError, SubmissionError
from grader.spec import Exercise


class FakeEngine:
    """``marked`` are the images that carry the label of a reference."""

    connection = data_root = None
    marked: tuple[str, ...] = ()

    def image_id(self, name: str) -> str:
        return f"sha256:{name}" if name in (*self.marked, "python:3.11-slim") else ""

    def label_names(self, name: str) -> set[str]:
        return {labels.REFERENCE} if name in self.marked else {labels.STANDIN}

    def labels(self, kind: str) -> dict[str, str]:
        return {"kind": kind}

    def ping(self) -> None:
        pass


PLAIN = Dockerfile.parse(b"FROM python:3.11-slim AS one\nFROM one\nCOPY --from=lab/x:1 / /\n")


class FakeJudge:
    """Says of a failed build what it was told to say."""

    def __init__(self, error: Exception) -> None:
        self.error = lambda *_: error


def make_builder(folder: Path, error: Exception, watcher: Watcher | None = None) -> Builder:
    (folder / "context").mkdir(parents=True)
    (folder / "context" / "train.py").write_text(f"{facts.TAG_LINE}\n")
    return Builder(
        FakeEngine(),
        Exercise("90-small", "one", "One", "Do it.", (), folder),
        FakeJudge(error),
        watcher or Watcher(),
        Context(folder / "context", 0),
        folder,
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Request, dict[str, Any]]]:
    """Every build that is asked for; each of them fails."""
    seen: list[tuple[Request, dict[str, Any]]] = []

    def build(_: object, request: Request, **settings: Any) -> Build:
        seen.append((request, settings))
        return Build("", (), 1.0, BuildLog(None, None), exit_code=1)

    monkeypatch.setattr(module, "run_build", build)
    return seen


def test_every_build_of_a_submission_can_be_cancelled(asked: Any, tmp_path: Path) -> None:
    """Else Ctrl-C waits for the second one."""
    cancel = threading.Event()
    builder = make_builder(tmp_path, SubmissionError("no"), Watcher(None, cancel))
    with pytest.raises(SubmissionError):
        facts.build(builder, PLAIN, facts.Canary("", "x"))
    with pytest.raises(SubmissionError):
        facts.retrained(None, builder, None, None)
    assert [settings["cancel"] for _, settings in asked] == [cancel, cancel]


def test_a_build_secret_is_given_in_both_ways_and_never_from_the_cache(
    asked: Any, tmp_path: Path
) -> None:
    """As an argument too, for a leak to show; a step that saw an old secret proves nothing."""
    with pytest.raises(SubmissionError):
        facts.build(
            make_builder(tmp_path, SubmissionError("no")), PLAIN, facts.Canary("api_key", "t")
        )
    with pytest.raises(SubmissionError):
        facts.build(
            make_builder(tmp_path / "2", SubmissionError("no")), PLAIN, facts.Canary("k", "t")
        )
    request = asked[0][0]
    assert (request.secrets, request.args) == ({"api_key": "t"}, {"API_KEY": "t"})
    assert len({one.fresh for one, _ in asked} - {""}) == 2


def test_a_build_without_a_secret_uses_the_cache(asked: Any, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError):
        facts.build(make_builder(tmp_path, SubmissionError("no")), PLAIN, facts.Canary("", "t"))
    assert (asked[0][0].secrets, asked[0][0].args, asked[0][0].fresh) == ({}, {}, "")


def test_an_attempt_that_fails_is_a_value(asked: Any, tmp_path: Path) -> None:
    made = make_builder(tmp_path, SubmissionError("no")).attempt(tmp_path)
    assert not made.image


def test_an_attempt_that_the_machine_spoiled_is_none(asked: Any, tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        make_builder(tmp_path, EngineError("no disk")).attempt(tmp_path)


@pytest.mark.parametrize(
    ("marked", "line"), [("python:3.11-slim", 1), ("lab/x:1", 3), ("one", None), ("lab/y:1", None)]
)
def test_the_courses_own_answer_is_no_base_and_no_source(
    asked: Any, tmp_path: Path, marked: str, line: int | None
) -> None:
    """Whoever shares the engine sees its images, and could hand one in as an answer."""
    builder = make_builder(tmp_path, SubmissionError("the build failed"))
    builder.engine.marked = (marked,)  # type: ignore[attr-defined]
    with pytest.raises(SubmissionError) as info:
        facts.build(builder, PLAIN, facts.Canary("", "x"))
    assert info.value.line == line
    assert ("own answer" in str(info.value)) is (line is not None)


# -- a network that was away for a minute ---------------------------------------------------------

LOST = "ERROR: failed to solve: HTTPSConnectionPool(host='x', port=443): Read timed out.\n"
OWN = "ERROR: failed to solve: no such module\n"


@dataclass
class Network:
    """What the builds say, one after the other; "" is a build that works."""

    said: list[str]
    stopped: str = ""
    built: int = 0

    def build(self, *_: object, **__: Any) -> Build:
        self.built += 1
        said = self.said.pop(0)
        log = BuildLog(None, None)
        log.feed(said.encode())
        log.close()
        return Build("" if said else "sha256:1", (), 1.0, log, stopped=self.stopped)


@pytest.mark.parametrize(
    ("network", "image", "builds"),
    [
        (Network([LOST, ""]), "sha256:1", 2),
        (Network([LOST, LOST, ""]), "", 2),
        (Network([OWN, ""]), "", 1),
        (Network([LOST, ""], stopped="time"), "", 1),
    ],
)
def test_a_build_that_the_network_may_have_failed_gets_a_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Network, image: str, builds: int
) -> None:
    """A canary sent afterwards comes through: it cannot tell what was a minute ago."""
    monkeypatch.setattr(module, "run_build", network.build)
    made = make_builder(tmp_path, SubmissionError("exit code 1")).attempt(tmp_path)
    assert (made.image, network.built) == (image, builds)


def test_the_machines_failure_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its canary failed as well."""
    network = Network([LOST, ""])
    monkeypatch.setattr(module, "run_build", network.build)
    with pytest.raises(EngineError):
        make_builder(tmp_path, EngineError("no network")).make(tmp_path)
    assert network.built == 1


# -- a frontend that cannot be fetched -------------------------------------------------------------

MISSING = (
    "ERROR: failed to solve: docker/dockerfile:1: failed to resolve source metadata for"
    " docker.io/docker/dockerfile:1: dial tcp: lookup registry-1.docker.io: no such host\n"
)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """No registry is reached: what asks for a frontend there fails, anything else is built."""
    seen: list[Request] = []

    def build(_: object, request: Request, **settings: Any) -> Build:
        seen.append(request)
        file = request.file or request.context / "Dockerfile"
        log = BuildLog(None, None)
        first = file.read_text().split("\n")[0]
        if "syntax" not in first:
            return Build("sha256:1", (), 1.0, log)
        name = first.partition("=")[2].strip()
        log.feed(MISSING.replace("docker/dockerfile:1", name).encode())
        log.close()
        return Build("", (), 1.0, log, exit_code=1)

    monkeypatch.setattr(module, "run_build", build)
    return seen


def test_dockers_own_frontend_is_stood_in_for_by_the_engines(
    registry: list[Request], tmp_path: Path
) -> None:
    """Docker's documentation tells everybody to write that line."""
    builder = make_builder(tmp_path, SubmissionError("no"))
    text = "# syntax=docker/dockerfile:1\nFROM a:1\n"
    (builder.context.folder / "Dockerfile").write_text(text)
    made = builder.make(builder.context.folder)
    assert (made.image, made.frontend) == ("sha256:1", "own")
    assert registry[1].file is not None
    assert registry[1].file.read_text() == "#\nFROM a:1\n"  # each line keeps its number
    assert (builder.context.folder / "Dockerfile").read_text() == text


@pytest.mark.parametrize("name", ["lab/none:1", "docker/dockerfile-upstream:master", "evil/x"])
def test_a_strangers_frontend_is_not(registry: list[Request], tmp_path: Path, name: str) -> None:
    builder = make_builder(tmp_path, SubmissionError("no such frontend"))
    (builder.context.folder / "Dockerfile").write_text(f"# syntax={name}\nFROM a:1\n")
    with pytest.raises(SubmissionError, match="no such frontend"):
        builder.make(builder.context.folder)
    assert len(registry) == 1
