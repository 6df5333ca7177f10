"""Facts about a manifest's probes: three lives of the course's image under them, side by side.

Each is played by ``node``; what a right manifest does in it is for the checks to say.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from grader.engine import Engine, Image
from grader.faults import NO_MODELS, environment, model_of
from grader.kube import Manifest, manifest, manifest_doc
from grader.node import SCALE, Node, Story
from grader.registry import fact, timed
from grader.spec import Exercise
from grader.watched import signal_all

# In seconds of the manifest.
SLOW_START = (50, 60)  # until the program runs at all, as on a node with a cold disk
LOADS = (80, 100)  # and until the model is loaded
LONGEST = 400  # a story that has not come to its end by then ends there
CALM = 30  # how long it is watched on, to see that nothing more happens
UNREADY = 200  # longer than a model that loads ever takes, for a probe that only waits so long
FOREVER = 3600.0  # how far a story in which nothing changes any more is played on
HURRIED, PATIENT = 0.6, 3.0  # our seconds for one probe: where something hangs, and elsewhere

_dice = random.SystemRandom()


def _node(
    engine: Engine,
    image: str,
    manifest: Manifest,
    *,
    port: int,
    model: str,
    loads: float = 0,
    patience: float = PATIENT,
) -> Node:
    container = engine.create(image, environment=environment(model, loads / SCALE))
    return Node(engine, manifest, container, port=port, patience=patience)


@timed
@fact
def slow_pod(image: Image, engine: Engine, exercise: Exercise, manifest: Manifest) -> Story:
    """Its program takes long to start, and then its model takes long to load."""
    return slow(engine, image, manifest, exercise.port)


@timed
@fact
def frozen_pod(image: Image, engine: Engine, exercise: Exercise, manifest: Manifest) -> Story:
    """It gets ready, and some time later it hangs. After a restart it would be well again."""
    return frozen(engine, image, manifest, exercise.port)


@timed
@fact
def unready_pod(image: Image, engine: Engine, exercise: Exercise, manifest: Manifest) -> Story:
    """It is alive, and never ready: there is no model where it looks.

    But there is a file: a probe could look for that by itself, without a word to the service.
    """
    return unready(engine, image, manifest, exercise.port)


def slow(engine: Engine, image: Image, manifest: Manifest, port: int) -> Story:
    loads, model = _dice.uniform(*LOADS), model_of(image)
    node = _node(engine, image.id, manifest, port=port, model=model, loads=loads)
    node.begin(frozen=_dice.uniform(*SLOW_START))
    node.go_on(lambda: (node.life.ready and node.loaded) or node.restarts() > 1, LONGEST)
    node.go_on(lambda: node.restarts() > 0, CALM)
    return node.story()


def frozen(engine: Engine, image: Image, manifest: Manifest, port: int) -> Story:
    model = model_of(image)
    node = _node(engine, image.id, manifest, port=port, model=model, patience=HURRIED)
    node.begin()
    node.go_on(lambda: node.life.ready or node.restarts() > 0, LONGEST)
    if node.life.ready:
        signal_all(engine, node.id, "SIGSTOP")
        node.hangs = True
        node.note("frozen")
        node.go_on(lambda: node.restarts() > 0, LONGEST)
        node.go_on(lambda: node.life.ready or node.restarts() > 1, LONGEST)
        node.go_on(lambda: node.restarts() > 1, CALM)
    return node.story()


def unready(engine: Engine, image: Image, manifest: Manifest, port: int) -> Story:
    model = _dice.choice(NO_MODELS)
    # Whoever goes by the time that loading is said to take is ready soon.
    loads = _dice.uniform(0.5, 5)
    node = _node(engine, image.id, manifest, port=port, model=model, loads=loads)
    node.begin()
    node.go_on(lambda: node.listening, LONGEST)
    node.go_on(lambda: node.restarts() > 0, UNREADY)
    node.go_on(
        lambda: node.restarts() > 0 or all(r in node.says for r in node.life.active), LONGEST
    )
    return node.story()


def play(file: Path, image: str, *, port: int = 8000) -> dict[str, Story]:
    """The three lives under a manifest, for a picture. Raises GraderError."""
    read = manifest(manifest_doc(file.parent))
    lives = {"slow": slow, "frozen": frozen, "no model": unready}
    with Engine.open() as engine, ThreadPoolExecutor(len(lives)) as pool:
        of = engine.image(image)
        running = {name: pool.submit(life, engine, of, read, port) for name, life in lives.items()}
        return {name: future.result() for name, future in running.items()}
