"""Two builds in a row that may share a cache mount and nothing else: what did the second find?

What ties them together is seen from outside, in a file of the second image. No verdicts here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from grader.build import Build
from grader.builder import Builder
from grader.dockerfile import Dockerfile
from grader.facts import Canary, Reader
from grader.registry import fact

WORDS = "words.txt"
SCRIPT = "prepare.py"
# What our copy of the script writes down as well: by whom it is run. A file's owner can be changed.
INDEX, WITH_USER = '"runs": cache', '"uid": os.getuid(), "runs": cache'
NAMESPACE = "BUILDKIT_CACHE_MOUNT_NS"  # BuildKit's own: caches of this run, apart from all others
BUILD_ID = "BUILD_ID"  # another one in each build, as build systems have it


@dataclass(frozen=True)
class Run:
    """One build with a list of words of its own; ``digest`` is that list's."""

    digest: str
    words: tuple[str, ...]
    build: Build
    reader: Reader = field(repr=False)

    def index(self, path: str) -> dict[str, Any] | None:
        """What the script has written; None when there is no such file, or it is none of its."""
        data = self.reader.read(path)
        try:
            found = json.loads(data) if data else None
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class Caches:
    """The two builds, the first with an empty cache."""

    first: Run
    second: Run


@fact
def caches(builder: Builder, dockerfile: Dockerfile, canary: Canary) -> Caches:
    """Two builds, one after the other, with other words and the same cache."""
    namespace = secrets.token_hex(8)
    first = _run("first", builder, dockerfile, canary=canary, namespace=namespace)
    return Caches(first, _run("second", builder, dockerfile, canary=canary, namespace=namespace))


def _run(
    name: str, builder: Builder, dockerfile: Dockerfile, *, canary: Canary, namespace: str
) -> Run:
    folder = builder.copy(f"cache-{name}")
    path = folder / WORDS
    words = [*path.read_text().split(), f"w{secrets.token_hex(8)}"]
    path.write_text("\n".join(words) + "\n")
    script = folder / SCRIPT
    script.write_text(script.read_text().replace(INDEX, WITH_USER))
    made = builder.make(
        folder,
        parsed=dockerfile,
        secrets={canary.id: canary.token} if canary.id else {},
        args={NAMESPACE: namespace, BUILD_ID: secrets.token_hex(8)},
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Run(digest, tuple(words), made, Reader(builder.engine, made.image))


def file_names(words: Iterable[str]) -> frozenset[str]:
    """What the script calls the files in its cache."""
    digests = (hashlib.sha256(word.encode()).hexdigest() for word in words)
    return frozenset({"runs.txt", *(f"{digest[:32]}.json" for digest in digests)})


@fact
def given_words(builder: Builder) -> tuple[str, ...]:
    """The words that the submission's own build is given."""
    return tuple((builder.context.folder / WORDS).read_text().split())
