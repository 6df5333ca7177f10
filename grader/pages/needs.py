"""What a check or a fact needs before it can be worked out, told by the facts that it stands on."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from grader.registry import FACTS


class Need(Enum):
    """From the least to the most."""

    FILES = "files alone: works without a Docker Engine"
    EITHER = "files alone; where there is an engine, a build is asked as well"
    ENGINE = "a Docker Engine"
    IMAGE = "the image, built and not started"
    CONTAINER = "a container of the image, started"


# Facts that start what was handed in; whatever stands on one of them needs a container.
STARTED = frozenset(
    (
        *("any_user_run", "bad_model", "broken", "broods", "child", "container", "cramped_runs"),
        *("debugged", "fed", "frozen_pod", "grandchild", "guarded", "interrupted", "loaded"),
        *("loading", "metered", "no_model", "on_cpu", "on_gpu", "powerless_run", "read_only_run"),
        *("replaced", "slow", "slow_pod", "spoken", "stopped", "strict", "unready_pod"),
    )
)
BUILT = frozenset(("builder", "image"))


def need(facts: Iterable[str]) -> Need:
    """What all of these facts together need."""
    all_ = below(facts)
    if all_ & STARTED:
        return Need.CONTAINER
    if all_ & BUILT:
        return Need.IMAGE
    if "engine" in all_:
        return Need.ENGINE
    return Need.EITHER if "facts" in all_ else Need.FILES


def below(facts: Iterable[str]) -> set[str]:
    """These facts and all that they are worked out from."""
    seen: set[str] = set()
    todo = list(facts)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += FACTS[name].needs if name in FACTS else ()
    return seen
