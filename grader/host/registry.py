"""Can an image be pulled from Docker Hub here? A short look, so that nobody waits for a time-out.

Not here: pulling.
"""

import http.client
import urllib.error
import urllib.request

HUB = "https://registry-1.docker.io/v2/"
PROBE_TIMEOUT_S = 3.0


def reachable(*, timeout: float = PROBE_TIMEOUT_S) -> bool:
    """Does the registry answer like one? It asks for a login, and that is an answer."""
    try:
        with urllib.request.urlopen(HUB, timeout=timeout) as answer:
            return answer.headers.get("Docker-Distribution-Api-Version") is not None
    except urllib.error.HTTPError as err:
        return err.headers.get("Docker-Distribution-Api-Version") is not None
    except (OSError, http.client.HTTPException):
        return False
