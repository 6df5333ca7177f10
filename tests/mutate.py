"""Shows that the checks' tests notice a broken check: ``python tests/mutate.py [NAME …]``.

For each check it puts a function in its place that always passes, then one that always fails, then
one that always skips, and runs the tests of that check's family. A mutant that turns no test red
survives: exit status 1. Pytest does not collect this file.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from grader.registry import CHECKS, load_checks  # noqa: E402
from grader.results import Result, failed, passed, skipped  # noqa: E402

MUTANTS: dict[str, Callable[[], Result]] = {"passes": passed, "skips": lambda: skipped("mutant")}
MUTANTS["fails"] = lambda: failed("mutant")


class Reds:
    """A plugin of pytest that keeps the names of the tests that were red."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.count += report.when == "call"
        if report.failed:
            self.names.add(report.nodeid)


def tests_of(name: str) -> Path:
    """The test file of a check's family."""
    return ROOT / "tests" / "checks" / f"test_{name.partition('.')[0]}.py"


def reds(name: str, mutant: str) -> tuple[int, set[str]]:
    """How many tests ran, and which were red. A ``mutant`` of "" changes nothing."""
    family, _, function = name.partition(".")
    if mutant:
        module = importlib.import_module(f"grader.checks.{family}")
        setattr(module, function, lambda *_, **__: MUTANTS[mutant]())
    seen = Reds()
    # Without the conftest of the notebooks, which takes longer to import than the tests to run.
    words = ["-q", "--tb=no", "-p", "no:cacheprovider", "--confcutdir", str(ROOT / "tests")]
    words += [str(tests_of(name))]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        pytest.main(words, plugins=[seen])
    return seen.count, seen.names


def main(names: list[str]) -> int:
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # sixty starts: plugins cost most of them
    load_checks()
    chosen = [n for n in sorted(CHECKS) if not names or n in names]
    if not chosen:
        print(f"No such check. There are: {', '.join(sorted(CHECKS))}.")
        return 2
    tries = [(name, mutant) for name in chosen for mutant in ("", *MUTANTS)]
    # One process a try: each starts from modules that nobody changed.
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        ends = dict(zip(tries, pool.starmap(reds, tries, chunksize=1), strict=True))
    return _table(chosen, ends)


def _table(chosen: list[str], ends: dict[tuple[str, str], tuple[int, set[str]]]) -> int:
    width, survived = max(map(len, chosen)), 0
    print(f"{'check':<{width}}  tests  " + "  ".join(f"{m:>8}" for m in MUTANTS))
    for name in chosen:
        count, before = ends[name, ""]
        cells = []
        for mutant in MUTANTS:
            noticed = len(ends[name, mutant][1] - before)
            survived += not noticed
            cells.append(f"{noticed} red" if noticed else "SURVIVES")
        note = f"  ({len(before)} red without a mutant)" if before else ""
        print(f"{name:<{width}}  {count:>5}  " + "  ".join(f"{c:>8}" for c in cells) + note)
    print(f"{len(chosen) * len(MUTANTS)} mutants, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
