"""The size of an image, against a reference: the edge itself still passes."""

from __future__ import annotations

from typing import Any

import pytest

from grader.checks import image
from grader.engine import Image, Layer
from grader.layers import Base
from grader.results import Outcome

P, F = Outcome.PASS, Outcome.FAIL
WHOLE = 1_000_000_000


class Reference:
    """Both references have a size of their own."""

    def size(self, of: str) -> int:
        return {"baseline": WHOLE, "reference": WHOLE // 2}[of]


def sized(*layers: int) -> Image:
    history = tuple(Layer(f"RUN /bin/sh -c step {n} # buildkit", s) for n, s in enumerate(layers))
    return Image("sha256:1", (), history, {})


def size(made: Image, **settings: Any) -> Any:
    return image.size(made, Reference(), **settings)  # type: ignore[arg-type]


SIZES = [
    ("well below", (100_000_000,), 0.7, "baseline", P),
    ("exactly the limit", (700_000_000,), 0.7, "baseline", P),
    ("one byte more", (700_000_001,), 0.7, "baseline", F),
    ("the sum of the layers", (400_000_000, 300_000_000), 0.7, "baseline", P),
    ("the sum of the layers, one byte more", (400_000_000, 300_000_001), 0.7, "baseline", F),
    ("deleted later is still shipped", (900_000_000, 0), 0.7, "baseline", F),
    ("of the reference solution", (520_000_000,), 1.04, "reference", P),
    ("of the reference solution, one byte more", (520_000_001,), 1.04, "reference", F),
    ("as large as the baseline", (WHOLE,), 1.0, "baseline", P),
    ("empty", (0,), 0.7, "baseline", P),
]


@pytest.mark.parametrize(
    ("layers", "ratio", "of", "outcome"), [s[1:] for s in SIZES], ids=[s[0] for s in SIZES]
)
def test_size(layers: tuple[int, ...], ratio: float, of: str, outcome: Outcome) -> None:
    result = size(sized(*layers), max_ratio=ratio, of=of)
    assert result.outcome is outcome
    assert result.evidence["bytes"] == sum(layers)
    assert result.evidence["of_bytes"] == Reference().size(of)


def test_size_tells_the_biggest_layer_without_noise() -> None:
    said = size(sized(10_000_000, 700_000_000, 20_000_000), max_ratio=0.7).message
    assert "730 MB is 73.0% of the baseline's 1000 MB; at most 70% are allowed" in said
    assert "The biggest layer has 700 MB: step 1." in said
    assert "buildkit" not in said


def test_size_cuts_a_long_line() -> None:
    made = Image("x", (), (Layer("RUN " + "x" * 1000, WHOLE),), {})
    assert len(size(made, max_ratio=0.7).message) < 300


@pytest.mark.parametrize("too_much", [1, 400_000])
def test_a_failure_never_reads_as_if_it_had_passed(too_much: int) -> None:
    """70.0% is not more than 70%, whatever was rounded away."""
    said = size(sized(700_000_000 + too_much), max_ratio=0.7).message
    assert "is 70.0% of" not in said


# -- what the image's settings say ----------------------------------------------------------------


class Exercise:
    images = ("python:3.11-slim", "distroless-python:3.11")


def own_size(made: Image, base: Base, **settings: Any) -> Any:
    return image.own_size(made, base, Exercise(), **settings)  # type: ignore[arg-type]


SLIM = Base("python:3.11-slim", ("a",), 1, 100_000_000)
OWN = [
    ("nothing of its own", (100_000_000,), SLIM, P),
    ("exactly the limit", (100_000_000, 30_000_000), SLIM, P),
    ("one byte more", (100_000_000, 30_000_001), SLIM, F),
    ("the sum", (100_000_000, 20_000_000, 10_000_001), SLIM, F),
    ("small, on something else", (1_000,), Base(""), F),
]


@pytest.mark.parametrize(
    ("sizes", "base", "outcome"), [o[1:] for o in OWN], ids=[o[0] for o in OWN]
)
def test_own_size(sizes: tuple[int, ...], base: Base, outcome: Outcome) -> None:
    assert own_size(sized(*sizes), base, max_mb=30).outcome is outcome


def test_own_size_names_the_biggest_layer_above_the_base() -> None:
    said = own_size(sized(100_000_000, 40_000_000, 1), SLIM, max_mb=30).message
    assert "40.0 MB on top of python:3.11-slim" in said
    assert "step 1" in said


def test_own_size_names_the_bases_to_stand_on() -> None:
    said = own_size(sized(1), Base(""), max_mb=30).message
    assert "python:3.11-slim or distroless-python:3.11" in said


def made(**config: Any) -> Image:
    return Image("sha256:1", (), (), config)


TITLE, SOURCE = "org.opencontainers.image.title", "org.opencontainers.image.source"
LABELS = [
    ("both", {TITLE: "digits", SOURCE: "https://example.org"}, []),
    ("one more", {TITLE: "digits", SOURCE: "https://example.org", "x": ""}, []),
    ("one", {TITLE: "digits"}, [SOURCE]),
    ("one empty", {TITLE: " ", SOURCE: "https://example.org"}, [TITLE]),
    ("none", None, [TITLE, SOURCE]),
    ("in capitals", {TITLE.upper(): "digits", SOURCE: "https://example.org"}, [TITLE]),
]


@pytest.mark.parametrize(("known", "lost"), [x[1:] for x in LABELS], ids=[x[0] for x in LABELS])
def test_labels(known: dict[str, str] | None, lost: list[str]) -> None:
    result = image.labels(made(Labels=known), names=[TITLE, SOURCE])
    assert result.outcome is (F if lost else P)
    assert all(name in result.message for name in lost)


EXPOSES = [
    ("it", {"8000/tcp": {}}, P),
    ("nothing", None, F),
    ("another", {"8001/tcp": {}}, F),
    ("one more", {"8000/tcp": {}, "22/tcp": {}}, F),
    ("UDP", {"8000/udp": {}}, F),
]


@pytest.mark.parametrize(("told", "outcome"), [e[1:] for e in EXPOSES], ids=[e[0] for e in EXPOSES])
def test_exposes(told: dict[str, Any] | None, outcome: Outcome) -> None:
    assert image.exposes(made(ExposedPorts=told), ports=[8000]).outcome is outcome


WORKDIR = [
    ("its own", "/app", "", P),
    ("none", "", "", F),
    ("the top", "/", "", F),
    ("the top, written long", "//", "", F),
    ("the one asked for", "/app/", "/app", P),
    ("another", "/srv", "/app", F),
    ("none, and one asked for", "", "/app", F),
]


@pytest.mark.parametrize(
    ("seen", "path", "outcome"), [w[1:] for w in WORKDIR], ids=[w[0] for w in WORKDIR]
)
def test_workdir(seen: str, path: str, outcome: Outcome) -> None:
    assert image.workdir(made(WorkingDir=seen), path=path).outcome is outcome


SIGNALS = [
    (None, "SIGTERM", P),
    ("", "SIGTERM", P),
    ("SIGTERM", "SIGTERM", P),
    ("term", "SIGTERM", P),
    ("15", "SIGTERM", P),
    ("SIGINT", "2", P),
    ("SIGKILL", "SIGTERM", F),
    ("9", "SIGTERM", F),
    (None, "SIGINT", F),
    ("SIGRTMIN+3", "SIGTERM", F),
]


@pytest.mark.parametrize(("seen", "wanted", "outcome"), SIGNALS)
def test_stop_signal(seen: str | None, wanted: str, outcome: Outcome) -> None:
    assert image.stop_signal(made(StopSignal=seen), signal=wanted).outcome is outcome


SECRETS = [
    ("API_KEY=abc", F),
    ("APIKEY=abc", F),
    ("api_key=abc", F),
    ("DB_PASSWORD=abc", F),
    ("PASSWORD=abc", F),
    ("HF_TOKEN=abc", F),
    ("AWS_SECRET_ACCESS_KEY=abc", F),
    ("CLIENT_SECRET=abc", F),
    ("DB_PASS=abc", F),
    ("GIT_CREDENTIALS=abc", F),
    ("API_KEY=", P),
    ("API_KEY_FILE=/run/secrets/api_key", P),
    ("GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", P),
    ("TOKENIZERS_PARALLELISM=false", P),
    ("COMPASS=north", P),
    ("PATH=/usr/bin", P),
    ("MONKEY=1", P),
]


@pytest.mark.parametrize(("row", "outcome"), SECRETS)
def test_no_secret_env(row: str, outcome: Outcome) -> None:
    result = image.no_secret_env(made(Env=["A=1", row]))
    assert result.outcome is outcome
    if outcome is F:
        assert row.partition("=")[0] in result.message
        assert "abc" not in f"{result.message} {result.evidence}"


def health(interval: float = 10, timeout: float = 3, start: float = 5, **more: Any) -> Image:
    times = {"Interval": interval, "Timeout": timeout, "StartPeriod": start}
    nanoseconds = {k: int(v * 1e9) for k, v in times.items()}
    return made(Healthcheck={"Test": ["CMD", "true"], **nanoseconds, **more})


HEALTH = [
    ("as it should be", health(), P),
    ("none", made(), F),
    ("an empty one", made(Healthcheck={}), F),
    ("taken away", health(Test=["NONE"]), F),
    ("a timeout as long as the interval", health(timeout=10), F),
    ("a bit shorter", health(timeout=9.9), P),
    ("both by default", health(interval=0, timeout=0), F),
    ("the interval by default", health(interval=0, timeout=29), P),
    ("the timeout by default", health(interval=31, timeout=0), P),
    ("the timeout by default, and a short interval", health(timeout=0), F),
    ("no time to start", health(start=0), F),
    ("too little time to start", health(start=4.9), F),
]


@pytest.mark.parametrize(("one", "outcome"), [h[1:] for h in HEALTH], ids=[h[0] for h in HEALTH])
def test_health_sane(one: Image, outcome: Outcome) -> None:
    assert image.health_sane(one, min_start_seconds=5).outcome is outcome
