"""Which script a process runs, by its words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from grader.executed import SCRIPTS


@pytest.fixture(scope="module")
def script() -> Callable[[list[str]], str]:
    names: dict[str, object] = {}
    exec(SCRIPTS[: SCRIPTS.index("def sha256")], names)
    return names["script"]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["python", "server.py"], "server.py"),
        (["python3.11", "-u", "/app/server.py", "x"], "/app/server.py"),
        (["python", "-X", "dev", "-W", "error", "server.py"], "server.py"),
        (["python", "-Xfrozen_modules=off", "server.py"], "server.py"),
        (["python", "entry.py", "python", "server.py"], "entry.py"),
        (["python", "-c", "import other", "server.py"], ""),
        (["python", "-m", "other", "server.py"], ""),
        (["python"], ""),
    ],
)
def test_the_script_is_the_first_word_that_is_no_option(
    script: Callable[[list[str]], str], words: list[str], found: str
) -> None:
    assert script(words) == found
