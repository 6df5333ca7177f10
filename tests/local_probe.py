"""Runs a probe's script on this machine instead of in a container: its server is a test's own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zlib
from collections.abc import Mapping
from typing import Any

from grader import probe


def start(script: str, ask: Mapping[str, Any], *, seconds: float = 10) -> subprocess.Popen[str]:
    """The process, as ``probe.inject`` would start it."""
    question = json.dumps({"host": "127.0.0.1", **ask, "seconds": seconds}).encode()
    packed = base64.b64encode(zlib.compress(question)).decode()
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", probe._HEAD + script, packed],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(script: str, ask: Mapping[str, Any], *, seconds: float = 10) -> dict[str, Any]:
    """What it says in the end."""
    out, err = start(script, ask, seconds=seconds).communicate(timeout=60)
    assert out.strip(), err
    said: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return said
