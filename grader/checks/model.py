"""Where the model in the image comes from, and which one it is."""

from __future__ import annotations

import hashlib

from grader.errors import EngineError
from grader.facts import Reader, Reference, Retrained
from grader.references import Of
from grader.registry import check
from grader.results import Result, failed, passed


@check
def built_here(retrained: Retrained, *, path: str) -> Result:
    """The model at {path} is trained by this build"""
    data = retrained.reader.read(path)
    if data is None:
        return failed(f"There is no file {path} in the image. Copy the trained model there.")
    if hashlib.sha256(data).hexdigest() == retrained.sha256:
        return passed("another train.py gives another model")
    return failed(
        f"{path} is not what train.py gives when train.py changes: it was not trained in this"
        " build. Run train.py in a stage and copy the model from there."
    )


@check
def same(reader: Reader, reference: Reference, *, path: str, of: Of = "baseline") -> Result:
    """The model at {path} is the one that the course's training gives"""
    data, wanted = reader.read(path), reference.bytes_of(of, path)
    if data is None:
        return failed(f"There is no file {path} in the image. Copy the trained model there.")
    if wanted is None:
        raise EngineError(f"The {of} itself has no file {path}.")
    seen = hashlib.sha256(data).hexdigest()
    if seen == hashlib.sha256(wanted).hexdigest():
        return passed(f"sha256 {seen[:12]}…", sha256=seen)
    return failed(
        f"{path} is another model (sha256 {seen[:12]}…, {len(data)} bytes). Train with the course's"
        " train.py and requirements, unchanged.",
        sha256=seen,
    )
