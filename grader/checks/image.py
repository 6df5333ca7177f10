"""What the built image is, as the engine knows it."""

from __future__ import annotations

import math
from typing import Any

from grader.engine import Image, Layer
from grader.facts import Reference
from grader.references import Of
from grader.registry import check
from grader.results import Result, failed, passed

MB = 1e6


@check
def size(image: Image, reference: Reference, *, max_ratio: float, of: Of = "baseline") -> Result:
    """The image is at most {max_ratio:.0%} of the size of the {of}"""
    whole = reference.size(of)
    ratio = image.size / whole
    shown = math.ceil(ratio * 1000) / 1000  # never "70.0 %" for a bit more than 70 %
    seen = f"{image.size / MB:.0f} MB is {shown:.1%} of the {of}'s {whole / MB:.0f} MB"
    facts: dict[str, Any] = {"bytes": image.size, "of_bytes": whole, "ratio": round(ratio, 4)}
    if ratio <= max_ratio:
        return passed(seen, **facts)
    biggest = max(image.history, key=lambda layer: layer.size)
    return failed(
        f"{seen}; at most {max_ratio:.0%} are allowed. The biggest layer has"
        f" {biggest.size / MB:.0f} MB: {_short(biggest)}. `docker history` shows all of them.",
        **facts,
    )


def _short(layer: Layer) -> str:
    text = " ".join(layer.created_by.split())
    for noise in ("/bin/sh -c #(nop) ", "/bin/sh -c ", " # buildkit", "RUN "):
        text = text.replace(noise, "")
    return text if len(text) <= 70 else text[:67] + "…"
