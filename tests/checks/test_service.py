"""What the server answered: the edges of tolerance and accuracy, wrong answers, and cheats."""

from __future__ import annotations

import json

import pytest

from grader.checks import service
from grader.probes import Run, Seen
from grader.references import Answer
from grader.results import Outcome
from grader.running import Questions, Reply, Service
from grader.startup import Loading, NoModel, Stopped, Strict

P, F = Outcome.PASS, Outcome.FAIL
PROBA = (0.0, 0.5, 0.25, 0.25)
ANSWER = Answer((1, 2), 1, PROBA)
RIGHT = {"digit": 1, "proba": list(PROBA)}


def reply(body: object, status: int = 200) -> Reply:
    return Reply(status, body if isinstance(body, str) else json.dumps(body))


def answered(*replies: Reply, asked: int | None = None) -> Service:
    count = len(replies) if asked is None else asked
    return Service(1.0, Questions((ANSWER,) * count), tuple(replies))


# -- ready ----------------------------------------------------------------------------------------


def test_ready_tells_the_seconds() -> None:
    result = service.ready(Service(2.345))
    assert result.outcome is P
    assert result.message == "after 2.3 s"
    assert result.evidence["seconds"] in (2.34, 2.35)


# -- predicts -------------------------------------------------------------------------------------

TOLERANCE = service.TOLERANCE
ONE = [
    ("equal", reply(RIGHT), P, ""),
    ("more keys than asked for", reply({**RIGHT, "model": "x"}), P, ""),
    (
        "a probability off by the tolerance",
        reply({**RIGHT, "proba": [TOLERANCE, *PROBA[1:]]}),
        P,
        "",
    ),
    (
        "a little more",
        reply({**RIGHT, "proba": [TOLERANCE + 0.001, *PROBA[1:]]}),
        F,
        "probabilities",
    ),
    ("the last one is off", reply({**RIGHT, "proba": [*PROBA[:-1], 0.5]}), F, "probabilities"),
    ("another digit", reply({**RIGHT, "digit": 2}), F, "2 where 1 is right"),
    ("another digit, the same probabilities", reply({**RIGHT, "digit": 3}), F, "3 where 1"),
    ("no digit", reply({"proba": list(PROBA)}), F, "no digit"),
    ("a digit as text", reply({**RIGHT, "digit": "1"}), F, "no digit"),
    ("a digit with a fraction", reply({**RIGHT, "digit": 1.0}), F, "no digit"),
    ("true is no 1", reply({**RIGHT, "digit": True}), F, "no digit"),
    ("no probabilities", reply({"digit": 1}), F, "probabilities"),
    ("too few of them", reply({**RIGHT, "proba": list(PROBA[:-1])}), F, "probabilities"),
    ("too many of them", reply({**RIGHT, "proba": [*PROBA, 0.0]}), F, "probabilities"),
    ("none of them", reply({**RIGHT, "proba": []}), F, "probabilities"),
    ("not a number", reply('{"digit": 1, "proba": [NaN, NaN, NaN, NaN]}'), F, "probabilities"),
    ("infinite", reply('{"digit": 1, "proba": [Infinity, 0.5, 0.25, 0.25]}'), F, "probabilities"),
    ("as text", reply({**RIGHT, "proba": "0.0"}), F, "probabilities"),
    ("status 500", reply(RIGHT, 500), F, "status 500"),
    ("status 201", reply(RIGHT, 201), F, "status 201"),
    ("no answer", reply("ConnectionRefusedError: x", 0), F, "status 0: ConnectionRefusedError"),
    ("no JSON", reply("<html>"), F, "no digit"),
    ("a list", reply([1]), F, "no digit"),
    ("empty", reply(""), F, "no digit"),
]


@pytest.mark.parametrize(("one", "outcome", "words"), [o[1:] for o in ONE], ids=[o[0] for o in ONE])
def test_predicts(one: Reply, outcome: Outcome, words: str) -> None:
    result = service.predicts(answered(one))
    assert result.outcome is outcome
    assert words in result.message


GOOD, BAD = reply(RIGHT), reply({**RIGHT, "digit": 2})
MANY = [
    ("all of 20", (GOOD,) * 20, 20, P, 20),
    ("all but the last", (*(GOOD,) * 19, BAD), 20, F, 19),
    ("all but the first", (BAD, *(GOOD,) * 19), 20, F, 19),
    ("it stopped answering", (GOOD,) * 19, 20, F, 19),
    ("it stopped at once", (), 20, F, 0),
    ("nothing was asked", (), 0, F, 0),
]


@pytest.mark.parametrize(
    ("replies", "asked", "outcome", "right"), [m[1:] for m in MANY], ids=[m[0] for m in MANY]
)
def test_predicts_all_of_them(
    replies: tuple[Reply, ...], asked: int, outcome: Outcome, right: int
) -> None:
    result = service.predicts(answered(*replies, asked=asked), count=20)
    assert result.outcome is outcome
    assert (result.evidence["right"], result.evidence["asked"]) == (right, asked)


def test_predicts_tells_that_it_stopped() -> None:
    assert "stopped answering" in service.predicts(answered(GOOD, asked=2)).message


def test_predicts_names_what_it_was_compared_with() -> None:
    assert "the reference's" in service.predicts(answered(BAD), of="reference").message


def test_predicts_cuts_a_long_answer() -> None:
    assert len(service.predicts(answered(reply("x" * 2000))).message) < 300


# -- accuracy -------------------------------------------------------------------------------------


def held_out(right: int, wrong: int = 0, *, asked: int = 450, status: int = 200) -> Service:
    replies = (reply({"digit": 3}, status),) * right + (reply({"digit": 4}, status),) * wrong
    return Service(1.0, Questions((), (((0,), 3),) * asked), (), replies)


ACCURACY = [
    ("all", held_out(450), P, 450),
    ("exactly enough", held_out(430, 20), P, 430),
    ("one too few", held_out(429, 21), F, 429),
    ("none", held_out(0, 450), F, 0),
    ("enough, and then it stopped", held_out(430), P, 430),
    ("it stopped too early", held_out(429), F, 429),
    ("it never answered", held_out(0), F, 0),
    ("right, with status 500", held_out(450, status=500), F, 0),
    ("nothing was asked", held_out(0, asked=0), F, 0),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "right"), [a[1:] for a in ACCURACY], ids=[a[0] for a in ACCURACY]
)
def test_accuracy(seen: Service, outcome: Outcome, right: int) -> None:
    result = service.accuracy(seen, min_right=430)
    assert result.outcome is outcome
    assert result.evidence["right"] == right
    assert f"{right} of" in result.message


def test_accuracy_of_one_answer_to_everything_is_low() -> None:
    """A server that always says 3 is right for the threes alone."""
    questions = Questions((), tuple(((0,), n % 10) for n in range(450)))
    always = Service(1.0, questions, (), (reply({"digit": 3}),) * 450)
    assert service.accuracy(always, min_right=430).evidence["right"] == 45


# -- while it loads, and without a model -----------------------------------------------------------


def run(
    path: str, status: int, first: float, last: float, count: int = 5, *, text: str = "x"
) -> Run:
    return Run(path, status, first, last, count, text)


def loading(*runs: Run, predicts: tuple[Run, ...] | None = None) -> Loading:
    """Two seconds of loading; from the third second on it can predict."""
    if predicts is None:
        predicts = (run("/predict", 503, 1, 2.9, 19), run("/predict", 200, 3, 3.5))
    return Loading(Seen((*predicts, *runs)), 2.0)


LIVING = [
    ("from the start", loading(run("/live", 200, 1, 3.5)), P, "2.0 s before"),
    ("refused at first", loading(run("/live", 0, 0, 0.9), run("/live", 200, 1, 3.5)), P, ""),
    ("from half of the time on", loading(run("/live", 200, 2, 3.5)), P, "1.0 s before"),
    ("a little later", loading(run("/live", 200, 2.1, 3.5)), F, "in a thread"),
    ("when all was done", loading(run("/live", 0, 0, 2.9), run("/live", 200, 3, 3.5)), F, "thread"),
    ("never", loading(run("/live", 0, 0, 3.5)), F, "never answered"),
    ("not there", loading(run("/live", 404, 1, 3.5, text="Not Found")), F, "404: Not Found"),
    ("503 while it loads", loading(run("/live", 503, 1, 2.9), run("/live", 200, 3, 3.5)), F, "503"),
    ("then it hangs", loading(run("/live", 200, 1, 1.1), run("/live", 0, 1.5, 2.9)), F, "0: x"),
    (
        "nobody knows when it was loaded",
        loading(run("/live", 200, 1, 3.5), predicts=(run("/predict", 500, 1, 3.5),)),
        F,
        "/predict never",
    ),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in LIVING], ids=[r[0] for r in LIVING]
)
def test_live_while_loading(seen: Loading, outcome: Outcome, words: str) -> None:
    result = service.live_while_loading(seen)
    assert result.outcome is outcome
    assert words in result.message


def ready(*runs: Run) -> Loading:
    return loading(run("/ready", 0, 0, 0.9), *runs)


UP = run("/ready", 200, 3, 3.5)
GETTING_READY = [
    ("503, then 200", ready(run("/ready", 503, 1, 2.9, 19), UP), P, "19 × 503"),
    ("just often enough", ready(run("/ready", 503, 1, 2.9, 3), UP), P, ""),
    ("too seldom", ready(run("/ready", 503, 1, 2.9, 2), UP), F, "2 × 503"),
    ("200 at once", ready(run("/ready", 200, 1, 3.5)), F, "1.9 s before"),
    (
        "200 a moment early",
        ready(run("/ready", 503, 1, 2.7), run("/ready", 200, 2.8, 3.5)),
        F,
        "0.1 s",
    ),
    (
        "200 in the very moment",
        ready(run("/ready", 503, 1, 2.8), run("/ready", 200, 2.9, 3.5)),
        P,
        "",
    ),
    ("500 while it loads", ready(run("/ready", 500, 1, 2.9, text="oh"), UP), F, "500 while"),
    ("404", ready(run("/ready", 404, 1, 3.5)), F, "404 while"),
    ("503 for ever", ready(run("/ready", 503, 1, 3.5)), F, "never answered 200"),
    ("never", ready(), F, "never answered."),
    (
        "not sure",
        ready(
            run("/ready", 503, 1, 2.9), UP, run("/ready", 503, 3.6, 3.7), run("/ready", 200, 4, 5)
        ),
        F,
        "all the time",
    ),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in GETTING_READY], ids=[r[0] for r in GETTING_READY]
)
def test_ready_after_loading(seen: Loading, outcome: Outcome, words: str) -> None:
    result = service.ready_after_loading(seen, least=3)
    assert result.outcome is outcome
    assert words in result.message


def no_model(*runs: Run, ended: str = "") -> NoModel:
    return NoModel(Seen(runs), ended)


REFUSED = run("/live", 0, 0, 0.9)
ALIVE = [
    ("alive", no_model(REFUSED, run("/live", 200, 1, 2.5)), P, "5 × 200"),
    ("it ended", no_model(ended="The container ended with exit code 1."), F, "exit code 1"),
    ("never answered", no_model(REFUSED), F, "never answered"),
    ("500", no_model(run("/live", 500, 1, 2.5, text="no model")), F, "500: no model"),
    ("alive, then not", no_model(run("/live", 200, 1, 2), run("/live", 500, 2, 2.5)), F, "500"),
    ("alive, then silent", no_model(run("/live", 200, 1, 2), run("/live", 0, 2, 2.5)), F, "0: x"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in ALIVE], ids=[r[0] for r in ALIVE]
)
def test_outlives_no_model(seen: NoModel, outcome: Outcome, words: str) -> None:
    result = service.outlives_no_model(seen)
    assert result.outcome is outcome
    assert words in result.message


UNREADY = [
    ("500", no_model(run("/ready", 500, 1, 2.5)), P, "5 × 500"),
    (
        "503, then 500",
        no_model(run("/ready", 503, 1, 1.5), run("/ready", 500, 1.6, 2.5)),
        P,
        "10 ×",
    ),
    ("503 for ever", no_model(run("/ready", 503, 1, 2.5)), P, ""),
    ("599", no_model(run("/ready", 599, 1, 2.5)), P, ""),
    ("600", no_model(run("/ready", 600, 1, 2.5)), F, "600"),
    ("499", no_model(run("/ready", 499, 1, 2.5)), F, "499"),
    ("200", no_model(run("/ready", 503, 1, 1.5), run("/ready", 200, 1.6, 2.5)), F, "answered 200"),
    ("nothing", no_model(run("/ready", 0, 1, 2.5)), F, "never answered"),
]


@pytest.mark.parametrize(
    ("seen", "outcome", "words"), [r[1:] for r in UNREADY], ids=[r[0] for r in UNREADY]
)
def test_unready_without_model(seen: NoModel, outcome: Outcome, words: str) -> None:
    good = no_model(run("/ready", 500, 1, 2.5))
    for pair in ((seen, good), (good, seen)):
        result = service.unready_without_model(*pair)
        assert result.outcome is outcome
        assert words in result.message or outcome is P


def test_a_file_that_is_no_model_is_told_from_none() -> None:
    good = no_model(run("/ready", 500, 1, 2.5))
    bad = NoModel(Seen(()), "It ended with exit code 3.", "MODEL_PATH points to a file")
    result = service.unready_without_model(good, bad)
    assert result.message.startswith("MODEL_PATH points to a file")
    assert result.message.endswith("exit code 3.")


def test_not_deprecated() -> None:
    assert service.not_deprecated(Strict(ready=True)).outcome is P
    result = service.not_deprecated(Strict(ready=False, said="on_event is deprecated"))
    assert result.outcome is F
    assert "on_event is deprecated" in result.message


STOPPED = [
    ("at once", Stopped(0.2, 0), P),
    ("by the signal itself", Stopped(0.2, 143), P),
    ("just in time", Stopped(8.0, 0), P),
    ("a little later", Stopped(8.1, 0), F),
    ("killed", Stopped(10.1, 137), F),
    ("killed early", Stopped(0.2, 137), F),
    ("with an error", Stopped(0.2, 1), F),
]


@pytest.mark.parametrize(("end", "outcome"), [r[1:] for r in STOPPED], ids=[r[0] for r in STOPPED])
def test_stops(end: Stopped, outcome: Outcome) -> None:
    result = service.stops(end, max_seconds=8)
    assert result.outcome is outcome
    assert f"exit code {end.exit_code}" in result.message
