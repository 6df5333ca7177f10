"""What the image's own HEALTHCHECK says of a service that is ready."""

from __future__ import annotations

from grader.registry import check
from grader.results import Result, failed, passed
from grader.running import Health


@check
def healthy(health: Health) -> Result:
    """Its HEALTHCHECK calls it healthy"""
    if health.status == "healthy":
        return passed("healthy")
    if health.status in (None, "none"):
        return failed("The image has no HEALTHCHECK. Add one that asks the service.")
    said = f" The probe said: {health.log.strip()}" if health.log.strip() else ""
    return failed(f"The service is ready, yet its HEALTHCHECK says {health.status}.{said}")
