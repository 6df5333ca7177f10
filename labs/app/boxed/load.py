"""Sends the service pictures one after the other, then two batches, and tells how long it took.

    docker run --rm -i --network container:NAME python:3.11-slim python - < load.py

It runs in a container of its own, so that what it costs counts against nobody's limits.

    python load.py [SECONDS] [--json]    at most 200 pictures in at most 5 seconds; --json: each
                                         one's milliseconds, and no batches
"""

import http.client
import json
import random
import sys
import time

HOST, PORT = "127.0.0.1", 8000
PICTURES, BATCHES, PAUSE_S = 200, 2, 0.012
numbers = [float(word) for word in sys.argv[1:] if not word.startswith("-")]
seconds = numbers[0] if numbers else 5


def ask(path: str, value: object) -> int:
    """The status of the answer; 0 when there was none."""
    link = http.client.HTTPConnection(HOST, PORT, timeout=30)
    try:
        link.request("POST", path, json.dumps(value).encode())
        reply = link.getresponse()
        reply.read()
        return reply.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        link.close()


def picture() -> dict[str, list[int]]:
    return {"pixels": [random.randint(0, 16) for _ in range(64)]}


patience = time.monotonic() + 20
while ask("/predict", picture()) != 200 and time.monotonic() < patience:
    time.sleep(0.1)  # it is not there yet; the first picture loads the model
took, statuses, end = [], [], time.monotonic() + seconds
while len(took) < PICTURES and time.monotonic() < end:
    began = time.monotonic()
    statuses.append(ask("/predict", picture()))
    took.append(round(1000 * (time.monotonic() - began), 2))
    time.sleep(PAUSE_S)
if "--json" in sys.argv:
    print(json.dumps({"ms": took, "statuses": statuses}))
else:
    batches = [ask("/batch", {"pictures": 500}) for _ in range(BATCHES)]
    row = sorted(took)
    print(f"{statuses.count(200)} of {len(took)} pictures read, batches: {batches}")
    print(f"half of them in {row[len(row) // 2]} ms, 95 of 100 in {row[len(row) * 95 // 100]} ms")
