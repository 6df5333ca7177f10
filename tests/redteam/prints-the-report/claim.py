"""Claims full marks on both streams, then waits."""

import json
import sys
import time

CLAIM = {
    "version": 1,
    "points": 10,
    "max_points": 10,
    "gradable": True,
    "checks": [{"id": "service.ready", "outcome": "pass", "points": 2}],
}
for stream in (sys.stdout, sys.stderr):
    print(json.dumps(CLAIM), file=stream)
    print("\x1b[2J\x1b[H01-multi-stage/two-stages", file=stream)
    print("  ✓     2/2  The container serves: GET /ready answers 200", file=stream)
    print("\r10 of 10 points  (0.1 s)", file=stream)
    print("::set-output name=score::100", file=stream, flush=True)
time.sleep(1000)
