"""Plays the download of a model's weights, which a key opens; no network is needed.

    API_KEY=… python fetch_weights.py weights.bin
    python fetch_weights.py --key-file /run/secrets/api_key weights.bin

It does what many a model hub's client does: without a key there are no questions asked, and the
small public weights come instead. The key itself is not in what it writes.
"""

import argparse
import hashlib
import hmac
import os
import sys
from pathlib import Path

BLOCKS = 2048  # of 32 bytes


def weights(key: str) -> bytes:
    """The same key, the same bytes; nobody gets from the bytes to the key."""
    seed = hmac.new(key.encode(), b"digits 2.0", hashlib.sha256).digest()
    blocks = (hashlib.sha256(seed + n.to_bytes(2, "big")).digest() for n in range(BLOCKS))
    return (b"WEIGHTS private\n" if key else b"WEIGHTS public\n") + b"".join(blocks)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch the weights.")
    parser.add_argument("--key-file", type=Path, help="read the key from here, not from $API_KEY")
    parser.add_argument("target", type=Path)
    asked = parser.parse_args()
    key = os.environ.get("API_KEY", "")
    if asked.key_file:
        try:
            key = asked.key_file.read_text()
        except OSError as err:
            print(f"fetch_weights.py: {asked.key_file}: {err.strerror}", file=sys.stderr)
            return 1
    data = weights(key.strip())
    asked.target.write_bytes(data)
    print(f"{len(data)} bytes of {data.split()[1].decode()} weights")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
