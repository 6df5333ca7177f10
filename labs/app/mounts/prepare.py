"""Turns each word of a list into numbers, slowly, and remembers them in a cache, as pip does.

    python prepare.py words.txt index.json

The cache is $XDG_CACHE_HOME/prepare, or ~/.cache/prepare where that variable is not set. If it
can't write there, it says so and goes on without, like pip. The index tells which builds have used
the cache that this one found: `runs` has the digest of each list of words, the last one last.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

ROUNDS = 30_000  # of hashing for one word: this is the slow part
KEPT_RUNS = 50


def vector(word: str) -> list[int]:
    return list(hashlib.pbkdf2_hmac("sha256", word.encode(), b"prepare", ROUNDS))


def folder() -> Path:
    """Where the cache is to be."""
    above = os.environ.get("XDG_CACHE_HOME") or Path("~").expanduser() / ".cache"
    return Path(above) / "prepare"


class Cache:
    """One small file a word, and a list of the runs. ``why_not`` says why there is none."""

    def __init__(self, place: Path, *, used: bool) -> None:
        self.place, self.why_not = place, "" if used else "switched off"
        try:
            if used:
                place.mkdir(parents=True, exist_ok=True)
                (place / "runs.txt").touch()
        except OSError as err:
            self.why_not = f"{place}: {err.strerror}"
            print(f"WARNING: the cache is disabled: {self.why_not}", file=sys.stderr)

    def _file(self, word: str) -> Path:
        return self.place / f"{hashlib.sha256(word.encode()).hexdigest()[:32]}.json"

    def vector(self, word: str) -> tuple[list[int], bool]:
        """The numbers, and whether they were there already."""
        if self.why_not:
            return vector(word), False
        if self._file(word).is_file():
            return json.loads(self._file(word).read_text()), True
        numbers = vector(word)
        self._file(word).write_text(json.dumps(numbers))
        return numbers, False

    def runs(self, digest: str) -> list[str]:
        """The runs that this cache has served, this one last."""
        if self.why_not:
            return [digest]
        with (self.place / "runs.txt").open("a") as file:
            file.write(f"{digest}\n")
        return (self.place / "runs.txt").read_text().split()[-KEPT_RUNS:]


def main() -> int:
    parser = argparse.ArgumentParser(description="Turn words into numbers.")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor write the cache")
    parser.add_argument("words", type=Path)
    parser.add_argument("target", type=Path)
    asked = parser.parse_args()
    data = asked.words.read_bytes()
    cache = Cache(folder(), used=not asked.no_cache)
    found = {word: cache.vector(word) for word in data.decode().split()}
    warm = sum(known for _, known in found.values())
    index = {
        "runs": cache.runs(hashlib.sha256(data).hexdigest()),
        "cache": cache.why_not or "used",
        "vectors": {word: numbers for word, (numbers, _) in found.items()},
    }
    asked.target.write_text(json.dumps(index))
    print(f"{len(found)} words, {warm} of them from the cache; run {len(index['runs'])} of it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
