"""Feeds a training run: worker processes make batches, and hand them over in shared memory.

So does PyTorch's DataLoader with num_workers above 0, and this one has its numbers:

    WORKERS   processes that make batches; 0: the first process makes them itself
    PREFETCH  batches that each worker has under way before anybody asks for them
    BATCH     bytes of one batch: 32 pictures of 512 × 512 points in three colours

One more batch is in the hands of the training step. Each batch is a file in /dev/shm, which the
worker fills and the first process maps; nothing is copied through a pipe.
"""

import os
import random
import signal
import sys
import time
import zlib
from collections.abc import Iterator
from multiprocessing import Pipe, Process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory

WORKERS = int(os.environ.get("WORKERS", "2"))
PREFETCH = 2
BATCH = 32 * 512 * 512 * 3
BATCHES = 12
STEP_S = 0.1  # of one step of the training
MIB = 2**20


def fill(memory: memoryview, seed: int) -> int:
    """Make a batch in that memory; gives its check sum."""
    block = random.Random(seed).randbytes(MIB)
    for at in range(0, BATCH, MIB):
        memory[at : at + MIB] = block
    return zlib.crc32(memory)


def work(orders: Connection) -> None:
    """A worker: a number comes in, a batch is made, and its name goes out."""
    while True:
        seed = orders.recv()
        batch = SharedMemory(create=True, size=BATCH)
        orders.send((batch.name, fill(batch.buf[:BATCH], seed)))
        batch.close()


def batches() -> Iterator[tuple[memoryview, int]]:
    """Each batch with its check sum; whoever asks for the next one has released this one."""
    if not WORKERS:
        for seed in range(BATCHES):
            own = memoryview(bytearray(BATCH))
            yield own, fill(own, seed)
        return
    resource_tracker.ensure_running()  # one for all of them: who is forked first would get its own
    workers: dict[Connection, Process] = {}
    ends = []  # kept open: that a worker has died is told by its sentinel, and by nothing else
    for _ in range(WORKERS):
        ours, theirs = Pipe()
        ends.append(theirs)
        workers[ours] = Process(target=work, args=(theirs,), daemon=True)
        workers[ours].start()
    seeds = iter(range(BATCHES))
    for _ in range(PREFETCH):
        for link in workers:
            order(link, seeds)
    for _ in range(BATCHES):
        link = first_ready(workers)
        name, checksum = link.recv()
        order(link, seeds)  # the next one is made while this one is used
        batch = SharedMemory(name)
        yield batch.buf[:BATCH], checksum
        batch.unlink()
        batch.close()


def order(link: Connection, seeds: Iterator[int]) -> None:
    if (seed := next(seeds, None)) is not None:
        link.send(seed)


def first_ready(workers: dict[Connection, Process]) -> Connection:
    """The first worker that has a batch. Ends the program when one of them is gone."""
    ready = wait([*workers, *(one.sentinel for one in workers.values())])
    for one in workers.values():
        if one.sentinel in ready:
            one.join()  # it is about to end; only then there is an exit code
            gone(one)
    return next(link for link in workers if link in ready)


def gone(one: Process) -> None:
    code = one.exitcode or 0
    how = f"is killed by signal: {signal.strsignal(-code)}" if code < 0 else "ended"
    sys.exit(f"RuntimeError: loader worker (pid {one.pid}) {how} (exitcode {code})")


def main() -> None:
    print(f"{WORKERS} workers, {PREFETCH} batches ahead, {BATCH // MIB} MiB each", flush=True)
    for number, (memory, checksum) in enumerate(batches(), 1):
        if zlib.crc32(memory) != checksum:
            sys.exit(f"batch {number} is not what was made")
        time.sleep(STEP_S)
        memory.release()
    print(f"{BATCHES} batches", flush=True)


if __name__ == "__main__":
    main()
