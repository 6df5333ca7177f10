"""Reads the times that the engine and BuildKit write; it never looks at a clock itself."""

from __future__ import annotations

import re
from datetime import datetime


def moment(stamp: str | None) -> float:
    """An RFC 3339 time, nanoseconds cut, as seconds since 1970; 0 for none."""
    if not stamp:
        return 0.0
    whole = re.sub(r"(\.\d{6})\d+", r"\1", stamp).replace("Z", "+00:00")
    return datetime.fromisoformat(whole).timestamp()
