"""Wants a whole processor, and 10 MiB more memory each second. Without limits it ends by itself.

    docker run --rm --network none --cpus 0.5 --memory 64m --memory-swap 64m \
        python:3.11-slim python -c "$(cat samples/hungry/hungry.py)"
"""

import time

MIB = 2**20
taken, began = [], time.monotonic()
while (seconds := time.monotonic() - began) < 20:
    if len(taken) < 10 * seconds:
        taken.append(b"x" * MIB)  # written to, so it is really there
