"""Writes that many MiB into one file in shared memory, as a program does that maps it.

docker run --rm -i --network none python:3.11-slim python - 60 < samples/fill/fill.py
"""

import mmap
import sys

MIB = 2**20
size = int(sys.argv[1]) * MIB
with open("/dev/shm/batch", "w+b") as file:  # noqa: PTH123
    file.truncate(size)  # only now it is that long, and takes nothing yet
    memory = mmap.mmap(file.fileno(), size)
    for at in range(0, size, MIB):
        memory[at : at + MIB] = b"x" * MIB
print("written:", size // MIB, "MiB")
