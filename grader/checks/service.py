"""What the container's server answers, asked from outside."""

from __future__ import annotations

from grader.references import Answer, Of
from grader.registry import check
from grader.results import Result, failed, passed
from grader.running import Reply, Service

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
