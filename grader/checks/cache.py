"""What a cache mount does: the next build finds it, and no image has it."""

from __future__ import annotations

from grader.cachemounts import Caches, file_names
from grader.layers import LayerFiles, Layers
from grader.registry import check
from grader.results import Result, failed, passed
from grader.users import RunAs


@check
def shared(caches: Caches, *, path: str) -> Result:
    """A second build, with other words, finds the cache of the first"""
    index = caches.second.index(path)
    if index is None:
        return failed(f"There is no {path} as the script writes it. Let the script write it there.")
    runs, told = index.get("runs"), str(index.get("cache"))[:200]
    if not isinstance(runs, list) or caches.second.digest not in runs:
        return failed(
            f"{path} was not made from the words.txt of this build. Run the script in the build,"
            " with that file."
        )
    if caches.first.digest in runs:
        return passed(f"run {len(runs)} of one cache", runs=len(runs))
    return failed(
        "The second build began with an empty cache, and did all the work again."
        f" {_why(told)} Mount the cache where the script looks for it ($XDG_CACHE_HOME/prepare),"
        " under an id that stays the same, for the user who runs it.",
        cache=told,
    )


@check
def not_shipped(layers: Layers, given_words: tuple[str, ...]) -> Result:
    """Nothing of the cache is in a layer of the image"""
    names = file_names(given_words)
    for layer in layers.layers:
        found = [e.path for e in layer.files if e.path.rpartition("/")[2] in names]
        if found:
            return failed(
                f"{len(found)} files of the cache are in the image, like {found[0]}. A mount is"
                " gone when its RUN ends: leave the cache in it, and copy nothing out of it.",
                line=layer.line,
                found=found[:50],
            )
    return passed(f"none of {len(names)} names in {len(layers.layers)} layers")


@check
def owner(caches: Caches, layers: Layers, runs_as: RunAs, *, path: str, uid: int) -> Result:
    """The work is done as UID {uid}, whom {path} belongs to, and the image runs as that user"""
    seen, ran = _owner(layers.layers, path), (caches.second.index(path) or {}).get("uid")
    if seen is None:
        return failed(f"There is no file {path} in the image. Let the script write it there.")
    if seen == uid and ran != uid:
        return failed(
            f"The script ran as UID {ran}, and {path} was given to UID {uid} afterwards. Put USER"
            f" {uid}:{uid} above the RUN, so that nothing needs to be given away."
        )
    if seen != uid:
        return failed(
            f"{path} belongs to UID {seen}: the script ran as another user. Put USER {uid}:{uid}"
            " above the RUN, and give that user a folder to write to."
        )
    if runs_as.uid != uid:
        return failed(f"The image runs as {runs_as}. Its last USER line must be USER {uid}:{uid}.")
    return passed(f"{path} is UID {seen}'s", uid=seen)


def _owner(layers: tuple[LayerFiles, ...], path: str) -> int | None:
    """The owner that the last layer which has the file gives it."""
    owners = [e.uid for layer in layers for e in layer.files if e.path == path]
    return owners[-1] if owners else None


def _why(told: str) -> str:
    if told == "used":
        return "The script had a cache, but not the same one."
    return f"The script says: {told}."
