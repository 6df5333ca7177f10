"""Pictures: drawn from the right numbers, with words for those who can't see them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sample_course import make_course

pytest.importorskip("matplotlib")

from matplotlib import image as mpl_image
from matplotlib.figure import Figure

from grader import plots
from grader.cells import Cell
from grader.engine import Layer
from grader.errors import EngineError
from grader.here import Here
from grader.look import File
from grader.plots import figure, images

BASE = (Layer("", 120_000_000), Layer("RUN set -eux; apt-get install x", 40_000_000))
NAIVE = (
    *BASE,
    Layer("RUN /bin/sh -c apt-get install -y build-essential # buildkit", 290_000_000),
    Layer("RUN |1 V=3 /bin/sh -c pip install -r <b>.txt # buildkit", 400_000_000),
    Layer("COPY app/ /app # buildkit", 50_000),
    Layer("CMD [] # buildkit", 0),
)
SLIM = (*BASE, Layer("COPY /opt/venv /opt/venv # buildkit", 200_000_000))
FILES = [File("/opt/venv/lib/python3.11/site-packages/scipy/x", 9_000_000, 0, 0, 0, "0")]
DRAWN: list[tuple[str, Callable[[], plots.Picture | Cell]]] = [
    ("bars", lambda: plots.layer_bars({"naive": NAIVE, "slim": SLIM})),
    ("ladder", lambda: plots.ladder({"naive": NAIVE, "slim": SLIM})),
    ("startup", lambda: plots.startup({"naive": [0.8, 0.7, 0.9], "slim": [1.2]})),
    ("treemap", lambda: plots.treemap(FILES, under="/opt/venv")),
]


class Fake:
    """An engine that knows images."""

    def __init__(self) -> None:
        self.known = {"python:3.11-slim": BASE, "a": NAIVE, "b": SLIM}

    def __enter__(self) -> Fake:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def has_image(self, name: str) -> bool:
        return name in self.known

    def history(self, name: str) -> tuple[Layer, ...]:
        if name not in self.known:
            raise EngineError(f"No such image: {name}")
        return self.known[name]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.engine.Engine.open", classmethod(lambda _: Fake()))


def texts(monkeypatch: pytest.MonkeyPatch, plot: Callable[[], object]) -> str:
    """Every text in the figure that ``plot`` draws."""
    figures: list[Figure] = []
    real = images.picture

    def keep(drawn: Figure, alt: str) -> plots.Picture:
        figures.append(drawn)
        return real(drawn, alt)

    monkeypatch.setattr(images, "picture", keep)
    plot()
    found = figures[0].findobj(lambda x: hasattr(x, "get_text"))
    return "\n".join(t.get_text() for t in found)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "plot"), DRAWN)
def test_a_picture_is_a_transparent_png_with_something_on_it(
    name: str, plot: Callable[[], plots.Picture]
) -> None:
    pixels = mpl_image.imread(io.BytesIO(plot().png))
    alpha = pixels[..., 3]
    assert alpha.min() == 0, name
    assert alpha.max() == 1


@pytest.mark.parametrize(("name", "plot"), DRAWN)
def test_a_picture_says_in_words_what_is_to_be_seen(
    name: str, plot: Callable[[], plots.Picture]
) -> None:
    picture = plot()
    bundle = picture._repr_mimebundle_()
    assert bundle["text/plain"] == repr(picture) == picture.alt
    assert 'alt="' in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]


def test_the_words_hold_the_numbers() -> None:
    words = {name: repr(plot()) for name, plot in DRAWN}
    assert "naive: 850 MB in 5 layers, the biggest is 400 MB: RUN pip install" in words["bars"]
    assert "naive 850 MB (100%), slim 360 MB (42%)" in words["ladder"]
    assert "naive 0.80 s, slim 1.20 s" in words["startup"]
    assert "/opt/venv holds 9 MB. The biggest: scipy 9 MB" in words["treemap"]


def test_the_biggest_layers_are_named_with_their_instruction(
    monkeypatch: pytest.MonkeyPatch, engine: None
) -> None:
    shown = texts(monkeypatch, lambda: plots.layer_bars({"naive": "a", "slim": "b"}))
    assert "(1) naive, 400 MB: RUN pip install -r <b>.txt" in shown
    assert "(2) naive, 290 MB: RUN apt-get install -y build-essential" in shown
    assert "(3) slim, 200 MB: COPY /opt/venv /opt/venv" in shown
    assert "buildkit" not in shown
    assert "(4)" not in shown
    assert "850 MB" in shown


def test_a_base_alone_has_its_own_layers_named(
    monkeypatch: pytest.MonkeyPatch, engine: None
) -> None:
    shown = texts(monkeypatch, lambda: plots.layer_bars({"x": "python:3.11-slim"}))
    assert "(1) x, 120 MB" in shown
    assert "(2) x, 40 MB" in shown


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        ("", "base image"),
        ("ADD file:1a2b in / ", "base image"),
        ("/bin/sh -c #(nop) ADD file:1a2b in / ", "base image"),
        ("RUN /bin/sh -c apt-get update && apt-get install x # buildkit", "apt packages"),
        ("RUN /bin/sh -c pip install x # buildkit", "Python packages"),
        ("RUN /bin/sh -c python -m venv /opt/venv # buildkit", "Python packages"),
        ("COPY /opt/venv /opt/venv # buildkit", "files copied"),
        ("RUN /bin/sh -c python train.py # buildkit", "anything else"),
        ("RUN /bin/sh -c cp -r captain /pipes # buildkit", "anything else"),
    ],
)
def test_a_layers_kind_is_told_by_its_instruction(layer: str, kind: str) -> None:
    assert images._kind(Layer(layer, 1), [Layer(layer, 1)], []) == kind


def test_a_bases_layers_are_known_by_the_base() -> None:
    assert images._kind(BASE[1], BASE, [BASE]) == "base image"
    assert images._kind(BASE[1], [BASE[1]], [BASE]) == "apt packages"


@pytest.mark.parametrize(
    "plot",
    [
        lambda: plots.layer_bars({"x": "gone"}),
        lambda: plots.ladder({"x": "gone"}),
    ],
)
def test_an_image_that_is_not_there_is_one_line(
    engine: None, plot: Callable[[], plots.Picture | Cell]
) -> None:
    assert repr(plot()) == "! No such image: gone"


def test_no_engine_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> None:
        raise EngineError("No engine. Run: make up")

    monkeypatch.setattr("grader.engine.Engine.open", classmethod(gone))
    assert repr(plots.treemap("x")) == "! No engine. Run: make up"


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (Here(), "01-sample: all of it."),
        (Here({"gpu": "none"}), "01-sample: all of it."),
        (Here({"engine": "gone"}), "01-sample: only in part: no Docker engine."),
    ],
)
def test_the_labs_that_run_here_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Here, words: str
) -> None:
    monkeypatch.setenv("LAB_COURSE", str(make_course(tmp_path).root))
    picture = plots.capabilities(here)
    assert isinstance(picture, plots.Picture)
    assert words in picture.alt


@pytest.mark.parametrize(
    "plot",
    [
        lambda: plots.layer_bars({}),
        lambda: plots.layer_bars({"x": ()}),
        lambda: plots.ladder({"x": (Layer("", 0),)}),
        lambda: plots.startup({"x": []}),
        lambda: plots.treemap([], under="/nowhere"),
        lambda: plots.layer_bars({r"$\no$": (Layer(r"RUN echo $A \$B $\{$", 10_000_000),)}),
    ],
)
def test_odd_input_still_gives_a_picture(plot: Callable[[], plots.Picture]) -> None:
    assert plot().png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "color", [*images.KINDS.values(), figure.BLUE, figure.ORANGE, figure.GREEN]
)
def test_text_on_a_bar_is_readable(color: str) -> None:
    assert contrast(color, figure.readable(color)) >= 4.5


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_the_ink_is_readable_in_both_themes(background: str) -> None:
    assert contrast(figure.INK, background) >= 4


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    """As WCAG 2 has it."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def rgb(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)
