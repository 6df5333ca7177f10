"""A process 1 for tests: starts what it is told, hands signals on, waits for every child.

With the word `careless` in front it waits for the first child alone, as many scripts do.
"""

import os
import signal
import sys

careless = sys.argv[1] == "careless"
words = sys.argv[1 + careless :]
child = os.posix_spawnp(words[0], words, os.environ)
for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, lambda number, _: os.kill(child, number))
while True:
    pid, status = os.waitpid(child if careless else -1, 0)
    if pid == child:
        code = os.waitstatus_to_exitcode(status)
        sys.exit(code if code >= 0 else 128 - code)
