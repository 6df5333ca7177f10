"""The commands with which a learner sees for themselves what a check saw.

Plain docker, to be typed in the folder of the submission; an approximation in the open, where the
check itself has random values and looks from outside. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grader.spec import Exercise, Item

NAME = "mine"
CONFIG = f"docker inspect --format '{{{{json .Config}}}}' {NAME}"
HEALTH = f"docker inspect --format '{{{{json .State.Health}}}}' {NAME}"
STATE = f"docker inspect --format '{{{{json .State}}}}' {NAME}"
PROCESSES = f"docker top {NAME} -eo pid,ppid,uid,args"
LOGS = f"docker logs {NAME}"
FILES = f"docker create --name {NAME} {NAME} true && docker export {NAME} | tar -tv"
SENT = "printf 'FROM python:3.11-slim\\nCOPY . /sent\\nRUN find /sent\\n'"
NO_MODEL = "--env MODEL_PATH=/etc/hostname"
KEY = "/tmp/key.txt"  # outside of the build's context
# In seconds what takes a minute otherwise, and without mercy at the start.
SOON = "--health-interval 1s --health-start-period 1s --health-retries 1"
COMPOSED = "docker compose ps --all --quiet | xargs docker inspect --format"
TRIGGERS = f"docker image inspect --format '{{{{json .Config.OnBuild}}}}' {NAME}"
BROKEN = "echo 'ready = live' >> app/main.py"
EDITED = "echo '# edited' >> app/main.py"


@dataclass(frozen=True)
class Recipe:
    """``run`` are the options of `docker run`, None where no container runs; then ``look``.

    ``compose`` says that ``look`` is all there is to do: Compose builds and starts.
    """

    run: str | None
    look: tuple[str, ...]
    command: str = ""
    compose: bool = False


def _running(*look: str, run: str = "", command: str = "") -> Recipe:
    return Recipe(run, look, command)


def _image(*look: str) -> Recipe:
    return Recipe(None, look)


def _compose(*look: str) -> Recipe:
    return Recipe(None, (*look, "docker compose down"), compose=True)


# By the facts that checks ask for. The first that a check asks for decides.
RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(("image", "runs_as", "healthcheck"), _image(CONFIG)),
    "layers": _image(f"docker history --no-trunc {NAME}"),
    **dict.fromkeys(("files", "tree", "distributions", "reindexed"), _image(FILES)),
    **dict.fromkeys(("build", "plain"), _image()),
    **dict.fromkeys(
        ("arrived", "classic", "planted", "ignored"),
        _image(f"{SENT} | docker build --no-cache --progress plain --file - ."),
    ),
    **dict.fromkeys(
        ("edited", "installed_then"),
        _image(EDITED, f"docker build --tag {NAME}:2 .", f"docker history {NAME}:2"),
    ),
    "unknown_flavour": _image("docker build --build-arg ENV=developement ."),
    **dict.fromkeys(
        ("development", "production"),
        _image(
            f"docker build --tag {NAME}:dev --build-arg ENV=development .",
            f"docker run --rm {NAME}:dev env",
            f"docker run --rm {NAME}:dev python -m pip list",
        ),
    ),
    "targets": _image(
        f"docker build --tag {NAME}:dev --target dev .",
        f"docker image inspect --format '{{{{json .RootFS.Layers}}}}' {NAME} {NAME}:dev",
        f"docker run --rm {NAME}:dev python -m pip list",
    ),
    **dict.fromkeys(
        ("tested", "gated"),
        _image(BROKEN, "docker build --target test .", "docker build --target prod ."),
    ),
    **dict.fromkeys(("parent", "child", "grandchild", "edited_child"), _image(TRIGGERS)),
    **dict.fromkeys(("service", "listening", "loading", "metered", "spoken"), _running(LOGS)),
    **dict.fromkeys(("processes", "broods"), _running(PROCESSES)),
    "executed": _running(PROCESSES, f"docker diff {NAME}", f"docker cp {NAME}:/app/. app.copy"),
    "debugged": _compose(
        "docker compose up --build --detach",
        "sleep 3",
        "docker compose logs",
        "docker compose top",
        "curl --silent --include localhost:8000/ready",
    ),
    "published": _compose(
        "docker compose create --build",
        f"{COMPOSED} '{{{{json .HostConfig.PortBindings}}}}'",
    ),
    "on_cpu": _running(LOGS),
    "health_on_cpu": _running("sleep 5", HEALTH),
    "any_user_run": _running(LOGS, run="--user 54321:0"),
    "powerless_run": _running(LOGS, run="--cap-drop ALL --security-opt no-new-privileges"),
    "read_only_run": _running(LOGS, run="--read-only --tmpfs /tmp"),
    **dict.fromkeys(("health", "cost"), _running("sleep 5", HEALTH)),
    "broken": _running("sleep 5", HEALTH, run=f"{NO_MODEL} {SOON}"),
    "no_model": _running("sleep 5", LOGS, STATE, run=NO_MODEL),
    "slow": _running(HEALTH, "sleep 9", HEALTH, run="--env LOAD_DELAY_S=6 --health-interval 1s"),
    "replaced": _running("sleep 5", HEALTH, run=f"{SOON} --entrypoint sleep", command="600"),
    "frozen": _running(
        "sleep 5",
        f"docker kill --signal STOP {NAME}",
        "sleep 9",
        HEALTH,
        f"docker kill --signal CONT {NAME}",
        run=f"{SOON} --health-timeout 1s",
    ),
    **dict.fromkeys(
        ("stopped", "interrupted", "told_to_stop"),
        _running("sleep 3", f"time docker stop {NAME}", STATE, LOGS),
    ),
}


def commands(exercise: Exercise, item: Item, line: int | None) -> tuple[str, ...]:
    """What to type; nothing where no few lines of docker show it."""
    found = next((RECIPES[f] for f in item.check.facts if f in RECIPES), None)
    if exercise.image:
        return ()  # the command is the submission itself
    if found is None:
        return (f"sed -n {line}p Dockerfile",) if line and "dockerfile" in item.check.facts else ()
    return tuple(lines(exercise, found))


def lines(exercise: Exercise, recipe: Recipe) -> Sequence[str]:
    """One recipe, from the build to the removal."""
    if recipe.compose:
        return recipe.look
    secret = f" --secret id={exercise.secret},src={KEY}" if exercise.secret else ""
    key = [f"echo not-a-real-key > {KEY}"] if secret else []
    build = f"docker build --tag {NAME}{secret} ."
    if recipe.run is None:
        made = [f"docker rm {NAME}"] if FILES in recipe.look else []
        return [*key, build, *recipe.look, *made]
    return [*key, build, _run(exercise, recipe), *recipe.look, f"docker rm --force {NAME}"]


def _run(exercise: Exercise, recipe: Recipe) -> str:
    memory = f"{exercise.limits.memory_mb:g}m"
    words = (
        f"docker run --detach --name {NAME} --network none --memory {memory}",
        f"--memory-swap {memory} --pids-limit {exercise.limits.pids:g}",
        recipe.run,
        NAME,
        recipe.command,
    )
    return " ".join(filter(None, words))
