"""A build's key: used, needed, and nowhere to be found afterwards."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from grader.checks import secret
from grader.dockerfile import Dockerfile
from grader.errors import EngineError
from grader.facts import Canary
from grader.leaks import Leak, Leaks
from grader.results import Outcome, Result
from grader.vault import Variant

P, F = Outcome.PASS, Outcome.FAIL
TOKEN = "lab0123456789abcdef"
CANARY = Canary("api_key", TOKEN)
PATH, SCRIPT = "/app/weights.bin", "vault/fetch.py"
LEAK = Leak("a layer", "/app/.env", "as it is", 7, "COPY . .")


@pytest.mark.parametrize(
    ("found", "outcome"), [((), P), ((LEAK,), F), ((LEAK,) * 9, F)], ids=["none", "one", "nine"]
)
def test_nowhere(found: tuple[Leak, ...], outcome: Outcome) -> None:
    result = secret.nowhere(Leaks(found, 3), CANARY)
    assert result.outcome is outcome
    if found:
        assert result.line == 7
        assert "/app/.env (line 7: COPY . .)" in result.message
        assert f"{len(found)} place" in result.message
        assert "type=secret,id=api_key" in result.message
        assert ("and 5 more" in result.message) is (len(found) == 9)


def test_nowhere_blames_the_first_line_that_is_known() -> None:
    found = (Leak("a label", "x", "in hex"), LEAK)
    assert secret.nowhere(Leaks(found, 3), CANARY).line == 7


def test_nowhere_says_when_it_could_not_unpack_all_of_it() -> None:
    assert "not all" in secret.nowhere(Leaks((), 3, clipped=True), CANARY).message
    assert "not all" not in secret.nowhere(Leaks((), 3), CANARY).message


def test_an_exercise_without_a_secret_is_no_pass() -> None:
    with pytest.raises(EngineError, match=r"lab\.toml"):
        secret.nowhere(Leaks((), 3), Canary("", TOKEN))


class FakeVault:
    """What a key gives is the key with a word in front."""

    def artifact(self, script: str, token: str) -> bytes:
        assert script == SCRIPT
        return f"weights of {token or 'nobody'}".encode()


def built(data: bytes | None) -> Variant:
    files = {PATH: data}
    return Variant("", SimpleNamespace(read=files.get))  # type: ignore[arg-type]


RIGHT, PUBLIC = f"weights of {TOKEN}".encode(), b"weights of nobody"
STOPPED = Variant("Line 9: no such file", line=9)
USED = [
    ("what the key gives", built(RIGHT), P, ""),
    ("what no key gives", built(PUBLIC), F, "without any key"),
    ("something else", built(b"weights of another"), F, "is not what"),
    ("a byte more", built(RIGHT + b"\n"), F, "is not what"),
    ("an empty file", built(b""), F, "is not what"),
    ("no file", built(None), F, "no file"),
    ("no build", STOPPED, F, "Line 9: no such file"),
]


@pytest.mark.parametrize(
    ("made", "outcome", "said"), [u[1:] for u in USED], ids=[u[0] for u in USED]
)
def test_used(made: Variant, outcome: Outcome, said: str) -> None:
    result = secret.used(made, FakeVault(), CANARY, path=PATH, script=SCRIPT)  # type: ignore[arg-type]
    assert result.outcome is outcome
    assert said in result.message
    assert TOKEN not in result.message
    assert result.line == made.line


REQUIRED = [
    ("no build", STOPPED, P, "stops on line 9"),
    ("no build, no line", Variant("stopped"), P, "stops"),
    ("the public weights", built(PUBLIC), F, "public weights"),
    ("what the key gives", built(RIGHT), F, "build argument"),
    ("something else", built(b"x"), F, "something else"),
    ("no file", built(None), F, "something else"),
]


def required(made: Variant, text: str) -> Result:
    parsed = Dockerfile.parse(text.encode())
    return secret.required(made, FakeVault(), CANARY, parsed, path=PATH, script=SCRIPT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "outcome", "said"), [r[1:] for r in REQUIRED], ids=[r[0] for r in REQUIRED]
)
def test_required(made: Variant, outcome: Outcome, said: str) -> None:
    result = required(made, "FROM a:1\nRUN --mount=type=secret,id=api_key x\n")
    assert result.outcome is outcome
    assert said in result.message
    assert TOKEN not in result.message
    assert result.line == (2 if outcome is F else None)


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("RUN x", None),
        ("RUN --mount=type=cache,target=/c x", None),
        (
            "RUN --mount=type=secret,id=other x\nRUN --mount=type=secret,id=api_key,required x",
            3,
        ),
        ("RUN --mount=id=api_key,type=secret x", 2),
        ("RUN --mount=type=secret,id=other x", 2),
    ],
)
def test_required_blames_the_line_that_mounts_it(lines: str, line: int | None) -> None:
    assert required(built(PUBLIC), f"FROM a:1\n{lines}\n").line == line
