"""Starts a child that takes 100 MB, and goes on whatever becomes of it.

    docker run --rm -i --network none --memory 64m --memory-swap 64m \
        python:3.11-slim python - < samples/child/child.py
"""

import subprocess
import sys

child = subprocess.run([sys.executable, "-c", "memory = b'x' * 100_000_000"], check=False)
print("the child ended with", child.returncode)
