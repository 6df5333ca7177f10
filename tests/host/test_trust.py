from __future__ import annotations

from pathlib import Path

import pytest

from grader.host import trust
from grader.host.trust import Trust, apt_settings, extra_certificates, pip_settings, sharable

A = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
B = "-----BEGIN CERTIFICATE-----\nBB\nBB\n-----END CERTIFICATE-----\n"
B_AGAIN = "subject=b\n-----BEGIN CERTIFICATE-----\r\nBBBB\r\n-----END CERTIFICATE-----\r\n"


@pytest.mark.parametrize(
    ("bundles", "distributed", "expected"),
    [
        ([A + B], [A], 1),
        ([A + B], [A, B_AGAIN], 0),
        ([A + B, B_AGAIN], [A], 1),
        ([A + B], [], 2),
        ([], [A], 0),
        (["no certificate in here"], [], 0),
    ],
)
def test_only_what_the_distribution_did_not_bring_is_extra(
    bundles: list[str], distributed: list[str], expected: int
) -> None:
    found = extra_certificates(bundles, distributed)
    assert len(found) == expected
    assert all(one.startswith(trust.BEGIN) and one.endswith(f"{trust.END}\n") for one in found)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://index.example/simple", True),
        ("http://index.example:8080/simple", True),
        ("https://user:secret@index.example/simple", False),
        ("https://token@index.example/simple", False),
        ("file:///opt/simple", False),
        ("/opt/wheels", False),
        ("http://localhost:3141/simple", False),
        ("http://127.0.0.1:3128", False),
        ("", False),
    ],
)
def test_an_address_is_shared_when_a_container_can_use_it_and_it_has_no_password(
    address: str, expected: bool
) -> None:
    assert sharable(address) is expected


def test_pip_settings_that_mean_nothing_in_an_image_are_left_out() -> None:
    values = {
        "index-url": "https://u:p@index.example/simple",
        "extra-index-url": "file:///opt/simple https://more.example/simple",
        "find-links": "/opt/wheels",
        "default-timeout": "180",
        "cert": "/etc/ssl/machine.crt",
    }
    assert list(pip_settings(values)) == [
        ("extra-index-url", "https://more.example/simple"),
        ("default-timeout", "60"),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [("59", [("timeout", "59")]), ("60", [("timeout", "60")]), ("61", [("timeout", "60")])],
)
def test_patience_with_a_dead_connection_has_an_end(
    given: str, expected: list[tuple[str, str]]
) -> None:
    assert list(pip_settings({"timeout": given})) == expected
    assert list(pip_settings({"timeout": "soon"})) == []


def test_apt_settings_are_kept_without_a_proxy_that_an_image_must_not_have() -> None:
    dump = """\
APT "";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://u:p@proxy.example:3128";
Acquire::https::Proxy "http://proxy.example:3128";
Dir::Cache "var/cache/apt";
"""
    assert list(apt_settings(dump)) == [
        ("Acquire::Check-Valid-Until", "false"),
        ("Acquire::https::Proxy", "http://proxy.example:3128"),
    ]


def test_an_image_is_pointed_at_the_bundle_only_where_the_machine_has_one_of_its_own() -> None:
    assert Trust((), (), ()).environment == []
    assert "PIP_CERT=/etc/ssl/certs/ca-certificates.crt" in Trust((A,), (), ()).environment


def test_what_is_not_set_is_not_written(tmp_path: Path) -> None:
    Trust((), (), ()).write(tmp_path)
    assert list(tmp_path.iterdir()) == []
    Trust((A, B), (("timeout", "9"),), (("Acquire::Check-Date", "false"),)).write(tmp_path)
    assert len(list((tmp_path / "ca").glob("*.crt"))) == 2
    assert (tmp_path / "pip.conf").read_text() == "[global]\ntimeout = 9\n"
    apt_conf = (tmp_path / "apt/apt.conf.d/90machine").read_text()
    assert apt_conf == 'Acquire::Check-Date "false";\n'
