"""Works for exactly one second of a processor, and says how long that took by the clock.

    docker run --rm -i --network none --cpus 0.5 \
        python:3.11-slim python - < samples/second/second.py
"""

import os
import time

began = time.monotonic()
while time.process_time() < 1:
    pass
print(f"{time.monotonic() - began:.2f} s for one second of work; {os.cpu_count()} processors seen")
