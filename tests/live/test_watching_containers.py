"""What a notebook shows of a container that runs: its answer, what it uses, its shared memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from grader import plots, published
from grader.course import Course
from grader.digits import BLANK, example
from grader.engine import PROBE_IMAGE, Engine
from grader.errors import UsageError
from grader.notebook import lab
from grader.plots.shm import measured
from grader.plots.stats import watch
from grader.references import References
from tests.conftest import wait_until

pytestmark = pytest.mark.live
MIB = 2**20
BUSY = "while True: pass"
SLEEP = "import time; time.sleep(300)"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.open() as one:
        yield one


def python(engine: Engine, source: str, **how: object) -> str:
    command = ["/usr/local/bin/python3", "-c", source]
    container = engine.create(PROBE_IMAGE, entrypoint=[], command=command, **how)
    assert engine.start(container) == ""
    return container


# -- the pad ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits_image(engine: Engine, course: Course) -> str:
    return References(engine, course).image("digits")


def published_as_the_lab_does(engine: Engine, image: str, **how: object) -> str:
    ports = {8000: ("127.0.0.1",)}
    made = engine.create(image, kind="reference", network="bridge", port_bindings=ports, **how)
    assert engine.start(made) == ""
    return made[:12]


@pytest.fixture(scope="module")
def digits_service(engine: Engine, digits_image: str) -> str:
    return published_as_the_lab_does(engine, digits_image)


def test_a_service_that_only_just_starts_reads_real_digits(
    digits_service: str, course: Course
) -> None:
    file = course.app / "score" / "digits.txt"
    sent = {n: example(file, n).pixels for n in range(10)}
    answers = {n: published.ask(digits_service, pixels) for n, pixels in sent.items()}
    assert [n for n, answer in answers.items() if answer.digit != n] == []
    assert all(sum(answer.proba) == pytest.approx(1, abs=0.01) for answer in answers.values())
    assert published.ask(digits_service, BLANK).digit in range(10)


def test_the_notebooks_draw_shows_it(
    digits_service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lab("01-multi-stage", work="solutions").draw(digits_service, digit=3)
    assert capsys.readouterr().out.startswith("It says 3 (")


def test_whatever_is_wrong_with_the_container_is_told_in_time(
    engine: Engine, digits_image: str, digits_service: str
) -> None:
    unpublished = python(engine, SLEEP)
    ended = python(engine, "raise SystemExit(3)")
    engine.wait(ended, 10)
    deaf = published_as_the_lab_does(
        engine, digits_image, entrypoint=[], command=["python", "-c", SLEEP]
    )
    told = {
        "no-such-container": "There is no container",
        unpublished: "is not published",
        ended: r"not running \(exit status 3\)",
    }
    for name, words in told.items():
        began = time.monotonic()
        with pytest.raises(UsageError, match=words):
            published.ask(name, BLANK)
        assert time.monotonic() - began < published.LIMIT
    with pytest.raises(UsageError, match="is not published"):
        published.ask(digits_service, BLANK, port=81)
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"must listen on 0\.0\.0\.0"):
        published.ask(deaf, BLANK)
    assert time.monotonic() - began < published.LIMIT + 0.5


# -- what it uses ----------------------------------------------------------------------------------


def test_half_a_processor_is_seen_to_be_the_limit_and_throttled(engine: Engine) -> None:
    box = python(engine, BUSY, nano_cpus=500_000_000, memory=64 * MIB, pids=20)
    seen = list(watch(engine, box, 4))[-1]
    busy = sum(s.cpus * s.seconds for s in seen.samples) / sum(s.seconds for s in seen.samples)
    assert 0.2 < busy < 0.65
    assert sum(s.throttled for s in seen.samples) > 5
    assert sum(s.throttled for s in seen.samples) <= sum(s.periods for s in seen.samples)
    assert (seen.limits.cpus, seen.limits.memory, seen.limits.pids) == (0.5, 64 * MIB, 20)
    assert all(MIB < s.memory < 64 * MIB for s in seen.samples)
    assert {s.pids for s in seen.samples} == {1}
    assert seen.ended == ""


def test_an_idle_one_is_not_throttled(engine: Engine) -> None:
    box = python(engine, SLEEP, nano_cpus=500_000_000)
    wait_until(lambda: engine.processes(box))
    seen = list(watch(engine, box, 2))[-1]
    assert seen.samples[-1].throttled == 0
    assert seen.samples[-1].cpus < 0.1


def test_one_that_takes_too_much_memory_is_drawn_to_its_end(engine: Engine) -> None:
    grows = "import time\nx = []\nwhile True: x.append(b'x' * 2**21); time.sleep(0.1)"
    box = python(engine, grows, memory=48 * MIB)
    picture = plots.live_stats(box, seconds=20)
    assert isinstance(picture, plots.Picture)
    assert "of 48 MiB allowed" in picture.alt
    assert picture.alt.endswith("It was killed: out of memory (exit status 137).")


def test_one_that_does_not_run_is_a_line() -> None:
    assert "No such container" in str(plots.live_stats("no-such-container"))


# -- shared memory ---------------------------------------------------------------------------------


def test_what_lies_in_shared_memory_is_measured_from_outside(engine: Engine) -> None:
    """Even without rights, without a writable root, and with nothing but Python in it."""
    fill = f"open('/dev/shm/x', 'wb').write(b'x' * {16 * MIB}); {SLEEP}"
    how = {"read_only": True, "user": "1234:5", "cap_drop": ["ALL"], "shm_size": 32 * MIB}
    box = python(engine, fill, **how)
    wait_until(lambda: measured(box).used == 16 * MIB, 20, every=0.3)
    assert measured(box).size == 32 * MIB
    assert "16.0 of 32 MiB used (50%)" in str(plots.shm_gauge(box))


def test_dockers_default_is_seen(engine: Engine) -> None:
    found = measured(python(engine, SLEEP))
    assert (found.size, found.used) == (64 * MIB, 0)


def test_one_without_shared_memory_or_without_a_process_is_a_line(engine: Engine) -> None:
    assert "no /dev/shm of its own" in str(plots.shm_gauge(python(engine, SLEEP, ipc_mode="none")))
    ended = python(engine, "pass")
    engine.wait(ended, 10)
    assert "is not running" in str(plots.shm_gauge(ended))
