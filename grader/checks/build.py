"""How the build went."""

from __future__ import annotations

from grader.build import Build
from grader.context import Context
from grader.registry import check
from grader.results import Result, passed


@check
def succeeds(build: Build, context: Context) -> Result:
    """It builds"""
    cached = sum(s.cached for s in build.steps if s.line)
    told = f"in {build.seconds:.1f} s, {cached} steps cached"
    if context.replaced:
        told += f"; built with the course's own {', '.join(context.replaced)}"
    if build.frontend:
        told += "; with the engine's own frontend, since the one of # syntax= can't be fetched here"
    return passed(
        told,
        seconds=round(build.seconds, 2),
        context_bytes=build.context_bytes,
        replaced=list(context.replaced),
        steps=[
            {
                "step": s.name[:120],
                "line": s.line,
                "cached": s.cached,
                "seconds": round(s.seconds, 2),
            }
            for s in build.steps
            if s.line
        ],
    )
