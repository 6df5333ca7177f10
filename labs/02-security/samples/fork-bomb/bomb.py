"""A fork bomb with a fuse: it ends by itself after MOST processes, and they end with it.

    docker run --rm -i --network none --memory 256m --memory-swap 256m --cpus 0.5 \
        --pids-limit 64 python:3.11-slim timeout 30 python - < samples/fork-bomb/bomb.py
"""

import os
import time

MOST = 300  # a real one has no such line
started = 0
try:
    while started < MOST:
        if os.fork() == 0:
            time.sleep(60)  # process 1 ends before that, and takes all of them along
            os._exit(0)
        started += 1
    print(f"{started} processes started, and nothing stopped it")
except OSError as err:
    print(f"{started} processes started, then: {err.strerror}")
