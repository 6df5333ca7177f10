from __future__ import annotations

from pathlib import Path

import pytest

from grader.errors import EngineError
from grader.host.home import LONGEST_SOCKET, SOCKET_BYTES, Home, check_length, home, static_chosen


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LAB_HOME": "/x"}, "/x"),
        ({"LAB_HOME": "/x", "XDG_DATA_HOME": "/d", "HOME": "/h"}, "/x"),
        ({"LAB_HOME": "", "XDG_DATA_HOME": "/d", "HOME": "/h"}, "/d/docker-ml-labs"),
        ({"HOME": "/h"}, "/h/.local/share/docker-ml-labs"),
    ],
)
def test_the_state_stands_where_the_environment_says(
    environ: dict[str, str], expected: str
) -> None:
    assert home(environ).root == Path(expected)


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_a_home_too_long_for_a_socket_is_refused_by_name(extra: int, fits: bool) -> None:
    root = Path("/" + "h" * (SOCKET_BYTES - len(LONGEST_SOCKET) - 1 + extra))
    if fits:
        check_length(Home(root))
        assert len(str(root) + LONGEST_SOCKET) == SOCKET_BYTES
        return
    with pytest.raises(EngineError, match="LAB_HOME is too long"):
        check_length(Home(root))


def test_bytes_count_and_not_characters() -> None:
    with pytest.raises(EngineError, match="LAB_HOME"):
        check_length(Home(Path("/" + "ä" * 40)))


def test_two_homes_have_two_bridges_whose_names_fit_the_kernel() -> None:
    names = {Home(Path(f"/home/{user}/state")).bridge for user in range(50)}
    assert len(names) == 50
    assert all(len(name) <= 15 for name in names)


@pytest.mark.parametrize(
    ("value", "chosen"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_static_mode_is_chosen_by_one_rule(value: str, chosen: bool) -> None:
    assert static_chosen({"LAB_STATIC": value}) is chosen
    assert not static_chosen({})
