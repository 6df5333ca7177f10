"""What the container's server answers, asked from outside."""

from __future__ import annotations

from grader.probes import Run
from grader.references import Answer, Of
from grader.registry import check
from grader.results import Result, failed, passed
from grader.running import Reply, Service
from grader.startup import LIVE, READY, Loading, NoModel, Stopped, Strict

TOLD = 200  # characters of an answer in a message
ENDED_WELL = (0, 143)  # by itself, or by the signal's own effect
TOLERANCE = 0.02  # between two builds of the same model, on a probability


@check
def ready(service: Service) -> Result:
    """The container serves: GET /ready answers 200, without any network"""
    return passed(f"after {service.ready_seconds:.1f} s", seconds=round(service.ready_seconds, 2))


@check
def predicts(service: Service, *, count: int = 20, of: Of = "baseline") -> Result:
    """It predicts like the {of}: {count} of {count} digits drawn at random"""
    asked = service.questions.noisy
    wrong = [
        _difference(answer, reply)
        for answer, reply in zip(asked, service.noisy, strict=False)
        if not _agrees(answer, reply)
    ]
    right = len(service.noisy) - len(wrong)
    if asked and right == len(asked):
        return passed(f"{right} of {len(asked)} equal", right=right, asked=len(asked))
    first = wrong[0] if wrong else "it stopped answering"
    return failed(
        f"{right} of {len(asked)} predictions equal the {of}'s. The first other one: {first}.",
        right=right,
        asked=len(asked),
    )


@check
def accuracy(service: Service, *, min_right: int) -> Result:
    """At least {min_right} of the held-out digits are recognised"""
    asked = service.questions.held_out
    right = sum(
        reply.status == 200 and reply.digit == label
        for (_, label), reply in zip(asked, service.held_out, strict=False)
    )
    seen = f"{right} of {len(asked)} are right"
    if right >= min_right:
        return passed(seen, right=right, asked=len(asked))
    return failed(f"{seen}; at least {min_right} are asked for.", right=right, asked=len(asked))


@check
def live_while_loading(loading: Loading) -> Result:
    """While the model loads, GET /live answers 200"""
    answered = loading.seen.first(LIVE)
    if answered is None:
        return failed("GET /live was never answered. Add it: it must not need the model.")
    if bad := [run for run in loading.seen.of(LIVE) if run.status != 200 and run.last > answered]:
        return failed(
            f"GET /live answered {bad[0].status}: {bad[0].text[:TOLD]}. Whoever restarts what is"
            " not alive would now start the same loading from the beginning."
        )
    if loading.loaded is None:
        return failed("POST /predict never answered 200, so it is not known when it was loaded.")
    ahead = loading.loaded - answered
    if ahead < loading.delay / 2:
        return failed(_hung(loading), delay=round(loading.delay, 2), ahead=round(ahead, 2))
    return passed(f"from {ahead:.1f} s before it could predict")


def _hung(loading: Loading) -> str:
    return (
        f"The model took {loading.delay:.1f} s to load, and for most of that time nobody got an"
        " answer from the service. Uvicorn opens its port only when the start-up code is done, and"
        " one event loop does one thing at a time: load in a thread, and don't wait for it there."
    )


@check
def ready_after_loading(loading: Loading, *, least: int = 3) -> Result:
    """While the model loads, GET /ready answers 503 (seen {least} times or more), then 200"""
    runs = [run for run in loading.seen.of(READY) if run.status]
    if not runs:
        return failed("GET /ready was never answered.")
    first, last, ready = runs[0], runs[-1], loading.seen.first(READY, 200)
    if ready is not None and ready < loading.not_loaded:
        return failed(
            f"GET /ready answered 200 {loading.not_loaded - ready:.1f} s before the model was"
            " loaded: requests would come, and fail. Answer 503 until then."
        )
    if wrong := [run for run in runs if run.status not in (200, 503)]:
        return failed(
            f"GET /ready answered {wrong[0].status} while the model was loaded, not 503:"
            f" {wrong[0].text[:TOLD]}. What does `docker logs` say?"
        )
    if last.status != 200:
        return failed("GET /ready never answered 200, though the model is there.")
    if first.count < least or len(runs) > 2:
        told = ", ".join(f"{run.count} × {run.status}" for run in runs)
        return failed(f"GET /ready answered {told}. Wanted: 503 all the time, then 200.")
    return passed(f"{first.count} × 503, then 200", refused=first.count)


@check
def outlives_no_model(no_model: NoModel) -> Result:
    """Without a model the process stays, and GET /live answers 200"""
    if no_model.ended:
        return failed(
            f"Without a model it did not stay up. {no_model.ended} Nobody can ask it any more what"
            " is wrong, and with a restart policy it starts and ends for ever. Keep the error, and"
            " let /ready tell it."
        )
    runs = no_model.seen.of(LIVE)
    answered = no_model.seen.first(LIVE)
    if answered is None:
        return failed("Without a model GET /live was never answered.")
    if bad := [run for run in runs if run.status != 200 and run.last >= answered]:
        return failed(
            f"Without a model GET /live answered {bad[0].status}: {bad[0].text[:TOLD]}. The process"
            " is alive; a restart would not bring a model."
        )
    return passed(f"{runs[-1].count} × 200")


@check
def unready_without_model(no_model: NoModel, bad_model: NoModel) -> Result:
    """Without a model GET /ready answers with a 5xx, for ever"""
    found: list[Run] = []
    for one in (no_model, bad_model):
        runs = [run for run in one.seen.of(READY) if run.status]
        if good := [run for run in runs if not 500 <= run.status < 600]:
            return failed(
                f"{one.what}, and GET /ready answered {good[0].status}: {good[0].text[:TOLD]}."
                " Requests would come, and fail. Answer 500 when loading has failed."
            )
        if not runs:
            return failed(f"{one.what}, and GET /ready was never answered. {one.ended}".strip())
        found += runs
    return passed(f"{sum(run.count for run in found)} × {found[-1].status}")


@check
def not_deprecated(strict: Strict) -> Result:
    """It starts where Python makes each DeprecationWarning an error"""
    if strict.ready:
        return passed("ready with PYTHONWARNINGS=error::DeprecationWarning")
    return failed(
        "With PYTHONWARNINGS=error::DeprecationWarning it does not get ready: it uses what a coming"
        f" version will not have any more. {strict.said[-600:]}"
    )


@check
def stops(told_to_stop: Stopped, *, max_seconds: float = 8.0) -> Result:
    """Told to stop (SIGTERM), it ends by itself in {max_seconds} s at most"""
    seen = f"exit code {told_to_stop.exit_code} after {told_to_stop.seconds:.1f} s"
    if told_to_stop.exit_code == 137:
        return failed(
            f"{seen}: it did not end and was killed. Something still runs when the server has shut"
            " down, a thread for example: let it end, or tell it to.",
            seconds=round(told_to_stop.seconds, 2),
        )
    if told_to_stop.exit_code not in ENDED_WELL or told_to_stop.seconds > max_seconds:
        return failed(
            f"{seen}. `docker stop` should end it with 0, within {max_seconds:g} s.",
            seconds=round(told_to_stop.seconds, 2),
        )
    return passed(seen, seconds=round(told_to_stop.seconds, 2))


def _agrees(answer: Answer, reply: Reply) -> bool:
    if reply.status != 200 or reply.digit != answer.digit:
        return False
    same_length = len(reply.proba) == len(answer.proba)
    pairs = zip(reply.proba, answer.proba, strict=False)
    return same_length and all(abs(a - b) <= TOLERANCE for a, b in pairs)


def _difference(answer: Answer, reply: Reply) -> str:
    if reply.status != 200:
        return f"status {reply.status}: {reply.text[:120]}"
    if reply.digit is None:
        return f"no digit in {reply.text[:120]}"
    if reply.digit != answer.digit:
        return f"{reply.digit} where {answer.digit} is right"
    return f"the digit {reply.digit} with other probabilities"
