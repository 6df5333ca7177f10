"""A small whole course on disk, for the tests of the course's own tools; nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.results import Outcome, Report, Result
from grader.spec import Exercise

LAB = "01-sample"
ID = f"{LAB}/slim"
CHECKS = ("dockerfile.parses", "image.size", "service.ready")
LAB_TOML = """
title = "Sample"
summary = "A lab for tests."
minutes = 5
needs = ["engine"]

[[exercise]]
name = "slim"
title = "Make it slim"
task = "Split the Dockerfile."
given = ["app", "requirements.txt"]
teaches = ["image.size"]

[[exercise.check]]
use = "dockerfile.parses"
points = 1
hints = ["Look at the first line.", "Each file opens with a base.", "The reference: FROM."]

[[exercise.check]]
use = "image.size"
max_ratio = 0.7
points = 4
hints = ["Which layer is biggest?", "Deleting later frees nothing.", "Multi-stage: the docs."]

[[exercise.check]]
use = "service.ready"
points = 2
needs = ["image.size"]
hints = ["Read its log.", "It has to listen.", "docker logs in the docs."]
"""
STARTER = "FROM python:3.11-slim\nCOPY . /app\nRUN pip install -r /app/requirements.txt\n"
ANSWER = (
    "FROM python:3.11-slim AS build\nRUN python -m venv /opt/venv\n"
    "FROM python:3.11-slim\nCOPY --from=build /opt/venv /opt/venv\n"
)
SOURCE = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Sample

```{code-cell}
:tags: [nbval-check-output]

2 + 2
```

```{code-cell}
order = [
    # BEGIN SOLUTION
    "the secret answer",
    # END SOLUTION
]
```

```{code-cell}
:tags: [solution]

print("only for the teacher")
```
"""


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make_course(root: Path, **more: str) -> Course:
    """A course with one lab, one exercise, one wrong and one other right answer."""
    (root / "grader").mkdir(parents=True, exist_ok=True)
    solved = f"solutions/{LAB}"
    files = {
        "labs/app/app/main.py": "app = 1\n",
        "labs/app/requirements.txt": "fastapi==1\n",
        f"labs/{LAB}/lab.toml": LAB_TOML,
        f"labs/{LAB}/slim/Dockerfile": STARTER,
        f"{solved}/{LAB}.md": SOURCE,
        f"{solved}/slim/Dockerfile": ANSWER,
        f"{solved}/slim.wrong/purge-later/Dockerfile": f"{STARTER}RUN rm -rf /usr/bin/gcc\n",
        f"{solved}/slim.right/one-run/Dockerfile": f"{ANSWER}ENV A=1\n",
        f"{solved}/wrong.toml": '[slim]\npurge-later = "image.size"\n',
    }
    write(root, {**files, **more})
    return Course(root)


def exercise(course: Course) -> Exercise:
    return course.exercise(ID)


def report(outcomes: Mapping[str, Outcome] | None = None, **more: Any) -> Report:
    """Full marks but for what ``outcomes`` says; ``more`` goes into every result."""
    points = {"dockerfile.parses": 1, "image.size": 4, "service.ready": 2}
    rows = tuple(
        Result(
            (outcomes or {}).get(id_, Outcome.PASS),
            id=id_,
            title=f"title of {id_}",
            max_points=points[id_],
            **{"message": f"saw {id_}", **more},
        )
        for id_ in CHECKS
    )
    return Report(LAB, "slim", rows)
