"""What a build does with the key that it is given: uses it, needs it, and leaves it nowhere.

A message never repeats the key.
"""

from __future__ import annotations

from grader.dockerfile import Dockerfile
from grader.errors import EngineError
from grader.facts import Canary
from grader.leaks import Leaks
from grader.registry import check
from grader.results import Result, failed, passed
from grader.vault import Variant, Vault

SHOWN = 4


@check
def nowhere(leaks: Leaks, canary: Canary) -> Result:
    """The key is in no layer, setting, history line or printed line of the build"""
    if not canary.id:
        raise EngineError("The exercise's lab.toml names no secret to look for.")
    if not leaks.found:
        beyond = "; not all of what is packed in it could be unpacked" if leaks.clipped else ""
        return passed(f"{leaks.layers} layers, settings and history searched{beyond}")
    shown = "; ".join(map(str, leaks.found[:SHOWN]))
    more = f"; and {len(leaks.found) - SHOWN} more" if len(leaks.found) > SHOWN else ""
    return failed(
        f"The key is in {len(leaks.found)} place(s): {shown}{more}. Whoever has the image can read"
        f" it. Hand it to the one RUN that needs it: --mount=type=secret,id={canary.id}, which is"
        " there while that line runs and in no layer.",
        line=next((leak.line for leak in leaks.found if leak.line), None),
        found=[str(leak) for leak in leaks.found[:50]],
    )


@check
def used(only_secret: Variant, vault: Vault, canary: Canary, *, path: str, script: str) -> Result:
    """With the build secret alone, {path} is what the key gives"""
    handed = f"docker build --secret id={canary.id},src=…"
    if only_secret.reader is None:
        return failed(
            f"With the key as a build secret and nowhere else ({handed}), the build fails:"
            f" {only_secret.error}",
            line=only_secret.line,
        )
    data = only_secret.reader.read(path)
    if data is None:
        return failed(f"There is no file {path} in the image. Let the script write it there.")
    if data == vault.artifact(script, canary.token):
        return passed(f"{len(data)} bytes, as expected")
    if data == vault.artifact(script, ""):
        return failed(
            f"{path} is what the script gives without any key, though {handed} handed it over. Read"
            f" /run/secrets/{canary.id} in the RUN that starts the script."
        )
    return failed(
        f"{path} ({len(data)} bytes) is not what the course's {script} gives for that key. Run the"
        " script as it is, with the key as it is, and change nothing in the file."
    )


@check
def required(
    without_secret: Variant,
    vault: Vault,
    canary: Canary,
    dockerfile: Dockerfile,
    *,
    path: str,
    script: str,
) -> Result:
    """Without the build secret the build fails"""
    if without_secret.reader is None:
        where = f" on line {without_secret.line}" if without_secret.line else ""
        return passed(f"it stops{where}")
    line = _mount(dockerfile, canary.id)
    data = without_secret.reader.read(path)
    if data == vault.artifact(script, canary.token):
        return failed(
            "Without the build secret it builds all the same: it takes the key from a build"
            " argument or from a file of the context. Take it from the secret alone.",
            line=line,
        )
    got = "the public weights" if data == vault.artifact(script, "") else "something else"
    return failed(
        f"Without the build secret it builds all the same, and ships {got}: nobody notices. `export"
        " X=$(cat …)` is content even if cat fails. Let BuildKit insist (required=true), or let"
        " the shell.",
        line=line,
    )


def _mount(dockerfile: Dockerfile, id_: str) -> int | None:
    """The first line that mounts the secret, or any."""
    mounts = [
        (value.split(","), one.line)
        for one in dockerfile.instructions
        for key, value in one.flags
        if key == "mount" and "type=secret" in value.split(",")
    ]
    named = [line for words, line in mounts if f"id={id_}" in words]
    return next(iter([*named, *(line for _, line in mounts)]), None)
