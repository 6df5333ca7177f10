"""Where a token is found, in words that never repeat it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import IO, Any

import pytest

from grader import leaks
from grader.buildlog import Step as BuildStep
from grader.dockerfile import Dockerfile
from grader.engine import Image
from grader.errors import SubmissionError
from grader.facts import Canary
from grader.layers import Base
from grader.leaks import Leak, saved_image, strings
from tests import saved_image as saved

TOKEN = "lab0123456789abcdef0123456789abcdef"
RAW = TOKEN.encode()
BASE = saved.layer(("usr/lib", RAW))  # the base's own is nobody's leak
TEXT = """FROM python:3.11-slim
ARG API_KEY
ENV API_KEY=${API_KEY}
COPY . /app
RUN make
LABEL org.example.key=${API_KEY}
CMD ["serve"]
"""


class FakeEngine:
    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    @contextmanager
    def saved(self, image: str) -> Iterator[IO[bytes]]:
        yield self.stream


class FakeFacts:
    """Knows the Dockerfile and the build."""

    def __init__(self, text: str, steps: tuple[BuildStep, ...]) -> None:
        self.text, self.steps = text, steps

    def get(self, name: str) -> Any:
        if name == "build":
            return SimpleNamespace(steps=self.steps)
        if not self.text:
            raise SubmissionError("no Dockerfile")
        return Dockerfile.parse(self.text.encode())


def found(
    *own: bytes,
    text: str = "",
    steps: tuple[BuildStep, ...] = (),
    secret: str = "api_key",
    packed: bool = False,
    more: dict[str, bytes] | None = None,
    history: tuple[str, ...] | None = None,
    **about: Any,
) -> list[Leak]:
    every = [BASE, *own]
    rows = [{"created_by": "base"}, *({"created_by": h} for h in history or ["RUN"] * len(own))]
    config = saved.config(every, config=about, history=rows)
    stream = saved.oci(every, config, packed=packed, more=more)
    base = Base("python:3.11-slim", (saved.diff_id(BASE),), steps=1)
    image = Image("sha256:1", tuple(saved.diff_id(x) for x in every), (), {})
    engine, facts = FakeEngine(stream), FakeFacts(text, steps)
    result = saved_image(image, base, engine, Canary(secret, TOKEN), facts)  # type: ignore[arg-type]
    told = [*map(str, result.leaks.found), *(leak.step for leak in result.leaks.found)]
    assert not any(TOKEN in one for one in told)
    assert result.leaks.layers == len(own)
    return list(result.leaks.found)


@pytest.mark.parametrize("packed", [False, True])
def test_in_a_file_of_a_layer(packed: bool) -> None:
    (leak,) = found(saved.layer(("app/.env", b"API_KEY=" + RAW)), packed=packed)
    assert (leak.place, leak.what, leak.form) == ("a layer", "/app/.env", "as it is")


def test_in_a_layer_whose_file_is_deleted_later() -> None:
    (leak,) = found(saved.layer(("key", RAW)), saved.layer((".wh.key", b"")))
    assert leak.what == "/key"


@pytest.mark.parametrize(
    "member",
    [("etc/" + TOKEN, b""), saved.link("etc/x", f"/keys/{TOKEN}"), (f"a/.wh.{TOKEN}", b"")],
    ids=["a file's name", "a link's goal", "the name of what is deleted"],
)
def test_in_a_name(member: saved.Member) -> None:
    (leak,) = found(saved.layer(member))
    assert leak.place == "a name in a layer"


def test_in_an_attribute() -> None:
    import tarfile

    info = tarfile.TarInfo("app/x")
    info.pax_headers = {"SCHILY.xattr.user.key": TOKEN}
    assert [leak.what for leak in found(saved.layer(info))] == ["/app/x"]


def test_at_the_seam_of_two_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "WINDOW", 1000)
    for before in range(960, 1001):
        assert found(saved.layer(("big", bytes(before) + RAW + bytes(2000)))), before


def test_with_the_line_that_made_the_layer() -> None:
    steps = ("ARG API_KEY", "ENV", "COPY", "RUN", "LABEL", "CMD")
    rows = [{"created_by": "base"}, *({"created_by": s, "empty_layer": s != "COPY"} for s in steps)]
    own = saved.layer(("app/.env", RAW))
    config = saved.config([BASE, own], history=rows)
    base = Base("b", (saved.diff_id(BASE),), steps=1)
    facts = FakeFacts(TEXT, ())
    image = Image("sha256:1", (), (), {})
    engine = FakeEngine(saved.oci([BASE, own], config))
    result = saved_image(image, base, engine, Canary("k", TOKEN), facts)  # type: ignore[arg-type]
    assert [leak.line for leak in result.leaks.found] == [4]


def test_in_the_history() -> None:
    (leak,) = found(saved.layer(), history=(f"RUN |1 API_KEY={TOKEN} /bin/sh -c make # buildkit",))
    assert leak.place == "the history (docker history)"
    assert leak.step == "RUN |1 API_KEY=*** make"


CONFIG: list[tuple[str, dict[str, Any], str, str, int | None]] = [
    ("ENV", {"Env": ["A=1", f"API_KEY={TOKEN}"]}, "environment", "API_KEY", 3),
    ("a label", {"Labels": {"org.example.key": TOKEN}}, "label", "org.example.key", 6),
    ("a label's name", {"Labels": {TOKEN: "x"}}, "label", "", 6),
    ("CMD", {"Cmd": ["serve", f"--key={TOKEN}"]}, "CMD", "", 7),
    ("ENTRYPOINT", {"Entrypoint": ["sh", "-c", f"K={TOKEN} serve"]}, "ENTRYPOINT", "", None),
    ("HEALTHCHECK", {"Healthcheck": {"Test": ["CMD", TOKEN]}}, "HEALTHCHECK", "", None),
    ("ONBUILD", {"OnBuild": [f"RUN {TOKEN}"]}, "ONBUILD", "", None),
    ("a volume", {"Volumes": {f"/{TOKEN}": {}}}, "configuration (Volumes)", "", None),
    ("USER", {"User": TOKEN}, "configuration (User)", "", None),
    ("WORKDIR", {"WorkingDir": f"/{TOKEN}"}, "configuration (WorkingDir)", "", None),
    ("a shell", {"Shell": [TOKEN]}, "configuration (Shell)", "", None),
]


@pytest.mark.parametrize(
    ("about", "place", "what", "line"), [c[1:] for c in CONFIG], ids=[c[0] for c in CONFIG]
)
def test_in_the_configuration(
    about: dict[str, Any], place: str, what: str, line: int | None
) -> None:
    (leak,) = found(saved.layer(), text=TEXT, **about)
    assert place in leak.place
    assert what in leak.what
    assert leak.line == line


def test_in_the_configuration_encoded() -> None:
    hidden = base64.b64encode(b"x:" + RAW).decode()
    (leak,) = found(saved.layer(), Env=[f"A={hidden}"])
    assert (leak.what, leak.form) == ("A", "in base64")


def test_in_an_annotation() -> None:
    note = ('{"annotations": {"org.example": "' + TOKEN + '"}}').encode()
    (leak,) = found(saved.layer(), more={"blobs/sha256/0": note})
    assert (leak.place, leak.what) == ("an annotation of the image", "org.example")


@pytest.mark.parametrize(("line", "count"), [(8, 1), (None, 0)])
def test_in_what_the_build_prints(line: int | None, count: int) -> None:
    step = BuildStep("RUN x", "", line, False, 0, 0, "", ("hello", f"+ API_KEY={TOKEN}"))
    assert len(found(saved.layer(), steps=(step,))) == count


def test_nowhere() -> None:
    clean = saved.layer(("app/main.py", b"print()"), ("app/sum", base64.b64encode(b"x" * 500)))
    step = BuildStep("RUN x", "", 8, False, 0, 0, "", ("hello",))
    assert found(clean, saved.layer(), steps=(step,), Env=["A=1"], Labels={"a": "b"}) == []


def test_without_a_secret_nothing_is_searched() -> None:
    assert found(saved.layer(("key", RAW)), secret="") == []


def test_the_layers_are_there_with_and_without_a_secret() -> None:
    own = saved.layer(("app/a", b"12345"))
    image = Image("sha256:1", (), (), {})
    for secret in ("", "api_key"):
        engine = FakeEngine(saved.oci([own]))
        canary, facts = Canary(secret, TOKEN), FakeFacts("", ())
        result = saved_image(image, Base(""), engine, canary, facts)  # type: ignore[arg-type]
        assert leaks.layers(result).layers[0].files[0].path == "/app/a"
        assert leaks.leaks(result).found == ()


def test_many_finds_of_one_layer_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "MOST_FINDS", 5)
    many = saved.layer(*((f"k/{n}", RAW) for n in range(20)))
    assert len(found(many)) == 5


def test_strings() -> None:
    value = {"a": ["x", {"b": "y"}], "c": 3, "d": None}
    assert list(strings(value)) == [
        ((), "a"),
        (("a",), "x"),
        (("a",), "b"),
        (("a", "b"), "y"),
        ((), "c"),
        ((), "d"),
    ]


@pytest.mark.parametrize(
    ("leak", "text"),
    [
        (Leak("a layer", "/x", "as it is", 4, "COPY"), "a layer, /x (line 4: COPY), as it is"),
        (Leak("a layer", "/x", "in hex"), "a layer, /x, in hex"),
        (Leak("a label", "", "in hex", 4), "a label (line 4), in hex"),
        (Leak("the history", "", "in hex", None, "RUN"), "the history (RUN), in hex"),
    ],
)
def test_in_words(leak: Leak, text: str) -> None:
    assert str(leak) == text


def test_the_stream_is_read_once() -> None:
    stream = io.BytesIO(saved.oci([saved.layer(("a", RAW))]).getvalue())
    stream.seekable = lambda: False  # type: ignore[method-assign]
    engine = FakeEngine(stream)
    image, facts = Image("sha256:1", (), (), {}), FakeFacts("", ())
    result = saved_image(image, Base(""), engine, Canary("k", TOKEN), facts)  # type: ignore[arg-type]
    assert len(result.leaks.found) == 1
