"""Has lab 01's ladder moved? Builds it from nothing, and compares the sizes with the kept ones.

``python -m tests.bench.drift [--renew]``: exit status 0 where no rung has moved by more than 10 %,
1 where one has, can't be built any more, or nothing is kept for this kind of base; 2 for a broken
ladder.toml; 3 where the machine failed. Nothing is kept of it in the engine but build cache. No
part of ``make test``: the world moves on, whatever a commit does.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import uuid
from pathlib import Path

from grader import labels
from grader.blame import Judge, smells_of_network
from grader.build import Build, Request, build
from grader.console import Console
from grader.course import Course
from grader.dockerfile import Dockerfile
from grader.engine import Engine
from grader.errors import EngineError, GraderError
from grader.host import images
from grader.host.connection import connect
from grader.spec import Limits
from tests.bench import ladder
from tests.bench.ladder import Ladder

BASE = images.PYTHON
# As the lab's notebook builds them, all with labs/app as their context.
RUNGS = {
    "naive": "labs/01-multi-stage/ladder/naive/Dockerfile",
    "single": "images/baseline/Dockerfile",
    "two-stages": "solutions/01-multi-stage/two-stages/Dockerfile",
    "train-serve": "solutions/01-multi-stage/train-serve/Dockerfile",
    "tight": "solutions/01-multi-stage/train-serve.right/tight/Dockerfile",
    "distroless": "solutions/01-multi-stage/no-shell/Dockerfile",
}
LIMITS = Limits(build_seconds=900)


class Broken(GraderError):
    """A rung that can't be built any more, on a machine that can build."""


def main(arguments: list[str]) -> int:
    """Measure, and write or compare; no traceback reaches a reader of the log."""
    parser = argparse.ArgumentParser(prog="tests.bench.drift", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="keep what is measured now")
    options, console = parser.parse_args(arguments), Console()
    try:
        kept = ladder.load()  # before anybody waits for a measurement
        kind, now = measured(Course.find(), console)
        if options.renew:
            ladder.save({**kept, kind: now})
            console.line(f"✓ {ladder.KEPT.name} has the figures of {kind}")
            return 0
        return judged(kept, kind, now, console)
    except GraderError as err:
        console.line(f"✗ {err}")
        return 3 if isinstance(err, EngineError) else 1 if isinstance(err, Broken) else 2


def judged(kept: dict[str, Ladder], kind: str, now: Ladder, console: Console) -> int:
    """Say how far each rung has moved; the exit status."""
    if kind not in kept:
        console.line(
            f"✗ no figures are kept for {kind}, only for: {', '.join(kept) or 'no base at all'}."
            " Look at those below; `python -m tests.bench.drift --renew` on this kind of machine"
            f" adds them to {ladder.KEPT.name}, or add them by hand:"
        )
        console.line(ladder.text(kind, now))
        return 1
    before = kept[kind]
    console.line(f"{kind}: {before.date} with Engine {before.engine} → today with {now.engine}")
    steps = ladder.steps(before, now)
    for step in (ladder.Step("base", before.base_mb, now.base_mb), *steps):
        console.line(str(step))
    if not any(step.off for step in steps):
        console.line(f"✓ no rung has moved by more than {ladder.MOST:.0%}")
        return 0
    console.line("✗ the ladder has moved. Find out why; if that is as it should be, --renew.")
    return 1


def measured(course: Course, console: Console) -> tuple[str, Ladder]:
    """The kind of base that this machine has, and every rung on it, built from nothing."""
    connection = connect()
    with console.step("base images") as say:
        images.ensure(connection, say)
    fresh = uuid.uuid4().hex  # one word for all, so that steps that they share run once
    with Engine.open(connection) as engine:
        sizes = {}
        for rung, dockerfile in RUNGS.items():
            with console.step(rung):
                made = built(engine, course, course.root / dockerfile, fresh)
                sizes[rung] = megabytes(engine, made.image)
        version = str(engine.facts()["version"])
        today = dt.datetime.now(dt.UTC).date()
        return kind_of_base(engine), Ladder(BASE, megabytes(engine, BASE), version, today, sizes)


def kind_of_base(engine: Engine) -> str:
    """Stand-in or real, and for which processor: neither's sizes say anything of the other's."""
    standin = labels.STANDIN in engine.label_names(BASE)
    return f"{'standin' if standin else 'real'}-{engine.info.get('Architecture') or 'unknown'}"


def megabytes(engine: Engine, image: str) -> float:
    return round(engine.image(image).size / 1e6, 1)


def built(engine: Engine, course: Course, dockerfile: Path, fresh: str) -> Build:
    """One image, once more where the network may have failed it. Raises EngineError or Broken."""
    marks = engine.labels("drift")
    request = Request(course.app, marks, file=dockerfile, fresh=fresh, limits=LIMITS)
    parsed = Dockerfile.parse(dockerfile.read_bytes())
    made = build(engine.connection, request, parsed=parsed)
    if not made.image and smells_of_network(made):
        made = build(engine.connection, request, parsed=parsed)
    if made.image:
        return made
    judge = Judge(engine.connection, (BASE,), engine.ping, engine.labels("canary"))
    why = judge.error(made, LIMITS)
    name = dockerfile.relative_to(course.root)
    raise (EngineError if isinstance(why, EngineError) else Broken)(f"{name}: {why}") from why


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
