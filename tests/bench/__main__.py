"""``make bench``: what grading costs, as ratios and against its budgets. Nothing asserts on it.

``python -m tests.bench [by_hand|structure|saved|each_check …]``; without a name all of them.
"""

from __future__ import annotations

import importlib
import sys

from grader.course import Course
from grader.host.connection import connect

ALL = ("by_hand", "structure", "saved", "each_check")


def main(names: list[str]) -> int:
    if unknown := [n for n in names if n not in ALL]:
        print(f"No benchmark {unknown[0]!r}. There are: {', '.join(ALL)}.")
        return 2
    course, connection = Course.find(), connect()
    for name in names or ALL:
        importlib.import_module(f"tests.bench.{name}").run(course, connection)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
