"""Where a debugger's port is published, and what the probe's script is made of."""

from __future__ import annotations

from typing import Any

import pytest

from grader import debugger
from grader.debugger import Debugged, bindings

BINDINGS: list[tuple[str, dict[str, Any], tuple[tuple[int, str], ...]]] = [
    ("none", {"PortBindings": None}, ()),
    ("one", {"PortBindings": {"5678/tcp": [{"HostIp": "127.0.0.1"}]}}, ((5678, "127.0.0.1"),)),
    ("every address", {"PortBindings": {"5678/tcp": [{"HostIp": ""}]}}, ((5678, ""),)),
    ("an empty list is every address", {"PortBindings": {"5678/tcp": []}}, ((5678, ""),)),
    (
        "two",
        {"PortBindings": {"5678/tcp": [{"HostIp": "127.0.0.1"}, {"HostIp": "::"}]}},
        ((5678, "127.0.0.1"), (5678, "::")),
    ),
    ("all that are exposed", {"PublishAllPorts": True}, ((5678, ""),)),
]


@pytest.mark.parametrize(("host", "at"), [b[1:] for b in BINDINGS], ids=[b[0] for b in BINDINGS])
def test_bindings(host: dict[str, Any], at: tuple[tuple[int, str], ...]) -> None:
    assert bindings(host) == at


@pytest.mark.parametrize(
    ("port", "text"),
    [
        ({"target": 5678, "published": "5678"}, "5678:5678/tcp"),
        ({"target": 5678}, "5678/tcp"),
        ({"target": 5678, "published": "1", "host_ip": "127.0.0.1"}, "127.0.0.1:1:5678/tcp"),
        ({"target": 5678, "host_ip": "127.0.0.1"}, "127.0.0.1::5678/tcp"),
        ({"target": 53, "published": "53", "host_ip": "::1", "protocol": "udp"}, "[::1]:53:53/udp"),
    ],
)
def test_composes_long_form_becomes_dockers_short_one(port: dict[str, Any], text: str) -> None:
    assert debugger._short(port) == text


@pytest.mark.parametrize(
    ("value", "right"), [("4.0", True), ("4", True), ("5", False), ("", False), (None, False)]
)
def test_a_value_is_right_when_it_is_the_number(value: str | None, right: bool) -> None:
    assert Debugged(ready=True, value=value, wanted=4.0).right is right


def test_the_script_is_python_in_one_piece() -> None:
    compile(f"{debugger.CLIENT}\n{debugger.LOOK}", "probe", "exec")
    assert "import grader" not in debugger.CLIENT
    assert "from grader" not in debugger.CLIENT
